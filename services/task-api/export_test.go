package main

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-ical"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/services/task-api/internal/access"
)

// others is a sidecar, with services behind it that have two pages of things of a user.
type others struct {
	*httptest.Server
	asked  atomic.Int64
	broken atomic.Bool // after the first pages
	away   atomic.Bool
}

func newOthers(t *testing.T) *others {
	o := &others{}
	o.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o.asked.Add(1)
		again := r.URL.Query().Get("cursor") != ""
		if o.away.Load() || again && o.broken.Load() {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		page := object{"items": []object{{"of": subjectOf(t, r.Header.Get("Authorization")), "app": r.Header.Get("dapr-app-id")}}, "next_cursor": nil}
		if !again {
			page["next_cursor"] = "more"
		}
		_ = json.NewEncoder(w).Encode(page)
	}))
	t.Cleanup(o.Close)
	return o
}

func (o *others) port(t *testing.T) string {
	u, err := url.Parse(o.URL)
	require.NoError(t, err)
	return "DAPR_HTTP_PORT=" + u.Port()
}

// export is the files of an export.
func (c client) export() map[string]string {
	c.t.Helper()
	a := c.do(http.MethodPost, "/api/auth/export", nil)
	require.Equal(c.t, http.StatusOK, a.status, "%s", a.body)
	require.Equal(c.t, "application/zip", a.header.Get("Content-Type"))
	archive, err := zip.NewReader(bytes.NewReader(a.body), int64(len(a.body)))
	require.NoError(c.t, err)
	files := map[string]string{}
	for _, f := range archive.File {
		r, err := f.Open()
		require.NoError(c.t, err)
		raw, err := io.ReadAll(r)
		require.NoError(c.t, err)
		files[f.Name] = string(raw)
	}
	return files
}

// lines are the things of a file, by a field of theirs.
func lines(t *testing.T, file, field string) []any {
	t.Helper()
	found := []any{}
	for line := range strings.Lines(file) {
		var thing object
		require.NoError(t, json.Unmarshal([]byte(line), &thing), "%s", line)
		found = append(found, thing[field])
	}
	return found
}

