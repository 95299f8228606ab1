package inapp_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/auth"
	"github.com/taskwire/taskwire/pkg/database/databasetest"
	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/httpapi"
	"github.com/taskwire/taskwire/pkg/page"
	"github.com/taskwire/taskwire/services/notification/internal/inapp"
	"github.com/taskwire/taskwire/services/notification/internal/migrations"
)

func TestMain(m *testing.M) { os.Exit(databasetest.Main(m)) }

var now = time.Date(2027, 1, 4, 10, 0, 0, 0, time.UTC)

type client struct {
	t   *testing.T
	url string
	db  *bun.DB
}

// newClient serves the operations to whoever X-Test-User names; tokens are
// auth's own tests' business.
func newClient(t *testing.T) *client {
	t.Helper()
	db, _ := databasetest.Open(t, migrations.Schema)
	log := slog.New(slog.DiscardHandler)

	router := httpapi.NewRouter(log)
	router.Group(func(r chi.Router) {
		r.Use(func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				user := uuid.MustParse(r.Header.Get("X-Test-User"))
				next.ServeHTTP(w, r.WithContext(auth.WithCaller(r.Context(), auth.Caller{UserID: user})))
			})
		})
		inapp.Register(httpapi.NewAPI(r), httpapi.Failures{Log: log}, inapp.NewStore(db, func() time.Time { return now }))
	})
	server := httptest.NewServer(router)
	t.Cleanup(server.Close)
	return &client{t: t, url: server.URL, db: db}
}

// add stores a notification that is age old.
func (c *client) add(user uuid.UUID, age time.Duration) inapp.Notification {
	c.t.Helper()
	due := now.Add(time.Hour)
	reminder, at := uuid.New(), now.Add(-age-7*time.Second)
	n := inapp.Notification{ID: uuid.New(), UserID: user, TaskID: uuid.New(), ReminderID: &reminder, Title: "tea", DueAt: &due,
		RemindAt: &at, DeliveredAt: now.Add(-age), LateMS: 7000, CreatedAt: now.Add(-age)}
	_, err := c.db.NewInsert().Model(&n).Exec(context.Background())
	require.NoError(c.t, err)
	return n
}

func (c *client) do(user uuid.UUID, method, path, body string, status int, into any) {
	c.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, c.url+path, strings.NewReader(body))
	require.NoError(c.t, err)
	req.Header.Set("X-Test-User", user.String())
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := http.DefaultClient.Do(req)
	require.NoError(c.t, err)
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	require.NoError(c.t, err)
	require.Equal(c.t, status, res.StatusCode, "%s %s: %s", method, path, raw)
	if status >= 400 {
		require.Equal(c.t, "application/problem+json", res.Header.Get("Content-Type"))
	}
	if into != nil {
		require.NoError(c.t, json.Unmarshal(raw, into), "%s", raw)
	}
}

type answered struct {
	Items      []map[string]any `json:"items"`
	NextCursor *string          `json:"next_cursor"`
	Unread     int              `json:"unread"`
}

func TestListPagesNewestFirstAndOnlyTheCallersOwn(t *testing.T) {
	c := newClient(t)
	ada, bob := uuid.New(), uuid.New()
	var want []string
	for i := range 25 {
		// Two of each age: the id decides between them.
		c.add(ada, time.Duration(i/2)*time.Minute)
	}
	c.add(bob, 0)
	require.NoError(t, c.db.NewRaw("SELECT id::text FROM notification.notifications WHERE user_id = ? ORDER BY created_at DESC, id DESC", ada).
		Scan(context.Background(), &want))

	var got []string
	path := "/api/notifications?limit=10"
	for {
		var p answered
		c.do(ada, "GET", path, "", 200, &p)
		require.Equal(t, 25, p.Unread)
		for _, item := range p.Items {
			got = append(got, item["id"].(string))
		}
		if p.NextCursor == nil {
			break
		}
		c.add(ada, -time.Hour) // what comes in meanwhile is before the first page
		_, err := c.db.ExecContext(context.Background(), "DELETE FROM notification.notifications WHERE created_at > ?", now)
		require.NoError(t, err)
		path = "/api/notifications?limit=10&cursor=" + *p.NextCursor
	}
	require.Equal(t, want, got)

	var empty answered
	c.do(uuid.New(), "GET", "/api/notifications", "", 200, &empty)
	require.NotNil(t, empty.Items)
	require.Empty(t, empty.Items)
}

