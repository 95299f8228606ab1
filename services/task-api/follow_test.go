package main

import (
	"encoding/json"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/event"
)

// follow asks for the next occurrence as recurring-task does.
func (s *running) follow(after uuid.UUID) answer {
	s.t.Helper()
	return s.nobody().do(http.MethodPost, "/internal/occurrences", object{"after_task_id": after}, "dapr-api-token", appToken)
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
	t.Parallel()
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
					object{"after_task_id": task.ID}, "dapr-api-token", appToken)
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
		require.Equal(t, id, s.follow(task.ID).spawned(t))
	}
}

func TestTheFollowerStartsClean(t *testing.T) {
	t.Parallel()
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
	a := s.follow(task.ID)
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

// Weekly, moved by a day and completed: the reminder of the next was six days on.
func TestWhatFollowsAMovedTaskIsACycleLater(t *testing.T) {
	t.Parallel()
	s := start(t)
	u := s.newUser()
	task := u.create(object{
		"title": "Weekly", "due_at": "2027-06-01T09:00:00Z", "recurrence": object{"rrule": "FREQ=WEEKLY"}, "timezone": "UTC",
		"reminders": []object{{"at": "2027-06-01T07:30:00Z"}},
	})
	u.create(object{"title": "sub", "parent_id": task.ID, "due_at": "2027-06-01T08:00:00Z", "timezone": "UTC"})
	u.task(http.StatusOK, http.MethodPatch, at(task.ID), object{"due_at": "2027-06-02T09:00:00Z"})
	u.do(http.MethodPatch, at(task.ID)+"/complete", nil)
	next := u.task(http.StatusOK, http.MethodGet, at(s.follow(task.ID).spawned(t)), nil)
	require.Equal(t, "2027-06-08T07:30:00Z", next.Reminders[0].At.Format(time.RFC3339))
	var subtasks struct{ Items []event.Task }
	require.NoError(t, json.Unmarshal(u.do(http.MethodGet, "/api/tasks?parent_id="+next.ID.String(), nil).body, &subtasks))
	require.Len(t, subtasks.Items, 1)
	require.Equal(t, "2027-06-08T08:00:00Z", subtasks.Items[0].DueAt.Format(time.RFC3339))
}

// series are the tasks of a series, as "occurrence state", in the order of their dates.
func (c client) series(id uuid.UUID) []string {
	c.t.Helper()
	var found struct{ Items []event.Task }
	require.NoError(c.t, json.Unmarshal(c.do(http.MethodGet, "/api/tasks?sort=created_at&series_id="+id.String(), nil).body, &found))
	list := []string{}
	for _, t := range found.Items {
		state := "open"
		if t.IsComplete {
			state = "done"
		}
		list = append(list, (*t.Occurrence)[:len("2006-01-02")]+" "+state)
	}
	slices.Sort(list)
	return list
}

// complete completes a task and has it followed; the id of what does, or nil.
func (c client) complete(id uuid.UUID) uuid.UUID {
	c.t.Helper()
	c.task(http.StatusOK, http.MethodPatch, at(id)+"/complete", object{"is_complete": true})
	a := c.follow(id)
	require.Less(c.t, a.status, http.StatusMultipleChoices, "%s", a.body)
	var out struct {
		TaskID *uuid.UUID `json:"task_id"`
	}
	require.NoError(c.t, json.Unmarshal(a.body, &out))
	if out.TaskID == nil {
		return uuid.Nil
	}
	return *out.TaskID
}

func (c client) reopen(id uuid.UUID) {
	c.t.Helper()
	c.task(http.StatusOK, http.MethodPatch, at(id)+"/complete", object{"is_complete": false})
}

func (c client) remove(id uuid.UUID) {
	c.t.Helper()
	require.Equal(c.t, http.StatusNoContent, c.do(http.MethodDelete, at(id), nil).status)
}

// outcomes are what the events say became of the occurrences that were deleted while open.
func (c client) outcomes(series uuid.UUID) []string {
	c.t.Helper()
	var list []string
	require.NoError(c.t, c.db.NewRaw(`SELECT substr(d->'task_data'->>'occurrence', 1, 10) || ' ' || coalesce(d->'metadata'->>'occurrence', 'done')
		FROM (SELECT data::jsonb AS d, position FROM task.events WHERE topic = 'task-events' AND type = 'task.deleted') e
		WHERE d->'task_data'->>'series_id' = ? ORDER BY position`, series.String()).Scan(c.t.Context(), &list))
	return list
}

// A series goes on, whatever is reopened, deleted or skipped, until it is ended.
func TestASeriesGoesOn(t *testing.T) {
	t.Parallel()
	s := start(t)
	u := s.newUser()
	for name, c := range map[string]struct {
		do       func(first uuid.UUID)
		want     []string
		outcomes []string
	}{
		"R1: completed, reopened with its successor standing, that one deleted, completed": {func(first uuid.UUID) {
			second := u.complete(first)
			u.task(http.StatusOK, http.MethodPatch, at(second), object{"title": "touched"})
			u.reopen(first)
			u.remove(second)
			u.complete(first)
		}, []string{"2030-06-01 done", "2030-06-03 open"}, []string{"2030-06-02 skipped"}},
		"R1: completed and deleted at once": {func(first uuid.UUID) {
			u.task(http.StatusOK, http.MethodPatch, at(first)+"/complete", nil)
			u.remove(first)
			require.Equal(t, http.StatusNotFound, u.follow(first).status)
		}, []string{"2030-06-02 open"}, []string{"2030-06-01 done"}},
		"completed, followed and deleted": {func(first uuid.UUID) {
			u.complete(first)
			u.remove(first)
		}, []string{"2030-06-02 open"}, []string{"2030-06-01 done"}},
		"R3: completed and reopened": {func(first uuid.UUID) {
			u.complete(first)
			u.reopen(first)
		}, []string{"2030-06-01 open"}, []string{"2030-06-02 taken_back"}},
		"completed, reopened and completed": {func(first uuid.UUID) {
			second := u.complete(first)
			u.reopen(first)
			require.Equal(t, second, u.complete(first), "the same occurrence is the same task")
			require.Equal(t, int64(3), u.task(http.StatusOK, http.MethodGet, at(second), nil).Version, "whose versions go on")
		}, []string{"2030-06-01 done", "2030-06-02 open"}, []string{"2030-06-02 taken_back"}},
		"reopened before anybody heard of the completion": {func(first uuid.UUID) {
			u.task(http.StatusOK, http.MethodPatch, at(first)+"/complete", nil)
			u.reopen(first)
			require.Equal(t, http.StatusConflict, u.follow(first).status)
		}, []string{"2030-06-01 open"}, nil},
		"reopened while its successor is touched: both stand, and one follows both": {func(first uuid.UUID) {
			second := u.complete(first)
			u.task(http.StatusOK, http.MethodPatch, at(second), object{"title": "touched"})
			u.reopen(first)
			require.Equal(t, second, u.complete(first), "it is open already")
			u.reopen(first)
			u.complete(second)
			u.complete(first)
		}, []string{"2030-06-01 done", "2030-06-02 done", "2030-06-03 open"}, nil},
		"a subtask was added to the successor: both stand": {func(first uuid.UUID) {
			u.create(object{"title": "mine", "parent_id": u.complete(first)})
			u.reopen(first)
		}, []string{"2030-06-01 open", "2030-06-02 open"}, nil},
		"the successor was completed: both stand": {func(first uuid.UUID) {
			u.complete(u.complete(first))
			u.reopen(first)
		}, []string{"2030-06-01 open", "2030-06-02 done", "2030-06-03 open"}, nil},
		"the open one is deleted: that is the end": {func(first uuid.UUID) {
			u.remove(u.complete(first))
			require.Equal(t, http.StatusConflict, u.follow(first).status)
		}, []string{"2030-06-01 done"}, []string{"2030-06-02 ended"}},
		"an ended series is taken up again where it ended": {func(first uuid.UUID) {
			u.remove(u.complete(first))
			u.reopen(first)
			u.complete(first)
		}, []string{"2030-06-01 done", "2030-06-03 open"}, []string{"2030-06-02 ended"}},
		"skipped": {func(first uuid.UUID) {
			next := u.task(http.StatusOK, http.MethodPost, at(first)+"/skip", nil)
			require.Equal(t, "2030-06-02T09:00:00Z", next.DueAt.Format(time.RFC3339))
			require.Equal(t, http.StatusNotFound, u.do(http.MethodPost, at(first)+"/skip", nil).status)
		}, []string{"2030-06-02 open"}, []string{"2030-06-01 skipped"}},
		"deleted, and looked back at from another zone": {func(first uuid.UUID) {
			u.remove(u.complete(first))
			u.reopen(first)
			u.task(http.StatusOK, http.MethodPatch, at(first), object{"timezone": "Europe/Berlin"})
			u.complete(first)
		}, []string{"2030-06-01 done", "2030-06-03 open"}, []string{"2030-06-02 ended"}},
		"a task that was moved and skipped does not come again as another date": {func(first uuid.UUID) {
			second := u.complete(first)
			u.task(http.StatusOK, http.MethodPatch, at(second)+"?scope=following", object{"due_at": "2030-05-31T09:00:00Z"})
			third := u.task(http.StatusOK, http.MethodPost, at(second)+"/skip", nil)
			require.NotEqual(t, second, third.ID)
			require.Equal(t, int64(1), third.Version)
		}, []string{"2030-06-01 done", "2030-06-02 open"}, []string{"2030-05-31 skipped"}},
		"the successor is skipped, the first reopened and completed": {func(first uuid.UUID) {
			u.task(http.StatusOK, http.MethodPost, at(u.complete(first))+"/skip", nil)
			u.reopen(first)
			u.complete(first)
		}, []string{"2030-06-01 done", "2030-06-03 open"}, []string{"2030-06-02 skipped"}},
	} {
		t.Run(name, func(t *testing.T) {
			first := u.create(object{"title": "t", "due_at": "2030-06-01T09:00:00Z", "timezone": "UTC", "recurrence": object{"rrule": "FREQ=DAILY"}})
			c.do(first.ID)
			require.Equal(t, c.want, u.series(*first.SeriesID))
			require.Equal(t, c.outcomes, u.outcomes(*first.SeriesID))
		})
	}
}

func TestWhatCanNotBeSkipped(t *testing.T) {
	t.Parallel()
	s := start(t)
	u, stranger := s.newUser(), s.newUser()
	daily := object{"title": "t", "due_at": "2030-06-01T09:00:00Z", "timezone": "UTC", "recurrence": object{"rrule": "FREQ=DAILY;COUNT=2"}}
	plain, done, open := u.create(object{"title": "t"}), u.create(daily), u.create(daily)
	last := u.complete(done.ID)
	before := s.state()
	for name, c := range map[string]struct {
		by     client
		id     uuid.UUID
		status int
		header []string
	}{
		"one that does not recur": {u, plain.ID, http.StatusConflict, nil}, "one that is done": {u, done.ID, http.StatusConflict, nil},
		"the last of a rule": {u, last, http.StatusConflict, nil}, "one that was never": {u, uuid.New(), http.StatusNotFound, nil},
		"another's": {stranger, open.ID, http.StatusNotFound, nil}, "one that has changed since": {u, open.ID, http.StatusPreconditionFailed, []string{"If-Match", `"7"`}},
	} {
		t.Run(name, func(t *testing.T) {
			a := c.by.do(http.MethodPost, at(c.id)+"/skip", nil, c.header...)
			require.Equal(t, c.status, a.status, "%s", a.body)
		})
	}
	require.Equal(t, before, s.state())
}

func TestASkippedOccurrenceTakesItsChecklistAlong(t *testing.T) {
	t.Parallel()
	s := start(t)
	u := s.newUser()
	task := u.create(object{
		"title": "Rent", "due_at": "2030-06-01T09:00:00Z", "timezone": "UTC", "recurrence": object{"rrule": "FREQ=DAILY"},
		"reminders": []object{{"before_due": "PT1H"}},
	})
	u.create(object{"title": "plain", "parent_id": task.ID, "is_complete": true})
	own := u.create(object{"title": "own", "parent_id": task.ID, "due_at": "2030-06-01T08:00:00Z", "recurrence": object{"rrule": "FREQ=WEEKLY"}})
	next := u.task(http.StatusOK, http.MethodPost, at(task.ID)+"/skip", nil)
	require.Equal(t, []string{"own 2030-06-01 open", "plain open"}, u.checklist(next.ID))
	require.Equal(t, next.ID, *u.task(http.StatusOK, http.MethodGet, at(own.ID), nil).ParentID)
	var armed []string
	require.NoError(t, s.db.NewRaw("SELECT to_char(remind_at, 'MM-DD HH24:MI') FROM task.reminders WHERE armed").Scan(t.Context(), &armed))
	require.Equal(t, []string{"06-02 08:00"}, armed)
}

// checklist are the subtasks of a task, as "title occurrence state".
func (c client) checklist(parent uuid.UUID) []string {
	c.t.Helper()
	var found struct{ Items []event.Task }
	require.NoError(c.t, json.Unmarshal(c.do(http.MethodGet, "/api/tasks?sort=title&parent_id="+parent.String(), nil).body, &found))
	list := []string{}
	for _, t := range found.Items {
		if t.Occurrence != nil {
			t.Title += " " + (*t.Occurrence)[:len("2006-01-02")]
		}
		if t.IsComplete {
			list = append(list, t.Title+" done")
		} else {
			list = append(list, t.Title+" open")
		}
	}
	return list
}

// Subtasks piled up.
func TestSubtasksOfARecurringTask(t *testing.T) {
	t.Parallel()
	s := start(t)
	u := s.newUser()
	count := func(where string) (n int) {
		require.NoError(t, s.db.NewRaw("SELECT count(*) FROM task.tasks WHERE "+where+" AND user_id = ?", u.user).Scan(t.Context(), &n))
		return n
	}
	t.Run("an open subtask, and three completions of its daily parent", func(t *testing.T) {
		parent := u.create(object{"title": "t", "due_at": "2030-06-01T09:00:00Z", "timezone": "UTC", "recurrence": object{"rrule": "FREQ=DAILY"}})
		u.create(object{"title": "checklist", "parent_id": parent.ID, "reminders": []object{{"at": "2030-05-31T09:00:00Z"}}})
		id := parent.ID
		for range 3 {
			id = u.complete(id)
		}
		require.Equal(t, []string{"checklist open"}, u.checklist(id))
		require.Equal(t, 1, count("title = 'checklist' AND NOT is_complete"))
		require.Equal(t, 3, count("title = 'checklist' AND is_complete"))
	})
	t.Run("completed with its parent and reopened with it; what was done before stays done", func(t *testing.T) {
		parent := u.create(object{"title": "plain"})
		before := u.create(object{"title": "before", "parent_id": parent.ID, "is_complete": true})
		u.create(object{"title": "with", "parent_id": parent.ID})
		u.task(http.StatusOK, http.MethodPatch, at(parent.ID), object{"is_complete": true})
		require.Equal(t, []string{"before done", "with done"}, u.checklist(parent.ID))
		u.reopen(parent.ID)
		require.Equal(t, []string{"before done", "with open"}, u.checklist(parent.ID))
		require.Equal(t, before.Version, u.task(http.StatusOK, http.MethodGet, at(before.ID), nil).Version)
	})
	t.Run("a weekly one under a weekly parent, both completed", func(t *testing.T) {
		parent := u.create(object{"title": "t", "due_at": "2030-06-07T09:00:00Z", "timezone": "UTC", "recurrence": object{"rrule": "FREQ=WEEKLY"}})
		sub := u.create(object{"title": "own", "parent_id": parent.ID, "due_at": "2030-06-05T09:00:00Z", "timezone": "UTC", "recurrence": object{"rrule": "FREQ=WEEKLY"}})
		u.complete(sub.ID)
		next := u.complete(parent.ID)
		require.Equal(t, []string{"own 2030-06-12 open"}, u.checklist(next))
		require.Equal(t, []string{"own 2030-06-05 done"}, u.checklist(parent.ID))
	})
	t.Run("its parent was followed before it is", func(t *testing.T) {
		parent := u.create(object{"title": "t", "due_at": "2030-06-07T09:00:00Z", "timezone": "UTC", "recurrence": object{"rrule": "FREQ=WEEKLY"}})
		sub := u.create(object{"title": "own", "parent_id": parent.ID, "due_at": "2030-06-05T09:00:00Z", "timezone": "UTC", "recurrence": object{"rrule": "FREQ=WEEKLY"}})
		u.task(http.StatusOK, http.MethodPatch, at(sub.ID)+"/complete", nil)
		next := u.complete(parent.ID)
		require.Equal(t, http.StatusOK, u.follow(sub.ID).status, "it was followed with its parent")
		require.Equal(t, []string{"own 2030-06-12 open"}, u.checklist(next))
	})
	for how, do := range map[string]func(parent uuid.UUID){
		"skipped": func(parent uuid.UUID) { u.task(http.StatusOK, http.MethodPost, at(parent)+"/skip", nil) },
		"completed and deleted": func(parent uuid.UUID) {
			u.task(http.StatusOK, http.MethodPatch, at(parent)+"/complete", nil)
			u.remove(parent)
		},
		"followed, then deleted": func(parent uuid.UUID) {
			u.complete(parent)
			u.remove(parent)
		},
	} {
		t.Run("its parent is "+how+" before it is followed", func(t *testing.T) {
			parent := u.create(object{"title": "t", "due_at": "2030-06-07T09:00:00Z", "timezone": "UTC", "recurrence": object{"rrule": "FREQ=WEEKLY"}})
			sub := u.create(object{"title": "own", "parent_id": parent.ID, "due_at": "2030-06-05T09:00:00Z", "timezone": "UTC", "recurrence": object{"rrule": "FREQ=DAILY"}})
			u.task(http.StatusOK, http.MethodPatch, at(sub.ID)+"/complete", nil)
			do(parent.ID)
			require.Contains(t, u.series(*sub.SeriesID), "2030-06-06 open")
		})
	}
	for how, do := range map[string]func(next uuid.UUID, item event.Task){
		"deleted": func(_ uuid.UUID, item event.Task) { u.remove(item.ID) },
		"moved away": func(_ uuid.UUID, item event.Task) {
			u.task(http.StatusOK, http.MethodPatch, at(item.ID), object{"parent_id": nil})
		},
		"joined by another": func(next uuid.UUID, _ event.Task) {
			other := u.create(object{"title": "other"})
			u.task(http.StatusOK, http.MethodPatch, at(other.ID), object{"parent_id": next})
		},
	} {
		t.Run("an item of the next one's checklist is "+how+": both stand", func(t *testing.T) {
			parent := u.create(object{"title": "t", "due_at": "2030-06-07T09:00:00Z", "timezone": "UTC", "recurrence": object{"rrule": "FREQ=WEEKLY"}})
			u.create(object{"title": "item", "parent_id": parent.ID})
			next := u.complete(parent.ID)
			var found struct{ Items []event.Task }
			require.NoError(t, json.Unmarshal(u.do(http.MethodGet, "/api/tasks?parent_id="+next.String(), nil).body, &found))
			do(next, found.Items[0])
			u.reopen(parent.ID)
			require.Equal(t, []string{"2030-06-07 open", "2030-06-14 open"}, u.series(*parent.SeriesID))
		})
	}
	t.Run("what an occurrence inherits is a day on over a gap", func(t *testing.T) {
		parent := u.create(object{"title": "t", "due_at": "2027-03-27T02:30:00+01:00", "timezone": "Europe/Berlin", "recurrence": object{"rrule": "FREQ=DAILY"}, "reminders": []object{{"at": "2027-03-26T20:00:00+01:00"}}})
		u.create(object{"title": "item", "parent_id": parent.ID, "due_at": "2027-03-27T10:00:00+01:00", "timezone": "Europe/Berlin"})
		next := u.task(http.StatusOK, http.MethodGet, at(u.complete(parent.ID)), nil)
		require.Equal(t, "2027-03-27T19:00:00Z", next.Reminders[0].At.Format(time.RFC3339))
		var found struct{ Items []event.Task }
		require.NoError(t, json.Unmarshal(u.do(http.MethodGet, "/api/tasks?parent_id="+next.ID.String(), nil).body, &found))
		require.Equal(t, "2027-03-28T08:00:00Z", found.Items[0].DueAt.Format(time.RFC3339))
	})
	t.Run("it comes back when its parent is reopened", func(t *testing.T) {
		parent := u.create(object{"title": "t", "due_at": "2030-06-07T09:00:00Z", "timezone": "UTC", "recurrence": object{"rrule": "FREQ=WEEKLY"}})
		u.create(object{"title": "own", "parent_id": parent.ID, "due_at": "2030-06-05T09:00:00Z", "timezone": "UTC", "recurrence": object{"rrule": "FREQ=WEEKLY"}})
		u.create(object{"title": "plain", "parent_id": parent.ID})
		u.complete(parent.ID)
		u.reopen(parent.ID)
		require.Equal(t, []string{"own 2030-06-05 open", "plain open"}, u.checklist(parent.ID))
		require.Equal(t, []string{"2030-06-07 open"}, u.series(*parent.SeriesID))
	})
	t.Run("more than a task may have, all deleted with it", func(t *testing.T) {
		parent := u.create(object{"title": "t"})
		sub := u.create(object{"title": "many", "parent_id": parent.ID, "due_at": "2030-06-05T09:00:00Z", "timezone": "UTC", "recurrence": object{"rrule": "FREQ=DAILY"}})
		s.execute(`INSERT INTO task.tasks (id, user_id, title, description, is_complete, priority, tags, all_day, timezone, recurrence, parent_id, series_id, occurrence, followed, completed_at, version, created_at, updated_at)
			SELECT gen_random_uuid(), user_id, title, '', true, 0, '{}', false, timezone, recurrence, parent_id, series_id, to_char(timestamp '2020-01-01 09:00' + n * interval '1 day', 'YYYY-MM-DD"T"HH24:MI:SS'), true, now(), 2, created_at - n * interval '1 day', now()
			FROM task.tasks, generate_series(1, 1000) n WHERE id = ?`, sub.ID)
		u.create(object{"title": "what is done takes no room", "parent_id": parent.ID})
		u.complete(sub.ID)
		u.remove(parent.ID)
		require.Zero(t, count("title = 'many'"))
		require.Equal(t, http.StatusNoContent, u.do(http.MethodDelete, inTrash(parent.ID), nil).status)
		var left int
		require.NoError(t, s.db.NewRaw("SELECT count(*) FROM task.gone_occurrences WHERE series_id = ?", *sub.SeriesID).Scan(t.Context(), &left))
		require.Zero(t, left, "of a series that is gone nothing is kept")
	})
}

// Due in three weeks, done today: the next was in 26 days.
func TestABasisOfCompletionCountsFromIt(t *testing.T) {
	t.Parallel()
	s := start(t)
	u := s.newUser()
	today := time.Now().UTC()
	task := u.create(object{"title": "t", "due_at": today.AddDate(0, 0, 21), "timezone": "UTC", "recurrence": object{"rrule": "FREQ=DAILY;INTERVAL=5;COUNT=3", "basis": "completion"}})
	second := u.task(http.StatusOK, http.MethodGet, at(u.complete(task.ID)), nil)
	require.Equal(t, today.AddDate(0, 0, 5).Format(time.DateOnly), second.DueAt.Format(time.DateOnly))
	require.Equal(t, 2, second.Recurrence.Ordinal)
	skipped := u.task(http.StatusOK, http.MethodPost, at(second.ID)+"/skip", nil)
	require.Equal(t, today.AddDate(0, 0, 10).Format(time.DateOnly), skipped.DueAt.Format(time.DateOnly), "a skip counts from the date that it skips")
	require.Equal(t, uuid.Nil, u.complete(skipped.ID), "one that was skipped counts")
}

// A rule counts from the occurrence, wherever its due time was moved; another spelling is
// the same rule, and one that rests can be sent back as it was read.
func TestARuleThatIsSentAgain(t *testing.T) {
	t.Parallel()
	s := start(t)
	u := s.newUser()
	task := u.create(object{"title": "t", "due_at": "2030-06-03T09:00:00Z", "timezone": "UTC", "recurrence": object{"rrule": "FREQ=WEEKLY;COUNT=2"}})
	task = u.task(http.StatusOK, http.MethodPatch, at(task.ID), object{"due_at": "2030-06-05T15:00:00Z"})
	second := u.complete(task.ID)
	u.task(http.StatusOK, http.MethodPatch, at(second), object{"recurrence": object{"rrule": "freq=weekly;count=2"}})
	require.Equal(t, uuid.Nil, u.complete(second), "COUNT did not begin anew")

	task = u.create(object{"title": "t", "due_at": "2030-06-03T09:00:00Z", "timezone": "UTC", "recurrence": object{"rrule": "FREQ=WEEKLY"}})
	u.task(http.StatusOK, http.MethodPatch, at(task.ID), object{"due_at": "2030-06-05T15:00:00Z"})
	ended := u.task(http.StatusOK, http.MethodPatch, at(task.ID), object{"recurrence": object{"rrule": "FREQ=WEEKLY;UNTIL=20310101"}})
	require.Equal(t, "2030-06-03T09:00:00", ended.Recurrence.Anchor)

	u.task(http.StatusOK, http.MethodPatch, at(task.ID), object{"due_at": nil})
	read := u.do(http.MethodGet, at(task.ID), nil)
	u.task(http.StatusOK, http.MethodPut, at(task.ID), read.body)
	u.task(http.StatusOK, http.MethodPatch, at(task.ID), object{"recurrence": object{"missed": "all"}})

	date := u.create(object{"title": "t", "due_at": "2030-06-03T00:00:00+12:00", "all_day": true, "timezone": "Pacific/Auckland", "recurrence": object{"rrule": "FREQ=DAILY"}})
	moved := u.task(http.StatusOK, http.MethodPut, at(date.ID), object{"title": "t", "due_at": date.DueAt, "all_day": true, "timezone": "America/New_York", "recurrence": object{"rrule": "FREQ=DAILY"}})
	require.Equal(t, "2030-06-03T00:00:00", *moved.Occurrence, "a date stays one")
}

// Each completion of a task that is done, undone and done again was a mail.
func TestWhatWasRemindedOfIsNotAgain(t *testing.T) {
	t.Parallel()
	s := start(t)
	u := s.newUser()
	task := u.create(object{"title": "t", "due_at": time.Now().Add(-time.Hour), "timezone": "UTC", "recurrence": object{"rrule": "FREQ=DAILY"}, "reminders": []object{{"before_due": "P1D"}}})
	fired := func() (n int) {
		require.NoError(t, s.db.NewRaw("SELECT count(*) FROM task.events WHERE topic = 'reminders'").Scan(t.Context(), &n))
		return n
	}
	// A task that is done reminds of nothing any more.
	require.Eventually(t, func() bool { return fired() == 1 }, patience, 10*time.Millisecond)
	next := u.complete(task.ID)
	require.Eventually(t, func() bool { return fired() == 2 }, patience, 10*time.Millisecond)
	for range 3 {
		u.reopen(task.ID)
		require.Equal(t, next, u.complete(task.ID))
	}
	var armed int
	require.NoError(t, s.db.NewRaw("SELECT count(*) FROM task.reminders WHERE armed").Scan(t.Context(), &armed))
	require.Zero(t, armed)
	require.Equal(t, 2, fired())
}

// Of a series that has had thousands of occurrences, thousands of which are taken, what
// follows costs as little. It was quadratic: 3 s of CPU for 4,000.
func TestALongPastIsCheap(t *testing.T) {
	t.Parallel()
	s := start(t)
	u := s.newUser()
	task := u.create(object{"title": "t", "due_at": "2030-01-01T09:00:00Z", "timezone": "UTC", "recurrence": object{"rrule": "FREQ=DAILY"}})
	s.execute(`INSERT INTO task.gone_occurrences (series_id, task_id, occurrence, at, all_day, version, created_at, taken_back)
		SELECT ?, gen_random_uuid(), to_char(d, 'YYYY-MM-DD"T"HH24:MI:SS'), d, false, 1, now() - interval '1 day', false
		FROM generate_series(timestamp '2030-01-02 09:00', timestamp '2030-01-02 09:00' + interval '5999 days', interval '1 day') d`, *task.SeriesID)
	a := u.do(http.MethodPost, at(task.ID)+"/skip", nil)
	require.Equal(t, http.StatusOK, a.status, "%s", a.body)
	require.Contains(t, string(a.body), `"occurrence":"2046-06-07T09:00:00"`)
}

// At the end of all times a series ends, or goes on from now, and nothing breaks.
func TestSeriesAtTheEndOfAllTimes(t *testing.T) {
	t.Parallel()
	s := start(t)
	u := s.newUser()
	for _, basis := range []string{"due", "completion"} {
		t.Run(basis, func(t *testing.T) {
			task := u.create(object{"title": "t", "due_at": "2030-01-01T09:00:00Z", "timezone": "UTC", "recurrence": object{"rrule": "FREQ=YEARLY;INTERVAL=90", "basis": basis}})
			task = u.task(http.StatusOK, http.MethodPatch, at(task.ID), object{"due_at": "8890-01-01T09:00:00Z"})
			a := u.do(http.MethodPost, at(task.ID)+"/skip", nil)
			for a.status == http.StatusOK {
				require.NoError(t, json.Unmarshal(a.body, &task))
				a = u.do(http.MethodPost, at(task.ID)+"/skip", nil)
			}
			require.Equal(t, http.StatusConflict, a.status, "%s", a.body)
			next := u.complete(task.ID)
			require.Equal(t, basis == "due", next == uuid.Nil)
		})
	}
}

// With COUNT=4, and a policy, the zone or the form changed on the second, there were five.
func TestOnlyAnotherRuleBeginsCountAnew(t *testing.T) {
	t.Parallel()
	s := start(t)
	u := s.newUser()
	for name, c := range map[string]struct {
		patch object
		scope string
		want  []string // what the series is in the end
		due   string   // of the third
	}{
		"missed":    {object{"recurrence": object{"missed": "all"}}, "", []string{"2030-06-01 done", "2030-06-02 done", "2030-06-03 done", "2030-06-04 done"}, "2030-06-03T09:00:00Z"},
		"dst_gap":   {object{"recurrence": object{"dst_gap": "skip"}}, "", []string{"2030-06-01 done", "2030-06-02 done", "2030-06-03 done", "2030-06-04 done"}, "2030-06-03T09:00:00Z"},
		"month_end": {object{"recurrence": object{"month_end": "skip"}}, "", []string{"2030-06-01 done", "2030-06-02 done", "2030-06-03 done", "2030-06-04 done"}, "2030-06-03T09:00:00Z"},
		"the zone":  {object{"timezone": "Pacific/Auckland"}, "", []string{"2030-06-01 done", "2030-06-02 done", "2030-06-03 done", "2030-06-04 done"}, "2030-06-03T09:00:00Z"},
		"the zone, and the date in it": {object{"timezone": "Pacific/Auckland", "due_at": "2030-06-02T09:00:00+12:00"}, "",
			[]string{"2030-06-01 done", "2030-06-02 done", "2030-06-03 done", "2030-06-04 done"}, "2030-06-02T21:00:00Z"},
		"a zone in which it is the day before": {object{"timezone": "Pacific/Honolulu"}, "", []string{"2030-06-01 done", "2030-06-01 done", "2030-06-02 done", "2030-06-03 done"}, "2030-06-03T09:00:00Z"},
		"all_day":                              {object{"all_day": true}, "", []string{"2030-06-01 done", "2030-06-02 done", "2030-06-03 done", "2030-06-04 done"}, "2030-06-03T00:00:00Z"},
		"the due time of this one":             {object{"due_at": "2030-06-02T15:00:00Z"}, "this", []string{"2030-06-01 done", "2030-06-02 done", "2030-06-03 done", "2030-06-04 done"}, "2030-06-03T09:00:00Z"},
		"the due time of all of them":          {object{"due_at": "2030-06-05T15:00:00Z"}, "following", []string{"2030-06-01 done", "2030-06-05 done", "2030-06-06 done", "2030-06-07 done"}, "2030-06-06T15:00:00Z"},
		"another rule":                         {object{"recurrence": object{"rrule": "FREQ=WEEKLY;COUNT=3"}}, "", []string{"2030-06-01 done", "2030-06-02 done", "2030-06-09 done", "2030-06-16 done"}, "2030-06-09T09:00:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			first := u.create(object{"title": "t", "due_at": "2030-06-01T09:00:00Z", "timezone": "UTC", "recurrence": object{"rrule": "FREQ=DAILY;COUNT=4"}})
			second := u.complete(first.ID)
			path := at(second)
			if c.scope != "" {
				path += "?scope=" + c.scope
			}
			u.task(http.StatusOK, http.MethodPatch, path, c.patch)
			third := u.task(http.StatusOK, http.MethodGet, at(u.complete(second)), nil)
			require.Equal(t, c.due, third.DueAt.UTC().Format(time.RFC3339))
			for id := u.complete(third.ID); id != uuid.Nil; {
				id = u.complete(id)
			}
			require.Equal(t, c.want, u.series(*first.SeriesID))
		})
	}
}

