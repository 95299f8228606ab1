package ledger_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/auth"
	"github.com/taskwire/taskwire/pkg/database/databasetest"
	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/httpapi"
	"github.com/taskwire/taskwire/pkg/membership"
	"github.com/taskwire/taskwire/pkg/recurrence"
	"github.com/taskwire/taskwire/services/recurring-task/internal/ledger"
	"github.com/taskwire/taskwire/services/recurring-task/internal/migrations"
)

func TestMain(m *testing.M) { os.Exit(databasetest.Main(m)) }

var now = time.Date(2027, 1, 4, 10, 0, 0, 0, time.UTC)

type server struct {
	t      *testing.T
	ledger *ledger.Store
	router http.Handler
}

// newServer serves the operation to whoever X-Test-User names; tokens are
// auth's own tests' business.
func newServer(t *testing.T) *server {
	t.Helper()
	db, _ := databasetest.Open(t, migrations.Schema)
	log := slog.New(slog.DiscardHandler)
	l := &ledger.Store{DB: db}
	router := httpapi.NewRouter(log)
	router.Group(func(r chi.Router) {
		r.Use(func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				caller := auth.Caller{UserID: uuid.MustParse(r.Header.Get("X-Test-User"))}
				if r.Header.Get("X-Test-Restricted") != "" {
					caller.Lists = []uuid.UUID{}
				}
				ctx := auth.WithCaller(r.Context(), caller)
				if list := r.Header.Get("X-Test-List"); list != "" {
					ctx = membership.With(ctx, []uuid.UUID{uuid.MustParse(list)})
				}
				next.ServeHTTP(w, r.WithContext(ctx))
			})
		})
		ledger.Mount(httpapi.NewAPI(r), httpapi.Failures{Log: log}, l)
	})
	return &server{t: t, ledger: l, router: router}
}

func (s *server) get(user uuid.UUID, path string, status int, into any) {
	s.t.Helper()
	req := httptest.NewRequest(http.MethodGet, path, nil)
	req.Header.Set("X-Test-User", user.String())
	rec := httptest.NewRecorder()
	s.router.ServeHTTP(rec, req)
	require.Equal(s.t, status, rec.Code, "%s: %s", path, rec.Body)
	require.NoError(s.t, json.Unmarshal(rec.Body.Bytes(), into), "%s", rec.Body)
}

// Who is restricted to lists is not shown what was recorded before there were lists.
func TestWhoIsRestrictedToListsSeesNothingOfBefore(t *testing.T) {
	s := newServer(t)
	user := uuid.New()
	last := s.record(user, 2)
	path := "/api/tasks/" + last.ID.String() + "/occurrences"
	var all page
	s.get(user, path, http.StatusOK, &all)
	require.Len(t, all.Items, 2)
	req := httptest.NewRequest(http.MethodGet, path, nil)
	req.Header.Set("X-Test-User", user.String())
	req.Header.Set("X-Test-Restricted", "yes")
	rec := httptest.NewRecorder()
	s.router.ServeHTTP(rec, req)
	require.Equal(t, http.StatusNotFound, rec.Code, "%s", rec.Body)
}

// record writes n daily occurrences of a new series, all but the last done,
// and returns the last one's task.
func (s *server) record(user uuid.UUID, n int) event.Task {
	var last event.Task
	series := uuid.New()
	for i := range n {
		due := now.AddDate(0, 0, i)
		wall := due.Format(recurrence.WallLayout)
		last = event.Task{ID: event.OccurrenceID(series, wall), UserID: user, SeriesID: &series, Occurrence: &wall, DueAt: &due, Version: 2}
		if i < n-1 {
			last.IsComplete, last.CompletedAt = true, &due
		}
		require.NoError(s.t, s.ledger.Record(context.Background(), event.TaskUpdated, event.TaskEvent{TaskData: last}, now))
	}
	return last
}

type page struct {
	Items      []map[string]any `json:"items"`
	NextCursor *string          `json:"next_cursor"`
}

func TestListsTheSeriesOfATaskByPages(t *testing.T) {
	s := newServer(t)
	ada, bob := uuid.New(), uuid.New()
	task := s.record(ada, 25)
	s.record(ada, 3) // another series
	s.record(bob, 3)

	var got []string
	path := "/api/tasks/" + task.ID.String() + "/occurrences"
	for query := "?limit=10"; query != ""; {
		var p page
		s.get(ada, path+query, http.StatusOK, &p)
		for _, item := range p.Items {
			got = append(got, item["occurrence"].(string))
		}
		query = ""
		if p.NextCursor != nil {
			query = "?limit=10&cursor=" + *p.NextCursor
		}
	}
	require.Len(t, got, 25)
	for i, wall := range got {
		require.Equal(t, now.AddDate(0, 0, 24-i).Format(recurrence.WallLayout), wall)
	}
}