func TestAnExportHasAllThatIsHis(t *testing.T) {
	t.Parallel()
	o := newOthers(t)
	s := start(t, o.port(t))
	u, bob := s.newUser(), s.newUser()
	shared := bob.list(http.StatusCreated, http.MethodPost, "/api/lists", object{"name": "Garden"})
	bob.join(u, shared.ID, access.Editor)
	more := bob.list(http.StatusCreated, http.MethodPost, "/api/lists", object{"name": "More"})
	require.Equal(t, http.StatusCreated, bob.do(http.MethodPost, listAt(more.ID)+"/members", object{"email": u.email, "role": "viewer"}).status)
	const odd = "Tea; with, a \\ and\nlines \U0001F375"
	const number = 450 // several pages
	operations := make([]object, number)
	for i := range operations {
		operations[i] = object{"op": "create", "body": object{"title": fmt.Sprint("task ", i)}}
	}
	require.Equal(t, http.StatusOK, u.do(http.MethodPost, "/api/tasks/bulk", object{"operations": operations}).status)
	full := u.create(object{
		"title": "Full", "description": strings.Repeat(odd, 20), "tags": []string{"a,b"}, "priority": "urgent", "due_at": "2027-01-31T10:00:00Z", "timezone": "Europe/Berlin",
		"recurrence": object{"rrule": "FREQ=MONTHLY"}, "reminders": []object{{"before_due": "P1D"}},
	})
	day := u.create(object{"title": "Day", "due_at": "2027-01-31T00:00:00Z", "all_day": true, "timezone": "UTC", "is_complete": true})
	his := bob.create(object{"title": "Mow", "list_id": shared.ID, "reminders": []object{{"at": time.Now().Add(time.Hour)}}})
	mine := u.say(his.ID, "I shall")
	bob.say(his.ID, "thank you")
	u.remove(u.create(object{"title": "thrown away"}).ID)
	thrown := u.list(http.StatusCreated, http.MethodPost, "/api/lists", object{"name": "thrown list"})
	u.create(object{"title": "within", "list_id": thrown.ID})
	require.Equal(t, http.StatusNoContent, u.do(http.MethodDelete, listAt(thrown.ID), nil).status)

	program := u.apiToken(object{"name": "x", "scopes": []string{"tasks:read"}})

	files := u.export()
	require.Equal(t, []any{program.id.String()}, lines(t, files["api_tokens.ndjson"], "id"))
	require.NotContains(t, files["api_tokens.ndjson"], program.token)
	for _, none := range []string{"passkeys.ndjson", "identities.ndjson"} {
		require.Contains(t, files, none)
		require.Empty(t, files[none])
	}
	var me struct{ ID, Email string }
	require.NoError(t, json.Unmarshal([]byte(files["account.json"]), &me))
	require.Equal(t, u.email, me.Email)
	require.NotContains(t, files["account.json"], "argon2")
	require.Len(t, lines(t, files["sessions.ndjson"], "id"), 1)
	require.ElementsMatch(t, []any{access.Inbox(u.user).String(), shared.ID.String()}, lines(t, files["lists.ndjson"], "id"))
	require.Equal(t, []any{more.ID.String()}, lines(t, files["invitations.ndjson"], "list_id"))
	tasks := lines(t, files["tasks.ndjson"], "id")
	require.Len(t, tasks, number+3)
	require.Subset(t, tasks, []any{full.ID.String(), day.ID.String(), his.ID.String()})
	require.Equal(t, []any{full.ID.String()}, lines(t, files["reminders.ndjson"], "task_id"), "his own")
	require.Equal(t, []any{mine.ID.String()}, lines(t, files["comments.ndjson"], "id"))
	require.ElementsMatch(t, []any{"thrown away", "thrown list", "within"}, lines(t, files["trash.ndjson"], "title"))
	for file, app := range map[string]string{"notifications.ndjson": "notification", "audit.ndjson": "audit-log"} {
		require.Equal(t, []any{app, app}, lines(t, files[file], "app"), "both pages")
		require.Equal(t, []any{u.user.String(), u.user.String()}, lines(t, files[file], "of"))
	}

	for line := range strings.Lines(files["tasks.ics"]) {
		require.LessOrEqual(t, len(strings.TrimSuffix(line, "\r\n")), 75)
		require.True(t, strings.HasSuffix(line, "\r\n"))
	}
	calendar, err := ical.NewDecoder(strings.NewReader(files["tasks.ics"])).Decode()
	require.NoError(t, err)
	todos := map[string]*ical.Component{}
	for _, c := range calendar.Children {
		require.Equal(t, ical.CompToDo, c.Name)
		todos[c.Props.Get(ical.PropUID).Value] = c
	}
	require.Len(t, todos, number+3)
	text, err := todos[full.ID.String()].Props.Text(ical.PropDescription)
	require.NoError(t, err)
	require.Equal(t, strings.Repeat(odd, 20), text)
	value := func(task uuid.UUID, name string) string { return todos[task.String()].Props.Get(name).Value }
	require.Equal(t, []string{"20270131T110000", "20270131T110000", "FREQ=MONTHLY", "1", "NEEDS-ACTION"}, []string{
		value(full.ID, "DTSTART"), value(full.ID, "DUE"), value(full.ID, "RRULE"), value(full.ID, "PRIORITY"), value(full.ID, "STATUS"),
	})
	require.Equal(t, []string{"20270131", "COMPLETED"}, []string{value(day.ID, "DUE"), value(day.ID, "STATUS")})

}

// An archive is whole, or there is none.
func TestAnExportIsWholeOrThereIsNone(t *testing.T) {
	t.Parallel()
	o := newOthers(t)
	s := start(t, o.port(t))
	u := s.newUser()
	o.away.Store(true)
	a := u.do(http.MethodPost, "/api/auth/export", nil)
	require.Equal(t, http.StatusServiceUnavailable, a.status)
	require.NotEmpty(t, a.header.Get("Retry-After"))

	o.away.Store(false)
	o.broken.Store(true)
	_, err := u.send(t.Context(), http.MethodPost, "/api/auth/export", nil)
	require.Error(t, err, "the connection breaks off")

	// Each has let the next one begin.
	o.broken.Store(false)
	u.export()
}

func TestAUserHasOneExportAtATime(t *testing.T) {
	t.Parallel()
	o := newOthers(t)
	s := start(t, o.port(t))
	u := s.newUser()
	s.execute("INSERT INTO task.exports (user_id, export, until) VALUES (?, ?, now() + interval '1 minute')", u.user, uuid.New())
	a := u.do(http.MethodPost, "/api/auth/export", nil)
	require.Equal(t, http.StatusTooManyRequests, a.status)
	require.Zero(t, o.asked.Load())
	s.newUser().export()
	// That of who was killed in the middle counts for nothing after its time.
	s.execute("UPDATE task.exports SET until = now() - interval '1 second'")
	u.export()
	var left int
	require.NoError(t, s.db.NewRaw("SELECT count(*) FROM task.exports").Scan(t.Context(), &left))
	require.Zero(t, left)
}