// Another policy has other dates in the past; COUNT counts what was there.
func TestAPolicyCountsWhatWasThere(t *testing.T) {
	t.Parallel()
	s := start(t)
	u := s.newUser()
	for before, c := range map[string]struct {
		after string
		want  []string
	}{
		"clamp": {"skip", []string{"2030-01-31 done", "2030-02-28 done", "2030-03-31 done", "2030-05-31 done"}},
		"skip":  {"clamp", []string{"2030-01-31 done", "2030-03-31 done", "2030-04-30 done", "2030-05-31 done"}},
	} {
		t.Run(before, func(t *testing.T) {
			first := u.create(object{"title": "t", "due_at": "2030-01-31T09:00:00Z", "timezone": "UTC", "recurrence": object{"rrule": "FREQ=MONTHLY;COUNT=4", "month_end": before}})
			second := u.complete(first.ID)
			u.task(http.StatusOK, http.MethodPatch, at(second), object{"recurrence": object{"month_end": c.after}})
			for id := second; id != uuid.Nil; {
				id = u.complete(id)
			}
			require.Equal(t, c.want, u.series(*first.SeriesID))
		})
	}
}

// A month's end stays one when only the time of day or the zone is another.
func TestAMonthsEndDoesNotDrift(t *testing.T) {
	t.Parallel()
	s := start(t)
	u := s.newUser()
	for name, c := range map[string]struct {
		patch object
		next  string
	}{
		"another time of day": {object{"due_at": "2031-02-28T10:00:00Z"}, "2031-03-31T10:00:00Z"},
		"another zone":        {object{"timezone": "Europe/Berlin"}, "2031-03-31T08:00:00Z"}, // 10:00 on the wall
		"another day":         {object{"due_at": "2031-02-20T09:00:00Z"}, "2031-03-20T09:00:00Z"},
		"an end":              {object{"recurrence": object{"rrule": "FREQ=MONTHLY;UNTIL=20401231"}}, "2031-03-31T09:00:00Z"},
		"another interval":    {object{"recurrence": object{"rrule": "FREQ=MONTHLY;INTERVAL=2"}}, "2031-04-28T09:00:00Z"},
		"every year":          {object{"recurrence": object{"rrule": "FREQ=YEARLY"}}, "2032-02-28T09:00:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			first := u.create(object{"title": "t", "due_at": "2031-01-31T09:00:00Z", "timezone": "UTC", "recurrence": object{"rrule": "FREQ=MONTHLY"}})
			second := u.complete(first.ID)
			u.task(http.StatusOK, http.MethodPatch, at(second)+"?scope=following", c.patch)
			next := u.task(http.StatusOK, http.MethodGet, at(u.complete(second)), nil)
			require.Equal(t, c.next, next.DueAt.UTC().Format(time.RFC3339))
		})
	}
}

