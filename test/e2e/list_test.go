package e2e

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/event"
)

// A walk through all pages gives each task once, whatever the order, also where
// many share a value or have none.
func TestEveryOrderGivesEachTaskOnce(t *testing.T) {
	leaveOut(t)
	u := s.newUser(t, "UTC")
	due := []any{nil, "2027-01-01T00:00:00Z", "2027-01-01T00:00:00.000001Z", "2028-06-01T12:00:00+02:00"}
	const tasks = 41
	for i := range tasks {
		u.create(object{
			"title": []string{"same", "Ähnlich", strings.Repeat("<", 200), "%_\\", strings.Repeat("💥", 200)}[i%5], "due_at": due[i%4],
			"priority": []string{"none", "low", "medium", "high", "urgent"}[i%5],
		})
	}
	for _, column := range []string{"created_at", "updated_at", "due_at", "priority", "title"} {
		for _, direction := range []string{"", "-"} {
			t.Run(direction+column, func(t *testing.T) {
				seen := map[uuid.UUID]bool{}
				var walked []event.Task
				for cursor := ""; ; {
					p := must[page[event.Task]](u, http.StatusOK, http.MethodGet, "/api/tasks?limit=7&sort="+direction+column+"&cursor="+cursor, nil)
					for _, task := range p.Items {
						require.False(t, seen[task.ID], "twice")
						seen[task.ID] = true
					}
					walked = append(walked, p.Items...)
					if p.NextCursor == nil {
						break
					}
					cursor = *p.NextCursor
				}
				require.Len(t, walked, tasks)
				if column == "due_at" {
					without := slices.IndexFunc(walked, func(t event.Task) bool { return t.DueAt == nil })
					for _, task := range walked[without:] {
						require.Nil(t, task.DueAt, "those without a due time come last")
					}
				}
			})
		}
	}
}

func TestFilters(t *testing.T) {
	leaveOut(t)
	u := s.newUser(t, "UTC")
	soon := time.Date(2027, 5, 1, 9, 0, 0, 0, time.UTC)
	bread := u.create(object{"title": "Buy 100% rye bread", "tags": []string{"home", "shop"}, "priority": "high", "due_at": soon})
	call := u.create(object{"title": "Call_Ada", "description": "About the BREAD", "tags": []string{"home"}, "due_at": soon.Add(time.Hour)})
	crumb := u.create(object{"title": "Slice", "parent_id": bread.ID})
	u.complete(call)
	for query, want := range map[string][]event.Task{
		"is_complete=true":               {call},
		"is_complete=false":              {bread, crumb},
		"tag=home":                       {bread, call},
		"tag=home&tag=shop":              {bread},
		"tag=Home":                       {},
		"priority=high":                  {bread},
		"priority=high&priority=none":    {bread, call, crumb},
		"q=bread":                        {bread, call},
		"q=" + url.QueryEscape("100%"):   {bread},
		"q=" + url.QueryEscape("l_A"):    {call},
		"q=" + url.QueryEscape(`\`):      {},
		"parent_id=none":                 {bread, call},
		"parent_id=" + bread.ID.String(): {crumb},
		"due_before=2027-05-01T10:00:00Z&due_after=2027-05-01T09:00:00Z": {bread},
		"due_before=2027-05-01T09:00:00Z":                                {},
		"series_id=" + uuid.NewString():                                  {},
	} {
		got, wanted := []string{}, []string{}
		for _, task := range must[page[event.Task]](u, http.StatusOK, http.MethodGet, "/api/tasks?"+query, nil).Items {
			got = append(got, task.Title)
		}
		for _, task := range want {
			wanted = append(wanted, task.Title)
		}
		require.ElementsMatch(t, wanted, got, "%s", query)
	}
}

func TestSubtasks(t *testing.T) {
	leaveOut(t)
	u, other := s.newUser(t, "UTC"), s.newUser(t, "UTC")
	parent := u.create(object{"title": "Parent"})
	child := u.create(object{"title": "Child", "parent_id": parent.ID})
	theirs := other.create(object{"title": "Theirs"})
	for name, c := range map[string]struct {
		task   event.Task
		parent uuid.UUID
	}{
		"a subtask of a subtask":             {u.create(object{"title": "x"}), child.ID},
		"a task under itself":                {parent, parent.ID},
		"a parent under its child":           {parent, child.ID},
		"a parent under another":             {parent, u.create(object{"title": "y"}).ID},
		"a task under another user's":        {child, theirs.ID},
		"a task under one that is not there": {child, uuid.New()},
	} {
		a, err := u.Do(t.Context(), http.MethodPatch, "/api/tasks/"+c.task.ID.String(), object{"parent_id": c.parent})
		require.NoError(t, err)
		require.Equal(t, http.StatusUnprocessableEntity, a.Status, "%s: %s", name, a.Body)
		require.Contains(t, string(a.Body), "body.parent_id", name)
	}
	must[any](u, http.StatusNoContent, http.MethodDelete, "/api/tasks/"+parent.ID.String(), nil)
	for _, gone := range []event.Task{parent, child} {
		must[any](u, http.StatusNotFound, http.MethodGet, "/api/tasks/"+gone.ID.String(), nil)
		require.Equal(t, 1, s.query(t, "SELECT count(*) FROM task.events WHERE key = $1 AND type = 'task.deleted'", gone.ID.String()), gone.Title)
	}
}
