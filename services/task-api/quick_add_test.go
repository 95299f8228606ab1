package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
)

const quickAddPath = "/api/quick-add"

// quickAdded is what quick add answers; of a dry run Task has only what was understood.
type quickAdded struct {
	Task  event.Task
	Spans []struct {
		Start, End        int
		Kind, Value, Text string
	}
}

func (c client) quickAdd(status int, body any, header ...string) quickAdded {
	c.t.Helper()
	a := c.do(http.MethodPost, quickAddPath, body, header...)
	require.Equal(c.t, status, a.status, "%s", a.body)
	var out quickAdded
	require.NoError(c.t, json.Unmarshal(a.body, &out))
	return out
}

func TestATextMakesATask(t *testing.T) {
	t.Parallel()
	u := start(t).newUser()
	home := u.list(http.StatusCreated, http.MethodPost, "/api/lists", object{"name": "Home"})
	body := object{
		"text": "Water the orchids every friday 9:00 #home #plants !high *15m", "captured_at": "2027-03-24T10:00:00+01:00", "timezone": "Europe/Berlin",
	}
	before := u.toldSince(0)
	a := u.do(http.MethodPost, quickAddPath, body)
	require.Equal(t, http.StatusCreated, a.status, "%s", a.body)
	var out quickAdded
	require.NoError(t, json.Unmarshal(a.body, &out))
	task := out.Task
	require.Equal(t, "Water the orchids", task.Title)
	require.Equal(t, home.ID, task.ListID)
	require.Equal(t, []string{"plants"}, task.Tags)
	require.Equal(t, "high", task.Priority)
	require.Equal(t, "Europe/Berlin", task.Timezone)
	require.Equal(t, "2027-03-26T08:00:00Z", task.DueAt.Format(time.RFC3339))
	require.False(t, task.AllDay)
	require.Equal(t, "FREQ=WEEKLY;BYDAY=FR", task.Recurrence.RRule)
	require.Equal(t, "due", task.Recurrence.Basis)
	require.Equal(t, "2027-03-26T09:00:00", task.Recurrence.Anchor)
	require.Equal(t, "PT15M", task.Reminders[0].BeforeDue)
	require.Len(t, out.Spans, 6)
	require.Equal(t, home.ID.String(), out.Spans[2].Value)
	require.Equal(t, `"1"`, a.header.Get("ETag"))
	require.Equal(t, at(task.ID), a.header.Get("Location"))
	require.Equal(t, task, u.task(http.StatusOK, http.MethodGet, at(task.ID), nil), "it is a task as any other")
	require.Equal(t, []string{"task.created", "audit.task.created"}, types(u.toldSince(before[len(before)-1].Position)))

	// What the text says goes before what stands beside it.
	there := u.quickAdd(http.StatusCreated, object{"text": "Mow", "list_id": home.ID, "due_on": "2027-05-05", "timezone": "Europe/Berlin"}).Task
	require.Equal(t, home.ID, there.ListID)
	require.True(t, there.AllDay)
	require.Equal(t, "2027-05-04T22:00:00Z", there.DueAt.Format(time.RFC3339), "the day there")
	said := u.quickAdd(http.StatusCreated, object{"text": "Mow 2027-06-06 #home", "list_id": access.Inbox(u.user), "due_on": "2027-05-05"}).Task
	require.Equal(t, home.ID, said.ListID)
	require.Equal(t, "2027-06-06T00:00:00Z", said.DueAt.Format(time.RFC3339))
	for place, wrong := range map[string]object{"body.list_id": {"text": "x", "list_id": uuid.New()}, "body.due_on": {"text": "x", "due_on": "tomorrow"}} {
		a := u.do(http.MethodPost, quickAddPath, wrong)
		require.Equal(t, http.StatusUnprocessableEntity, a.status)
		require.Equal(t, place, a.problem().Errors[0].Location)
	}

	plain := u.quickAdd(http.StatusCreated, object{"text": "May I"})
	require.Equal(t, "May I", plain.Task.Title)
	require.NotNil(t, plain.Spans)
	require.Empty(t, plain.Spans)
	require.Equal(t, access.Inbox(u.user), plain.Task.ListID)
}

