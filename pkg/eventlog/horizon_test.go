package eventlog

import (
	"context"
	"database/sql"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/database/databasetest"
)

// looker places the rows of a log look by look, as its owner does.
type looker struct {
	t *testing.T
	r *Relay
	h horizon
}

func newLooker(t *testing.T) *looker {
	db, err := database.Open(t.Context(), databasetest.New(t))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	_, err = db.ExecContext(t.Context(), fmt.Sprintf(Schema, "log"))
	require.NoError(t, err)
	return &looker{t: t, r: &Relay{DB: db, Schema: "log"}}
}

// look says how many rows a look has placed.
func (l *looker) look(all bool) int {
	l.t.Helper()
	var since time.Time
	if !all {
		since = time.Now().Add(-recentWindow)
	}
	p, err := l.r.place(l.t.Context(), 0, since, l.h)
	require.NoError(l.t, err)
	l.h.looked(p, all)
	return p.Count
}

const insert = `INSERT INTO log.events (id, topic, type, key, trace_parent, occurred_at, data)
	SELECT gen_random_uuid(), 'a', 't', 'k', '', now(), '{}' FROM generate_series(1, ?)`

// write commits so many rows at once.
func (l *looker) write(rows int) {
	l.t.Helper()
	_, err := l.r.DB.ExecContext(l.t.Context(), insert, rows)
	require.NoError(l.t, err)
}

// settle looks until the horizon is there: whatever else writes in the cluster, as
// autovacuum does, keeps it back until it ends.
func (l *looker) settle(all bool, horizon int64) {
	l.t.Helper()
	require.Eventually(l.t, func() bool { l.look(all); return l.h.behind(all) == horizon }, time.Minute, 5*time.Millisecond)
}

func (l *looker) number(query string) (n int64) {
	l.t.Helper()
	require.NoError(l.t, l.r.DB.NewRaw(query).Scan(l.t.Context(), &n))
	return n
}

// A row that becomes visible after others with a higher position have their place is
// found by the next look, however many looks there were.
func TestNoLookBeginsBehindARowThatIsYetToBecomeVisible(t *testing.T) {
	for name, begin := range map[string]func(l *looker) (commit func()){
		"of an open transaction": func(l *looker) func() {
			tx, err := l.r.DB.BeginTx(l.t.Context(), nil)
			require.NoError(l.t, err)
			_, err = tx.ExecContext(l.t.Context(), insert, 1)
			require.NoError(l.t, err)
			return func() { require.NoError(l.t, tx.Commit()) }
		},
		"of a savepoint": func(l *looker) func() {
			tx, err := l.r.DB.BeginTx(l.t.Context(), nil)
			require.NoError(l.t, err)
			_, err = tx.ExecContext(l.t.Context(), "SAVEPOINT a; "+insert+"; RELEASE a", 1)
			require.NoError(l.t, err)
			return func() { require.NoError(l.t, tx.Commit()) }
		},
		"of a statement that has a position and has written nothing": func(l *looker) func() {
			holding, err := l.r.DB.BeginTx(l.t.Context(), nil)
			require.NoError(l.t, err)
			_, err = holding.ExecContext(l.t.Context(), "SELECT pg_advisory_xact_lock(1)")
			require.NoError(l.t, err)
			written := make(chan error, 1)
			go func() {
				// Its columns are worked out in their order, the position first.
				_, err := l.r.DB.ExecContext(context.WithoutCancel(l.t.Context()), `
					INSERT INTO log.events (id, topic, type, key, trace_parent, occurred_at, data)
					VALUES (gen_random_uuid(), 'a', 't', 'k', '', now(), '{}' || pg_advisory_xact_lock(1)::text)`)
				written <- err
			}()
			require.Eventually(l.t, func() bool {
				return l.number("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted") == 1
			}, 10*time.Second, 5*time.Millisecond)
			return func() {
				require.NoError(l.t, holding.Rollback())
				require.NoError(l.t, <-written)
			}
		},
	} {
		for _, all := range []bool{false, true} {
			t.Run(fmt.Sprint(name, ", rows of any age: ", all), func(t *testing.T) {
				l := newLooker(t)
				l.write(1) // the first position of a sequence brings an id along
				require.Equal(t, 1, l.look(all))
				commit := begin(l)
				for range 5 {
					l.write(3)
					require.Equal(t, 3, l.look(all))
					require.Zero(t, l.look(all))
				}
				require.LessOrEqual(t, l.h.behind(all), int64(1))
				commit()
				require.Equal(t, 1, l.look(all))
				l.settle(all, 17)
			})
		}
	}
}