func TestItemHoldsTheContract(t *testing.T) {
	c := newClient(t)
	ada := uuid.New()
	n := c.add(ada, time.Minute)
	var p answered
	c.do(ada, "GET", "/api/notifications", "", 200, &p)
	require.Equal(t, map[string]any{
		"id": n.ID.String(), "kind": "reminder", "comment_id": nil, "mentioned": false, "task_id": n.TaskID.String(), "reminder_id": n.ReminderID.String(), "title": "tea",
		"due_at": "2027-01-04T11:00:00Z", "remind_at": "2027-01-04T09:58:53Z", "delivered_at": "2027-01-04T09:59:00Z",
		"late_ms": 7000.0, "read_at": nil, "created_at": "2027-01-04T09:59:00Z",
	}, p.Items[0])
	require.Nil(t, p.NextCursor)
}

func TestACommentHoldsTheContract(t *testing.T) {
	c := newClient(t)
	ada, said := uuid.New(), uuid.New()
	author := event.Author{UserID: uuid.New(), Name: "Grace"}
	n := inapp.Notification{
		ID: uuid.New(), UserID: ada, Kind: inapp.Comment, TaskID: uuid.New(), Title: "tea", CommentID: &said, Author: &author, Mentioned: true,
		DeliveredAt: now, LateMS: 20, CreatedAt: now,
	}
	_, err := c.db.NewInsert().Model(&n).Exec(t.Context())
	require.NoError(t, err)
	var p answered
	c.do(ada, "GET", "/api/notifications", "", 200, &p)
	want := map[string]any{
		"id": n.ID.String(), "kind": "comment", "task_id": n.TaskID.String(), "comment_id": said.String(), "mentioned": true, "title": "tea",
		"author":      map[string]any{"user_id": author.UserID.String(), "name": "Grace"},
		"reminder_id": nil, "due_at": nil, "remind_at": nil, "delivered_at": "2027-01-04T10:00:00Z", "late_ms": 20.0, "read_at": nil, "created_at": "2027-01-04T10:00:00Z",
	}
	require.Equal(t, want, p.Items[0])
	var read map[string]any
	c.do(ada, "PATCH", "/api/notifications/"+n.ID.String(), `{"read":true}`, 200, &read)
	want["read_at"] = "2027-01-04T10:00:00Z"
	require.Equal(t, want, read)
}

func TestMarkAsReadAndBack(t *testing.T) {
	c := newClient(t)
	ada := uuid.New()
	first, second := c.add(ada, time.Minute), c.add(ada, time.Hour)
	patch := func(body string) (item map[string]any) {
		c.do(ada, "PATCH", "/api/notifications/"+first.ID.String(), body, 200, &item)
		return item
	}
	require.Equal(t, "2027-01-04T10:00:00Z", patch(`{"read":true}`)["read_at"])
	require.Equal(t, "2027-01-04T10:00:00Z", patch(`{"read":true}`)["read_at"])
	var p answered
	c.do(ada, "GET", "/api/notifications?unread=true", "", 200, &p)
	require.Len(t, p.Items, 1)
	require.Equal(t, second.ID.String(), p.Items[0]["id"])
	require.Equal(t, 1, p.Unread)
	require.Nil(t, patch(`{"read":false}`)["read_at"])

	var item map[string]any
	for range 2 {
		c.do(ada, "POST", "/api/notifications/"+first.ID.String()+"/read", "", 200, &item)
		require.NotNil(t, item["read_at"])
	}
	var all struct{ Updated int }
	c.do(ada, "POST", "/api/notifications/read-all", "", 200, &all)
	require.Equal(t, 1, all.Updated)
	c.do(ada, "POST", "/api/notifications/read-all", "", 200, &all)
	require.Equal(t, 0, all.Updated)
}

