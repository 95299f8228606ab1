package rest

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/event"
)

// place is where a field of the API is to be named, and the names that stand there.
type place struct {
	name  string
	names map[string]bool
	// without are fields that do not belong there.
	without []string
}

// missing says which fields a place does not name.
func missing(fields []string, places []place) []string {
	var found []string
	for _, p := range places {
		for _, field := range fields {
			if !p.names[field] && !slices.Contains(p.without, field) {
				found = append(found, fmt.Sprintf("%s lacks %s", p.name, field))
			}
		}
	}
	return found
}

// Fields that only the server sets.
var (
	answered           = []string{"id", "user_id", "position", "series_id", "occurrence", "completed_at", "version", "created_at", "updated_at"}
	answeredRecurrence = []string{"anchor", "ordinal"}
)

// places are those of a task's fields, of its recurrence's and of its reminders'.
func places(t *testing.T) (fields map[string][]string, found map[string][]place) {
	t.Helper()
	var document struct {
		Paths      map[string]map[string]map[string]any
		Components struct {
			Schemas map[string]struct {
				Properties map[string]struct{ Description string }
			}
		}
	}
	read(t, "../docs/openapi.json", &document)
	example := document.Paths["/api/tasks/{id}"]["get"]["responses"].(map[string]any)["200"].(map[string]any)["content"].(map[string]any)["application/json"].(map[string]any)["example"].(map[string]any)
	var schema struct {
		Properties struct {
			TaskData properties `json:"task_data"`
		}
	}
	schemas, err := event.Schemas()
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(schemas["task-event/v1"], &schema))
	inEvents := schema.Properties.TaskData.Properties
	events, err := os.ReadFile("../../../../docs/events.md")
	require.NoError(t, err)

	fields, found = map[string][]string{}, map[string][]place{}
	for _, of := range []struct {
		name                                    string
		answer, create, replace, patch, onEvent any
		example                                 map[string]any
		inEvents                                map[string]properties
		answered                                []string
	}{
		{"Task", Task{}, TaskInput{}, TaskReplacement{}, TaskPatch{}, event.Task{}, example, inEvents, answered},
		{
			"Recurrence", Recurrence{}, RecurrenceInput{}, RecurrenceInput{}, RecurrencePatch{}, event.Recurrence{},
			example["recurrence"].(map[string]any), inEvents["recurrence"].Properties, answeredRecurrence,
		},
		{
			"Reminder", Reminder{}, ReminderInput{}, ReminderInput{}, ReminderInput{}, event.Reminder{},
			nil, inEvents["reminders"].Items.Properties, nil,
		},
	} {
		described := map[string]bool{}
		for name, p := range document.Components.Schemas[of.name].Properties {
			described[name] = p.Description != ""
		}
		fields[of.name] = slices.Sorted(maps.Keys(names(of.answer)))
		found[of.name] = []place{
			{name: "the schema " + of.name + " of openapi.json, with a description,", names: described},
			{name: "a create (rest." + reflect.TypeOf(of.create).Name() + ")", names: names(of.create), without: of.answered},
			{name: "a PUT, which takes what GET answers (rest." + reflect.TypeOf(of.replace).Name() + ")", names: names(of.replace)},
			{name: "a PATCH (rest." + reflect.TypeOf(of.patch).Name() + ")", names: names(of.patch), without: of.answered},
			{name: "event." + of.name, names: names(of.onEvent)},
			{name: "the schema of task-events", names: keys(of.inEvents)},
			{name: "docs/events.md", names: named(string(events), fields[of.name])},
		}
		if of.example != nil {
			found[of.name] = append(found[of.name], place{name: "the example of get-task", names: keys(of.example)})
		}
	}
	return fields, found
}

// properties are those of a JSON Schema.
type properties struct {
	Properties map[string]properties
	Items      *properties
}

func read(t *testing.T, file string, v any) {
	t.Helper()
	raw, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(raw, v))
}

func keys[V any](m map[string]V) map[string]bool {
	found := map[string]bool{}
	for key := range m {
		found[key] = true
	}
	return found
}

// names are those of a struct's fields in JSON.
func names(of any) map[string]bool {
	found := map[string]bool{}
	for _, field := range reflect.VisibleFields(reflect.TypeOf(of)) {
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" && name != "-" {
			found[name] = true
		}
	}
	return found
}

// named are those of the fields that a text names as code, such as `task_data.title`.
func named(text string, fields []string) map[string]bool {
	found := map[string]bool{}
	for _, field := range fields {
		found[field] = strings.Contains(text, "."+field+"`") || strings.Contains(text, "`"+field+"`")
	}
	return found
}

// A field that the API answers with is one that can be read, written and learned of
// wherever the others are.
func TestEachFieldIsWhereTheOthersAre(t *testing.T) {
	fields, places := places(t)
	for of, at := range places {
		require.Empty(t, missing(fields[of], at))
	}
}

func TestAFieldThatIsMissingIsNamed(t *testing.T) {
	fields, places := places(t)
	for _, p := range places["Task"] {
		t.Run(p.name, func(t *testing.T) {
			copied := p
			copied.names = maps.Clone(p.names)
			delete(copied.names, "priority")
			require.Equal(t, []string{p.name + " lacks priority"}, missing(fields["Task"], []place{copied}))
		})
	}
}
