package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/event"
)

// Each change has its events in the log when it is answered; a request that
// changes nothing has none.
func TestEveryChangeIsToldOnce(t *testing.T) {
	t.Parallel()
	s := start(t)
	u := s.newUser()
	var last int64
	var version int64
	next := func() []told {
		found := s.toldSince(last)
		if len(found) > 0 {
			last = found[len(found)-1].Position
		}
		return found
	}
	require.Equal(t, []string{"audit.user.registered"}, types(next()))
	task := u.create(object{"title": "Tell", "due_at": "2027-06-01T09:00:00Z"})
	path := at(task.ID)
	both := func(kinds ...string) []string {
		out := []string{}
		for _, kind := range kinds {
			out = append(out, kind, "audit."+kind)
		}
		return out
	}
	require.Equal(t, both("task.created"), types(next()))
	version = 1
	for _, step := range []struct {
		name, method, path string
		body               any
		kinds, changed     []string
	}{
		{"a new title", http.MethodPatch, path, object{"title": "Told"}, []string{"task.updated"}, []string{"title"}},
		{"nothing", http.MethodPatch, path, object{}, nil, nil},
		{"the same", http.MethodPatch, path, object{"title": "Told", "tags": nil, "description": ""}, nil, nil},
		{"the same, whole", http.MethodPut, path, object{"title": "Told", "due_at": "2027-06-01T11:00:00+02:00"}, nil, nil},
		{"completed by PUT", http.MethodPut, path, object{"title": "Done", "is_complete": true}, []string{"task.updated", "task.completed"}, []string{"completed_at", "due_at", "is_complete", "title"}},
		{"completed again", http.MethodPatch, path + "/complete", object{"is_complete": true}, nil, nil},
		{"reopened", http.MethodPatch, path + "/complete", nil, []string{"task.updated"}, []string{"completed_at", "is_complete"}},
		{"toggled", http.MethodPatch, path + "/complete", object{}, []string{"task.completed"}, []string{"completed_at", "is_complete"}},
		{"reopened by PATCH", http.MethodPatch, path, object{"is_complete": false}, []string{"task.updated"}, []string{"completed_at", "is_complete"}},
		{"read", http.MethodGet, path, nil, nil, nil},
		{"refused", http.MethodPatch, path, object{"title": ""}, nil, nil},
		{"deleted", http.MethodDelete, path, nil, []string{"task.deleted"}, []string{}},
		{"deleted again", http.MethodDelete, path, nil, nil, nil},
	} {
		a := u.do(step.method, step.path, step.body, "X-Request-Id", "r-17", "User-Agent", "a test")
		require.Less(t, a.status, 500, step.name)
		require.NotEqual(t, "r-17", a.header.Get("X-Request-Id"), "a stranger chose the id")
		events := next()
		require.Equal(t, both(step.kinds...), types(events), step.name)
		for _, e := range events {
			require.Equal(t, task.ID.String(), e.Key)
			if e.Topic == event.TopicTasks {
				var data event.TaskEvent
				require.NoError(t, json.Unmarshal([]byte(e.Data), &data))
				version++
				require.Equal(t, version, data.TaskData.Version, "%s: versions rise by one", step.name)
				continue
			}
			var data event.AuditEvent
			require.NoError(t, json.Unmarshal([]byte(e.Data), &data))
			require.Equal(t, event.Actor{UserID: u.user, Email: u.email}, data.Actor)
			require.Equal(t, []string{"127.0.0.1", "a test", a.header.Get("X-Request-Id")}, []string{data.IP, data.UserAgent, data.RequestID})
			require.Equal(t, step.changed, data.Changed, step.name)
		}
	}
}