func TestTheFollowingOnesAreChangedFromTheOpenOne(t *testing.T) {
	t.Parallel()
	s := start(t)
	u := s.newUser()
	first := u.create(object{"title": "t", "due_at": "2030-06-10T00:00:00Z", "all_day": true, "timezone": "UTC", "recurrence": object{"rrule": "FREQ=DAILY"}})
	second := u.complete(first.ID)
	a := u.do(http.MethodPatch, at(first.ID)+"?scope=following", object{"due_at": "2030-06-12T00:00:00Z"})
	require.Equal(t, http.StatusConflict, a.status, "%s", a.body)
	a = u.do(http.MethodPatch, at(first.ID)+"?scope=all", object{"due_at": "2030-06-12T00:00:00Z"})
	require.Equal(t, http.StatusUnprocessableEntity, a.status, "%s", a.body)

	// Two days back, and then over the date whose id it has.
	u.task(http.StatusOK, http.MethodPatch, at(second)+"?scope=following", object{"due_at": "2030-06-09T00:00:00Z"})
	third := u.complete(second)
	fourth := u.complete(third)
	require.NotEqual(t, second, fourth)
	require.Equal(t, []string{"2030-06-09 done", "2030-06-10 done", "2030-06-11 done", "2030-06-12 open"}, u.series(*first.SeriesID), "the 10th was done before")

	// Onto a date that was taken back: the same series.
	fifth := u.complete(fourth)
	u.reopen(fourth)
	moved := u.task(http.StatusOK, http.MethodPatch, at(fourth)+"?scope=following", object{"due_at": "2030-06-13T00:00:00Z"})
	require.Equal(t, first.SeriesID, moved.SeriesID)
	require.NotEqual(t, fifth, u.complete(fourth))
	u.reopen(fourth)

	// Onto a date that was done: a series of its own.
	moved = u.task(http.StatusOK, http.MethodPatch, at(fourth)+"?scope=following", object{"due_at": "2030-06-09T00:00:00Z"})
	require.NotEqual(t, first.SeriesID, moved.SeriesID)
}

