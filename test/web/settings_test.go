package web

import (
	"archive/zip"
	"bytes"
	"fmt"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	browserdomain "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
	"github.com/jackc/pgx/v5"
	"github.com/pquerna/otp/totp"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/test/suite"
)

// settingsOf opens the settings of somebody who has signed in.
func settingsOf(t *testing.T, c *suite.Client) *tab {
	t.Helper()
	b := signIn(t, c)
	b.click("link", "Settings")
	b.see("heading", "Settings")
	return b
}

// age has all of a user's sign-ins be some time ago, as the page is told from then on.
func (b *tab) age(c *suite.Client) {
	b.t.Helper()
	conn, err := pgx.Connect(b.t.Context(), s.Database.OwnerURL)
	require.NoError(b.t, err)
	defer conn.Close(b.t.Context())
	done, err := conn.Exec(b.t.Context(), "UPDATE task.sessions SET created_at = created_at - interval '1 hour' WHERE user_id = (SELECT id FROM task.users WHERE email = $1)", c.Email)
	require.NoError(b.t, err)
	require.NotZero(b.t, done.RowsAffected())
	// What is known of sessions is forgotten, as where one ends.
	_, err = conn.Exec(b.t.Context(), "SELECT pg_notify('taskwire.sessions', '')")
	require.NoError(b.t, err)
	b.eventually(func() error {
		if status := evaluate[int](b, `fetch("/api/auth/passkeys/register/begin", {method: "POST"}).then((r) => r.status)`); status != http.StatusForbidden {
			return fmt.Errorf("the sign-in is still a recent one: %d", status)
		}
		return nil
	})
}

type profile struct{ Name, Timezone, Email string }

func me(t *testing.T, c *suite.Client) profile {
	t.Helper()
	return ask[profile](t, c, http.MethodGet, "/api/auth/me", nil)
}

func TestTheProfile(t *testing.T) {
	c := newUser(t)
	b := settingsOf(t, c)
	b.fill("textbox", "Name (optional)", "Robin")
	b.fill("combobox", "Time zone", "Atlantis/Center")
	b.click("button", "Save")
	b.see("alert", "")
	require.Equal(t, "UTC", me(t, c).Timezone)
	b.fill("combobox", "Time zone", "Pacific/Auckland")
	b.click("button", "Save")
	b.reads("Saved.")
	require.Equal(t, profile{"Robin", "Pacific/Auckland", c.Email}, me(t, c))
	require.Greater(t, evaluate[int](b, `document.querySelectorAll("#zones option").length`), 300)

	next := fmt.Sprintf("next%d@example.org", time.Now().UnixNano())
	b.fill("textbox", "New address", next)
	b.click("button", "Change the address")
	b.reads("a mail is on its way to " + next)
	b.eventually(func() error {
		if mails, err := s.Mails(next); err != nil || len(mails) == 0 {
			return fmt.Errorf("no mail has come: %w", err)
		}
		return nil
	})
	require.Equal(t, c.Email, me(t, c).Email, "until the link is followed")

	b.fill("textbox", "Password until now", "wrong horse battery")
	b.fill("textbox", "New password", "a better horse battery")
	b.click("button", "Change the password")
	b.see("alert", "")
	b.fill("textbox", "Password until now", suite.Password)
	b.click("button", "Change the password")
	b.reads("The password is changed")
	a, err := c.Do(t.Context(), http.MethodPost, "/api/auth/login", object{"email": c.Email, "password": "a better horse battery"})
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, a.Status)
}