func TestTheAuditTrailNamesTheClientBehindTheTrustedProxies(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ trusted, want string }{
		"trusted":     {"127.0.0.0/8, 192.0.2.0/24", "203.0.113.9"},
		"not trusted": {"10.0.0.0/8", "127.0.0.1"},
		"none":        {"", "127.0.0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := start(t, "TRUSTED_PROXIES="+c.trusted).newUser()
			before := u.toldSince(0)
			u.task(http.StatusCreated, http.MethodPost, "/api/tasks", object{"title": "From afar"},
				"X-Forwarded-For", "198.51.100.1, 203.0.113.9, 192.0.2.10")
			events := u.toldSince(before[len(before)-1].Position)
			var data event.AuditEvent
			require.Equal(t, event.TopicAudit, events[len(events)-1].Topic)
			require.NoError(t, json.Unmarshal([]byte(events[len(events)-1].Data), &data))
			require.Equal(t, c.want, data.IP)
		})
	}
}

// What GET answers can be sent back by PUT, and changes nothing: nothing is
// lost or moved on its way into the database and out of it.
func TestATaskIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	u := start(t).newUser()
	for name, body := range map[string]object{
		"a title alone":       {"title": "t"},
		"everything":          {"title": "t", "description": "d", "priority": "urgent", "tags": []string{"a", "b"}, "due_at": "2027-06-01T09:00:00.123456Z", "timezone": "Asia/Kathmandu", "reminders": []object{{"at": "2027-05-31T09:00:00Z"}, {"before_due": "P1DT2H"}}, "recurrence": object{"rrule": "FREQ=MONTHLY", "month_end": "skip"}},
		"complete":            {"title": "t", "is_complete": true},
		"finer than stored":   {"title": "t", "due_at": "2027-06-01T09:00:00.123456789Z"},
		"SQL's signs":         {"title": `'; -- \ " $1 ?0 ?`, "description": "'?'\\'%_\r\n\t", "tags": []string{`a"b`, `a\b`, `{}`, `NULL`, `null`, `a,b`, `'`, `?`, `\\`, ` x `, `"`}},
		"other scripts":       {"title": "日本語 💥 \u202e العربية", "tags": []string{"é", "e\u0301"}},
		"all day, no zone":    {"title": "t", "due_at": "2027-06-01T00:00:00Z", "all_day": true},
		"all day, Santiago":   {"title": "t", "due_at": "2027-09-05T00:00:00Z", "all_day": true, "timezone": "America/Santiago"},
		"all day, Tongatapu":  {"title": "t", "due_at": "2027-09-05T00:00:00+13:00", "all_day": true, "timezone": "Pacific/Tongatapu"},
		"all day, recurring":  {"title": "t", "due_at": "2027-09-04T00:00:00-04:00", "all_day": true, "timezone": "America/Santiago", "recurrence": object{"rrule": "FREQ=DAILY"}},
		"all day, in the day": {"title": "t", "due_at": "2027-09-04T23:30:00-04:00", "all_day": true, "timezone": "America/Santiago"},
		"the ends of time":    {"title": "t", "due_at": "9000-12-31T23:59:59.999999Z", "reminders": []object{{"at": "9000-01-01T00:00:00Z"}, {"before_due": "P366D"}}},
	} {
		t.Run(name, func(t *testing.T) {
			created := u.create(body)
			a := u.do(http.MethodGet, at(created.ID), nil)
			var read event.Task
			require.NoError(t, json.Unmarshal(a.body, &read))
			require.Equal(t, created, read)
			if title, ok := body["title"]; ok {
				require.Equal(t, title, read.Title)
			}
			if tags, ok := body["tags"]; ok {
				require.Equal(t, tags, read.Tags)
			}
			require.Equal(t, created, u.task(http.StatusOK, http.MethodPut, at(created.ID), a.body))
			require.Equal(t, created, u.task(http.StatusOK, http.MethodPatch, at(created.ID), object{"title": created.Title, "tags": created.Tags}))
		})
	}
}

