package trail_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/auth"
	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/database/databasetest"
	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/httpapi"
	"github.com/taskwire/taskwire/pkg/membership"
	"github.com/taskwire/taskwire/pkg/subscribe"
	"github.com/taskwire/taskwire/services/audit-log/internal/migrations"
	"github.com/taskwire/taskwire/services/audit-log/internal/trail"
)

func TestMain(m *testing.M) { os.Exit(databasetest.Main(m)) }

const (
	sidecarToken = "the sidecar's token"
	runtimeRole  = "audit_log_under_test"
	traceID      = "0af7651916cd43dd8448eb211c80319c"
)

var now = time.Date(2027, 1, 4, 10, 0, 0, 0, time.UTC)

// service is audit-log, at work as its runtime role on a database of its own.
type service struct {
	t        *testing.T
	owner    *bun.DB
	db       *bun.DB // as the runtime role
	router   http.Handler
	header   map[string]string // of each get
	recorded *atomic.Int64     // deliveries that went by Record, and not in one statement
}

// by is the service as a member of lists asks it, by way of the front door.
func (s *service) by(lists ...uuid.UUID) *service {
	member := *s
	member.header = map[string]string{"dapr-api-token": sidecarToken, membership.Header: membership.Encode(lists)}
	return &member
}

// restrictedTo is the service as somebody asks it who is restricted to lists.
func (s *service) restrictedTo(lists ...uuid.UUID) *service {
	restricted := s.by(lists...)
	restricted.header["X-Test-Restricted"] = "yes"
	return restricted
}

func newService(t *testing.T) *service {
	t.Helper()
	ctx := context.Background()
	ownerURL := databasetest.New(t)
	owner := open(t, ownerURL)
	_, err := owner.ExecContext(ctx, "DO $$ BEGIN CREATE ROLE "+runtimeRole+" LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$")
	require.NoError(t, err)
	u, err := url.Parse(ownerURL)
	require.NoError(t, err)
	u.User = url.User(runtimeRole)
	log := slog.New(slog.DiscardHandler)
	require.NoError(t, database.Migrate(ctx, database.Migration{
		OwnerURL: ownerURL, RuntimeURL: u.String(), Schema: migrations.Schema, Log: log,
	}))
	s := &service{t: t, owner: owner, db: open(t, u.String()), recorded: new(atomic.Int64)}
	s.router = s.replica()
	return s
}

func open(t *testing.T, url string) *bun.DB {
	t.Helper()
	db, err := database.Open(context.Background(), url)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

// replica serves the events, and the lists to whoever X-Test-User names: tokens
// are auth's own tests' business. What lists he is a member of, the header says in which
// the front door does.
func (s *service) replica() http.Handler {
	log := slog.New(slog.DiscardHandler)
	router := httpapi.NewRouter(log)
	clock := func() time.Time { return now }
	erased := trail.NewEraser(s.db, clock, log)
	events := subscribe.New(subscribe.Options{DB: s.db, Schema: migrations.Name, AppAPIToken: sidecarToken, Erased: erased, Log: log, Now: clock})
	recorder := &trail.Recorder{Now: clock, Erased: erased}
	events.InTx(event.TopicAudit, func(ctx context.Context, tx bun.Tx, of []subscribe.Event) error {
		s.recorded.Add(1)
		return recorder.Record(ctx, tx, of)
	})
	events.AtOnce(event.TopicAudit, recorder.AtOnce())
	events.Mount(router)
	router.Group(func(r chi.Router) {
		r.Use(func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				caller := auth.Caller{UserID: uuid.MustParse(r.Header.Get("X-Test-User"))}
				if r.Header.Get("X-Test-Restricted") != "" {
					caller.Lists = []uuid.UUID{}
				}
				next.ServeHTTP(w, r.WithContext(auth.WithCaller(r.Context(), caller)))
			})
		}, membership.Believe(sidecarToken))
		(&trail.API{DB: s.db, Failures: httpapi.Failures{Log: log}}).Mount(httpapi.NewAPI(r))
	})
	return router
}

// change is an audit event in the making.
type change struct {
	id       uuid.UUID
	at       time.Time
	sequence int64
	data     event.AuditEvent
}

var sequence int64

// newChange is a change that user made to a task of his, age ago.
func newChange(user, task uuid.UUID, action string, age time.Duration) change {
	sequence++
	at := now.Add(-age)
	target := "task/" + task.String()
	if task == uuid.Nil {
		target = "user/" + user.String()
	}
	return change{uuid.Must(uuid.NewV7()), at, sequence, event.AuditEvent{
		Frame: event.Frame{EventType: event.AuditPrefix + action, TaskID: task, UserID: user, Timestamp: at, Metadata: map[string]any{}},
		Actor: event.Actor{UserID: user, Email: "ada@example.com"}, Action: action, Target: target,
		Before: json.RawMessage(`{"title":"tea"}`), After: json.RawMessage(`{"title":"coffee"}`), Changed: []string{"title"},
		IP: "192.0.2.7", UserAgent: "curl/8", RequestID: "r-1",
	}}
}

