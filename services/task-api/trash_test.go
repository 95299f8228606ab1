package main

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/task"
)

func inTrash(id uuid.UUID) string { return "/api/trash/" + id.String() }

func (c client) trash() []task.Trashed { return items[task.Trashed](c, "/api/trash") }

// asRead is a task as GET answers it, without what each change counts.
func (c client) asRead(id uuid.UUID) object {
	c.t.Helper()
	var o object
	a := c.do(http.MethodGet, at(id), nil)
	require.Equal(c.t, http.StatusOK, a.status, "%s", a.body)
	require.NoError(c.t, json.Unmarshal(a.body, &o))
	delete(o, "version")
	delete(o, "updated_at")
	return o
}

func TestWhatIsRestoredIsAsItWas(t *testing.T) {
	t.Parallel()
	s := start(t)
	u := s.newUser()
	other := u.list(http.StatusCreated, http.MethodPost, "/api/lists", object{"name": "Other"}).ID
	parent := u.create(object{
		"title": "Parent", "description": "?0 \\ ' \" \n 日本語", "priority": "high", "tags": []string{"a b", `"`}, "list_id": other, "assignee_id": u.user,
		"due_at": "2030-06-01T09:00:00Z", "timezone": "Europe/Berlin", "reminders": []object{{"before_due": "PT1H"}, {"at": "2030-05-01T00:00:00Z"}},
		"recurrence": object{"rrule": "FREQ=WEEKLY;COUNT=5"},
	})
	first := u.create(object{"title": "First", "parent_id": parent.ID, "is_complete": true})
	second := u.create(object{"title": "Second", "parent_id": parent.ID, "reminders": []object{{"at": "2030-05-02T00:00:00Z"}}})
	u.create(object{"title": "Behind", "list_id": other})
	u.say(parent.ID, "Said before")
	said := u.do(http.MethodGet, commentsOn(parent.ID), nil).body
	ids := []uuid.UUID{parent.ID, first.ID, second.ID}
	var was []object
	for _, id := range ids {
		was = append(was, u.asRead(id))
	}
	before := u.toldSince(0)
	require.Equal(t, http.StatusNoContent, u.do(http.MethodDelete, at(parent.ID), nil).status)
	for _, id := range ids {
		require.Equal(t, http.StatusNotFound, u.do(http.MethodGet, at(id), nil).status)
	}
	trash := u.trash()
	require.Len(t, trash, 1)
	require.Equal(t, 3, trash[0].Tasks)
	require.Equal(t, http.StatusNotFound, u.do(http.MethodPost, inTrash(first.ID)+"/restore", nil).status, "it comes back with its parent")

	require.Equal(t, http.StatusOK, u.do(http.MethodPost, inTrash(parent.ID)+"/restore", nil).status)
	for i, id := range ids {
		require.Equal(t, was[i], u.asRead(id))
	}
	require.JSONEq(t, string(said), string(u.do(http.MethodGet, commentsOn(parent.ID), nil).body))
	require.Empty(t, u.trash())
	require.Equal(t, http.StatusNotFound, u.do(http.MethodPost, inTrash(parent.ID)+"/restore", nil).status)
	var versions []int64
	for _, e := range u.toldSince(before[len(before)-1].Position) {
		if e.Topic == event.TopicTasks && e.Key == parent.ID.String() {
			var data event.TaskEvent
			require.NoError(t, json.Unmarshal([]byte(e.Data), &data))
			versions = append(versions, data.TaskData.Version)
		}
	}
	require.Equal(t, []int64{2, 3}, versions, "its versions go on")
	// It is found again, and its series goes on.
	var page struct{ Items []event.Task }
	require.NoError(t, json.Unmarshal(u.do(http.MethodGet, "/api/tasks?q=parent", nil).body, &page))
	require.Len(t, page.Items, 1)
	require.NotEqual(t, uuid.Nil, u.complete(parent.ID))
}