func TestAnAllDayTaskHasADate(t *testing.T) {
	t.Parallel()
	u := start(t).newUser()
	for _, c := range []struct {
		zone, due, want string // want is the first moment of the date in the zone
	}{
		{"America/Santiago", "2027-09-04T00:00:00-04:00", "2027-09-04T04:00:00Z"},
		{"America/Santiago", "2027-09-05T00:00:00Z", "2027-09-05T04:00:00Z"}, // has no midnight
		{"Pacific/Auckland", "2027-01-01T00:00:00Z", "2026-12-31T11:00:00Z"},
		{"Pacific/Kiritimati", "2027-01-01T00:00:00+14:00", "2026-12-31T10:00:00Z"},
		{"America/New_York", "2027-07-04T18:00:00-04:00", "2027-07-04T04:00:00Z"},
		{"Europe/Berlin", "2027-03-28T00:00:00+01:00", "2027-03-27T23:00:00Z"},
	} {
		t.Run(c.zone+" "+c.due, func(t *testing.T) {
			task := u.create(object{"title": "t", "all_day": true, "timezone": c.zone, "due_at": c.due})
			require.Equal(t, c.want, task.DueAt.Format(time.RFC3339))
			// The date stays in another zone.
			moved := u.task(http.StatusOK, http.MethodPatch, at(task.ID), object{"timezone": "Asia/Tokyo"})
			zone, err := time.LoadLocation(c.zone)
			require.NoError(t, err)
			tokyo, err := time.LoadLocation("Asia/Tokyo")
			require.NoError(t, err)
			require.Equal(t, task.DueAt.In(zone).Format(time.DateOnly)+" 00:00:00", moved.DueAt.In(tokyo).Format(time.DateTime))
		})
	}
}

// A merge patch of one member changes that member and no other.
func TestAMergePatchTouchesWhatItNames(t *testing.T) {
	t.Parallel()
	u := start(t).newUser()
	parent := u.create(object{"title": "parent"})
	whole := object{
		"title": "t", "description": "d", "priority": "high", "tags": []string{"a"}, "due_at": "2027-06-01T09:00:00Z",
		"timezone": "Europe/Berlin", "reminders": []object{{"before_due": "PT15M"}}, "recurrence": object{"rrule": "FREQ=DAILY", "missed": "all"},
		"parent_id": parent.ID,
	}
	for _, c := range []struct {
		patch string
		want  func(*event.Task)
	}{
		{`{"title":"x"}`, func(t *event.Task) { t.Title = "x" }},
		{`{"description":null}`, func(t *event.Task) { t.Description = "" }},
		{`{"priority":"low"}`, func(t *event.Task) { t.Priority = "low" }},
		{`{"priority":null}`, func(t *event.Task) { t.Priority = "none" }},
		{`{"tags":["b","c","b"]}`, func(t *event.Task) { t.Tags = []string{"b", "c"} }},
		{`{"tags":null}`, func(t *event.Task) { t.Tags = []string{} }},
		{`{"due_at":null}`, func(t *event.Task) { t.DueAt = nil }},
		{`{"due_at":"2027-06-02T09:00:00+02:00"}`, func(t *event.Task) { due := time.Date(2027, 6, 2, 7, 0, 0, 0, time.UTC); t.DueAt = &due }},
		{`{"reminders":null}`, func(t *event.Task) { t.Reminders = []event.Reminder{} }},
		{`{"reminders":[]}`, func(t *event.Task) { t.Reminders = []event.Reminder{} }},
		{`{"recurrence":null}`, func(t *event.Task) { t.Recurrence = nil }},
		{`{"recurrence":{}}`, nil},
		{`{"parent_id":null}`, func(t *event.Task) { t.ParentID = nil }},
		{`{"is_complete":null}`, nil},
		{`{"all_day":null}`, nil},
		{`{}`, nil},
	} {
		t.Run(c.patch, func(t *testing.T) {
			before := u.create(whole)
			want := before
			if c.want != nil {
				c.want(&want)
			}
			got := u.task(http.StatusOK, http.MethodPatch, at(before.ID), c.patch, "Content-Type", "application/merge-patch+json")
			if c.want != nil {
				require.Equal(t, before.Version+1, got.Version)
				want.Version, want.UpdatedAt = got.Version, got.UpdatedAt
			}
			require.Equal(t, want, got)
		})
	}
}

