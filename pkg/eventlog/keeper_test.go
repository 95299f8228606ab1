package eventlog_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/database/databasetest"
	"github.com/taskwire/taskwire/pkg/eventlog"
)

// age makes a partition of the day that lies days back and writes one row into
// it, as a transaction of that day would have.
func (l *log) age(days, n int) {
	l.t.Helper()
	day := time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -days)
	name := "events_" + day.Format("20060102")
	_, err := l.db.ExecContext(l.t.Context(), fmt.Sprintf(`
		CREATE TABLE IF NOT EXISTS log.%[1]s PARTITION OF log.events FOR VALUES FROM ('%[2]s') TO ('%[3]s');
		INSERT INTO log.events (recorded_at, id, topic, type, key, trace_parent, occurred_at, data)
		VALUES ('%[4]s', gen_random_uuid(), 'a', 'task.updated', 'k', '', '%[4]s', '{"n":%[5]d}')`,
		name, day.Format(time.RFC3339), day.AddDate(0, 0, 1).Format(time.RFC3339), day.Add(time.Hour).Format(time.RFC3339), n))
	require.NoError(l.t, err)
}

func (l *log) keep(retention time.Duration) {
	l.t.Helper()
	k := eventlog.Keeper{DB: l.db, Schema: "log", Retention: retention, Log: slog.New(slog.DiscardHandler)}
	require.NoError(l.t, k.Keep(l.t.Context()))
}

func (l *log) number(sql string) (n int) {
	l.t.Helper()
	require.NoError(l.t, l.db.NewRaw(sql).Scan(l.t.Context(), &n))
	return n
}

const days = 24 * time.Hour

func TestPartitionsAreMadeAheadAndDroppedWhenAllIsPublished(t *testing.T) {
	l, b := newLog(t), &broker{}
	partitions := "SELECT count(*) FROM pg_inherits WHERE inhparent = 'log.events'::regclass"
	require.Equal(t, 9, l.number(partitions), "today, a week ahead, and the rest")
	l.age(40, 1)
	l.age(20, 2)
	l.keep(30 * days)
	require.Equal(t, 11, l.number(partitions), "what is not published is kept, however old")
	stop := l.relay(b)
	got := b.wait(t, atLeast(2))
	require.Equal(t, []int{1, 2}, []int{got[0].n, got[1].n}, "rows of any age are found")
	require.Eventually(t, func() bool { return l.number("SELECT published_seq FROM log.event_cursors WHERE topic = 'a'") == 2 }, 10*time.Second, 10*time.Millisecond)
	stop()
	l.keep(30 * days)
	require.Equal(t, 10, l.number(partitions))
	require.Equal(t, 1, l.number("SELECT count(*) FROM log.events"))
	require.Equal(t, 8+1, l.number("SELECT count(*) FROM pg_class WHERE relname ~ '^events_[0-9]{8}$' AND relkind = 'r'"), "nothing is left of what was dropped")
}

func TestARowIsWrittenWithoutAPartitionOfItsDay(t *testing.T) {
	l, b := newLog(t), &broker{}
	_, err := l.db.ExecContext(t.Context(), "DROP TABLE log.events_"+time.Now().UTC().Format("20060102"))
	require.NoError(t, err)
	l.commit("a", "k", 1)
	l.keep(30 * days) // can not make today's partition any more, and goes on
	l.relay(b)
	require.Equal(t, 1, b.wait(t, atLeast(1))[0].n)
	// Such rows end with the retention too.
	require.Eventually(t, func() bool { return l.number("SELECT published_seq FROM log.event_cursors WHERE topic = 'a'") == 1 }, 10*time.Second, 10*time.Millisecond)
	_, err = l.db.ExecContext(t.Context(), "UPDATE log.events SET recorded_at = recorded_at - interval '40 days'")
	require.NoError(t, err)
	l.keep(30 * days)
	require.Zero(t, l.number("SELECT count(*) FROM log.events"))
}

func TestRowsOfAnUnpartitionedLogGoAlong(t *testing.T) {
	url := databasetest.New(t)
	db, err := database.Open(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	_, err = db.ExecContext(t.Context(), "CREATE SCHEMA log;"+fmt.Sprintf(eventlog.Tables, "log"))
	require.NoError(t, err)
	l, b := &log{t: t, db: db, url: url}, &broker{}
	l.commit("a", "k", 1)
	l.commit("a", "k", 2)
	_, err = db.ExecContext(t.Context(), fmt.Sprintf(eventlog.Partitions, "log"))
	require.NoError(t, err)
	l.commit("a", "k", 3)
	l.relay(b)
	inOrder(t, b.wait(t, atLeast(3)))
}

// The cost of a look must not grow with what is kept: the plan reads the
// partitions of the last days alone.
func TestALookForNewRowsReadsNoOldPartition(t *testing.T) {
	l, b := newLog(t), &broker{}
	l.age(3, 1)
	l.relay(b)
	b.wait(t, atLeast(1))
	old := "SELECT coalesce(seq_scan, 0) + coalesce(idx_scan, 0) FROM pg_stat_user_tables WHERE relname = 'events_" +
		time.Now().UTC().AddDate(0, 0, -3).Format("20060102") + "'"
	l.commit("a", "k", 2)
	b.wait(t, atLeast(2))
	settled := func() int {
		_, err := l.db.ExecContext(t.Context(), "SELECT pg_stat_force_next_flush()")
		require.NoError(t, err)
		return l.number(old)
	}
	before := settled()
	for n := 3; n <= 12; n++ {
		l.commit("a", "k", n)
		b.wait(t, atLeast(n))
	}
	require.Less(t, settled()-before, 10, "ten rows were placed and read without it")
}

// A transaction records its events at the time of its beginning: one that
// began earlier and commits later than others is placed after them, with an
// earlier time. None may be passed over.
func TestSlowTransactionsAreNotPassedOver(t *testing.T) {
	const writers, each = 10, 40
	l, b := newLog(t), &broker{}
	stop := l.relay(b)
	var writing sync.WaitGroup
	for w := range writers {
		writing.Go(func() {
			for n := range each {
				err := l.db.RunInTx(t.Context(), nil, func(ctx context.Context, tx bun.Tx) error {
					_, err := tx.ExecContext(ctx, "SELECT pg_sleep(random() * 0.03)")
					return errors.Join(err, l.append(tx, "a", fmt.Sprint(w), n+1))
				})
				if err != nil {
					t.Error(err)
				}
				l.signal.Raise()
			}
		})
	}
	writing.Wait()
	inOrder(t, b.wait(t, atLeast(writers*each)))
	stop()
}