func TestASubtaskWhoseParentIsGoneComesBackWithout(t *testing.T) {
	t.Parallel()
	u := start(t).newUser()
	parent := u.create(object{"title": "Parent"})
	sub := u.create(object{"title": "Sub", "parent_id": parent.ID})
	for _, id := range []uuid.UUID{sub.ID, parent.ID} {
		require.Equal(t, http.StatusNoContent, u.do(http.MethodDelete, at(id), nil).status)
	}
	require.Equal(t, http.StatusNoContent, u.do(http.MethodDelete, inTrash(parent.ID), nil).status)
	require.Equal(t, http.StatusOK, u.do(http.MethodPost, inTrash(sub.ID)+"/restore", nil).status)
	require.Nil(t, u.asRead(sub.ID)["parent_id"])
}

// What would have fired while the task was in the trash does not fire when it comes back.
func TestAReminderThatPassedInTheTrashDoesNotCome(t *testing.T) {
	t.Parallel()
	s := start(t)
	u := s.newUser()
	task := u.create(object{"title": "x", "reminders": []object{{"at": time.Now().Add(time.Hour)}}})
	require.Equal(t, http.StatusNoContent, u.do(http.MethodDelete, at(task.ID), nil).status)
	s.execute(`UPDATE task.trash SET reminders = jsonb_set(jsonb_set(reminders, '{0,remind_at}', to_jsonb(now() - interval '1 minute')), '{0,at}', to_jsonb(now() - interval '1 minute'))`)
	require.Equal(t, http.StatusOK, u.do(http.MethodPost, inTrash(task.ID)+"/restore", nil).status)
	var armed, events int
	require.NoError(t, s.db.NewRaw("SELECT (SELECT count(*) FROM task.reminders WHERE armed), (SELECT count(*) FROM task.events WHERE topic = 'reminders')").Scan(t.Context(), &armed, &events))
	require.Zero(t, armed)
	require.Zero(t, events)
}

func TestAListGoesIntoTheTrashWithItsTasks(t *testing.T) {
	t.Parallel()
	s := start(t)
	owner, editor, stranger := s.newUser(), s.newUser(), s.newUser()
	shared := owner.list(http.StatusCreated, http.MethodPost, "/api/lists", object{"name": "Ours"})
	owner.join(editor, shared.ID, access.Editor)
	single := editor.create(object{"title": "single", "list_id": shared.ID})
	lone := editor.create(object{"title": "thrown away before", "list_id": shared.ID})
	require.Equal(t, http.StatusNoContent, editor.do(http.MethodDelete, at(lone.ID), nil).status)
	was := owner.asRead(single.ID)
	require.Equal(t, http.StatusForbidden, editor.do(http.MethodDelete, listAt(shared.ID), nil).status)
	require.Equal(t, http.StatusNotFound, stranger.do(http.MethodDelete, listAt(shared.ID), nil).status)
	require.Equal(t, "list-changed", owner.do(http.MethodDelete, listAt(shared.ID), nil, "If-Match", `"1"`).problem().code())
	require.Equal(t, "private-inbox", owner.do(http.MethodDelete, listAt(access.Inbox(owner.user)), nil).problem().code())
	require.Equal(t, http.StatusNoContent, owner.do(http.MethodDelete, listAt(shared.ID), nil).status)
	for _, c := range []client{owner, editor} {
		require.Equal(t, http.StatusNotFound, c.do(http.MethodGet, listAt(shared.ID), nil).status)
		require.Equal(t, http.StatusNotFound, c.do(http.MethodGet, at(single.ID), nil).status)
		require.Equal(t, http.StatusUnprocessableEntity, c.do(http.MethodPost, "/api/tasks", object{"title": "x", "list_id": shared.ID}).status)
		require.Len(t, c.trash(), 1, "what was thrown away before is within")
	}
	require.Empty(t, stranger.trash())
	require.Equal(t, http.StatusForbidden, editor.do(http.MethodPost, inTrash(shared.ID)+"/restore", nil).status)
	require.Equal(t, http.StatusNotFound, stranger.do(http.MethodPost, inTrash(shared.ID)+"/restore", nil).status)
	require.Equal(t, http.StatusOK, owner.do(http.MethodPost, inTrash(shared.ID)+"/restore", nil).status)
	require.Equal(t, was, editor.asRead(single.ID))
	require.Len(t, editor.list(http.StatusOK, http.MethodGet, listAt(shared.ID), nil).Members, 2)
	require.Len(t, editor.trash(), 1)

	// Purging is for owners; afterwards there is nothing left of it.
	require.Equal(t, http.StatusForbidden, editor.do(http.MethodDelete, inTrash(lone.ID), nil).status)
	require.Equal(t, http.StatusNotFound, stranger.do(http.MethodDelete, inTrash(lone.ID), nil).status)
	require.Equal(t, http.StatusNoContent, owner.do(http.MethodDelete, inTrash(lone.ID), nil).status)
	require.Equal(t, http.StatusNoContent, owner.do(http.MethodDelete, listAt(shared.ID), nil).status)
	require.Equal(t, http.StatusNoContent, owner.do(http.MethodDelete, inTrash(shared.ID), nil).status)
	var left int
	require.NoError(t, s.db.NewRaw(`SELECT (SELECT count(*) FROM task.trash) + (SELECT count(*) FROM task.lists WHERE id = ?) + (SELECT count(*) FROM task.members WHERE list_id = ?) + (SELECT count(*) FROM task.search)`, shared.ID, shared.ID).Scan(t.Context(), &left))
	require.Zero(t, left)
}