func TestOfTwoChangesOfOneVersionOneIsRefused(t *testing.T) {
	t.Parallel()
	s := start(t)
	u := s.newUser()
	for _, method := range []string{http.MethodPatch, http.MethodPut, http.MethodDelete} {
		for range 5 {
			task := u.create(object{"title": "t"})
			statuses := make([]int, 8)
			var running sync.WaitGroup
			for i := range statuses {
				running.Go(func() {
					a, err := u.send(t.Context(), method, at(task.ID), object{"title": fmt.Sprint("by ", i)}, "If-Match", `"1"`)
					if err == nil {
						statuses[i] = a.status
					}
					if p := a.problem(); p.Status >= 400 && p.RequestID != a.header.Get("X-Request-Id") {
						t.Errorf("request %s is answered with the id of another, %s", a.header.Get("X-Request-Id"), p.RequestID)
					}
				})
			}
			running.Wait()
			count := map[int]int{}
			for _, status := range statuses {
				count[status]++
			}
			if method == http.MethodDelete {
				require.Equal(t, map[int]int{http.StatusNoContent: 1, http.StatusNotFound: 7}, count)
			} else {
				require.Equal(t, map[int]int{http.StatusOK: 1, http.StatusPreconditionFailed: 7}, count)
			}
		}
	}
}

// 20 requests with one key at once, of which some hang up before the answer.
func TestOneIdempotencyKeyMakesOneTask(t *testing.T) {
	t.Parallel()
	s := start(t, "LIMIT_IN_FLIGHT=0")
	u := s.newUser()
	const requests = 20
	ids := make([]string, requests)
	var running sync.WaitGroup
	for i := range requests {
		running.Go(func() {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var body io.Reader = strings.NewReader(`{"title":"Once"}`)
			if i%4 == 0 {
				// Gone as soon as the request has left.
				body = &hangsUp{Reader: body, cancel: cancel}
			}
			a, err := u.send(ctx, http.MethodPost, "/api/tasks", body, "Idempotency-Key", "k")
			if err != nil {
				return
			}
			var task event.Task
			if a.status != http.StatusCreated || json.Unmarshal(a.body, &task) != nil {
				t.Errorf("%d %s", a.status, a.body)
			}
			ids[i] = task.ID.String()
		})
	}
	running.Wait()
	first := u.task(http.StatusCreated, http.MethodPost, "/api/tasks", `{"title": "Once"}`, "Idempotency-Key", "k")
	for _, id := range ids {
		if id != "" {
			require.Equal(t, first.ID.String(), id)
		}
	}
	count := func(sql string) (n int) {
		require.NoError(t, s.db.NewRaw(sql).Scan(t.Context(), &n))
		return n
	}
	require.Equal(t, 1, count("SELECT count(*) FROM task.tasks"))
	require.Equal(t, 1, count("SELECT count(*) FROM task.events WHERE type = 'task.created'"))

	a := u.do(http.MethodPost, "/api/tasks", object{"title": "Another"}, "Idempotency-Key", "k")
	require.Equal(t, http.StatusUnprocessableEntity, a.status)
	require.Equal(t, "header.Idempotency-Key", a.problem().Errors[0].Location)
	require.NotEqual(t, first.ID, s.newUser().task(http.StatusCreated, http.MethodPost, "/api/tasks", object{"title": "Once"}, "Idempotency-Key", "k").ID, "another user's key is another key")

	// A request that was refused leaves its key free.
	require.Equal(t, http.StatusUnprocessableEntity, u.do(http.MethodPost, "/api/tasks", object{"title": " "}, "Idempotency-Key", "k2").status)
	u.task(http.StatusCreated, http.MethodPost, "/api/tasks", object{"title": "Right"}, "Idempotency-Key", "k2")

	// The first answer, whatever became of the task.
	require.Equal(t, http.StatusNoContent, u.do(http.MethodDelete, at(first.ID), nil).status)
	require.Equal(t, first, u.task(http.StatusCreated, http.MethodPost, "/api/tasks", `{"title":"Once"}`, "Idempotency-Key", "k"))
}

// hangsUp cancels the request when its body has been read.
type hangsUp struct {
	io.Reader
	cancel func()
}

func (h *hangsUp) Read(p []byte) (int, error) {
	n, err := h.Reader.Read(p)
	if err != nil {
		h.cancel()
	}
	return n, err
}

