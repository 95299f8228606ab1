package e2e

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/test/suite"
)

// newDir makes a folder for the state of a suite of the test's own; its logs
// stay when the test has failed.
func newDir(t *testing.T) string {
	t.Helper()
	if os.Getenv("KAFKA_BROKERS") != "" || os.Getenv("REDIS_HOST") != "" {
		t.Skip("needs a suite with a broker of its own; the one that the environment names is taken")
	}
	dir, err := suite.NewDir("own")
	require.NoError(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log("the state of the suite is kept in", dir)
			return
		}
		require.NoError(t, os.RemoveAll(dir))
	})
	return dir
}

// signalBroker sends a signal to the broker, where it is the suite's own to
// stop and kill; a test that needs this ends here where it is not.
func (s world) signalBroker(t *testing.T, signal syscall.Signal) {
	t.Helper()
	if _, err := s.PID("broker"); errors.Is(err, fs.ErrNotExist) {
		t.Skip("the broker is somebody else's: it is left alone")
	}
	require.NoError(t, s.Signal("broker", signal))
}

// ownSuite starts another suite on dir, which runs until stop is called or the
// test ends.
func ownSuite(t *testing.T, dir string, env ...string) (s world, stop func()) {
	t.Helper()
	own, err := suite.Start(t.Context(), dir, append(slices.Clone(oneUsersLoad), env...)...)
	require.NoError(t, err)
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		if err := own.Stop(); err != nil {
			t.Errorf("stop the test's own suite: %v", err)
		}
	}
	t.Cleanup(stop)
	return world{own}, stop
}

// leaveOut ends a test in which the broker has no part, when the tests run for
// the sake of a further broker (-short).
func leaveOut(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("the same on every broker")
	}
}

// hold keeps others from writing to a table (EXCLUSIVE), or reading it as well
// (ACCESS EXCLUSIVE), until release is called: they wait.
func (s world) hold(t *testing.T, table, mode string) (release func()) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.Database.OwnerURL)
	require.NoError(t, err)
	release = func() { _ = conn.Close(context.WithoutCancel(t.Context())) } // ends the transaction, also a second time
	t.Cleanup(release)
	_, err = conn.Exec(t.Context(), "BEGIN; LOCK TABLE "+table+" IN "+mode+" MODE")
	require.NoError(t, err)
	return release
}

// waitsFor waits until somebody who has written to one table waits for a lock
// on another; wrote may be "".
func (s world) waitsFor(t *testing.T, table, wrote string) {
	t.Helper()
	sql := `SELECT count(*) FROM pg_locks w WHERE NOT w.granted AND w.relation = $1::regclass
		AND ($2 = '' OR EXISTS (SELECT FROM pg_locks h WHERE h.pid = w.pid AND h.granted AND h.mode = 'RowExclusiveLock' AND h.relation = to_regclass($2)))`
	eventually(t, func() error {
		if s.query(t, sql, table, wrote) == 0 {
			return fmt.Errorf("nobody waits for %s", table)
		}
		return nil
	})
}