// in is the change as one in a list.
func (c change) in(list uuid.UUID) change {
	c.data.ListID = &list
	c.data.Before = json.RawMessage(`{"title":"tea","list_id":"` + list.String() + `"}`)
	c.data.After = json.RawMessage(`{"title":"coffee","list_id":"` + list.String() + `"}`)
	return c
}

// to is the change as the move into another list, which is where it happened.
func (c change) to(list uuid.UUID) change {
	before := c.data.Before
	c = c.in(list)
	c.data.Before, c.data.Changed = before, []string{"list_id", "title"}
	return c
}

// record is the change as a broker holds it.
func (c change) record(t *testing.T) []byte {
	t.Helper()
	data, err := json.Marshal(c.data)
	require.NoError(t, err)
	raw, err := event.Encode(event.Header{
		ID: c.id, Topic: event.TopicAudit, Type: c.data.EventType, Subject: c.data.TaskID.String(), Time: c.at,
		PartitionKey: c.data.TaskID.String(), Sequence: c.sequence, TraceParent: "00-" + traceID + "-b7ad6b7169203331-01",
	}, data)
	require.NoError(t, err)
	return raw
}

// deliver posts records in one bulk, as the sidecar does, and returns what was
// answered for each.
func (s *service) deliver(to http.Handler, records ...[]byte) []string {
	s.t.Helper()
	entries := make([]map[string]any, len(records))
	for i, r := range records {
		entries[i] = map[string]any{"entryId": fmt.Sprint(i), "event": base64.StdEncoding.EncodeToString(r), "metadata": map[string]string{"__key": "k" + fmt.Sprint(i)}}
	}
	body, err := json.Marshal(map[string]any{"entries": entries})
	require.NoError(s.t, err)
	req := httptest.NewRequest(http.MethodPost, "/events/audit-logs", bytes.NewReader(body))
	req.Header.Set("dapr-api-token", sidecarToken)
	rec := httptest.NewRecorder()
	to.ServeHTTP(rec, req)
	var answer struct{ Statuses []struct{ Status string } }
	require.NoError(s.t, json.Unmarshal(rec.Body.Bytes(), &answer), "%s", rec.Body)
	statuses := make([]string, len(answer.Statuses))
	for i, a := range answer.Statuses {
		statuses[i] = a.Status
	}
	return statuses
}

// keep delivers changes until each has its entry.
func (s *service) keep(changes ...change) {
	s.t.Helper()
	records := make([][]byte, len(changes))
	for i, c := range changes {
		records[i] = c.record(s.t)
	}
	for _, status := range s.deliver(s.router, records...) {
		require.Equal(s.t, "SUCCESS", status)
	}
	require.Zero(s.t, s.count("dead_letters"))
}

func (s *service) count(table string) int {
	s.t.Helper()
	var n int
	require.NoError(s.t, s.db.NewRaw("SELECT count(*) FROM audit."+table).Scan(context.Background(), &n))
	return n
}

func (s *service) get(user uuid.UUID, path string, status int, into any) {
	s.t.Helper()
	req := httptest.NewRequest(http.MethodGet, path, nil)
	req.Header.Set("X-Test-User", user.String())
	for k, v := range s.header {
		req.Header.Set(k, v)
	}
	rec := httptest.NewRecorder()
	s.router.ServeHTTP(rec, req)
	require.Equal(s.t, status, rec.Code, "%s: %s", path, rec.Body)
	if status >= 400 {
		require.Equal(s.t, "application/problem+json", rec.Header().Get("Content-Type"))
	}
	require.NoError(s.t, json.Unmarshal(rec.Body.Bytes(), into), "%s", rec.Body)
}

type answered struct {
	Items      []map[string]any `json:"items"`
	NextCursor *string          `json:"next_cursor"`
}

func (p answered) ids() []string {
	ids := []string{}
	for _, item := range p.Items {
		ids = append(ids, item["id"].(string))
	}
	return ids
}

// all pages through a list; between is called before each page but the first.
func (s *service) all(user uuid.UUID, path string, between func()) []string {
	s.t.Helper()
	separator := "?"
	if strings.Contains(path, "?") {
		separator = "&"
	}
	var ids []string
	next := path
	for {
		var p answered
		s.get(user, next, http.StatusOK, &p)
		ids = append(ids, p.ids()...)
		if p.NextCursor == nil {
			return ids
		}
		between()
		next = path + separator + "cursor=" + url.QueryEscape(*p.NextCursor)
	}
}

func idsOf(changes ...change) []string {
	ids := make([]string, len(changes))
	for i, c := range changes {
		ids[i] = c.id.String()
	}
	return ids
}

// as is another change of the same task, age ago, from the state that this one left.
func (c change) as(action string, age time.Duration) change {
	before, list := c.data.After, c.data.ListID
	c = newChange(c.data.UserID, c.data.TaskID, action, age)
	c.data.Before, c.data.ListID = before, list
	return c
}