// A client pages 1,000 tasks while 200 are inserted, changed and deleted.
func TestPagesOfAListThatChanges(t *testing.T) {
	t.Parallel()
	u := start(t).newUser()
	ids := make([]uuid.UUID, 500)
	var creating sync.WaitGroup
	for part := range 4 {
		creating.Go(func() {
			for i := part; i < len(ids); i += 4 {
				due := object{}
				if i%3 > 0 {
					due["due_at"] = time.Date(2027, 1, 1+i%7, 0, 0, 0, 0, time.UTC)
				}
				body := object{"title": fmt.Sprint("t", i%5), "priority": []string{"none", "high"}[i%2]}
				maps.Copy(body, due)
				a, err := u.send(t.Context(), http.MethodPost, "/api/tasks", body)
				var task event.Task
				if err != nil || a.status != http.StatusCreated || json.Unmarshal(a.body, &task) != nil {
					t.Errorf("%v %d %s", err, a.status, a.body)
				}
				ids[i] = task.ID
			}
		})
	}
	creating.Wait()
	gone := map[uuid.UUID]bool{}
	for round, sort := range []string{"-created_at", "created_at", "due_at", "-due_at", "-priority", "title"} {
		ctx, stop := context.WithCancel(t.Context())
		var changing sync.WaitGroup
		deleted := ids[round*30 : round*30+30]
		changing.Go(func() {
			for i := range 200 {
				var err error
				switch i % 3 {
				case 0:
					_, err = u.send(ctx, http.MethodPost, "/api/tasks", object{"title": "t3", "priority": "low", "due_at": "2027-01-03T12:00:00Z"})
				case 1:
					_, err = u.send(ctx, http.MethodPatch, at(ids[300+i]), object{"description": fmt.Sprint(sort, i)})
				case 2:
					if k := i / 3; k < len(deleted) {
						_, err = u.send(ctx, http.MethodDelete, at(deleted[k]), nil)
					}
				}
				if err != nil {
					return
				}
			}
		})
		for _, id := range deleted {
			gone[id] = true
		}
		seen := map[uuid.UUID]int{}
		for cursor := ""; ; {
			a := u.do(http.MethodGet, "/api/tasks?limit=25&sort="+sort+"&cursor="+cursor, nil)
			require.Equal(t, http.StatusOK, a.status, "%s", a.body)
			var page struct {
				Items      []event.Task
				NextCursor *string `json:"next_cursor"`
			}
			require.NoError(t, json.Unmarshal(a.body, &page))
			for _, task := range page.Items {
				seen[task.ID]++
			}
			if page.NextCursor == nil {
				break
			}
			cursor = *page.NextCursor
		}
		changing.Wait()
		stop()
		for id, n := range seen {
			require.Equal(t, 1, n, "%s: %s", sort, id)
		}
		for _, id := range ids {
			if !gone[id] {
				require.Equal(t, 1, seen[id], "%s: one that stayed was missed", sort)
			}
		}
	}
}

// The clock runs in the service: a reminder of the past fires at once, and one
// whose task is done in time does not.
func TestAReminderOfThePastFiresAtOnce(t *testing.T) {
	t.Parallel()
	s := start(t)
	u := s.newUser()
	u.create(object{"title": "t", "is_complete": true, "reminders": []object{{"at": "2020-01-01T00:00:00Z"}}})
	task := u.create(object{"title": "t", "reminders": []object{{"at": "2020-01-01T00:00:00Z"}, {"at": "2020-01-01T10:00:00Z"}}})
	var fired []told
	require.Eventually(t, func() bool {
		err := s.db.NewRaw("SELECT position, topic, type, key, data FROM task.events WHERE topic = 'reminders' ORDER BY position").Scan(t.Context(), &fired)
		return err == nil && len(fired) > 0
	}, patience, 10*time.Millisecond)
	require.Len(t, fired, 1)
	var data event.ReminderEvent
	require.NoError(t, json.Unmarshal([]byte(fired[0].Data), &data))
	require.Equal(t, task.ID, data.TaskID)
	require.Equal(t, "2020-01-01T10:00:00Z", data.RemindAt.UTC().Format(time.RFC3339), "of several the latest")
}