func TestADryRunWritesNothing(t *testing.T) {
	t.Parallel()
	u := start(t).newUser()
	home := u.list(http.StatusCreated, http.MethodPost, "/api/lists", object{"name": "Home"})
	before := u.state()
	body := object{"text": "Rent every! 3 days #home #money !urgent *1d", "captured_at": "2027-03-24T10:00:00+01:00", "dry_run": true}
	a := u.do(http.MethodPost, quickAddPath, body, "Idempotency-Key", "k")
	require.Equal(t, http.StatusOK, a.status, "%s", a.body)
	require.Equal(t, before, u.state())
	var out struct {
		Task  object
		Spans []object
	}
	require.NoError(t, json.Unmarshal(a.body, &out))
	require.Equal(t, object{
		"title": "Rent", "list_id": home.ID.String(), "tags": []any{"money"}, "priority": "urgent", "due_at": "2027-03-24T00:00:00Z", "all_day": true, "timezone": "UTC",
		"recurrence": object{"rrule": "FREQ=DAILY;INTERVAL=3", "basis": "completion"}, "reminders": []any{object{"before_due": "P1D"}},
	}, out.Task)
	require.Len(t, out.Spans, 5)

	// What it answers is what POST takes, and makes what the text would make.
	sent := u.create(out.Task)
	body["dry_run"] = false
	added := u.quickAdd(http.StatusCreated, body, "Idempotency-Key", "k").Task
	for _, task := range []*event.Task{&sent, &added} {
		task.ID, task.SeriesID, task.Position, task.CreatedAt, task.UpdatedAt = uuid.Nil, nil, 0, time.Time{}, time.Time{}
		task.Reminders[0].ID = uuid.Nil
	}
	require.Equal(t, sent, added)
}

// A client that was cut off asks again, however late, and goes on with the task by its id.
func TestOneIDMakesOneTaskOfAText(t *testing.T) {
	t.Parallel()
	s := start(t)
	u, other := s.newUser(), s.newUser()
	id := uuid.Must(uuid.NewV7())
	body := object{"id": id, "text": "Call Ada tomorrow"}
	var asking sync.WaitGroup
	var made [5]quickAdded
	for i := range made {
		asking.Go(func() { made[i] = u.quickAdd(http.StatusCreated, body) })
	}
	asking.Wait()
	for _, m := range made {
		require.Equal(t, made[0].Task, m.Task)
		require.Equal(t, id, m.Task.ID)
	}
	require.Len(t, items[event.Task](u, "/api/tasks"), 1)
	u.task(http.StatusOK, http.MethodPatch, at(id), object{"title": "Call Grace"})
	require.Equal(t, "Call Grace", u.quickAdd(http.StatusCreated, body, "Idempotency-Key", "k").Task.Title)
	require.Equal(t, "id-taken", other.do(http.MethodPost, quickAddPath, body).problem().code())
	require.Equal(t, http.StatusNoContent, u.do(http.MethodDelete, at(id), nil).status)
	require.Equal(t, "in-trash", u.do(http.MethodPost, quickAddPath, body).problem().code())
	wrong := u.do(http.MethodPost, quickAddPath, object{"id": uuid.NewSHA1(uuid.Nil, nil), "text": "of version 5"})
	require.Equal(t, http.StatusUnprocessableEntity, wrong.status)
	require.Equal(t, "body.id", wrong.problem().Errors[0].Location)
}