func TestSessionsEnd(t *testing.T) {
	c := newUser(t)
	other := signIn(t, c)
	b := settingsOf(t, c)
	b.reads("Chrome, Linux (this one)")
	sessions := func() int { return evaluate[int](b, `document.querySelectorAll(".rows b").length`) }
	require.Equal(t, 1, sessions())
	b.click("button", "Sign out all others")
	b.reads("All other devices are signed out.")
	b.gone("button", "Sign out all others")
	other.visit("/?again")
	other.see("heading", "Sign in")

	_ = signIn(t, c)
	b.click("link", "Today")
	b.click("link", "Settings")
	b.click("button", "Sign out: Chrome, Linux, 127.0.0.1")
	b.gone("button", "Sign out: Chrome, Linux, 127.0.0.1")
	require.Equal(t, 1, evaluate[int](b, `fetch("/api/auth/sessions").then((r) => r.json()).then((a) => a.items.length)`))
}

// A token does what was allowed, is shown once, and not any more once it is revoked.
func TestAPITokens(t *testing.T) {
	c := newUser(t)
	list := ask[thing](t, c, http.MethodPost, "/api/lists", object{"name": "Garden"})
	create(t, c, object{"title": "Dig", "list_id": list.ID})
	create(t, c, object{"title": "Secret"})
	b := settingsOf(t, c)
	b.agree()
	b.click("button", "New token …")
	b.see("dialog", "New token")
	b.fill("textbox", "What it is for", "Clock on the wall")
	b.click("checkbox", "Read tasks")
	b.click("checkbox", "These lists alone")
	b.click("checkbox", "Garden")
	b.click("button", "Create")
	b.reads("Copy it now")
	program := &suite.Client{Base: s.API, Token: evaluate[string](b, `document.getElementById("token").value`)}
	tasks := ask[struct{ Items []struct{ Title string } }](t, program, http.MethodGet, "/api/tasks", nil)
	require.Len(t, tasks.Items, 1)
	require.Equal(t, "Dig", tasks.Items[0].Title)
	a, err := program.Do(t.Context(), http.MethodPost, "/api/tasks", object{"title": "x", "list_id": list.ID})
	require.NoError(t, err)
	require.Equal(t, http.StatusForbidden, a.Status)
	b.click("button", "I have kept it")
	b.eventually(func() error {
		if said := evaluate[string](b, `document.body.innerText.replace(/\s+/g, " ")`); !strings.Contains(said, "Clock on the wall Read tasks Garden expires") {
			return fmt.Errorf("the token is not shown as it is: %s", said)
		}
		return nil
	})
	require.NotContains(t, evaluate[string](b, "document.documentElement.outerHTML"), program.Token)
	b.click("button", "Revoke: Clock on the wall")
	b.gone("button", "Revoke: Clock on the wall")
	a, err = program.Do(t.Context(), http.MethodGet, "/api/tasks", nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusUnauthorized, a.Status)
}

// What is refused for want of a recent sign-in is done once there was one, and not before.
func TestSigningInAgain(t *testing.T) {
	c := newUser(t)
	b := settingsOf(t, c)
	b.agree()
	b.age(c)
	b.click("button", "New token …")
	b.fill("textbox", "What it is for", "Late")
	b.click("checkbox", "Read tasks")
	b.click("button", "Create")
	b.see("dialog", "Sign in again")
	b.press("\x1b")
	b.gone("dialog", "Sign in again")
	b.see("dialog", "New token")
	b.see("alert", "")
	b.click("button", "Create")
	b.see("dialog", "Sign in again")
	b.fill("textbox", "Password", "wrong horse battery")
	b.press("\r")
	b.see("alert", "")
	b.fill("textbox", "Password", suite.Password)
	b.press("\r")
	b.reads("Copy it now")
	require.Regexp(t, `^tw_[0-9A-Za-z]{36}$`, evaluate[string](b, `document.getElementById("token").value`))
	b.click("button", "I have kept it")

	// The page goes on with the session that there is now.
	create(t, c, object{"title": "After that", "due_at": time.Now().UTC().Format(time.DateOnly) + "T00:00:00Z", "all_day": true})
	b.click("link", "Today 1 open task")
	b.see("button", "After that")
}

