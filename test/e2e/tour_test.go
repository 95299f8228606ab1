package e2e

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/test/suite"
)

// A task goes the whole way: a row, an event on the broker, an audit entry,
// the next occurrence, and a reminder by mail.
func TestATaskGoesTheWholeWay(t *testing.T) {
	u := s.newUser(t, "Europe/Berlin")
	task := u.create(object{
		"title": "Water the plants", "due_at": "2027-03-27T09:00:00+01:00", "timezone": "Europe/Berlin",
		"recurrence": object{"rrule": "FREQ=WEEKLY"}, "reminders": []object{{"at": time.Now().Add(time.Second)}},
	})
	u.complete(u.create(object{"title": "Another"}))

	got := u.delivered(1)
	require.Equal(t, task.Title, got[0].Title)
	require.Contains(t, u.mails()[0], "Water the plants")

	done := u.complete(task)
	next := u.next(task)
	require.Equal(t, "2027-04-03T07:00:00Z", next.DueAt.Format(time.RFC3339), "the same wall time, in summer time")
	require.Equal(t, task.SeriesID, next.SeriesID)
	require.Len(t, u.series(task), 2)

	entries := u.history(task, 2)
	require.Equal(t, "task.created", entries[0].Action)
	require.Equal(t, "task.completed", entries[1].Action)
	require.Equal(t, u.Email, entries[1].Actor.Email)
	require.Contains(t, entries[1].Changed, "is_complete")
	require.Contains(t, string(entries[1].Before), `"is_complete":false`)
	require.NotEmpty(t, entries[1].RequestID)
	require.Equal(t, done.Version, int64(2))

	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var seen []suite.Record
	require.NoError(t, s.Read(ctx, event.TopicTasks, func(r suite.Record) bool {
		if r.Event.Subject == task.ID.String() {
			seen = append(seen, r)
		}
		return len(seen) == 2
	}))
	for i, kind := range []string{event.TaskCreated, event.TaskCompleted} {
		e := seen[i].Event
		require.Equal(t, kind, e.Type)
		require.Equal(t, "1.0", e.SpecVersion)
		require.Equal(t, event.Source, e.Source)
		require.Equal(t, event.SchemaURI(event.TopicTasks, e.Type), e.DataSchema)
		require.Equal(t, task.ID.String(), e.PartitionKey)
		require.Equal(t, task.ID.String(), seen[i].Key, "the partition key of the record")
		require.Len(t, e.Sequence, 19)
		require.NotEmpty(t, e.TraceParent)
		var data event.TaskEvent
		require.NoError(t, json.Unmarshal(e.Data, &data))
		require.Equal(t, int64(i+1), data.TaskData.Version)
		require.Equal(t, task.Title, data.TaskData.Title)
	}
	require.Equal(t, seen[0].Partition, seen[1].Partition)
	require.Less(t, seen[0].Event.Sequence, seen[1].Event.Sequence)
}

func TestTheTraceOfARequestReachesTheAuditEntry(t *testing.T) {
	u := s.newUser(t, "UTC")
	const trace = "4bf92f3577b34da6a3ce929d0e0e4736"
	a, err := u.Do(t.Context(), http.MethodPost, "/api/tasks", object{"title": "Traced"},
		"traceparent", "00-"+trace+"-00f067aa0ba902b7-01", "X-Request-Id", "my-request")
	require.NoError(t, err)
	var task event.Task
	require.NoError(t, a.JSON(&task))
	entry := u.history(task, 1)[0]
	require.Equal(t, trace, entry.TraceID)
	require.Equal(t, a.Header.Get("X-Request-Id"), entry.RequestID)
	require.NotEqual(t, "my-request", entry.RequestID, "a stranger chose the id")
}

func TestWhatIsSomebodyElsesIsNotThere(t *testing.T) {
	leaveOut(t)
	owner, other := s.newUser(t, "UTC"), s.newUser(t, "UTC")
	task := owner.create(object{"title": "Mine", "due_at": "2027-01-01T09:00:00Z", "recurrence": object{"rrule": "FREQ=DAILY"}, "reminders": []object{{"at": "2020-01-01T00:00:00Z"}}})
	note := owner.delivered(1)[0]
	owner.history(task, 1)
	path := "/api/tasks/" + task.ID.String()
	for _, r := range []struct {
		method, path string
		body         any
	}{
		{http.MethodGet, path, nil},
		{http.MethodPut, path, object{"title": "x"}},
		{http.MethodPatch, path, object{"title": "x"}},
		{http.MethodPatch, path + "/complete", nil},
		{http.MethodDelete, path, nil},
		{http.MethodGet, path + "/history", nil},
		{http.MethodGet, path + "/occurrences", nil},
		{http.MethodPatch, "/api/notifications/" + note.ID, object{"read": true}},
	} {
		a, err := other.Do(t.Context(), r.method, r.path, r.body)
		require.NoError(t, err)
		require.Equal(t, http.StatusNotFound, a.Status, "%s %s: %s", r.method, r.path, a.Body)
		require.Equal(t, "application/problem+json", a.Header.Get("Content-Type"))
	}
	require.Empty(t, must[page[event.Task]](other, http.StatusOK, http.MethodGet, "/api/tasks", nil).Items)
	require.Empty(t, other.notifications())
	require.Equal(t, int64(1), must[event.Task](owner, http.StatusOK, http.MethodGet, path, nil).Version)
}

func TestNoTokenNoAnswer(t *testing.T) {
	leaveOut(t)
	u := s.newUser(t, "UTC")
	for _, path := range []string{"/api/tasks", "/api/audit", "/api/notifications", "/api/auth/me", "/api/tasks/" + strings.Repeat("0", 8) + "-0000-7000-8000-000000000000/history"} {
		for name, token := range map[string]string{"none": "", "garbage": "garbage", "cut": u.Token[:len(u.Token)-4]} {
			c := &suite.Client{Base: s.API, Token: token}
			a, err := c.Do(t.Context(), http.MethodGet, path, nil)
			require.NoError(t, err)
			require.Equal(t, http.StatusUnauthorized, a.Status, "%s with token: %s", path, name)
		}
	}
	c := &suite.Client{Base: s.API}
	for _, path := range []string{"/internal/occurrences", "/internal/reminders/check"} {
		a, err := c.Do(t.Context(), http.MethodPost, path, object{})
		require.NoError(t, err)
		require.Equal(t, http.StatusForbidden, a.Status, path)
	}
}