func TestWhatIsNotFollowed(t *testing.T) {
	t.Parallel()
	s := start(t)
	u := s.newUser()
	daily := object{"title": "t", "due_at": "2027-06-01T09:00:00Z", "recurrence": object{"rrule": "FREQ=DAILY"}}
	gone, plain, ended, followed, open := u.create(daily), u.create(object{"title": "t"}), u.create(daily), u.create(daily), u.create(daily)
	u.do(http.MethodDelete, at(gone.ID), nil)
	u.do(http.MethodPatch, at(ended.ID), `{"recurrence":null,"is_complete":true}`)
	u.do(http.MethodDelete, at(u.complete(followed.ID)), nil)
	before := s.state()
	for name, c := range map[string]struct {
		id     uuid.UUID
		status int
	}{
		"one that was never": {uuid.New(), http.StatusNotFound}, "one that is gone": {gone.ID, http.StatusNotFound},
		"one that does not recur": {plain.ID, http.StatusConflict}, "one whose series was ended": {ended.ID, http.StatusConflict},
		"one whose follower was deleted": {followed.ID, http.StatusConflict}, "one that is open": {open.ID, http.StatusConflict},
	} {
		t.Run(name, func(t *testing.T) {
			a := s.follow(c.id)
			require.Equal(t, c.status, a.status, "%s", a.body)
		})
	}
	require.Equal(t, before, s.state())
}

