package event_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/event"
)

type object = map[string]any

// payloads are the data of the events by the name of their schema.
var payloads = map[string]any{"task-event": event.TaskEvent{}, "reminder-event": event.ReminderEvent{}, "audit-event": event.AuditEvent{}, "comment-event": event.CommentEvent{}, "account-mail-event": event.AccountMailEvent{}, "account-event": event.AccountEvent{}}

const document = "../../docs/events.md"

// A field of a payload is in its schema, with a description, in an example and in
// docs/events.md; what the schema has, the payload has. With -update the document is written anew.
func TestEveryFieldIsDescribed(t *testing.T) {
	text, err := os.ReadFile(document)
	require.NoError(t, err)
	for name, payload := range payloads {
		schema, examples := readSchema(t, name+".v1"), readExamples(t, name)
		if *update {
			text = tableOf(name).ReplaceAll(text, []byte("${1}\n"+table(reflect.TypeOf(payload), schema)+"$3"))
		}
		for _, fault := range undescribed(name, reflect.TypeOf(payload), schema, examples, string(text)) {
			t.Error(fault)
		}
	}
	attributes := properties(readSchema(t, "envelope.v1"), "")
	for name, s := range attributes {
		if s["description"] == nil {
			t.Errorf("pkg/event/schemas/envelope.v1.json has no description of %s", name)
		}
		if !strings.Contains(string(text), "| `"+name+"`") {
			t.Errorf("docs/events.md lacks %s of the envelope", name)
		}
	}
	raw, err := event.Encode(header(event.TopicTasks, event.TaskCreated), json.RawMessage(`{}`))
	require.NoError(t, err)
	var written object
	require.NoError(t, json.Unmarshal(raw, &written))
	for name := range written {
		if attributes[name] == nil {
			t.Errorf("pkg/event/schemas/envelope.v1.json lacks %s, which event.Encode writes", name)
		}
	}
	if *update {
		require.NoError(t, os.WriteFile(document, text, 0o644)) //nolint:gosec // the path is a constant; gosec takes the text for one
	}
}

// The test above names what is missing, and where.
func TestAFieldThatIsForgottenIsNamed(t *testing.T) {
	type Colour struct {
		Name string `json:"name"`
	}
	type Task struct {
		ID      string   `json:"id"`
		Colours []Colour `json:"colours"`
	}
	type TaskEvent struct {
		event.Frame

		TaskData Task `json:"task_data"`
	}
	schema := readSchema(t, "task-event.v1")
	task := properties(schema, "")["task_data"]
	task["properties"] = object{"id": object{"type": "string"}, "size": object{"description": "How large it is.", "type": "integer"}}
	examples := readExamples(t, "task-event")
	text, err := os.ReadFile(document)
	require.NoError(t, err)
	faults := undescribed("task-event", reflect.TypeFor[TaskEvent](), schema, examples, string(text))
	for _, want := range []string{
		"pkg/event/schemas/task-event.v1.json lacks task_data.colours, which is in event.Task",
		"pkg/event/schemas/task-event.v1.json lacks task_data.colours[].name, which is in event.Colour",
		"pkg/event/schemas/task-event.v1.json has no description of task_data.id",
		"pkg/event/schemas/task-event.v1.json has task_data.size, which event.TaskEvent lacks",
		"pkg/event/examples: no event of task-event has task_data.colours, which is in event.Task",
		"docs/events.md lacks task_data.colours of task-event; write it with go test ./pkg/event -update",
	} {
		require.Contains(t, faults, want)
	}
}

// undescribed says what is missing of a payload, and where.
func undescribed(name string, payload reflect.Type, schema object, examples []any, text string) (faults []string) {
	say := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	file := "pkg/event/schemas/" + name + ".v1.json"
	described, shown := properties(schema, ""), map[string]bool{}
	for _, example := range examples {
		show(example, "", shown)
	}
	written := string(tableOf(name).Find([]byte(text)))
	open := []string{} // what the payload leaves open
	code := map[string]bool{}
	for _, f := range fields(payload, "") {
		code[f.path] = true
		if f.open {
			open = append(open, f.path+".")
		}
		where := fmt.Sprintf("%s, which is in event.%s", f.path, f.owner)
		s, ok := described[f.path]
		switch {
		case !ok:
			say("%s lacks %s", file, where)
		case s["description"] == nil:
			say("%s has no description of %s", file, f.path)
		}
		if !shown[f.path] {
			say("pkg/event/examples: no event of %s has %s", name, where)
		}
		if described[f.path] == nil {
			described[f.path] = object{} // for the document
		}
	}
	for _, path := range slices.Sorted(maps.Keys(described)) {
		within := func(prefix string) bool { return strings.HasPrefix(path, prefix) }
		if !code[path] && !slices.ContainsFunc(open, within) {
			say("%s has %s, which event.%s lacks", file, path, payload.Name())
		}
		if row := row(path, described[path]); !strings.Contains(written, "| `"+path+"` |") {
			say("docs/events.md lacks %s of %s; write it with go test ./pkg/event -update", path, name)
		} else if !strings.Contains(written, row) {
			say("docs/events.md says of %s something else than %s; write it with go test ./pkg/event -update", path, file)
		}
	}
	return faults
}

