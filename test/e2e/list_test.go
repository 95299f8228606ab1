package e2e

import (
	"fmt"
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
	// What there is not, or is not to be seen, is no filter.
	for _, name := range []string{"series_id", "parent_id", "list_id", "assignee"} {
		must[any](u, http.StatusUnprocessableEntity, http.MethodGet, "/api/tasks?"+name+"="+uuid.NewString(), nil)
	}
}

// A day is that of who asks, or of the zone that he names; an all-day task's date is its own.
func TestDueCountsDaysInTheCallersZone(t *testing.T) {
	leaveOut(t)
	now := time.Now().UTC()
	west, east := twoDates(now)
	u := s.newUser(t, west)
	in := func(zone string, days int) string {
		loc, err := time.LoadLocation(zone)
		require.NoError(t, err)
		return now.In(loc).AddDate(0, 0, days).Format(time.DateOnly) + "T00:00:00Z"
	}
	u.create(object{"title": "undated"})
	u.create(object{"title": "past", "due_at": now.Add(-30 * time.Minute)})
	u.create(object{"title": "soon", "due_at": now.Add(30 * time.Minute)})
	for title, days := range map[string]int{"yesterday": -1, "today": 0, "tomorrow": 1, "last": 6, "behind": 7} {
		for _, zone := range []string{west, east} {
			u.create(object{"title": title, "due_at": in(west, days), "all_day": true, "timezone": zone})
			u.complete(u.create(object{"title": "done", "due_at": in(west, days), "all_day": true, "timezone": zone}))
		}
	}
	for query, want := range map[string][]string{
		"due=overdue":                {"yesterday", "yesterday", "past"},
		"due=today":                  {"today", "today", "past", "soon"},
		"due=tomorrow":               {"tomorrow", "tomorrow"},
		"due=week&is_complete=false": {"today", "today", "past", "soon", "tomorrow", "tomorrow", "last", "last"},
		"due=none":                   {"undated"},
		"due=overdue&timezone=" + url.QueryEscape(east): {"yesterday", "yesterday", "today", "today", "past"},
		"due=today&timezone=" + url.QueryEscape(east):   {"tomorrow", "tomorrow", "past", "soon"},
		"due=today&q=soon": {"soon"},
		"is_complete=true&timezone=" + url.QueryEscape(east): slices.Repeat([]string{"done"}, 10),
	} {
		var got []string
		for cursor := ""; ; {
			p := must[page[event.Task]](u, http.StatusOK, http.MethodGet, "/api/tasks?limit=3&sort=-due_at&"+query+cursor, nil)
			for _, task := range p.Items {
				got = append(got, task.Title)
			}
			if p.NextCursor == nil {
				break
			}
			cursor = "&cursor=" + *p.NextCursor
		}
		require.ElementsMatch(t, want, got, "%s", query)
	}
}

// twoDates are zones in which it is one day, far from midnight, and the next.
func twoDates(now time.Time) (west, east string) {
	day := func(offset int) (int, bool) {
		local := now.Add(time.Duration(offset) * time.Hour)
		return local.Day(), local.Hour() >= 1 && local.Hour() < 23
	}
	for offset := -12; ; offset++ {
		for ahead := offset + 1; ahead <= 14; ahead++ {
			one, ok := day(offset)
			next, fine := day(ahead)
			if ok && fine && one != next {
				// Their sign is the other way round.
				return fmt.Sprintf("Etc/GMT%+d", -offset), fmt.Sprintf("Etc/GMT%+d", -ahead)
			}
		}
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