// freshCode is a code of a secret that was not used: of this period of 30 s or the next one.
func freshCode(t *testing.T, secret string, used map[string]bool) string {
	t.Helper()
	for _, off := range []time.Duration{0, 30 * time.Second} {
		code, err := totp.GenerateCode(secret, time.Now().Add(off))
		require.NoError(t, err)
		if !used[code] {
			used[code] = true
			return code
		}
	}
	t.Fatal("both codes were used")
	return ""
}

func TestASecondFactor(t *testing.T) {
	c := newUser(t)
	b := settingsOf(t, c)
	b.agree()
	used := map[string]bool{}
	b.click("button", "Set up …")
	b.see("link", "Open in an application")
	secret := strings.ReplaceAll(evaluate[string](b, `document.getElementById("secret").textContent`), " ", "")
	require.Contains(t, evaluate[string](b, `document.querySelector("a.button").href`), "secret="+secret)
	b.fill("textbox", "Code", "12345")
	b.click("button", "Turn on")
	b.see("button", "Turn on") // the browser says what a code looks like
	b.fill("textbox", "Code", freshCode(t, secret, used))
	b.click("button", "Turn on")
	b.see("list", "Recovery codes")
	codes := evaluate[[]string](b, `[...document.querySelectorAll(".codes code")].map((c) => c.textContent)`)
	require.Len(t, codes, 10)
	b.click("button", "I have kept it")
	b.reads("10 recovery codes are left.")

	b.click("button", "Sign out")
	b.see("heading", "Sign in")
	b.fill("textbox", "E-mail address", c.Email)
	b.fill("textbox", "Password", suite.Password)
	b.click("button", "Sign in")
	b.fill("textbox", "Code", "000000")
	b.press("\r")
	b.see("alert", "")
	b.fill("textbox", "Code", freshCode(t, secret, used))
	b.press("\r")
	b.see("heading", "Settings")

	// Again, where it is asked for once more: by a recovery code.
	b.age(c)
	b.click("button", "Turn off")
	b.see("dialog", "Sign in again")
	b.fill("textbox", "Password", suite.Password)
	b.press("\r")
	b.fill("textbox", "Code", strings.ToLower(codes[0]))
	b.press("\r")
	b.see("button", "Set up …")
	b.gone("dialog", "Sign in again")
}

// Chromium's own authenticator makes passkeys and signs with them.
func TestPasskeys(t *testing.T) {
	c := newUser(t)
	b := openAt(t, strings.Replace(s.API, "127.0.0.1", "localhost", 1)) // browsers make none for an address
	b.agree()
	call(b, webauthn.Enable, webauthn.EnableParams{})
	const yes = true
	call(b, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{
		Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportInternal,
		HasResidentKey: yes, HasUserVerification: yes, IsUserVerified: yes, AutomaticPresenceSimulation: yes,
	}})
	b.fill("textbox", "E-mail address", c.Email)
	b.fill("textbox", "Password", suite.Password)
	b.click("button", "Sign in")
	b.see("heading", "Today")
	b.click("link", "Settings")
	b.fill("textbox", "Name of the passkey (optional)", "Telephone")
	b.click("button", "Add a passkey")
	b.see("button", "Remove: Telephone")

	b.click("button", "Sign out")
	b.click("button", "Sign in with a passkey")
	b.see("heading", "Settings")
	b.reads("last used")

	b.age(c)
	b.click("button", "Remove: Telephone")
	b.see("dialog", "Sign in again")
	b.click("button", "Sign in with a passkey")
	b.gone("button", "Remove: Telephone")
	b.gone("dialog", "Sign in again")

	// The browser still has it; nobody has the account that it opens.
	b.click("button", "Sign out")
	b.click("button", "Sign in with a passkey")
	b.see("alert", "")
	b.see("heading", "Sign in")
}

