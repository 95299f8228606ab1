package docs

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/event"
)

// The examples in docs/events.md have the fields of the contract and no other.
func TestExamplesOfEventsAreTrue(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "docs", "events.md"))
	require.NoError(t, err)
	var examples [][]byte
	for _, m := range regexp.MustCompile("(?s)```json\n(.*?)```").FindAllSubmatch(text, -1) {
		examples = append(examples, m[1])
	}
	require.Len(t, examples, 3)

	whole, err := event.Decode(examples[0])
	require.NoError(t, err)
	require.Equal(t, event.SchemaURI(event.TopicReminders, event.ReminderDue), whole.DataSchema())
	for i, payload := range []struct {
		data []byte
		into any
	}{
		{whole.Data(), &event.ReminderEvent{}},
		{examples[1], &event.TaskEvent{}},
		{examples[2], &event.AuditEvent{}},
	} {
		decoder := json.NewDecoder(bytes.NewReader(payload.data))
		decoder.DisallowUnknownFields()
		require.NoError(t, decoder.Decode(payload.into), "example %d", i+1)
	}
	named := append([]string{event.Source}, event.Topics...)
	for _, kind := range event.Types {
		named = append(named, kind.Name)
	}
	for _, name := range named {
		require.Contains(t, string(text), "`"+name+"`")
	}
}

// A link from one document to another leads somewhere.
func TestLinksLeadSomewhere(t *testing.T) {
	var files []string
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/decisions/*.md"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		require.NoError(t, err)
		require.NotEmpty(t, found)
		files = append(files, found...)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, link := range regexp.MustCompile(`\]\(([^):#]+)\)`).FindAllSubmatch(text, -1) {
			require.FileExists(t, follow(file, string(link[1])), "link in %s", file)
		}
	}
}

// follow is where a link leads; a folder is as good as its entry.
func follow(file, link string) string {
	target := filepath.Join(filepath.Dir(file), link)
	if info, err := os.Stat(target); err == nil && info.IsDir() {
		return file
	}
	return target
}
