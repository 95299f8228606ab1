package web

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/test/suite"
)

// workshop is the folder of the checks, which TestMain makes and takes away.
var workshop string

// checks is a copy of web/ in the workshop, with what its package.json names, made once.
var checks = sync.OnceValues(func() (string, error) {
	dir := workshop
	for _, name := range []string{"package.json", "package-lock.json", "tsconfig.json"} {
		content, err := os.ReadFile(filepath.Join("..", "..", "web", name))
		if err != nil {
			return "", err
		}
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			return "", err
		}
	}
	if err := os.CopyFS(filepath.Join(dir, "src"), os.DirFS(filepath.Join("..", "..", "web", "src"))); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("npm ci: %w: %s", err, out)
	}
	return dir, nil
})

// npm is the folder of the checks, where there is npm to fetch them.
func npm(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("npm"); err != nil {
		t.Skip("npm is not there, which has axe and the TypeScript compiler: apt-get install nodejs npm")
	}
	dir, err := checks()
	require.NoError(t, err)
	return dir
}

func TestTheTypesFit(t *testing.T) {
	dir := npm(t)
	cmd := exec.CommandContext(t.Context(), filepath.Join(dir, "node_modules", ".bin", "tsc"), "--project", ".")
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// What web/vendor has is what npm has, but for the last line, which names a source map.
func TestVendoredFilesAreThoseOfNPM(t *testing.T) {
	dir := npm(t)
	for ours, theirs := range map[string]string{
		"preact/preact.mjs": "preact/dist/preact.mjs", "preact/hooks.mjs": "preact/hooks/dist/hooks.mjs", "preact/jsxRuntime.mjs": "preact/jsx-runtime/dist/jsxRuntime.mjs",
		"signals/signals.mjs": "@preact/signals/dist/signals.mjs", "signals-core/signals-core.mjs": "@preact/signals-core/dist/signals-core.mjs",
	} {
		mine, err := os.ReadFile(filepath.Join("..", "..", "web", "vendor", ours))
		require.NoError(t, err)
		published, err := os.ReadFile(filepath.Join(dir, "node_modules", theirs))
		require.NoError(t, err)
		code, _, _ := strings.Cut(string(published), "//# sourceMappingURL=")
		require.Equal(t, strings.TrimSpace(code), strings.TrimSpace(string(mine)), ours)
	}
}

// accessible has axe look for what keeps people out of what the page shows now, light and dark.
func (b *tab) accessible(where string) {
	b.t.Helper()
	if !evaluate[bool](b, `"axe" in window`) {
		axe, err := os.ReadFile(filepath.Join(npm(b.t), "node_modules", "axe-core", "axe.min.js"))
		require.NoError(b.t, err)
		evaluate[bool](b, string(axe)+"; true")
	}
	for _, scheme := range []string{"light", "dark"} {
		call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}}})
		require.Empty(b.t, evaluate[[]string](b, `axe.run(document, {resultTypes: ["violations"], runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}).then((r) =>
			r.violations.map((v) => v.id + ": " + v.nodes.map((n) => n.html + " " + n.failureSummary).join("; ")))`), "%s, %s", where, scheme)
	}
}

func TestEveryViewIsAccessible(t *testing.T) {
	c := newUser(t)
	list := ask[thing](t, c, http.MethodPost, "/api/lists", object{"name": "Garden"})
	parent := create(t, c, object{"title": "Beds", "list_id": list.ID, "due_at": "2020-02-03T04:05:00Z", "priority": "urgent", "tags": []string{"green"}})
	create(t, c, object{"title": "Dig", "list_id": list.ID, "parent_id": parent.ID})
	create(t, c, object{"title": "Sow", "list_id": list.ID, "due_at": time.Now().UTC().AddDate(0, 0, 3).Format(time.RFC3339), "recurrence": object{"rrule": "FREQ=WEEKLY;INTERVAL=2"}})
	done := create(t, c, object{"title": "Fence", "list_id": list.ID})
	ask[any](t, c, http.MethodPatch, "/api/tasks/"+done.ID+"/complete", object{"is_complete": true})
	gone := create(t, c, object{"title": "Shed"})
	ask[any](t, c, http.MethodDelete, "/api/tasks/"+gone.ID, nil)

	b := open(t)
	b.accessible("sign-in")
	b.click("button", "Create an account")
	b.accessible("registration")
	b.click("button", "Back to sign in")
	b.click("button", "Forgot your password?")
	b.accessible("a forgotten password")
	b.click("button", "Back to sign in")
	b.fill("textbox", "E-mail address", c.Email)
	b.fill("textbox", "Password", "wrong horse battery")
	b.click("button", "Sign in")
	b.see("alert", "")
	b.accessible("a wrong password")
	b.fill("textbox", "Password", suite.Password)
	b.click("button", "Sign in")
	b.see("heading", "Overdue")
	b.accessible("Today")
	b.click("link", "Upcoming")
	b.see("button", "Sow")
	b.accessible("Upcoming")
	b.click("link", "Inbox")
	b.see("heading", "Inbox")
	b.accessible("an empty inbox")
	b.click("link", "Garden 3 open tasks")
	b.click("button", "Actions for Beds")
	evaluate[bool](b, `document.querySelector("details").open = true`)
	b.see("button", "Fence")
	b.click("checkbox", "Complete: Dig")
	b.see("button", "Undo")
	b.accessible("a list")
	b.click("button", "List settings")
	b.accessible("the settings of a list")
	b.press("\x1b")
	b.click("button", "Edit")
	b.see("dialog", "Edit task")
	b.set("repeat", "other")
	b.set("due", "")
	b.fill("textbox", "Rule (RRULE)", "FREQ=NEVER")
	b.click("button", "Save")
	b.eventually(func() error {
		if evaluate[int](b, `[...document.querySelectorAll("dialog .wrong")].filter((e) => !e.hidden).length`) == 0 {
			return fmt.Errorf("a wrong rule was taken")
		}
		return nil
	})
	b.accessible("a task")
	b.click("button", "Cancel")
	b.click("button", "History")
	b.see("insertion", "")
	b.accessible("a history")
	b.press("\x1b")
	b.press("?")
	b.see("dialog", "Keyboard shortcuts")
	b.accessible("the keys")
	b.press("\x1b")
	b.click("link", "Trash")
	b.see("button", "Restore: Shed")
	b.accessible("the trash")
	b.narrow()
	b.accessible("a phone")
	b.click("button", "Menu")
	b.see("link", "Today 1 open task")
	b.accessible("a phone's menu")
}