func TestItemHoldsTheContract(t *testing.T) {
	s := newServer(t)
	ada := uuid.New()
	task := s.record(ada, 1)
	require.NoError(t, s.ledger.RecordMissed(context.Background(), task, []recurrence.Occurrence{{Wall: "2027-01-05T10:00:00", At: now.AddDate(0, 0, 1)}}, now))
	var p page
	s.get(ada, "/api/tasks/"+task.ID.String()+"/occurrences", http.StatusOK, &p)
	require.Equal(t, []map[string]any{
		{"series_id": task.SeriesID.String(), "occurrence": "2027-01-05T10:00:00", "task_id": nil, "status": "missed",
			"due_at": "2027-01-05T10:00:00Z", "updated_at": "2027-01-04T10:00:00Z"},
		{"series_id": task.SeriesID.String(), "occurrence": "2027-01-04T10:00:00", "task_id": task.ID.String(), "status": "open",
			"due_at": "2027-01-04T10:00:00Z", "updated_at": "2027-01-04T10:00:00Z"},
	}, p.Items)
}

func TestRefuses(t *testing.T) {
	s := newServer(t)
	ada, eve := uuid.New(), uuid.New()
	task := s.record(ada, 3)
	path := "/api/tasks/" + task.ID.String() + "/occurrences"
	for name, tc := range map[string]struct {
		user     uuid.UUID
		path     string
		status   int
		location string
	}{
		"another user's task":        {eve, path, 404, ""},
		"a task that does not exist": {ada, "/api/tasks/" + uuid.NewString() + "/occurrences", 404, ""},
		"an id that is none":         {ada, "/api/tasks/1/occurrences", 422, "path.id"},
		"limit 0":                    {ada, path + "?limit=0", 422, "query.limit"},
		"limit 201":                  {ada, path + "?limit=201", 422, "query.limit"},
		"a bad cursor":               {ada, path + "?cursor=%00x", 422, "query.cursor"},
		"a cursor of another list":   {ada, path + "?cursor=WzFd", 422, "query.cursor"},
		"a cursor that is no text":   {ada, path + "?cursor=eyJvIjowfQ", 422, "query.cursor"},
		"a cursor with a NUL":        {ada, path + "?cursor=" + base64.RawURLEncoding.EncodeToString([]byte(`{"o":"\u0000"}`)), 422, "query.cursor"},
		"an unknown parameter":       {ada, path + "?page=2", 422, "query.page"},
	} {
		t.Run(name, func(t *testing.T) {
			var problem struct {
				Errors []struct{ Location string }
			}
			s := &server{t: t, router: s.router}
			s.get(tc.user, tc.path, tc.status, &problem)
			if tc.location != "" {
				require.Equal(t, tc.location, problem.Errors[0].Location)
			}
		})
	}
}

// A series is seen by the members of the list that its task is in, and by nobody else,
// whoever made it; one of before, by its user.
func TestASeriesIsItsListsMembers(t *testing.T) {
	s := newServer(t)
	ada, bob, list := uuid.New(), uuid.New(), uuid.New()
	task := s.record(ada, 2)
	path := "/api/tasks/" + task.ID.String() + "/occurrences"
	read := func(user uuid.UUID, list string) int {
		req := httptest.NewRequest(http.MethodGet, path, nil)
		req.Header.Set("X-Test-User", user.String())
		req.Header.Set("X-Test-List", list)
		rec := httptest.NewRecorder()
		s.router.ServeHTTP(rec, req)
		return rec.Code
	}
	require.Equal(t, http.StatusOK, read(ada, ""))
	require.Equal(t, http.StatusNotFound, read(bob, list.String()))
	task.ListID, task.Version = list, 3
	require.NoError(t, s.ledger.Record(t.Context(), event.TaskUpdated, event.TaskEvent{TaskData: task}, now))
	require.Equal(t, http.StatusOK, read(bob, list.String()))
	require.Equal(t, http.StatusNotFound, read(bob, uuid.NewString()))
	require.Equal(t, http.StatusNotFound, read(ada, ""), "who has left sees nothing of what he made")
}
