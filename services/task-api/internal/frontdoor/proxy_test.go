package frontdoor

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/auth"
	"github.com/taskwire/taskwire/pkg/database/databasetest"
	"github.com/taskwire/taskwire/pkg/httpapi"
	"github.com/taskwire/taskwire/services/task-api/internal/migrations"

	"github.com/taskwire/taskwire/pkg/telemetry/metrictest"
)

func TestMain(m *testing.M) { os.Exit(databasetest.Main(m)) }

func newDB(t *testing.T) *bun.DB {
	t.Helper()
	db, _ := databasetest.Open(t, migrations.Schema)
	return db
}

func doorTo(t *testing.T, sidecar, token string, db *bun.DB) *Door {
	t.Helper()
	door, err := New(sidecar, token, sign, db, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	return door
}

// somebody signs every request in.
func somebody() chi.Middlewares {
	return chi.Chain(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(w, r.WithContext(auth.WithCaller(r.Context(), auth.Caller{UserID: caller})))
		})
	})
}

func nobody() chi.Middlewares { return nil }

// sign stands for the key of task-api.
func sign(caller auth.Caller, _ time.Time) (string, error) {
	return "passed for " + caller.UserID.String(), nil
}

var caller = uuid.New()

// Each route asks whether the caller may. What is another's is passed on as what
// nobody has, so that the answer is that to an id that never was. But for the history of a
// task: where the task is now does not matter, the lists that the caller is told to be a
// member of do.
func TestEachRouteAsks(t *testing.T) {
	var passed []string
	sidecar := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		passed = append(passed, r.URL.Path)
		w.WriteHeader(http.StatusNoContent)
	}))
	defer sidecar.Close()
	db := newDB(t)
	mine, theirs, gone := uuid.New(), uuid.New(), uuid.New()
	for id, user := range map[uuid.UUID]uuid.UUID{mine: caller, theirs: uuid.New()} {
		_, err := db.NewRaw(`INSERT INTO task.tasks (id, user_id, title, description, is_complete, priority, tags, all_day, timezone, version, created_at, updated_at)
			VALUES (?, ?, 'x', '', false, 0, '{}', false, 'UTC', 1, now(), now())`, id, user).Exec(t.Context())
		require.NoError(t, err)
	}
	router := chi.NewRouter()
	doorTo(t, sidecar.URL, "", db).Mount(router, nobody)
	ask := func(method, path string, by auth.Caller) int {
		passed = nil
		rec := httptest.NewRecorder()
		router.ServeHTTP(rec, httptest.NewRequestWithContext(auth.WithCaller(t.Context(), by), method, path, nil))
		return rec.Code
	}
	routes := 0
	err := chi.Walk(router, func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		routes++
		of := func(id uuid.UUID) string {
			return strings.NewReplacer("{id}", id.String(), "{notification}", "x").Replace(route)
		}
		if !strings.Contains(route, "{id}") {
			require.Equal(t, http.StatusNotFound, ask(method, of(mine), auth.Caller{}), "%s %s by nobody", method, route)
			require.Empty(t, passed)
		}
		if strings.Contains(route, "{id}") {
			for _, by := range []auth.Caller{{}, {UserID: caller}} {
				if strings.HasSuffix(route, "/history") && by.UserID == caller {
					require.Equal(t, http.StatusNoContent, ask(method, of(theirs), by))
					require.Equal(t, []string{of(theirs)}, passed)
					continue
				}
				require.Equal(t, http.StatusNoContent, ask(method, of(theirs), by), "%s %s of another's", method, route)
				require.Len(t, passed, 1)
				require.NotContains(t, passed[0], theirs.String())
				require.Len(t, passed[0], len(of(theirs)), "an id like another")
			}
		}
		for _, id := range []uuid.UUID{mine, gone} {
			require.Equal(t, http.StatusNoContent, ask(method, of(id), auth.Caller{UserID: caller}), "%s %s", method, route)
			require.Equal(t, []string{of(id)}, passed)
		}
		return nil
	})
	require.NoError(t, err)
	require.Len(t, Routes, routes)
}