// A look within the last day does not see a row of a transaction that has taken longer.
func TestAnOldRowIsFoundBehindTheHorizonOfRecentOnes(t *testing.T) {
	l := newLooker(t)
	l.write(1)
	_, err := l.r.DB.ExecContext(t.Context(), "UPDATE log.events SET recorded_at = recorded_at - interval '2 days'")
	require.NoError(t, err)
	l.write(3)
	require.Equal(t, 3, l.look(false))
	l.settle(false, 4)
	require.Equal(t, 1, l.look(true))
}

// Of a transaction with many rows a look places a part, and others have higher positions.
func TestTheHorizonIsNotBehindWhatALookHasLeft(t *testing.T) {
	l := newLooker(t)
	many, err := l.r.DB.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	_, err = many.ExecContext(t.Context(), insert, 2*placeRows+1)
	require.NoError(t, err)
	for range 3 {
		l.write(1)
		require.Equal(t, 1, l.look(false))
	}
	require.NoError(t, many.Commit())
	for _, want := range []int{placeRows, placeRows, 1, 0} {
		require.Equal(t, want, l.look(false))
	}
	l.settle(false, 2*placeRows+4)
}

// The next owner begins where the one before was, and misses nothing.
func TestANewOwnerBeginsAtTheHorizon(t *testing.T) {
	l := newLooker(t)
	l.write(2)
	require.Equal(t, 2, l.look(true))
	slow, err := l.r.DB.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	_, err = slow.ExecContext(t.Context(), insert, 1)
	require.NoError(t, err)
	l.settle(true, 2)
	for range 4 {
		l.write(1)
		require.Equal(t, 1, l.look(true))
	}
	next := &looker{t: t, r: l.r}
	next.h, err = l.r.horizon(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 2, next.h.all)
	require.NoError(t, slow.Commit())
	require.Equal(t, 1, next.look(false))
}

// Whoever reads for hours by one snapshot, as pg_dump does, keeps Postgres from clearing
// the index of rows without a place. A look reads no more of it for that.
func TestALookReadsNothingOfWhatWasPlacedSinceASnapshot(t *testing.T) {
	l := newLooker(t)
	reading, err := l.r.DB.BeginTx(t.Context(), &sql.TxOptions{Isolation: sql.LevelRepeatableRead})
	require.NoError(t, err)
	defer func() { require.NoError(t, reading.Rollback()) }()
	_, err = reading.ExecContext(t.Context(), "SELECT FROM log.events")
	require.NoError(t, err)
	l.r.DB.SetMaxOpenConns(2) // that, and one whose numbers are told when they are asked for
	read := func() int64 {
		_, err := l.r.DB.ExecContext(t.Context(), "SELECT pg_stat_force_next_flush()")
		require.NoError(t, err)
		return l.number("SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE indexrelname LIKE 'events_%_position_idx'")
	}
	for range 10 {
		l.write(500)
		require.Equal(t, 500, l.look(false))
	}
	l.settle(false, 5000)
	before := read()
	for range 10 {
		require.Zero(t, l.look(false))
	}
	require.Less(t, read()-before, int64(10), "entries that were read of 5,000")
}
