package database_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/database/databasetest"
	"github.com/taskwire/taskwire/pkg/outage"
	"github.com/taskwire/taskwire/pkg/telemetry/logtest"
)

// told is what an operator reads.
type told struct{ logtest.Log }

func (t *told) messages() []string {
	var messages []string
	for line := range strings.Lines(t.String()) {
		var l struct{ Msg string }
		_ = json.Unmarshal([]byte(line), &l) // it is slog's
		messages = append(messages, l.Msg)
	}
	return messages
}

// operator reads the log of the process until the test ends, from when nothing is
// away any more of what tests before it have broken.
func operator(t *testing.T) *told {
	t.Helper()
	db := open(t, databasetest.New(t))
	require.Eventually(t, func() bool {
		_, err := db.ExecContext(t.Context(), "SELECT 1")
		return err == nil && !database.IsOutage(io.EOF) && database.DiskFull() == nil
	}, time.Minute, 10*time.Millisecond)
	told := &told{}
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewJSONHandler(told, nil)))
	t.Cleanup(func() { slog.SetDefault(before) })
	return told
}

// Many workers, and the log says twice something of it.
func TestAnOutageOfTheDatabaseIsToldOnce(t *testing.T) {
	told := operator(t)
	detour := databasetest.NewDetour(t, databasetest.New(t))
	db := open(t, detour.URL)
	var mu sync.Mutex
	failures, successes := 0, 0
	count := func(of *int) int {
		mu.Lock()
		defer mu.Unlock()
		return *of
	}
	ctx, stop := context.WithCancel(t.Context())
	var working sync.WaitGroup
	for range 5 {
		working.Go(func() {
			failing := &outage.Outage{Gone: "a worker fails", Back: "a worker works"}
			_ = database.Repeat(ctx, failing, nil, func(ctx context.Context) (time.Duration, error) { // it ends with ctx
				_, err := db.ExecContext(ctx, "SELECT 1")
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					failures++
				} else {
					successes++
				}
				return 10 * time.Millisecond, err
			})
		})
	}
	require.Eventually(t, func() bool { return count(&successes) > 20 }, 30*time.Second, time.Millisecond)
	detour.Cut()
	require.Eventually(t, func() bool { return count(&failures) > 20 }, 30*time.Second, time.Millisecond)
	require.True(t, database.IsOutage(db.PingContext(t.Context())))
	detour.Mend()
	require.Eventually(t, func() bool { return len(told.messages()) > 1 }, 30*time.Second, 10*time.Millisecond)
	stop()
	working.Wait()
	require.Equal(t, []string{"the database can not be reached; trying again", "the database is reached again"}, told.messages())
	require.Contains(t, told.String(), `"away":`)
}

func TestWorkThatFailsByItselfIsToldAndTriedWithBackoff(t *testing.T) {
	told := operator(t)
	var tries []time.Time
	ctx, stop := context.WithCancel(t.Context())
	failing := &outage.Outage{Gone: "it fails", Back: "it works"}
	require.NoError(t, database.Repeat(ctx, failing, nil, func(context.Context) (time.Duration, error) {
		if tries = append(tries, time.Now()); len(tries) == 5 {
			stop()
		}
		return time.Hour, errors.New("no such table")
	}))
	require.Equal(t, []string{"it fails"}, told.messages())
	require.Greater(t, tries[4].Sub(tries[0]), 2400*time.Millisecond, "4/5 of 0.2 + 0.4 + 0.8 + 1.6 s at least")
	require.Less(t, tries[1].Sub(tries[0]), time.Second)
}

func TestAFullDiskIsToldOnceAndTheStatementsOfClientsWhoHaveGoneAreNot(t *testing.T) {
	told := operator(t)
	db := open(t, databasetest.New(t))
	_, err := db.ExecContext(t.Context(), `CREATE FUNCTION full_up() RETURNS void LANGUAGE plpgsql AS $$ BEGIN
		RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$`)
	require.NoError(t, err)
	for range 3 {
		_, err = db.ExecContext(t.Context(), "SELECT full_up()")
		require.True(t, database.IsOutage(err))
	}
	require.Error(t, database.DiskFull())
	gone, hangUp := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer hangUp()
	_, err = db.ExecContext(gone, "SELECT pg_sleep(60)")
	require.False(t, database.IsOutage(err))
	require.Equal(t, []string{"the database refuses to write: its disk is full"}, told.messages())
}
