package frontdoor

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/membership"
)

// join makes n lists and a user a member of them, from the first to the last.
func join(t *testing.T, db *bun.DB, user uuid.UUID, n int) []uuid.UUID {
	t.Helper()
	lists := make([]uuid.UUID, n)
	for i := range lists {
		lists[i] = uuid.New()
	}
	_, err := db.NewRaw(`WITH made AS (
			INSERT INTO task.lists (id, created_by, name, version, created_at, updated_at) SELECT id, ?0, 'x', 1, now(), now() FROM unnest(ARRAY[?1]::uuid[]) id
		)
		INSERT INTO task.members (user_id, list_id, role, position, since) SELECT ?0, id, 'viewer', 0, now() + n * interval '1 second' FROM unnest(ARRAY[?1]::uuid[]) WITH ORDINALITY l (id, n)`,
		user, bun.List(lists)).Exec(t.Context())
	require.NoError(t, err)
	return lists
}

// The service that has things of lists learns from the door alone whose they are today.
func TestTheDoorTellsOfWhichListsTheCallerIsAMember(t *testing.T) {
	db := newDB(t)
	var asked http.Header
	sidecar := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked = r.Header }))
	defer sidecar.Close()
	router := chi.NewRouter()
	door := doorTo(t, sidecar.URL, "", db)
	door.MountOpen(router, nil)
	door.Mount(router, somebody)
	mine, theirs := join(t, db, caller, 3), join(t, db, uuid.New(), 2)
	told := func(t *testing.T, method, path string, header ...string) []uuid.UUID {
		t.Helper()
		asked = nil
		req := httptest.NewRequest(method, path, nil)
		for i := 0; i+1 < len(header); i += 2 {
			req.Header.Add(header[i], header[i+1])
		}
		rec := httptest.NewRecorder()
		router.ServeHTTP(rec, req)
		require.Equal(t, http.StatusOK, rec.Code, "%s", rec.Body)
		require.NotNil(t, asked)
		require.LessOrEqual(t, len(asked.Values(membership.Header)), 1)
		lists, err := membership.Decode(asked.Get(membership.Header))
		require.NoError(t, err)
		return lists
	}
	history := "/api/tasks/" + uuid.NewString() + "/history"
	for name, c := range map[string]struct {
		method, path string
		want         []uuid.UUID
	}{
		"audit":                  {http.MethodGet, "/api/audit", mine},
		"audit of a list":        {http.MethodGet, "/api/audit?list_id=" + mine[0].String(), mine},
		"audit of another's":     {http.MethodGet, "/api/audit?list_id=" + theirs[0].String(), mine},
		"history":                {http.MethodGet, history, mine},
		"notifications":          {http.MethodGet, "/api/notifications", nil},
		"occurrences":            {http.MethodGet, "/api/tasks/" + uuid.NewString() + "/occurrences", mine},
		"preview":                {http.MethodPost, "/api/recurrence/preview", nil},
		"the link of a mail":     {http.MethodGet, "/api/notifications/unsubscribe?token=x", nil},
		"the one-click of mails": {http.MethodPost, "/api/notifications/unsubscribe?token=x", nil},
	} {
		t.Run(name, func(t *testing.T) {
			forged := membership.Encode(theirs)
			for _, header := range [][]string{
				nil,
				{membership.Header, forged},
				{strings.ToLower(membership.Header), forged, membership.Header, forged},
				{membership.Header, forged, "Connection", membership.Header},
			} {
				require.ElementsMatch(t, c.want, told(t, c.method, c.path, header...), "with %v", header)
			}
		})
	}

	_, err := db.NewRaw("DELETE FROM task.members WHERE user_id = ? AND list_id = ?", caller, mine[0]).Exec(t.Context())
	require.NoError(t, err)
	require.ElementsMatch(t, mine[1:], told(t, http.MethodGet, "/api/audit"), "who left is told of no more")
	_, err = db.NewRaw("DELETE FROM task.members WHERE user_id = ?", caller).Exec(t.Context())
	require.NoError(t, err)
	require.Empty(t, told(t, http.MethodGet, history, membership.Header, membership.Encode(theirs)))
}

// The header of the most lists fits through a sidecar, beside all that a client may well
// send itself. Of more the last ones are told, and the one that is asked for.
func TestTheMostListsFitThroughASidecar(t *testing.T) {
	db := newDB(t)
	var told []uuid.UUID
	sidecar := httptest.NewUnstartedServer(membership.Believe("token")(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { told = membership.Of(r.Context()) })))
	sidecar.Config.MaxHeaderBytes = 64<<10 - 4<<10 // as all sidecars are set up (readBufferSize in dapr/dapr.yaml), without what Go admits beyond
	sidecar.Start()
	defer sidecar.Close()
	router := chi.NewRouter()
	doorTo(t, sidecar.URL, "token", db).Mount(router, somebody)
	lists := join(t, db, caller, membership.Most+20)
	for name, c := range map[string]struct {
		query string
		want  []uuid.UUID
	}{
		"the last":         {"", lists[20:]},
		"one of the first": {"?list_id=" + lists[3].String(), append([]uuid.UUID{lists[3]}, lists[21:]...)},
		"one of the last":  {"?list_id=" + lists[500].String(), lists[20:]},
	} {
		t.Run(name, func(t *testing.T) {
			told = nil
			req := httptest.NewRequest(http.MethodGet, "/api/audit"+c.query, nil)
			req.Header.Set("Cookie", "other="+strings.Repeat("x", 32<<10))
			rec := httptest.NewRecorder()
			router.ServeHTTP(rec, req)
			require.Equal(t, http.StatusOK, rec.Code, "%s", rec.Body)
			require.ElementsMatch(t, c.want, told)
		})
	}
}

// Where the database does not say who is a member of what, nothing is passed on.
func TestWithoutMembershipsNothingIsPassedOn(t *testing.T) {
	db := newDB(t)
	asked := false
	sidecar := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	defer sidecar.Close()
	router := chi.NewRouter()
	doorTo(t, sidecar.URL, "", db).Mount(router, somebody)
	_, err := db.NewRaw("ALTER TABLE task.members RENAME TO away").Exec(t.Context())
	require.NoError(t, err)
	rec := httptest.NewRecorder()
	router.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/api/audit", nil))
	require.GreaterOrEqual(t, rec.Code, 500)
	require.Equal(t, "application/problem+json", rec.Header().Get("Content-Type"))
	require.False(t, asked)
}