// Postgres keeps years that RFC 3339 can not write, and the other way round.
func TestACursorOfAnyTimeIsAnswered(t *testing.T) {
	c := newClient(t)
	for _, at := range []string{
		"0000-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "1899-12-31T23:59:59Z", "9999-12-31T23:59:59-14:00", "9001-01-01T00:00:00Z",
	} {
		t.Run(at, func(t *testing.T) {
			cursor, err := page.EncodeCursor(map[string]string{"at": at, "id": uuid.NewString()})
			require.NoError(t, err)
			c := &client{t: t, url: c.url, db: c.db}
			c.do(uuid.New(), "GET", "/api/notifications?cursor="+cursor, "", 422, nil)
		})
	}
	cursor, err := page.EncodeCursor(map[string]string{"at": "2027-01-04T12:00:00+14:00", "id": uuid.NewString()})
	require.NoError(t, err)
	c.do(uuid.New(), "GET", "/api/notifications?cursor="+cursor, "", 200, nil)
}

func TestBadRequestsAreAnsweredAndChangeNothing(t *testing.T) {
	c := newClient(t)
	ada, eve := uuid.New(), uuid.New()
	n := c.add(ada, time.Minute)
	id := "/api/notifications/" + n.ID.String()
	cases := map[string]struct {
		method, path, body string
		status             int
		location           string
	}{
		"another's, patch":       {"PATCH", id, `{"read":true}`, 404, ""},
		"another's, read":        {"POST", id + "/read", "", 404, ""},
		"unknown id":             {"POST", "/api/notifications/" + uuid.NewString() + "/read", "", 404, ""},
		"nil id":                 {"PATCH", "/api/notifications/" + uuid.Nil.String(), `{"read":true}`, 404, ""},
		"not an id":              {"PATCH", "/api/notifications/1", `{"read":true}`, 422, "path.id"},
		"unicode id":             {"POST", "/api/notifications/%F0%9F%90%88/read", "", 422, "path.id"},
		"NUL in the id":          {"POST", "/api/notifications/%00/read", "", 422, "path.id"},
		"wrong type":             {"PATCH", id, `{"read":"yes"}`, 422, "body.read"},
		"null":                   {"PATCH", id, `{"read":null}`, 422, "body.read"},
		"missing":                {"PATCH", id, `{}`, 422, "body"},
		"unknown field":          {"PATCH", id, `{"read":true,"title":"x"}`, 422, "body.title"},
		"an array":               {"PATCH", id, `[]`, 422, "body"},
		"malformed":              {"PATCH", id, `{"read":`, 400, ""},
		"no body":                {"PATCH", id, "", 400, ""},
		"limit 0":                {"GET", "/api/notifications?limit=0", "", 422, "query.limit"},
		"limit 201":              {"GET", "/api/notifications?limit=201", "", 422, "query.limit"},
		"negative limit":         {"GET", "/api/notifications?limit=-1", "", 422, "query.limit"},
		"limit that is no int":   {"GET", "/api/notifications?limit=ten", "", 422, "query.limit"},
		"huge limit":             {"GET", "/api/notifications?limit=99999999999999999999", "", 422, "query.limit"},
		"unread that is no bool": {"GET", "/api/notifications?unread=perhaps", "", 422, "query.unread"},
		"bad cursor":             {"GET", "/api/notifications?cursor=%00x", "", 422, "query.cursor"},
		"cursor of no list":      {"GET", "/api/notifications?cursor=WzFd", "", 422, "query.cursor"},
		"unknown parameter":      {"GET", "/api/notifications?page=2", "", 422, "query.page"},
		"wrong method":           {"DELETE", "/api/notifications", "", 405, ""},
	}
	for name, k := range cases {
		t.Run(name, func(t *testing.T) {
			var p struct {
				Status int
				Errors []struct{ Location string }
			}
			c := &client{t: t, url: c.url, db: c.db}
			c.do(eve, k.method, k.path, k.body, k.status, &p)
			require.Equal(t, k.status, p.Status)
			if k.location != "" {
				require.Equal(t, k.location, p.Errors[0].Location, fmt.Sprint(p))
			}
		})
	}
	var p answered
	c.do(ada, "GET", "/api/notifications", "", 200, &p)
	require.Nil(t, p.Items[0]["read_at"])
}