// A parent that is a subtask by now, that was moved, or that is full, takes nothing back.
func TestAParentThatCanNotHaveItTakesNothingBack(t *testing.T) {
	t.Parallel()
	s := start(t, "LIMIT_WRITES=0")
	u := s.newUser()
	other := u.list(http.StatusCreated, http.MethodPost, "/api/lists", object{"name": "Other"}).ID
	for name, change := range map[string]func(parent uuid.UUID){
		"a subtask": func(p uuid.UUID) {
			u.task(http.StatusOK, http.MethodPatch, at(p), object{"parent_id": u.create(object{"title": "above"}).ID})
		},
		"in another list": func(p uuid.UUID) { u.task(http.StatusOK, http.MethodPatch, at(p), object{"list_id": other}) },
		"full": func(p uuid.UUID) {
			var operations []object
			for range 200 {
				operations = append(operations, object{"op": "create", "body": object{"title": "sub", "parent_id": p}})
			}
			u.bulk(http.StatusOK, object{"operations": operations})
		},
	} {
		parent := u.create(object{"title": "parent"})
		sub := u.create(object{"title": "sub", "parent_id": parent.ID})
		require.Equal(t, http.StatusNoContent, u.do(http.MethodDelete, at(sub.ID), nil).status, name)
		change(parent.ID)
		require.Equal(t, http.StatusOK, u.do(http.MethodPost, inTrash(sub.ID)+"/restore", nil).status, name)
		require.Nil(t, u.asRead(sub.ID)["parent_id"], name)
		require.Equal(t, http.StatusNoContent, u.do(http.MethodDelete, at(parent.ID), nil).status, name)
	}
}

// A series whose completion nobody has followed goes on when it comes back.
func TestASeriesGoesOnAfterTheTrash(t *testing.T) {
	t.Parallel()
	u := start(t).newUser()
	l := u.list(http.StatusCreated, http.MethodPost, "/api/lists", object{"name": "Other"}).ID
	task := u.create(object{"title": "x", "list_id": l, "due_at": "2030-01-01T12:00:00Z", "recurrence": object{"rrule": "FREQ=DAILY"}})
	u.task(http.StatusOK, http.MethodPatch, at(task.ID)+"/complete", object{"is_complete": true})
	require.Equal(t, http.StatusNoContent, u.do(http.MethodDelete, listAt(l), nil).status)
	require.Equal(t, http.StatusOK, u.do(http.MethodPost, inTrash(l)+"/restore", nil).status)
	var page struct{ Items []event.Task }
	require.NoError(t, json.Unmarshal(u.do(http.MethodGet, "/api/tasks?is_complete=false&series_id="+task.SeriesID.String(), nil).body, &page))
	require.Len(t, page.Items, 1)
	require.Equal(t, "2030-01-02T12:00:00", *page.Items[0].Occurrence)
}

