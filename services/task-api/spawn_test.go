package main

import (
	"encoding/json"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/event"
)

// spawn asks for the next occurrence as recurring-task does.
func (s *running) spawn(after uuid.UUID, occurrence, due string) answer {
	s.t.Helper()
	return s.nobody().do(http.MethodPost, "/internal/occurrences", object{"after_task_id": after, "occurrence": occurrence, "due_at": due}, "dapr-api-token", appToken)
}

type spawned struct {
	TaskID uuid.UUID `json:"task_id"`
}

func (a answer) spawned(t *testing.T) uuid.UUID {
	t.Helper()
	var out spawned
	require.NoError(t, json.Unmarshal(a.body, &out), "%s", a.body)
	return out.TaskID
}

// However often and from wherever it is asked for, there is one successor.
func TestATaskIsFollowedOnce(t *testing.T) {
	s := start(t)
	u := s.newUser()
	for range 5 {
		task := u.create(object{"title": "t", "due_at": "2027-01-31T09:00:00Z", "recurrence": object{"rrule": "FREQ=MONTHLY"}})
		u.do(http.MethodPatch, at(task.ID)+"/complete", nil)
		statuses, ids := map[int]int{}, map[uuid.UUID]int{}
		var mu sync.Mutex
		var asking sync.WaitGroup
		for range 10 {
			asking.Go(func() {
				a, err := s.nobody().send(t.Context(), http.MethodPost, "/internal/occurrences",
					object{"after_task_id": task.ID, "occurrence": "2027-02-28T09:00:00", "due_at": "2027-02-28T09:00:00Z"}, "dapr-api-token", appToken)
				var out spawned
				if err != nil || json.Unmarshal(a.body, &out) != nil {
					t.Errorf("%v %s", err, a.body)
				}
				mu.Lock()
				defer mu.Unlock()
				statuses[a.status]++
				ids[out.TaskID]++
			})
		}
		asking.Wait()
		require.Equal(t, map[int]int{http.StatusCreated: 1, http.StatusOK: 9}, statuses)
		id := event.OccurrenceID(*task.SeriesID, "2027-02-28T09:00:00")
		require.Equal(t, map[uuid.UUID]int{id: 10}, ids)
		require.Equal(t, id, s.spawn(task.ID, "2027-03-31T09:00:00", "2027-03-31T09:00:00Z").spawned(t), "another date does not make another")
	}
}

