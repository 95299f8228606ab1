package eventlog

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Postgres takes what was written since it last looked at a partition for a few rows. What
// is read of a backlog follows what is taken all the same, and not what waits or is kept.
func TestALookReadsNoMoreOfABacklogThanItTakes(t *testing.T) {
	const kept, waiting, taken = 20_000, 10_000, 256
	for name, c := range map[string]struct {
		placed bool // the backlog
		take   func(l *looker)
		index  string // what of it is read for that
		most   int64
	}{
		"to publish it": {placed: true, take: func(l *looker) {
			window, err := l.r.window(t.Context(), "a", kept, math.MaxInt64, time.Time{}, taken)
			require.NoError(t, err)
			require.Len(t, window, taken)
			require.EqualValues(t, kept+1, window[0].Seq)
		}, index: "events_%_topic_seq_idx", most: 2 * taken},
		"to place it": {take: func(l *looker) { require.Equal(t, placeRows, l.look(false)) }, index: "events_%_position_idx", most: 2 * placeRows},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLooker(t)
			const fill = `INSERT INTO log.events (seq, id, topic, type, key, trace_parent, occurred_at, data)
				SELECT CASE WHEN ? THEN ?::bigint + n END, gen_random_uuid(), 'a', 't', 'k', '', now(), repeat('x', 200) FROM generate_series(1, ?::int) n`
			exec := func(query string, args ...any) {
				_, err := l.r.DB.ExecContext(t.Context(), query, args...)
				require.NoError(t, err)
			}
			exec(fill, true, 0, kept)
			exec("UPDATE log.event_head SET last_seq = ?", kept)
			exec("VACUUM (ANALYZE) log.events")
			exec(fill, c.placed, kept, waiting)
			l.r.DB.SetMaxOpenConns(1) // whose numbers are told when they are asked for
			read := func() int64 {
				exec("SELECT pg_stat_force_next_flush()")
				return l.number("SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE indexrelname LIKE '" + c.index + "'")
			}
			before := read()
			c.take(l)
			require.LessOrEqual(t, read()-before, c.most, "entries that were read of %d", waiting)
		})
	}
}

// A migration can make what is prepared unfit for its tables: the next try is well.
func TestAStatementIsPreparedAnewAfterItHasFailed(t *testing.T) {
	l := newLooker(t)
	l.r.DB.SetMaxOpenConns(1)
	l.write(1)
	require.Equal(t, 1, l.look(true))
	read := func() error {
		_, err := l.r.window(t.Context(), "a", 0, math.MaxInt64, time.Time{}, 1)
		return err
	}
	require.NoError(t, read())
	_, err := l.r.DB.ExecContext(t.Context(), "ALTER TABLE log.events ALTER COLUMN type TYPE varchar")
	require.NoError(t, err)
	require.ErrorContains(t, read(), "cached plan must not change result type")
	require.NoError(t, read())
}
