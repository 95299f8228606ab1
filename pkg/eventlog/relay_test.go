package eventlog_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/database/databasetest"
	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/eventlog"
)

func TestMain(m *testing.M) { os.Exit(databasetest.Main(m)) }

// log is an event log in a database of its own.
type log struct {
	t      *testing.T
	db     *bun.DB
	url    string
	signal *eventlog.Signal // of the relay that was started last
	told   *slog.Logger     // what relays log to
}

func newLog(t *testing.T) *log {
	url := databasetest.New(t)
	db, err := database.Open(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	_, err = db.ExecContext(t.Context(), fmt.Sprintf(eventlog.Schema, "log"))
	require.NoError(t, err)
	return &log{t: t, db: db, url: url, told: slog.New(slog.DiscardHandler)}
}

func (l *log) append(tx bun.Tx, topic, key string, n int) (err error) {
	write := func(query string, args ...any) { _, err = tx.ExecContext(l.t.Context(), query, args...) }
	eventlog.Append(l.t.Context(), write, "log", eventlog.Entry{
		Topic: topic, Type: "task.updated", Key: key, Time: time.Now(), Data: json.RawMessage(fmt.Sprintf(`{"n":%d}`, n)),
	})
	return err
}

// commit appends one event in a transaction of its own.
func (l *log) commit(topic, key string, n int) {
	l.t.Helper()
	require.NoError(l.t, l.db.RunInTx(l.t.Context(), nil, func(_ context.Context, tx bun.Tx) error { return l.append(tx, topic, key, n) }))
}

// relay runs a relay until the returned function is called.
func (l *log) relay(b *broker) (stop func()) {
	signal := eventlog.NewSignal(l.url, "events", slog.New(slog.DiscardHandler))
	l.signal = signal
	r := &eventlog.Relay{
		DB: l.db, URL: l.url, Schema: "log", Topics: []string{"a", "b"}, Publisher: b, Signal: signal, Log: l.told,
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = signal.Run(ctx) }) // ends with its context
	running.Go(func() { _ = r.Run(ctx) })
	stop = func() { cancel(); running.Wait() }
	l.t.Cleanup(stop)
	return stop
}

// message is what the broker was given.
type message struct {
	id, topic, key string
	n              int
	sequence       string
}

// broker stands in for the sidecar: it keeps what it acknowledges, and can fail.
type broker struct {
	mu   sync.Mutex
	got  []message
	fail func(topic string, m []eventlog.Message) (failed []int, err error)
}

func (b *broker) Publish(_ context.Context, topic string, messages []eventlog.Message) ([]int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var failed []int
	var err error
	if b.fail != nil {
		failed, err = b.fail(topic, messages)
	}
	refused := map[int]bool{}
	for _, i := range failed {
		refused[i] = true
	}
	for i, m := range messages {
		if refused[i] {
			continue
		}
		e, err := event.Decode(m.Body)
		if err != nil {
			return nil, err
		}
		var data struct{ N int }
		if err := json.Unmarshal(e.Data(), &data); err != nil {
			return nil, err
		}
		sequence, _ := e.Extensions()[event.ExtensionSequence].(string)
		b.got = append(b.got, message{m.ID, topic, m.Key, data.N, sequence})
	}
	return failed, err
}

func (b *broker) messages() []message {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]message{}, b.got...)
}

func (b *broker) wait(t *testing.T, enough func([]message) bool) []message {
	t.Helper()
	require.Eventually(t, func() bool { return enough(b.messages()) }, time.Minute, 10*time.Millisecond)
	return b.messages()
}

func atLeast(n int) func([]message) bool {
	return func(got []message) bool {
		ids := map[string]bool{}
		for _, m := range got {
			ids[m.id] = true
		}
		return len(ids) >= n
	}
}

// inOrder checks that the first sight of each key's events is in their order.
func inOrder(t *testing.T, got []message) {
	t.Helper()
	last := map[string]int{}
	for _, m := range got {
		if m.n > last[m.topic+m.key]+1 {
			t.Fatalf("topic %s, key %s: %d came before %d", m.topic, m.key, m.n, last[m.topic+m.key]+1)
		}
		last[m.topic+m.key] = max(last[m.topic+m.key], m.n)
	}
}

func TestATransactionThatCommitsLateIsNotPassedOver(t *testing.T) {
	l, b := newLog(t), &broker{}
	l.relay(b)
	early, err := l.db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	require.NoError(t, l.append(early, "a", "early", 1)) // takes the lower serial number …
	l.commit("a", "late", 1)                             // … and this one commits first
	b.wait(t, atLeast(1))
	require.NoError(t, early.Commit())
	got := b.wait(t, atLeast(2))
	require.Equal(t, []string{"late", "early"}, []string{got[0].key, got[1].key})
	require.Less(t, got[0].sequence, got[1].sequence)
	require.Equal(t, strings.Repeat("0", 18)+"1", got[0].sequence)
}

func TestARolledBackTransactionIsNeverPublished(t *testing.T) {
	l, b := newLog(t), &broker{}
	l.relay(b)
	require.Error(t, l.db.RunInTx(t.Context(), nil, func(_ context.Context, tx bun.Tx) error {
		return errors.Join(l.append(tx, "a", "k", 1), errors.New("undo"))
	}))
	l.commit("a", "k", 1)
	require.Len(t, b.wait(t, atLeast(1)), 1)
}

