package main

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/database/databasetest"
	"github.com/taskwire/taskwire/services/task-api/internal/migrations"
)

// ready is what readiness says.
func (s *running) ready() (code int, status string, checks map[string]string) {
	s.t.Helper()
	a := s.nobody().do(http.MethodGet, "/readyz", nil)
	var body struct {
		Status string
		Checks map[string]string
	}
	require.NoError(s.t, json.Unmarshal(a.body, &body))
	return a.status, body.Status, body.Checks
}

// told are the lines that tell of more than a request.
func (s *running) told() []string {
	var told []string
	for _, line := range s.logged() {
		if line.Msg != "request" && line.Level != "DEBUG" {
			told = append(told, line.Level+" "+line.Msg)
		}
	}
	return told
}

func TestPostgresAwayIsTwoLines(t *testing.T) {
	t.Parallel()
	detour := databasetest.NewDetour(t, databasetest.New(t))
	s := start(t, "DATABASE_URL="+detour.URL, "EVENT_PUBLISHING_ENABLED=true", "DAPR_GRPC_PORT=1")
	require.Eventually(t, func() bool { return slices.Contains(s.told(), "INFO this process owns the event log") }, patience, 10*time.Millisecond)
	before := len(s.told())
	detour.Cut()
	away := time.Now()
	for time.Since(away) < 6*time.Second { // longer than the longest backoff
		a := s.nobody().do(http.MethodPost, "/api/auth/login", object{"email": "ada@example.org", "password": "correct horse battery"})
		require.Equal(t, http.StatusServiceUnavailable, a.status)
		code, _, checks := s.ready()
		require.Equal(t, http.StatusServiceUnavailable, code)
		require.Equal(t, "failing", checks["database"])
	}
	detour.Mend()
	mended := time.Now()
	require.Eventually(t, func() bool { return len(s.told()) == before+3 }, patience, 10*time.Millisecond)
	told := s.told()[before:]
	slices.Sort(told)
	require.Equal(t, []string{
		"INFO the database is reached again",
		"INFO this process owns the event log",
		"WARN the database can not be reached; trying again",
	}, told)
	t.Logf("told after %s", time.Since(mended))
	require.Eventually(t, func() bool { _, _, checks := s.ready(); return checks["owner"] == "ok" }, patience, 10*time.Millisecond)
}

func TestReadinessSaysThatNobodyOwnsTheEventLog(t *testing.T) {
	t.Parallel()
	url := databasetest.New(t)
	s := start(t, "DATABASE_URL="+url, "EVENT_PUBLISHING_ENABLED=true", "DAPR_GRPC_PORT=1")
	require.Eventually(t, func() bool { _, _, checks := s.ready(); return checks["owner"] == "ok" }, patience, 10*time.Millisecond)
	db, err := database.Open(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	// A new owner can not begin, and the one that there is loses its connection.
	_, err = db.ExecContext(t.Context(), `
		CREATE FUNCTION task.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'refused'; END $$;
		CREATE TRIGGER refuse BEFORE UPDATE ON task.event_head FOR EACH ROW EXECUTE FUNCTION task.refuse();
		SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted
			AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		code, status, checks := s.ready()
		return code == http.StatusOK && status == "degraded" && checks["owner"] == "failing" && checks["events"] == "ok"
	}, patience, 10*time.Millisecond)
	const told = "WARN this process can not own the event log; trying again"
	require.Eventually(t, func() bool { return slices.Contains(s.told(), told) }, patience, 10*time.Millisecond)
	_, err = db.ExecContext(t.Context(), "DROP TRIGGER refuse ON task.event_head")
	require.NoError(t, err)
	require.Eventually(t, func() bool { _, _, checks := s.ready(); return checks["owner"] == "ok" }, patience, 10*time.Millisecond)
	require.Len(t, slices.DeleteFunc(s.told(), func(line string) bool { return line != told }), 1)
}

// A replica that can not begin has the log for a moment, again and again.
func TestWhoCanNotBeginIsNoOwner(t *testing.T) {
	t.Parallel()
	db, err := database.Open(t.Context(), databasetest.Migrated(t, migrations.Schema))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	check := ownerCheck(db)
	require.NoError(t, check(t.Context()), "nobody has owned it yet")
	beginning, err := db.Conn(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, beginning.Close()) })
	run := func(query string) {
		_, err := beginning.ExecContext(t.Context(), query)
		require.NoError(t, err)
	}
	require.Eventually(t, func() bool {
		run("SELECT pg_advisory_lock(hashtext('eventlog:task'))")
		defer run("SELECT pg_advisory_unlock(hashtext('eventlog:task'))")
		return check(t.Context()) != nil
	}, patience, 10*time.Millisecond)
	run("SELECT pg_advisory_lock(hashtext('eventlog:task'))")
	run("UPDATE task.event_head SET epoch = epoch + 1")
	require.NoError(t, check(t.Context()))
}

func TestReadinessSaysThatATransactionHoldsTheFeedBack(t *testing.T) {
	url := databasetest.New(t)
	s := start(t, "DATABASE_URL="+url)
	db, err := database.Open(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	feedIs := func(state string) func() bool {
		return func() bool {
			code, _, checks := s.ready()
			require.Equal(t, http.StatusOK, code)
			return checks["feed"] == state
		}
	}
	tx, err := db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	_, err = tx.ExecContext(t.Context(), "SELECT pg_current_xact_id()")
	require.NoError(t, err)
	// While nothing waits for it, it holds nothing back.
	for began := time.Now(); time.Since(began) < delayed+time.Second; {
		require.True(t, feedIs("ok")())
	}
	s.newUser().create(object{"title": "Water the orchids"})
	require.Eventually(t, feedIs("failing"), patience, 10*time.Millisecond)
	_, status, _ := s.ready()
	require.Equal(t, "degraded", status)
	require.NoError(t, tx.Rollback())
	require.Eventually(t, feedIs("ok"), patience, 10*time.Millisecond)
}

func TestReadinessSaysThatPublishingIsOff(t *testing.T) {
	s := start(t)
	code, status, checks := s.ready()
	require.Equal(t, http.StatusOK, code)
	require.Equal(t, "degraded", status)
	require.Equal(t, map[string]string{"database": "ok", "disk": "ok", "events": "publishing is off", "feed": "ok", "writes": "ok"}, checks)
	eventually(t, "the log says so, too", func() bool {
		return slices.ContainsFunc(s.logged(), func(l logLine) bool { return strings.HasPrefix(l.Msg, "event publishing is switched off") })
	})
}