func TestTheFollowerStartsClean(t *testing.T) {
	s := start(t)
	u := s.newUser()
	task := u.create(object{
		"title": "Rent", "description": "d", "tags": []string{"home"}, "priority": "high", "timezone": "Europe/Berlin",
		"due_at": "2027-03-27T09:00:00+01:00", "recurrence": object{"rrule": "FREQ=DAILY"},
		"reminders": []object{{"before_due": "PT1H"}, {"at": "2027-03-26T18:00:00+01:00"}},
	})
	done := u.create(object{"title": "done", "parent_id": task.ID, "is_complete": true, "due_at": "2027-03-27T08:00:00+01:00", "timezone": "Europe/Berlin"})
	open := u.create(object{"title": "open", "parent_id": task.ID, "reminders": []object{{"at": "2027-03-27T07:00:00+01:00"}}, "timezone": "Europe/Berlin"})
	u.do(http.MethodPatch, at(task.ID)+"/complete", nil)
	last := s.toldSince(0)
	a := s.spawn(task.ID, "2027-03-28T09:00:00", "2027-03-28T07:00:00Z")
	require.Equal(t, http.StatusCreated, a.status, "%s", a.body)
	next := u.task(http.StatusOK, http.MethodGet, at(a.spawned(t)), nil)

	require.False(t, next.IsComplete)
	require.Nil(t, next.CompletedAt)
	require.Equal(t, []any{int64(1), "Rent", "d", "high", []string{"home"}, *task.SeriesID, "2027-03-28T09:00:00", *task.Recurrence},
		[]any{next.Version, next.Title, next.Description, next.Priority, next.Tags, *next.SeriesID, *next.Occurrence, *next.Recurrence})
	require.Equal(t, "2027-03-28T07:00:00Z", next.DueAt.Format(time.RFC3339))
	require.Equal(t, "PT1H", next.Reminders[0].BeforeDue)
	require.Equal(t, "2027-03-27T17:00:00Z", next.Reminders[1].At.Format(time.RFC3339), "at the same time by the clock on the wall")
	require.NotEqual(t, task.Reminders[0].ID, next.Reminders[0].ID)
	var armed []string
	require.NoError(t, s.db.NewRaw("SELECT to_char(remind_at, 'MM-DD HH24:MI') FROM task.reminders WHERE task_id = ? AND armed ORDER BY remind_at", next.ID).Scan(t.Context(), &armed))
	require.Equal(t, []string{"03-27 17:00", "03-28 06:00"}, armed)

	var page struct{ Items []event.Task }
	require.NoError(t, json.Unmarshal(u.do(http.MethodGet, "/api/tasks?sort=title&parent_id="+next.ID.String(), nil).body, &page))
	require.Len(t, page.Items, 2)
	for i, title := range []string{"done", "open"} {
		require.Equal(t, title, page.Items[i].Title)
		require.False(t, page.Items[i].IsComplete)
		require.NotContains(t, []uuid.UUID{done.ID, open.ID}, page.Items[i].ID)
	}
	require.Equal(t, "2027-03-28T06:00:00Z", page.Items[0].DueAt.Format(time.RFC3339))
	require.Equal(t, "2027-03-28T05:00:00Z", page.Items[1].Reminders[0].At.Format(time.RFC3339))
	require.Equal(t, []string{"task.created", "audit.task.created", "task.created", "audit.task.created", "task.created", "audit.task.created"}, types(s.toldSince(last[len(last)-1].Position)))
	// What is finished stays in history as it was.
	require.True(t, u.task(http.StatusOK, http.MethodGet, at(task.ID), nil).IsComplete)
	require.True(t, u.task(http.StatusOK, http.MethodGet, at(done.ID), nil).IsComplete)
}

// R6: weekly, moved by a day and completed: the reminder of the next was six days on.
func TestWhatFollowsAMovedTaskIsACycleLater(t *testing.T) {
	s := start(t)
	u := s.newUser()
	task := u.create(object{
		"title": "Weekly", "due_at": "2027-06-01T09:00:00Z", "recurrence": object{"rrule": "FREQ=WEEKLY"}, "timezone": "UTC",
		"reminders": []object{{"at": "2027-06-01T07:30:00Z"}},
	})
	u.create(object{"title": "sub", "parent_id": task.ID, "due_at": "2027-06-01T08:00:00Z", "timezone": "UTC"})
	u.task(http.StatusOK, http.MethodPatch, at(task.ID), object{"due_at": "2027-06-02T09:00:00Z"})
	u.do(http.MethodPatch, at(task.ID)+"/complete", nil)
	next := u.task(http.StatusOK, http.MethodGet, at(s.spawn(task.ID, "2027-06-08T09:00:00", "2027-06-08T09:00:00Z").spawned(t)), nil)
	require.Equal(t, "2027-06-08T07:30:00Z", next.Reminders[0].At.Format(time.RFC3339))
	var subtasks struct{ Items []event.Task }
	require.NoError(t, json.Unmarshal(u.do(http.MethodGet, "/api/tasks?parent_id="+next.ID.String(), nil).body, &subtasks))
	require.Len(t, subtasks.Items, 1)
	require.Equal(t, "2027-06-08T08:00:00Z", subtasks.Items[0].DueAt.Format(time.RFC3339))
}