func TestOneKeyMakesOneTaskOfAText(t *testing.T) {
	t.Parallel()
	u := start(t).newUser()
	body := object{"text": "Call Ada tomorrow #phone"}
	first := u.quickAdd(http.StatusCreated, body, "Idempotency-Key", "k")
	require.Equal(t, "phone", first.Spans[1].Value)
	// It answers the same, though the text means something else by now.
	u.list(http.StatusCreated, http.MethodPost, "/api/lists", object{"name": "Phone"})
	require.Equal(t, first, u.quickAdd(http.StatusCreated, body, "Idempotency-Key", "k"))
	for _, again := range []struct {
		path string
		body object
	}{{quickAddPath, object{"text": "Call Ada tomorrow"}}, {"/api/tasks", object{"title": "Call Ada"}}} {
		a := u.do(http.MethodPost, again.path, again.body, "Idempotency-Key", "k")
		require.Equal(t, http.StatusUnprocessableEntity, a.status)
		require.Equal(t, "idempotency-key-used", a.problem().code())
	}
	require.Len(t, items[event.Task](u, "/api/tasks"), 1)
}

func TestOnlyAListThatTakesATaskIsNamed(t *testing.T) {
	t.Parallel()
	s := start(t)
	u, other := s.newUser(), s.newUser()
	readOnly := other.list(http.StatusCreated, http.MethodPost, "/api/lists", object{"name": "Reading"})
	other.join(u, readOnly.ID, access.Viewer)
	shared := other.list(http.StatusCreated, http.MethodPost, "/api/lists", object{"name": "Shared"})
	other.join(u, shared.ID, access.Editor)
	other.list(http.StatusCreated, http.MethodPost, "/api/lists", object{"name": "Secret"})
	archived := u.list(http.StatusCreated, http.MethodPost, "/api/lists", object{"name": "Old"})
	require.Equal(t, http.StatusOK, u.do(http.MethodPatch, listAt(archived.ID), object{"is_archived": true}).status)
	deleted := u.list(http.StatusCreated, http.MethodPost, "/api/lists", object{"name": "Gone"})
	require.Equal(t, http.StatusNoContent, u.do(http.MethodDelete, listAt(deleted.ID), nil).status)
	for _, name := range []string{"reading", "secret", "old", "gone"} {
		out := u.quickAdd(http.StatusCreated, object{"text": "Book #" + name})
		require.Equal(t, access.Inbox(u.user), out.Task.ListID, name)
		require.Equal(t, []string{name}, out.Task.Tags)
	}
	require.Equal(t, shared.ID, u.quickAdd(http.StatusCreated, object{"text": "Book #SHARED"}).Task.ListID)
	require.Equal(t, access.Inbox(u.user), u.quickAdd(http.StatusCreated, object{"text": "Book #inbox"}).Task.ListID)
}

func TestATextThatCanNotBe(t *testing.T) {
	t.Parallel()
	u := start(t).newUser()
	for name, c := range map[string]struct {
		body object
		at   string
	}{
		"empty":                {object{"text": ""}, "body.text"},
		"blank":                {object{"text": " \n "}, "body.text"},
		"none":                 {object{}, "body"},
		"too long":             {object{"text": strings.Repeat("a ", 500) + "b"}, "body.text"},
		"too long for a title": {object{"text": strings.Repeat("ü", 201) + " tomorrow"}, "body.text"},
		"no character":         {object{"text": "a\x00b"}, "body.text"},
		"no time zone":         {object{"text": "Swim", "timezone": "Mars/Base"}, "body.timezone"},
		"no time":              {object{"text": "Swim", "captured_at": "tomorrow"}, "body.captured_at"},
		"a time far ahead":     {object{"text": "Swim", "captured_at": "9000-01-01T00:00:00Z"}, "body.captured_at"},
	} {
		t.Run(name, func(t *testing.T) {
			before := u.state()
			for _, dry := range []bool{false, true} {
				c.body["dry_run"] = dry
				a := u.do(http.MethodPost, quickAddPath, c.body)
				require.Equal(t, http.StatusUnprocessableEntity, a.status, "%s", a.body)
				require.Equal(t, c.at, a.problem().Errors[0].Location, "%s", a.body)
			}
			require.Equal(t, before, u.state())
		})
	}
	// The longest that there can be.
	a := u.do(http.MethodPost, quickAddPath, object{"text": strings.Repeat("ü", 200) + " " + strings.Repeat("#a ", 266)})
	require.Equal(t, http.StatusCreated, a.status, "%s", a.body)
}