func TestAnIdIsUsedOnce(t *testing.T) {
	t.Parallel()
	u := start(t).newUser()
	id := uuid.Must(uuid.NewV7())
	u.do(http.MethodPut, at(id), object{"title": "x"}, "If-None-Match", "*")
	require.Equal(t, http.StatusNoContent, u.do(http.MethodDelete, at(id), nil).status)
	require.Equal(t, http.StatusNoContent, u.do(http.MethodDelete, inTrash(id), nil).status)
	require.Equal(t, "id-taken", u.do(http.MethodPut, at(id), object{"title": "x"}, "If-None-Match", "*").problem().code())
	l := u.list(http.StatusCreated, http.MethodPost, "/api/lists", object{"name": "x"}).ID
	require.Equal(t, "id-taken", u.do(http.MethodPut, at(l), object{"title": "x"}, "If-None-Match", "*").problem().code())
	lone := u.create(object{"title": "thrown away before", "list_id": l})
	require.Equal(t, http.StatusNoContent, u.do(http.MethodDelete, at(lone.ID), nil).status)
	require.Equal(t, http.StatusNoContent, u.do(http.MethodDelete, listAt(l), nil).status)
	require.Equal(t, http.StatusNoContent, u.do(http.MethodDelete, inTrash(l), nil).status)
	var left int
	require.NoError(t, u.db.NewRaw("SELECT count(*) FROM task.trash").Scan(t.Context(), &left))
	require.Zero(t, left, "with the list goes what was thrown away in it")
}

// Whoever restores while the list goes, or somebody is taken out of it while he is assigned
// something, is before it or after it.
func TestARestoreWaitsForTheListThatGoes(t *testing.T) {
	t.Parallel()
	s := start(t)
	u := s.newUser()
	l := u.list(http.StatusCreated, http.MethodPost, "/api/lists", object{"name": "x"}).ID
	gone, stays := u.create(object{"title": "gone", "list_id": l}), u.create(object{"title": "stays", "list_id": l})
	require.Equal(t, http.StatusNoContent, u.do(http.MethodDelete, at(gone.ID), nil).status)
	hold, err := s.db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	_, err = hold.ExecContext(t.Context(), "SELECT FROM task.tasks WHERE id = ? FOR UPDATE", stays.ID)
	require.NoError(t, err)
	waiting := func(n int) func() bool {
		return func() bool {
			var waits int
			require.NoError(t, s.db.NewRaw("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'").Scan(t.Context(), &waits))
			return waits == n
		}
	}
	answers := make(chan [2]int, 2)
	go func() { answers <- [2]int{0, u.do(http.MethodDelete, listAt(l), nil).status} }()
	require.Eventually(t, waiting(1), patience, 5*time.Millisecond)
	go func() { answers <- [2]int{1, u.do(http.MethodPost, inTrash(gone.ID)+"/restore", nil).status} }()
	require.Eventually(t, waiting(2), patience, 5*time.Millisecond)
	require.NoError(t, hold.Rollback())
	got := map[int]int{}
	for range 2 {
		a := <-answers
		got[a[0]] = a[1]
	}
	require.Equal(t, map[int]int{0: http.StatusNoContent, 1: http.StatusNotFound}, got)
	require.Equal(t, http.StatusNoContent, u.do(http.MethodDelete, inTrash(l), nil).status)
}

// A cursor that somebody has made up is refused, whatever time is in it.
func TestACursorOfNoTimeIsRefused(t *testing.T) {
	t.Parallel()
	u := start(t).newUser()
	task := u.create(object{"title": "x"})
	for _, at := range []string{"0000-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"} {
		cursor := base64.RawURLEncoding.EncodeToString([]byte(`{"a":"` + at + `","i":"` + uuid.NewString() + `"}`))
		for _, path := range []string{"/api/trash", "/api/invitations", "/api/auth/tokens", commentsOn(task.ID)} {
			a := u.do(http.MethodGet, path+"?cursor="+cursor, nil)
			require.Equal(t, http.StatusUnprocessableEntity, a.status, "%s %s: %s", path, at, a.body)
		}
		for _, sort := range []string{"created_at", "-updated_at", "due_at"} {
			cursor := base64.RawURLEncoding.EncodeToString([]byte(`{"s":"` + sort + `","v":"` + at + `","i":"` + uuid.NewString() + `"}`))
			a := u.do(http.MethodGet, "/api/tasks?sort="+sort+"&cursor="+cursor, nil)
			require.Equal(t, http.StatusUnprocessableEntity, a.status, "%s %s: %s", sort, at, a.body)
		}
	}
}