func TestManyWritersAndAFailingBrokerLoseNothingAndKeepTheOrder(t *testing.T) {
	const writers, each = 8, 20
	l := newLog(t)
	b := &broker{fail: func(_ string, m []eventlog.Message) (failed []int, err error) {
		switch rand.IntN(8) {
		case 0: // none of it
			for i := range m {
				failed = append(failed, i)
			}
			return failed, errors.New("unlucky")
		case 1: // some of it
			for i := range m {
				if rand.IntN(2) == 0 {
					failed = append(failed, i)
				}
			}
			if len(failed) > 0 {
				return failed, errors.New("unlucky in part")
			}
		}
		return nil, nil
	}}
	l.relay(b)
	var writing sync.WaitGroup
	for w := range writers {
		writing.Go(func() {
			for n := range each {
				if err := l.db.RunInTx(t.Context(), nil, func(_ context.Context, tx bun.Tx) error {
					return errors.Join(l.append(tx, "a", fmt.Sprint(w), n+1), l.append(tx, "b", fmt.Sprint(w), n+1))
				}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writing.Wait()
	got := b.wait(t, atLeast(2*writers*each))
	inOrder(t, got)
	require.Equal(t, 2*writers*each, len(got), "what is acknowledged is not sent again")
	var last, gaps int
	require.NoError(t, l.db.NewRaw("SELECT last_seq, last_seq - (SELECT count(DISTINCT seq) FROM log.events) FROM log.event_head").Scan(t.Context(), &last, &gaps))
	require.Equal(t, 2*writers*each, last)
	require.Zero(t, gaps, "the sequence has no gap")
}

func TestAnotherRelayTakesOverWhenTheOwnersConnectionIsLost(t *testing.T) {
	l, b := newLog(t), &broker{}
	l.relay(b)
	l.relay(b)
	for n := 1; n <= 5; n++ {
		l.commit("a", "k", n)
		b.wait(t, atLeast(n))
		l.begun(n) // else who has only just got the log, or is about to go, might be killed
		var killed int
		require.Eventually(t, func() bool {
			err := l.db.NewRaw(`SELECT count(pg_terminate_backend(pid)) FROM pg_locks WHERE locktype = 'advisory' AND granted
				AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`).Scan(t.Context(), &killed)
			return err == nil && killed == 1
		}, 30*time.Second, 20*time.Millisecond)
	}
	l.commit("a", "k", 6)
	inOrder(t, b.wait(t, atLeast(6)))
	l.begun(6)
}

// begun waits until so many epochs have: each owner has one.
func (l *log) begun(epochs int) {
	l.t.Helper()
	require.Eventually(l.t, func() bool { return l.number("SELECT epoch FROM log.event_head") >= epochs }, 30*time.Second, 20*time.Millisecond)
}

func TestAnOvertakenOwnerChangesNothing(t *testing.T) {
	l := newLog(t)
	overtaken := make(chan struct{})
	b := &broker{}
	b.fail = func(string, []eventlog.Message) ([]int, error) {
		// While this owner publishes, another one begins.
		_, err := l.db.ExecContext(t.Context(), "UPDATE log.event_head SET epoch = epoch + 1")
		b.fail = nil
		close(overtaken)
		return nil, err
	}
	l.relay(b)
	l.commit("a", "k", 1)
	<-overtaken
	got := b.wait(t, func(got []message) bool { return len(got) == 2 })
	require.Equal(t, got[0].id, got[1].id, "the event goes out again, with its id: the old owner could not mark it")
	require.Equal(t, got[0].sequence, got[1].sequence)
}

func TestWhatWasPublishedButNotMarkedGoesOutAgainWithItsID(t *testing.T) {
	l, b := newLog(t), &broker{}
	stop := l.relay(b)
	l.commit("a", "k", 1)
	b.wait(t, atLeast(1))
	require.Eventually(t, func() bool {
		var n int
		return l.db.NewRaw("SELECT published_seq FROM log.event_cursors WHERE topic = 'a'").Scan(t.Context(), &n) == nil && n == 1
	}, 10*time.Second, 10*time.Millisecond)
	stop()
	_, err := l.db.ExecContext(t.Context(), "UPDATE log.event_cursors SET published_seq = 0")
	require.NoError(t, err)
	l.relay(b)
	got := b.wait(t, func(got []message) bool { return len(got) == 2 })
	require.Equal(t, got[0], got[1])
}

func TestATopicThatIsStuckDelaysNoOther(t *testing.T) {
	l := newLog(t)
	var stuck sync.Once
	seen := make(chan struct{})
	b := &broker{fail: func(topic string, m []eventlog.Message) (failed []int, err error) {
		if topic != "a" {
			return nil, nil
		}
		stuck.Do(func() { close(seen) })
		for i := range m {
			failed = append(failed, i)
		}
		return failed, errors.New("stuck")
	}}
	l.relay(b)
	l.commit("a", "k", 1)
	<-seen
	l.commit("b", "k", 1)
	require.Equal(t, "b", b.wait(t, atLeast(1))[0].topic)
	oldest, err := eventlog.OldestUnpublished(t.Context(), l.db, "log")
	require.NoError(t, err)
	require.False(t, oldest.IsZero())
}

func TestTheOldestUnpublishedEvent(t *testing.T) {
	l, b := newLog(t), &broker{}
	oldest, err := eventlog.OldestUnpublished(t.Context(), l.db, "log")
	require.NoError(t, err)
	require.True(t, oldest.IsZero(), "an empty log waits for nothing")
	l.commit("a", "k", 1)
	oldest, err = eventlog.OldestUnpublished(t.Context(), l.db, "log")
	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), oldest, time.Minute)
	l.relay(b)
	require.Eventually(t, func() bool {
		oldest, err := eventlog.OldestUnpublished(t.Context(), l.db, "log")
		return err == nil && oldest.IsZero()
	}, 10*time.Second, 10*time.Millisecond)
}
