// Package e2e drives a whole suite with real sidecars, broker and database as
// its users do.
package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/test/openapi"
	"github.com/taskwire/taskwire/test/suite"
	"github.com/taskwire/taskwire/test/suite/suitetest"
)

// world is a suite as the tests see it.
type world struct{ *suite.Suite }

// s is the suite that most tests share: one after another, since some of them kill
// its processes; each has users of its own. A test with a suite of its own calls
// that s, too, and runs beside others.
var s world

// oneUsersLoad turns off what would refuse the loads that one user sends here.
var oneUsersLoad = []string{"LIMIT_WRITES=0", "LIMIT_IN_FLIGHT=0"}

// contract is the description of the API. Whatever the suites of these tests answer is held
// against it.
var contract *openapi.Description

func TestMain(m *testing.M) {
	var err error
	if contract, err = openapi.Load("../../" + openapi.File); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	suite.Transport = contract.Transport(suite.Transport)
	os.Exit(suitetest.Main(m, func(started *suite.Suite) { s = world{started} }, oneUsersLoad...))
}

const patience = suitetest.Patience

func eventually(t *testing.T, condition func() error) {
	t.Helper()
	suitetest.Eventually(t, condition)
}

var users atomic.Int64

// user is a user of the suite with what tests ask of the API.
type user struct {
	*suite.Client
	s world
	t *testing.T
}

func (s world) newUser(t *testing.T, zone string) *user {
	t.Helper()
	email := fmt.Sprintf("user%d-%d@example.org", users.Add(1), time.Now().UnixNano())
	var c *suite.Client
	eventually(t, func() (err error) {
		c, err = s.Register(t.Context(), email, zone)
		return err
	})
	return &user{c, s, t}
}

// must sends a request and decodes the answer, which must have the status.
func must[T any](u *user, status int, method, path string, body any, header ...string) T {
	u.t.Helper()
	a, err := u.Do(u.t.Context(), method, path, body, header...)
	require.NoError(u.t, err)
	require.Equal(u.t, status, a.Status, "%s %s: %s", method, path, a.Body)
	var v T
	if len(a.Body) > 0 {
		require.NoError(u.t, a.JSON(&v), "%s", a.Body)
	}
	return v
}

type object = map[string]any

func (u *user) create(task object) event.Task {
	u.t.Helper()
	return must[event.Task](u, http.StatusCreated, http.MethodPost, "/api/tasks", task)
}

func (u *user) complete(t event.Task) event.Task {
	u.t.Helper()
	return must[event.Task](u, http.StatusOK, http.MethodPatch, "/api/tasks/"+t.ID.String()+"/complete", object{"is_complete": true})
}

type page[T any] struct {
	Items      []T     `json:"items"`
	NextCursor *string `json:"next_cursor"`
}

// series lists the tasks of a series, the oldest first.
func (u *user) series(t event.Task) []event.Task {
	u.t.Helper()
	return must[page[event.Task]](u, http.StatusOK, http.MethodGet, "/api/tasks?sort=due_at&limit=200&series_id="+t.SeriesID.String(), nil).Items
}

// next waits for the open task that follows in a series.
func (u *user) next(t event.Task) event.Task {
	u.t.Helper()
	var found event.Task
	eventually(u.t, func() error {
		var open []event.Task
		for _, o := range u.series(t) {
			if !o.IsComplete {
				open = append(open, o)
			}
		}
		if len(open) != 1 {
			return fmt.Errorf("%d open occurrences", len(open))
		}
		found = open[0]
		return nil
	})
	return found
}

// ledger waits until the occurrences of a task's series have become this, the latest first.
func (u *user) ledger(task event.Task, want ...string) {
	u.t.Helper()
	type entry struct {
		Status string `json:"status"`
	}
	eventually(u.t, func() error {
		a, err := u.Do(u.t.Context(), http.MethodGet, "/api/tasks/"+task.ID.String()+"/occurrences", nil)
		if err != nil {
			return err
		}
		var p page[entry]
		if err := a.JSON(&p); err != nil {
			return err
		}
		states := []string{}
		for _, e := range p.Items {
			states = append(states, e.Status)
		}
		if !slices.Equal(states, want) {
			return errNotYet(states)
		}
		return nil
	})
}

