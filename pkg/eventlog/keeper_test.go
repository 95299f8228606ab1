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
	_, err = db.ExecContext(t.Context(), fmt.Sprintf(eventlog.Partitions, "log")+fmt.Sprintf(eventlog.Horizon, "log"))
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
	before, began := settled(), time.Now()
	for n := 3; n <= 12; n++ {
		l.commit("a", "k", n)
		b.wait(t, atLeast(n))
	}
	// Every 2 s all partitions are looked through, in three places of the statement.
	whole := 3 * int(2+time.Since(began)/(2*time.Second))
	require.LessOrEqual(t, settled()-before, whole, "ten rows were placed and read without it")
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
					err = errors.Join(err, l.append(tx, "a", fmt.Sprint(w), n+1))
					_, slept := tx.ExecContext(ctx, "SELECT pg_sleep(random() * 0.03)")
					return errors.Join(err, slept)
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

// fill puts published rows into the partition of the day that lies days back.
func (l *log) fill(days, rows int) (partition string) {
	l.t.Helper()
	l.age(days, 0)
	partition = "events_" + time.Now().UTC().AddDate(0, 0, -days).Format("20060102")
	_, err := l.db.ExecContext(l.t.Context(), fmt.Sprintf(`
		INSERT INTO log.events (recorded_at, id, topic, type, key, trace_parent, occurred_at, data)
		SELECT recorded_at, gen_random_uuid(), 'a', type, key, trace_parent, occurred_at, data FROM log.%[1]s, generate_series(2, %[2]d);
		INSERT INTO log.event_cursors (topic) VALUES ('a') ON CONFLICT DO NOTHING;
		UPDATE log.events SET seq = position WHERE seq IS NULL;
		UPDATE log.event_cursors SET published_seq = (SELECT max(position) FROM log.events)`, partition, rows))
	require.NoError(l.t, err)
	return partition
}

func (l *log) step() (did struct {
	Made, Detached, Dropped, Cleared, Held int
}) {
	l.t.Helper()
	require.NoError(l.t, l.db.NewRaw("SELECT * FROM log.step_event_partitions('30 days')").Scan(l.t.Context(), &did))
	return did
}

// Whether a day may be dropped is no question of how much it holds.
func TestADayIsDroppedWithoutAScan(t *testing.T) {
	l := newLog(t)
	kept, gone := l.fill(50, 2000), l.fill(40, 2000)
	_, err := l.db.ExecContext(t.Context(), "UPDATE log."+kept+" SET topic = 'unpublished' WHERE position = (SELECT max(position) FROM log."+kept+")")
	require.NoError(t, err)
	read := func() int {
		_, err := l.db.ExecContext(t.Context(), "SELECT pg_stat_force_next_flush()")
		require.NoError(t, err)
		return l.number("SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) FROM pg_stat_user_tables WHERE relname IN ('" + kept + "', '" + gone + "', '" + gone + "_gone')")
	}
	l.db.SetMaxOpenConns(1) // whose numbers are told when they are asked for
	before := read()
	require.Equal(t, 1, l.step().Detached)
	require.Less(t, read()-before, 20, "rows that were read of 4,000")
	require.Equal(t, 1, l.step().Dropped)
	require.Equal(t, 1, l.step().Held)
	require.Zero(t, l.number("SELECT count(*) FROM pg_class WHERE relname LIKE '"+gone+"%'"))
}

// Each day is a transaction of its own, and to drop a day's rows locks nobody.
func TestADayIsDroppedWhileEventsAreWritten(t *testing.T) {
	l := newLog(t)
	l.fill(40, 10)
	l.fill(39, 10)
	require.Equal(t, 1, l.step().Detached)
	require.NoError(t, l.db.RunInTx(t.Context(), nil, func(ctx context.Context, writing bun.Tx) error {
		if err := l.append(writing, "a", "k", 1); err != nil {
			return err
		}
		require.Equal(t, 1, l.step().Dropped, "one that is out of the log")
		// The next one would have to wait for the writer, and all others behind it.
		err := l.db.NewRaw("SELECT * FROM log.step_event_partitions('30 days')").Scan(ctx, new(int))
		require.ErrorContains(t, err, "lock timeout")
		return l.append(writing, "a", "k", 2)
	}))
	require.Equal(t, 1, l.step().Detached)
}

// A partition that can not be dropped now keeps no other from being made.
func TestTheNextDayIsMadeWhateverOldDaysDo(t *testing.T) {
	l := newLog(t)
	old := l.fill(40, 10)
	_, err := l.db.ExecContext(t.Context(), "DROP TABLE log.events_"+time.Now().UTC().AddDate(0, 0, 7).Format("20060102"))
	require.NoError(t, err)
	reading, err := l.db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	_, err = reading.ExecContext(t.Context(), "SELECT FROM log."+old)
	require.NoError(t, err)
	k := eventlog.Keeper{DB: l.db, Schema: "log", Retention: 30 * days, Log: slog.New(slog.DiscardHandler)}
	require.ErrorContains(t, k.Keep(t.Context()), "lock timeout")
	require.Equal(t, 1, l.number("SELECT count(*) FROM pg_class WHERE relname = 'events_"+time.Now().UTC().AddDate(0, 0, 7).Format("20060102")+"'"))
	require.NoError(t, reading.Rollback())
	require.NoError(t, k.Keep(t.Context()))
	require.Equal(t, 9, l.number("SELECT count(*) FROM pg_inherits WHERE inhparent = 'log.events'::regclass"))
}

// More rows than one step takes wait to be published in front of those that are.
func TestUnpublishedRowsDoNotKeepOthersInTheRest(t *testing.T) {
	l := newLog(t)
	_, err := l.db.ExecContext(t.Context(), `
		INSERT INTO log.event_cursors (topic, published_seq) VALUES ('a', 10000), ('held', 0);
		INSERT INTO log.events (recorded_at, id, topic, type, key, trace_parent, occurred_at, data, seq)
		SELECT now() - interval '50 days' + n * interval '1 second', gen_random_uuid(), CASE WHEN n <= 6000 THEN 'held' ELSE 'a' END, 't', 'k', '', now(), '{}', n
		FROM generate_series(1, 6010) n`)
	require.NoError(t, err)
	require.Equal(t, 10, l.step().Cleared)
	require.Equal(t, 6000, l.number("SELECT count(*) FROM log.events_rest"))
}

// A version before this one calls a function of another name, once in an hour.
func TestTheVersionBeforeKeepsPartitionsToo(t *testing.T) {
	l := newLog(t)
	l.fill(40, 10)
	var dropped int
	for range 3 {
		var made, n, held int
		require.NoError(t, l.db.NewRaw("SELECT * FROM log.keep_event_partitions('30 days')").Scan(t.Context(), &made, &n, &held))
		dropped += n
	}
	require.Equal(t, 1, dropped)
}