func TestAnExportIsSaved(t *testing.T) {
	c := newUser(t)
	create(t, c, object{"title": "Everything of mine"})
	b := settingsOf(t, c)
	dir := t.TempDir()
	call(b, browserdomain.SetDownloadBehavior, browserdomain.SetDownloadBehaviorParams{
		Behavior: browserdomain.SetDownloadBehaviorBehaviorAllow, BrowserContextID: chromedp.FromContext(b.ctx).BrowserContextID, DownloadPath: dir,
	})
	b.age(c)
	b.click("button", "Export")
	b.fill("textbox", "Password", suite.Password)
	b.press("\r")
	b.reads("The export is saved.")
	var archive *zip.ReadCloser
	b.eventually(func() (err error) {
		archive, err = zip.OpenReader(filepath.Join(dir, "taskwire.zip"))
		return err
	})
	defer archive.Close()
	file, err := archive.Open("tasks.ndjson")
	require.NoError(t, err)
	var tasks bytes.Buffer
	_, err = tasks.ReadFrom(file)
	require.NoError(t, err)
	require.Contains(t, tasks.String(), "Everything of mine")
}

func TestAnAccountGoesAndIsCalledBack(t *testing.T) {
	c := newUser(t)
	b := settingsOf(t, c)
	b.click("button", "Delete the account …")
	b.see("dialog", "Delete the account")
	b.reads("In lists that somebody else owns your tasks stay")
	b.click("button", "Cancel")
	require.Nil(t, evaluate[any](b, `fetch("/api/auth/me").then((r) => r.json()).then((u) => u.erase_at)`))
	b.click("button", "Delete the account …")
	b.click("button", "Delete the account")
	b.reads("Your account is deleted for good")
	b.visit("/?later")
	b.reads("Your account is deleted for good")
	b.click("button", "Keep the account")
	b.reads("The account stays.")
	b.gone("button", "Keep the account")
	require.Nil(t, evaluate[any](b, `fetch("/api/auth/me").then((r) => r.json()).then((u) => u.erase_at)`))
}

// seemly is accessible, and whether what the page shows fits.
func (b *tab) seemly(where string) {
	b.t.Helper()
	b.accessible(where)
	require.LessOrEqual(b.t, evaluate[int](b, "document.documentElement.scrollWidth - document.documentElement.clientWidth"), 0, "%s is too wide", where)
}

func TestSettingsAreAccessible(t *testing.T) {
	c := newUser(t)
	ask[any](t, c, http.MethodPost, "/api/auth/tokens", object{"name": "Clock", "scopes": []string{"tasks:read"}})
	b := settingsOf(t, c)
	b.see("button", "Revoke: Clock")
	b.click("button", "Set up …")
	b.see("link", "Open in an application")
	b.seemly("the settings")
	b.narrow()
	b.seemly("the settings on a phone")
	b.click("button", "New token …")
	b.click("checkbox", "These lists alone")
	b.seemly("a new token")
	b.age(c)
	b.fill("textbox", "What it is for", "Late")
	b.click("checkbox", "Read tasks")
	b.click("checkbox", "Inbox")
	b.click("button", "Create")
	b.see("dialog", "Sign in again")
	b.seemly("a sign-in again")
	b.press("\x1b")
	b.gone("dialog", "Sign in again")
	b.press("\x1b")
	b.click("button", "Delete the account …")
	b.seemly("what it means to delete the account")
}

func TestSettingsInGerman(t *testing.T) {
	c := newUser(t)
	b := open(t)
	b.asksFor("de-DE")
	b.visit("/?german")
	b.see("button", "Mit Company anmelden")
	b.fill("textbox", "E-Mail-Adresse", c.Email)
	b.fill("textbox", "Passwort", suite.Password)
	b.click("button", "Anmelden")
	b.click("link", "Einstellungen")
	b.see("heading", "Angemeldete Geräte")
	b.see("button", "Konto löschen …")
	said := evaluate[string](b, "document.querySelector('main').innerText")
	require.NotRegexp(t, regexp.MustCompile(`(?i)\b(password|settings|save|device)\b`), said)
}
