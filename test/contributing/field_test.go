package contributing

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// lines takes the lines of a file away that match, and besides what of others matches.
func lines(pattern string, others ...string) func(*testing.T, string) string {
	return func(_ *testing.T, text string) string {
		text = regexp.MustCompile("(?m)^.*"+pattern+".*\n").ReplaceAllString(text, "")
		for _, other := range others {
			text = regexp.MustCompile(other).ReplaceAllString(text, "")
		}
		return text
	}
}

// member takes what a path of keys leads to out of a JSON document.
func member(path ...string) func(*testing.T, string) string {
	return func(t *testing.T, text string) string {
		t.Helper()
		document := map[string]any{}
		require.NoError(t, json.Unmarshal([]byte(text), &document))
		at := document
		for _, key := range path[:len(path)-1] {
			next, ok := at[key].(map[string]any)
			require.True(t, ok, "%v: there is no %s", path, key)
			at = next
		}
		delete(at, path[len(path)-1])
		raw, err := json.Marshal(document)
		require.NoError(t, err)
		return string(raw)
	}
}

// Wherever a field is taken away, a test names it and the place.
func TestAFieldThatIsTakenAwayIsNamed(t *testing.T) {
	if testing.Short() {
		t.Skip("the same on every broker")
	}
	const (
		door     = "services/task-api/internal/rest/task.go"
		document = "services/task-api/internal/docs/openapi.json"
	)
	root := copied(t)
	for name, c := range map[string]struct {
		file    string
		without func(*testing.T, string) string
		named   string
	}{
		"the schema of an event": {
			"pkg/event/schemas/task-event.v1.json", lines(`"priority": \{`),
			"pkg/event/schemas/task-event.v1.json lacks task_data.priority, which is in event.Task",
		},
		"the example of an event": {"pkg/event/examples/task.created.json", lines(`"priority": `), "pkg/event/examples/task.created.json"},
		"docs/events.md":          {"docs/events.md", lines("\\| `task_data.priority`"), "docs/events.md lacks task_data.priority of task-event"},
		"the schema of the API":   {document, member("components", "schemas", "Task", "properties", "priority"), "the schema Task of openapi.json, with a description, lacks priority"},
		"the example of the API": {
			document, member("paths", "/api/tasks/{id}", "get", "responses", "200", "content", "application/json", "example", "priority"),
			"the example of get-task lacks priority",
		},
		"PATCH": {door, lines(`Priority +optional`, `Priority: in\.Priority\.Optional,`), "a PATCH (rest.TaskPatch) lacks priority"},
		"POST":  {door, lines(`ParentID +\*uuid\.UUID +.json:"parent_id,omitempty`, `ParentID: in\.ParentID,`), "a create (rest.TaskInput) lacks parent_id"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(root, c.file)
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			less := c.without(t, string(text))
			require.NotEqual(t, string(text), less, "nothing was taken away")
			require.NoError(t, os.WriteFile(path, []byte(less), 0o644))
			t.Cleanup(func() { require.NoError(t, os.WriteFile(path, text, 0o644)) })

			tests := exec.CommandContext(t.Context(), "go", "test", "-trimpath", "-run", "Field|Examples", "./pkg/event", "./services/task-api/internal/rest")
			tests.Dir = root
			out, err := tests.CombinedOutput()
			require.Error(t, err, "nobody misses it")
			require.Contains(t, string(out), c.named)
		})
	}
}