// The sidecar may ask nonsense; it is told so. What the version before asked for is taken.
func TestNonsenseForTheSidecar(t *testing.T) {
	t.Parallel()
	s := start(t)
	u := s.newUser()
	task := u.create(object{"title": "t", "due_at": "2027-06-01T09:00:00Z", "recurrence": object{"rrule": "FREQ=DAILY"}})
	u.do(http.MethodPatch, at(task.ID)+"/complete", nil)
	before := s.state()
	for _, value := range []any{nil, 1, "x", "", []int{}, object{}} {
		a := s.nobody().do(http.MethodPost, "/internal/occurrences", object{"after_task_id": value}, "dapr-api-token", appToken)
		require.Equal(t, http.StatusUnprocessableEntity, a.status, "%v: %s", value, a.body)
		require.Equal(t, "body.after_task_id", a.problem().Errors[0].Location, "%v: %s", value, a.body)
	}
	require.Equal(t, before, s.state())
	a := s.nobody().do(http.MethodPost, "/internal/occurrences", object{"after_task_id": task.ID, "occurrence": "2027-06-05T09:00:00", "due_at": "2027-06-05T09:00:00Z"}, "dapr-api-token", appToken)
	require.Equal(t, event.OccurrenceID(*task.SeriesID, "2027-06-02T09:00:00"), a.spawned(t), "what follows is decided here")
}