// field is one of a payload: where it is in the JSON, and whose it is in Go.
type field struct {
	path, owner string
	open        bool // what is in it is not in Go
}

func fields(t reflect.Type, path string) (found []field) {
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous || name == "-" {
			continue
		}
		owner := t
		if len(f.Index) > 1 {
			owner = t.Field(f.Index[0]).Type
		}
		at, inner := path+cmp.Or(name, f.Name), f.Type
		found = append(found, field{at, owner.Name(), inner.Kind() == reflect.Map})
		for inner.Kind() == reflect.Pointer || inner.Kind() == reflect.Slice {
			if inner.Kind() == reflect.Slice {
				at += "[]"
			}
			inner = inner.Elem()
		}
		if inner.Kind() == reflect.Struct && inner != reflect.TypeFor[time.Time]() {
			found = append(found, fields(inner, at+".")...)
		}
	}
	return found
}

// properties are all that a schema describes, by their path.
func properties(schema object, path string) map[string]object {
	found := map[string]object{}
	described, _ := schema["properties"].(object)
	for name, s := range described {
		property, at := s.(object), path+name
		found[at] = property
		if items, ok := property["items"].(object); ok {
			property, at = items, at+"[]"
		}
		maps.Copy(found, properties(property, at+"."))
	}
	return found
}

// show notes the paths of all that an example has.
func show(value any, path string, shown map[string]bool) {
	switch value := value.(type) {
	case object:
		for name, inner := range value {
			at := strings.TrimPrefix(path+"."+name, ".")
			shown[at] = true
			show(inner, at, shown)
		}
	case []any:
		for _, inner := range value {
			show(inner, path+"[]", shown)
		}
	}
}

// tableOf finds the table of the document that shows a schema.
func tableOf(schema string) *regexp.Regexp {
	return regexp.MustCompile(`(?s)(<!-- The fields of ` + schema + `[^\n]*-->\n)(.*?)(\n<!-- end -->)`)
}

// table shows a schema, in the order of the Go type.
func table(payload reflect.Type, schema object) string {
	described := properties(schema, "")
	var text strings.Builder
	text.WriteString("| Field | Type | |\n|---|---|---|\n")
	for _, f := range fields(payload, "") {
		text.WriteString(row(f.path, described[f.path]))
		if f.open {
			for _, path := range slices.Sorted(maps.Keys(described)) {
				if strings.HasPrefix(path, f.path+".") {
					text.WriteString(row(path, described[path]))
				}
			}
		}
	}
	return text.String()
}

func row(path string, schema object) string {
	return fmt.Sprintf("| `%s` | %s | %v |\n", path, typeOf(schema), schema["description"])
}

func typeOf(schema object) string {
	if value, ok := schema["const"]; ok {
		return fmt.Sprintf("`%v`", value)
	}
	if values, ok := schema["enum"].([]any); ok {
		return fmt.Sprintf("`%v`", strings.Trim(strings.Join(strings.Fields(fmt.Sprint(values)), "`, `"), "[]"))
	}
	kinds, ok := schema["type"].([]any)
	if !ok {
		kinds = []any{schema["type"]}
	}
	var names []string
	for _, kind := range kinds {
		name := fmt.Sprint(kind)
		switch items, _ := schema["items"].(object); {
		case name == "string" && schema["format"] != nil:
			name = fmt.Sprint(schema["format"])
		case name == "array":
			name += " of " + typeOf(items) + "s"
		}
		names = append(names, name)
	}
	return strings.Join(names, " or ")
}

func readSchema(t *testing.T, name string) (schema object) {
	t.Helper()
	raw, err := os.ReadFile("schemas/" + name + ".json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(raw, &schema))
	return schema
}

// readExamples are the data of the examples that keep to a schema.
func readExamples(t *testing.T, schema string) (examples []any) {
	t.Helper()
	files, err := filepath.Glob("examples/*.json")
	require.NoError(t, err)
	for _, file := range files {
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		var e struct {
			DataSchema string
			Data       any
		}
		require.NoError(t, json.Unmarshal(raw, &e), file)
		if e.DataSchema == event.SchemaBase+schema+"/v1" {
			examples = append(examples, e.Data)
		}
	}
	require.NotEmpty(t, examples)
	return examples
}