// R5: with COUNT=4, and a policy changed on the second, there were five.
func TestAPolicyBeginsNoSeriesAnew(t *testing.T) {
	s := start(t)
	u := s.newUser()
	task := u.create(object{"title": "t", "due_at": "2027-06-01T09:00:00Z", "timezone": "UTC", "recurrence": object{"rrule": "FREQ=DAILY;COUNT=4"}})
	for _, policy := range []object{{"missed": "all"}, {"dst_gap": "skip"}, {"month_end": "skip"}} {
		got := u.task(http.StatusOK, http.MethodPatch, at(task.ID), object{"recurrence": policy})
		require.Equal(t, []any{task.SeriesID, task.Occurrence, task.Recurrence.Anchor}, []any{got.SeriesID, got.Occurrence, got.Recurrence.Anchor}, "%v", policy)
	}
	other := u.task(http.StatusOK, http.MethodPatch, at(task.ID), object{"recurrence": object{"rrule": "FREQ=DAILY;COUNT=5"}})
	require.NotEqual(t, task.SeriesID, other.SeriesID)
}

func TestWhatIsNotFollowed(t *testing.T) {
	s := start(t)
	u := s.newUser()
	daily := object{"title": "t", "due_at": "2027-06-01T09:00:00Z", "recurrence": object{"rrule": "FREQ=DAILY"}}
	const next, due = "2027-06-02T09:00:00", "2027-06-02T09:00:00Z"
	gone, plain, ended, followed := u.create(daily), u.create(object{"title": "t"}), u.create(daily), u.create(daily)
	u.do(http.MethodDelete, at(gone.ID), nil)
	u.do(http.MethodPatch, at(ended.ID), `{"recurrence":null}`)
	u.do(http.MethodDelete, at(s.spawn(followed.ID, next, due).spawned(t)), nil)
	before := s.state()
	for name, c := range map[string]struct {
		id     uuid.UUID
		status int
	}{
		"one that was never": {uuid.New(), http.StatusNotFound}, "one that is gone": {gone.ID, http.StatusNotFound},
		"one that does not recur": {plain.ID, http.StatusConflict}, "one whose series was ended": {ended.ID, http.StatusConflict},
		"one whose follower was deleted": {followed.ID, http.StatusConflict},
	} {
		t.Run(name, func(t *testing.T) {
			a := s.spawn(c.id, next, due)
			require.Equal(t, c.status, a.status, "%s", a.body)
		})
	}
	require.Equal(t, before, s.state())
}

// The sidecar may ask nonsense; it is told so.
func TestNonsenseForTheSidecar(t *testing.T) {
	s := start(t)
	u := s.newUser()
	task := u.create(object{
		"title": "t", "due_at": "2027-06-01T09:00:00Z", "recurrence": object{"rrule": "FREQ=DAILY"},
		"reminders": []object{{"at": "2027-07-01T09:00:00Z"}, {"before_due": "P1D"}},
	})
	before := s.state()
	good := object{"after_task_id": task.ID, "occurrence": "2027-06-02T09:00:00", "due_at": "2027-06-02T09:00:00Z"}
	for field, values := range map[string][]any{
		"after_task_id": {nil, 1, "x", "", []int{}, object{}},
		"occurrence":    {nil, 1, "", "2027-06-02", "2027-13-02T09:00:00", "2027-06-02T09:00:60", "2027-06-02 09:00:00"},
		"due_at":        {nil, 1, "", "x", "2027-06-02T09:00:00", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59-23:59"},
	} {
		for _, value := range values {
			body := object{"after_task_id": good["after_task_id"], "occurrence": good["occurrence"], "due_at": good["due_at"]}
			body[field] = value
			a := s.nobody().do(http.MethodPost, "/internal/occurrences", body, "dapr-api-token", appToken)
			require.Equal(t, http.StatusUnprocessableEntity, a.status, "%s %v: %s", field, value, a.body)
			require.Equal(t, "body."+field, a.problem().Errors[0].Location, "%v: %s", value, a.body)
		}
	}
	require.Equal(t, before, s.state())
}
