package eventlog_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/eventlog"
)

// everything is the range of all that was published on both topics.
func everything() eventlog.Range {
	return eventlog.Range{From: time.Now().Add(-time.Hour), To: time.Now().Add(time.Hour), Topics: []string{"a", "b"}}
}

func (l *log) replay(b *broker) *eventlog.Replay {
	return &eventlog.Replay{DB: l.db, Schema: "log", Publisher: b, Log: slog.New(slog.DiscardHandler)}
}

// published makes a log of n events, of five keys on two topics, that a broker
// has, and one more that it has not.
func published(t *testing.T, n int) (*log, []message) {
	l, b := newLog(t), new(broker)
	for i := range n {
		l.commit([]string{"a", "b"}[i%2], fmt.Sprint("key ", i%5), i)
	}
	stop := l.relay(b)
	got := b.wait(t, atLeast(n))
	require.Eventually(t, func() bool { return l.cursors() == fmt.Sprint(n-1, " ", n) }, time.Minute, 10*time.Millisecond)
	stop()
	l.commit("a", "key 0", n)
	return l, got
}

// cursors are how far the topics are published.
func (l *log) cursors() (all string) {
	require.NoError(l.t, l.db.NewRaw("SELECT coalesce(string_agg(published_seq::text, ' ' ORDER BY topic), '') FROM log.event_cursors").Scan(l.t.Context(), &all))
	return all
}

// sorted is what was published, in the order of the log.
func sorted(got []message) []message {
	got = slices.Clone(got)
	slices.SortFunc(got, func(a, b message) int { return a.n - b.n })
	return got
}

func run(ctx context.Context, r *eventlog.Replay, of eventlog.Range) (events int, reached int64, err error) {
	counted, err := r.Count(ctx, of)
	if err != nil {
		return 0, 0, err
	}
	err = r.Run(ctx, of, counted, func(n int, seq int64) { events += n; reached = seq })
	return events, reached, err
}

func TestAReplayPublishesTheSameEventsAgain(t *testing.T) {
	const n = 2400 // more than a window
	l, first := published(t, n)
	cursors := l.cursors()
	again := new(broker)
	events, reached, err := run(t.Context(), l.replay(again), everything())
	require.NoError(t, err)
	require.Equal(t, n, events)
	require.EqualValues(t, n, reached)
	require.Equal(t, sorted(first), sorted(again.messages()), "with their ids and sequences, and none that is not published")
	require.Equal(t, cursors, l.cursors(), "the relay's place is its own")
	last := map[string]int{}
	for _, m := range again.messages() {
		if before, ok := last[m.topic+m.key]; ok {
			require.Greater(t, m.n, before, "the events of a key keep their order")
		}
		last[m.topic+m.key] = m.n
	}
}

func TestAReplayIsOfWhatWasAskedFor(t *testing.T) {
	l, first := published(t, 20)
	var half time.Time
	require.NoError(t, l.db.NewRaw("SELECT occurred_at FROM log.events WHERE seq = 11").Scan(t.Context(), &half))
	for name, c := range map[string]struct {
		of   func(*eventlog.Range)
		want []int
	}{
		"a topic":   {func(r *eventlog.Range) { r.Topics = []string{"b"} }, []int{1, 3, 5, 7, 9, 11, 13, 15, 17, 19}},
		"a key":     {func(r *eventlog.Range) { r.Key = "key 3" }, []int{3, 8, 13, 18}},
		"after":     {func(r *eventlog.Range) { r.After = 17 }, []int{17, 18, 19}},
		"from":      {func(r *eventlog.Range) { r.From = half; r.Key = "key 0" }, []int{10, 15}},
		"until":     {func(r *eventlog.Range) { r.To = half; r.Key = "key 0" }, []int{0, 5}},
		"by id":     {func(r *eventlog.Range) { r.IDs = []uuid.UUID{uuid.MustParse(sorted(first)[4].id)} }, []int{4}},
		"none such": {func(r *eventlog.Range) { r.Key = "key 7" }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			of := everything()
			c.of(&of)
			b := new(broker)
			_, _, err := run(t.Context(), l.replay(b), of)
			require.NoError(t, err)
			var got []int
			for _, m := range sorted(b.messages()) {
				got = append(got, m.n)
			}
			require.Equal(t, c.want, got)
		})
	}
}

func TestAReplayWaitsForTheBroker(t *testing.T) {
	l, first := published(t, 50)
	var refusals atomic.Int32
	b := &broker{fail: func(_ string, m []eventlog.Message) ([]int, error) {
		if refusals.Add(1) > 4 {
			return nil, nil
		}
		all := make([]int, len(m))
		for i := range all {
			all[i] = i
		}
		return all, errors.New("away")
	}}
	_, _, err := run(t.Context(), l.replay(b), everything())
	require.NoError(t, err)
	require.Equal(t, sorted(first), sorted(b.messages()))
}

func TestAStoppedReplayGoesOnWhereItWas(t *testing.T) {
	l, first := published(t, 100)
	ctx, stop := context.WithCancel(t.Context())
	b := new(broker)
	r := l.replay(b)
	r.Rate = 30
	of := everything()
	counted, err := r.Count(ctx, of)
	require.NoError(t, err)
	began := time.Now()
	var reached int64
	err = r.Run(ctx, of, counted, func(_ int, seq int64) {
		if reached = seq; seq >= 60 {
			stop()
		}
	})
	require.ErrorIs(t, err, context.Canceled)
	require.Greater(t, time.Since(began), 900*time.Millisecond, "at 30 in a second, the second window goes out after one")
	require.EqualValues(t, 60, reached)
	require.Len(t, b.messages(), 60)

	of.After = reached
	_, _, err = run(t.Context(), l.replay(b), of)
	require.NoError(t, err)
	require.Equal(t, sorted(first), sorted(b.messages()))
}

func TestARangeThatConsumersMayHaveForgottenIsRefused(t *testing.T) {
	now := time.Date(2027, 3, 1, 0, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		from, to time.Time
		says     string
	}{
		"within":            {now.Add(-24 * time.Hour), now, ""},
		"too far back":      {now.Add(-24*time.Hour - time.Second), now, "could have its effect twice"},
		"from behind to":    {now, now.Add(-time.Hour), "there is no time"},
		"of no time at all": {now, now, "there is no time"},
	} {
		t.Run(name, func(t *testing.T) {
			err := eventlog.Range{From: c.from, To: c.to}.Check(now, 24*time.Hour)
			if c.says == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.says)
		})
	}
}