type auditEntry struct {
	ID        string          `json:"id"`
	Action    string          `json:"action"`
	TaskID    *string         `json:"task_id"`
	Actor     event.Actor     `json:"actor"`
	Before    json.RawMessage `json:"before"`
	After     json.RawMessage `json:"after"`
	Changed   []string        `json:"changed"`
	Truncated []string        `json:"truncated"`
	RequestID string          `json:"request_id"`
	TraceID   string          `json:"trace_id"`
}

// history waits until a task's history has n entries.
func (u *user) history(t event.Task, n int) []auditEntry {
	u.t.Helper()
	var entries []auditEntry
	eventually(u.t, func() error {
		a, err := u.Do(u.t.Context(), http.MethodGet, "/api/tasks/"+t.ID.String()+"/history?limit=200", nil)
		if err != nil {
			return err
		}
		if a.Status != http.StatusOK {
			return fmt.Errorf("history: %d %s", a.Status, a.Body)
		}
		var p page[auditEntry]
		if err := a.JSON(&p); err != nil {
			return err
		}
		if entries = p.Items; len(entries) != n {
			return fmt.Errorf("%d entries, not %d", len(entries), n)
		}
		return nil
	})
	return entries
}

// mails reads the mails to the user.
func (u *user) mails() []string {
	u.t.Helper()
	found, err := u.s.Mails(u.Email)
	require.NoError(u.t, err)
	return found
}

type notification struct {
	ID       string    `json:"id"`
	TaskID   string    `json:"task_id"`
	Title    string    `json:"title"`
	RemindAt time.Time `json:"remind_at"`
	LateMS   int64     `json:"late_ms"`
}

func (u *user) notifications() []notification {
	u.t.Helper()
	var p page[notification]
	eventually(u.t, func() error {
		a, err := u.Do(u.t.Context(), http.MethodGet, "/api/notifications?limit=200", nil)
		if err != nil {
			return err
		}
		if a.Status != http.StatusOK {
			return fmt.Errorf("notifications: %d %s", a.Status, a.Body)
		}
		return a.JSON(&p)
	})
	return p.Items
}

// delivered waits until the user has n notifications and n mails.
func (u *user) delivered(n int) []notification {
	u.t.Helper()
	var got []notification
	eventually(u.t, func() error {
		got = u.notifications()
		if mails := len(u.mails()); len(got) != n || mails != n {
			return fmt.Errorf("%d notifications and %d mails, not %d", len(got), mails, n)
		}
		return nil
	})
	return got
}

// query reads one number from the suite's database.
func (s world) query(t *testing.T, sql string, args ...any) int {
	t.Helper()
	var n int
	eventually(t, func() error {
		conn, err := pgx.Connect(t.Context(), s.Database.OwnerURL)
		if err != nil {
			return err
		}
		defer conn.Close(context.WithoutCancel(t.Context()))
		return conn.QueryRow(t.Context(), sql, args...).Scan(&n)
	})
	return n
}

// arrived waits until a look at the suite's database finds nothing on its way.
func (s world) arrived(t *testing.T, look func(context.Context, *pgx.Conn) error) {
	t.Helper()
	eventually(t, func() error {
		conn, err := pgx.Connect(t.Context(), s.Database.OwnerURL)
		if err != nil {
			return err
		}
		defer conn.Close(context.WithoutCancel(t.Context()))
		return look(t.Context(), conn)
	})
}

// execute runs SQL as the owner of the suite's database.
func (s world) execute(t *testing.T, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.Database.OwnerURL)
	require.NoError(t, err)
	defer conn.Close(context.WithoutCancel(t.Context()))
	_, err = conn.Exec(t.Context(), sql)
	require.NoError(t, err)
}

// column reads a column of texts from the suite's database.
func (s world) column(t *testing.T, sql string, args ...any) map[string]bool {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.Database.OwnerURL)
	require.NoError(t, err)
	defer conn.Close(context.WithoutCancel(t.Context()))
	rows, err := conn.Query(t.Context(), sql, args...)
	require.NoError(t, err)
	values, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	found := make(map[string]bool, len(values))
	for _, v := range values {
		found[v] = true
	}
	return found
}