// The sidecar stands in here as a server that tells what it was asked.
func TestWhatTheSidecarIsAsked(t *testing.T) {
	db := newDB(t)
	const own = "the sidecar's token"
	for name, c := range map[string]struct {
		target string
		header map[string]string
		path   string // what the sidecar sees; "" when it must see nothing
		app    string
	}{
		"audit":                       {target: "/api/audit?limit=2", path: "/api/audit", app: "audit-log"},
		"history":                     {target: "/api/tasks/01a208ca-e4b2-7ac0-9fcb-e19ea4dc76ac/history", path: "/api/tasks/01a208ca-e4b2-7ac0-9fcb-e19ea4dc76ac/history", app: "audit-log"},
		"notifications":               {target: "/api/notifications", path: "/api/notifications", app: "notification"},
		"occurrences":                 {target: "/api/tasks/1/occurrences", path: "/api/tasks/1/occurrences", app: "recurring-task"},
		"forged headers":              {target: "/api/audit", header: map[string]string{"dapr-app-id": "evil", "Dapr-Api-Token": "evil", "dapr-other": "x"}, path: "/api/audit", app: "audit-log"},
		"dots":                        {target: "/api/notifications/../../events/reminders"},
		"escaped dots":                {target: "/api/notifications/%2e%2e/%2e%2e/events/reminders"},
		"escaped slashes":             {target: "/api/notifications/..%2f..%2fevents/reminders"},
		"dots that are escaped twice": {target: "/api/notifications/%252e%252e/events/reminders"},
		"a backslash":                 {target: "/api/tasks/..%5c..%5cevents/history"},
		"a semicolon":                 {target: "/api/notifications/..;/events"},
	} {
		t.Run(name, func(t *testing.T) {
			var asked *http.Request
			sidecar := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { asked = r }))
			defer sidecar.Close()
			door := doorTo(t, sidecar.URL, own, db)
			router := chi.NewRouter()
			door.Mount(router, somebody)

			req := httptest.NewRequest(http.MethodGet, c.target, nil)
			for k, v := range c.header {
				req.Header.Set(k, v)
			}
			rec := httptest.NewRecorder()
			router.ServeHTTP(rec, req)
			if c.path == "" {
				require.Nil(t, asked, "passed on as %v", asked)
				require.Equal(t, http.StatusNotFound, rec.Code)
				return
			}
			require.Equal(t, http.StatusOK, rec.Code)
			require.Equal(t, c.path, asked.URL.Path)
			require.Equal(t, c.app, asked.Header.Get("dapr-app-id"))
			require.Equal(t, own, asked.Header.Get("dapr-api-token"))
			require.Empty(t, asked.Header.Get("dapr-other"))
		})
	}
}

// counted are the requests that could not be passed on, by app.
func counted(t *testing.T) map[string]float64 {
	t.Helper()
	counts := map[string]float64{}
	for _, m := range metrictest.Of(t, "taskwire_front_door_unavailable_total") {
		counts[m.GetLabel()[0].GetValue()] = m.GetCounter().GetValue()
	}
	return counts
}

func TestWithoutASidecarTheDoorSaysTryAgain(t *testing.T) {
	db := newDB(t)
	unavailable.Reset()
	router := chi.NewRouter()
	doorTo(t, "http://127.0.0.1:1", "", db).Mount(router, somebody)
	rec := httptest.NewRecorder()
	router.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/api/audit", nil))
	require.Equal(t, http.StatusServiceUnavailable, rec.Code)
	require.Equal(t, "application/problem+json", rec.Header().Get("Content-Type"))
	require.NotEmpty(t, rec.Header().Get("Retry-After"))
	require.Equal(t, map[string]float64{"audit-log": 1, "notification": 0, "recurring-task": 0}, counted(t))
}

// What a sidecar says itself names the parts of the suite, and is nothing to users.
func TestTheSidecarsOwnWordsAreNotPassedOn(t *testing.T) {
	db := newDB(t)
	for name, c := range map[string]struct {
		status int
		kind   string
		want   int
	}{
		"its access policy refuses":    {http.StatusForbidden, "application/json", http.StatusNotFound},
		"it does not find the service": {http.StatusInternalServerError, "application/json", http.StatusServiceUnavailable},
		"the service itself refuses":   {http.StatusForbidden, "application/problem+json", http.StatusForbidden},
		"the service itself fails":     {http.StatusInternalServerError, "application/problem+json", http.StatusInternalServerError},
	} {
		t.Run(name, func(t *testing.T) {
			sidecar := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", c.kind)
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, `{"message":"spiffe://taskwire"}`) // the recorder takes all
			}))
			defer sidecar.Close()
			router := chi.NewRouter()
			doorTo(t, sidecar.URL, "", db).Mount(router, somebody)
			rec := httptest.NewRecorder()
			router.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/api/notifications", nil))
			require.Equal(t, c.want, rec.Code)
			require.Equal(t, "application/problem+json", rec.Header().Get("Content-Type"))
			require.Equal(t, c.want == c.status, strings.Contains(rec.Body.String(), "spiffe"))
		})
	}
}

func TestWhatIsWrongWithABodyIsTheClientsDoing(t *testing.T) {
	db := newDB(t)
	sidecar := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer sidecar.Close()
	router := chi.NewRouter()
	doorTo(t, sidecar.URL, "", db).Mount(router.With(httpapi.Bodies(httpapi.MaxBody)), somebody)
	for name, c := range map[string]struct {
		method string
		body   io.Reader
		status int
	}{
		"1 MiB":               {http.MethodPost, strings.NewReader(strings.Repeat("x", 1<<20)), http.StatusOK},
		"1 MiB and a byte":    {http.MethodPost, strings.NewReader(strings.Repeat("x", 1<<20+1)), http.StatusRequestEntityTooLarge},
		"one that breaks off": {http.MethodPost, iotest.ErrReader(io.ErrUnexpectedEOF), http.StatusBadRequest},
		"CONNECT":             {http.MethodConnect, nil, http.StatusMethodNotAllowed},
		"TRACE":               {http.MethodTrace, nil, http.StatusMethodNotAllowed},
	} {
		t.Run(name, func(t *testing.T) {
			rec := httptest.NewRecorder()
			router.ServeHTTP(rec, httptest.NewRequest(c.method, "/api/recurrence/preview", c.body))
			require.Equal(t, c.status, rec.Code)
		})
	}
}
