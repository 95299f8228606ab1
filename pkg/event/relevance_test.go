package event_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/event"
)

func TestRelevance(t *testing.T) {
	const series = `"series_id":"01a208ca-3c81-70a8-976f-d7b7c25189d4"`
	for name, c := range map[string]struct {
		kind, data        string
		changes, ofSeries bool
	}{
		"a new task":                       {event.TaskCreated, `{"task_data":{"series_id":null,"occurrence":null}}`, false, false},
		"a new task of before series":      {event.TaskCreated, `{"task_data":{}}`, false, false},
		"a new occurrence":                 {event.TaskCreated, `{"task_data":{` + series + `,"occurrence":"2030-03-30T09:00:00"}}`, false, true},
		"a completed occurrence":           {event.TaskCompleted, `{"task_data":{` + series + `,"occurrence":"2030-03-30T09:00:00"}}`, true, true},
		"a task that left its series":      {event.TaskUpdated, `{"task_data":{` + series + `,"occurrence":null}}`, true, false},
		"a deleted task":                   {event.TaskDeleted, `{"task_data":{"series_id":null}}`, true, false},
		"a title that looks like a series": {event.TaskCreated, `{"task_data":{"title":"\",` + strings.ReplaceAll(series, `"`, `\"`) + `"}}`, false, false},
		"a series elsewhere":               {event.TaskCreated, `{` + series + `,"occurrence":"x","metadata":{"task_data":1},"task_data":{}}`, false, false},
		"a type of later":                  {"task.archived", `{"task_data":{}}`, false, false},
		"an erased account":                {event.AccountErased, `{"user_id":"01a208ca-3c6e-74ff-aafe-6e484a0781c4"}`, true, true},
		// To be refused by whoever reads the data.
		"no data":                 {event.TaskCreated, ``, false, true},
		"data that is no task":    {event.TaskCreated, `{"task_data":7}`, false, true},
		"data that is cut off":    {event.TaskCreated, `{"task_data":{"series_id":null`, false, true},
		"a series that is no id":  {event.TaskCreated, `{"task_data":{"series_id":7,"occurrence":"x"}}`, false, true},
		"an occurrence that is 7": {event.TaskCreated, `{"task_data":{` + series + `,"occurrence":7}}`, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.changes, event.ChangesTask(c.kind, []byte(c.data)))
			require.Equal(t, c.ofSeries, event.OfSeries(c.kind, []byte(c.data)))
		})
	}
}
