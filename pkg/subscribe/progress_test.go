package subscribe_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/subscribe"
	"github.com/taskwire/taskwire/pkg/telemetry/metrictest"
)

// handledUpTo is the metric of that name; 0 where there is none.
func handledUpTo(t *testing.T, topic string) float64 {
	t.Helper()
	for _, m := range metrictest.Of(t, "taskwire_event_handled_timestamp_seconds") {
		if m.GetLabel()[0].GetValue() == topic {
			return m.GetGauge().GetValue()
		}
	}
	return 0
}

func seconds(at time.Time) float64 { return float64(at.UnixMicro()) / 1e6 }

// recordAt is an event that happened at at.
func recordAt(t *testing.T, at time.Time, key string) []byte {
	raw, err := event.Encode(event.Header{
		ID: uuid.Must(uuid.NewV7()), Topic: event.TopicTasks, Type: event.TaskCreated, Subject: key, Time: at, PartitionKey: key, Sequence: 1,
	}, json.RawMessage(`{"event_type":"task.created"}`))
	require.NoError(t, err)
	return raw
}

// A consumer is behind when the newest event that it is done with is older than
// what is published: whatever became of that event, and whoever started since.
func TestHowFarAConsumerHasComeOutlivesIt(t *testing.T) {
	const poison, failing = "poison", "failing"
	db := newDB(t)
	began := time.Now().UTC().Truncate(time.Microsecond)
	ago := func(n int) time.Time { return began.Add(-time.Duration(n) * time.Hour) }
	replica := func() *consumer {
		return newConsumer(t, db, func(s *subscribe.Subscriber) {
			s.InTx(event.TopicTasks, func(_ context.Context, _ bun.Tx, events []subscribe.Event) error {
				for _, e := range events {
					switch e.Key {
					case poison:
						return subscribe.Poison(context.Canceled)
					case failing:
						return context.Canceled
					}
				}
				return nil
			})
		})
	}
	// run keeps the tables as a service does until it is stopped.
	run := func(c *consumer) (stop func()) {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- c.Keep(ctx) }()
		return func() { cancel(); require.NoError(t, <-ended) }
	}
	kept := func() (at time.Time) {
		t.Helper()
		require.NoError(t, db.NewRaw("SELECT coalesce((SELECT up_to FROM consumer.progress), 'epoch')").Scan(t.Context(), &at))
		return at
	}

	first := replica()
	require.Equal(t, []string{success}, first.deliver(recordAt(t, ago(9), "k")))
	require.InDelta(t, seconds(ago(9)), handledUpTo(t, event.TopicTasks), 0)
	duplicate := recordAt(t, ago(8), "k")
	for range 2 {
		require.Equal(t, []string{success}, first.deliver(duplicate))
	}
	require.Equal(t, []string{success}, first.deliver(recordAt(t, ago(10), "k")), "an older one")
	require.Equal(t, []string{success}, first.deliver(recordAt(t, began.Add(time.Hour), "k")), "of a clock that is wrong")
	require.Equal(t, []string{retry}, first.deliver(recordAt(t, ago(6), failing)))
	require.InDelta(t, seconds(ago(8)), handledUpTo(t, event.TopicTasks), 0)
	require.Equal(t, []string{success}, first.deliver(recordAt(t, ago(7), poison)), "a dead letter is nothing to wait for")
	require.InDelta(t, seconds(ago(7)), handledUpTo(t, event.TopicTasks), 0)
	run(first)()
	require.Equal(t, ago(7), kept().UTC(), "kept at the end at the latest")

	// The next process knows of it before any event has come, and a replica
	// learns from the other.
	second, third := replica(), replica()
	require.Equal(t, []string{success}, second.deliver(recordAt(t, ago(5), "k")))
	run(second)()
	third.deliver(recordAt(t, ago(6), "k"))
	run(third)()
	require.Equal(t, ago(5), kept().UTC())
	require.InDelta(t, seconds(ago(5)), handledUpTo(t, event.TopicTasks), 0)
}

// Nothing that was published before a consumer's first start is missed.
func TestAConsumerCountsFromItsFirstStartOn(t *testing.T) {
	db := newDB(t)
	now := time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)
	for range 2 {
		s := subscribe.New(subscribe.Options{DB: db, Schema: "consumer", Retention: time.Hour, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return now }})
		s.InTx(event.TopicReminders, writeAll)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Keep(ctx) }()
		require.Eventually(t, func() bool {
			return handledUpTo(t, event.TopicReminders) == seconds(time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC))
		}, 10*time.Second, 10*time.Millisecond)
		stop()
		require.NoError(t, <-ended)
		now = now.Add(24 * time.Hour)
	}
}
