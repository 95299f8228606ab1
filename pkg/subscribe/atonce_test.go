package subscribe_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/subscribe"
)

// writesAtOnce has the same effect as writeAll, in one statement. What has the key "zero" it
// fails at, what has "other" it leaves to the handler, and so it does of what has "unknown",
// with an error. It counts the transactions in between.
func writesAtOnce(transactions *atomic.Int64) func(*subscribe.Subscriber) {
	return func(s *subscribe.Subscriber) {
		s.InTx(event.TopicTasks, func(ctx context.Context, tx bun.Tx, events []subscribe.Event) error {
			transactions.Add(1)
			if slices.ContainsFunc(events, func(e subscribe.Event) bool { return e.Key == "zero" }) {
				return subscribe.Poison(errors.New("nothing is divided by zero"))
			}
			return writeAll(ctx, tx, events)
		})
		s.AtOnce(event.TopicTasks, subscribe.AtOnce{
			SQL: `INSERT INTO consumer.effects (id, key) SELECT e.id, CASE WHEN key = 'zero' THEN (1 / length(left(key, 0)))::text ELSE key END
				FROM unnest($4::text[], $5::text[], $6::text[]) AS e (source, id, key) JOIN fresh ON fresh.source = e.source AND fresh.id = e.id`,
			Args: func(_ context.Context, events []subscribe.Event) ([]any, error) {
				var sources, ids, keys []string
				for _, e := range events {
					switch e.Key {
					case "other":
						return nil, nil
					case "unknown":
						return nil, errors.New("what is this?")
					}
					sources, ids, keys = append(sources, e.Source()), append(ids, e.ID()), append(keys, e.Key)
				}
				return []any{sources, ids, keys}, nil
			},
		})
	}
}

func TestAnEffectInOneStatementHappensOnce(t *testing.T) {
	for name, c := range map[string]struct {
		keys         []string
		transactions bool
		letters      int
	}{
		"at once":             {[]string{"a", "b", "a"}, false, 0},
		"left to the handler": {[]string{"a", "other"}, true, 0},
		"with a reason":       {[]string{"unknown", "a"}, true, 0},
		"one that is poison":  {[]string{"a", "zero", "b"}, true, 1},
	} {
		t.Run(name, func(t *testing.T) {
			var transactions atomic.Int64
			consumer := newConsumer(t, newDB(t), writesAtOnce(&transactions))
			var records [][]byte
			for _, key := range c.keys {
				records = append(records, record(t, key))
			}
			records = append(records, records[0]) // twice in one delivery, too
			for range 7 {                         // as often as Postgres looks at what it was told before it plans for all
				for _, status := range consumer.deliver(records...) {
					require.Equal(t, success, status)
				}
			}
			require.Equal(t, c.transactions, transactions.Load() > 0)
			require.Equal(t, len(c.keys)-c.letters, consumer.count("effects"))
			require.Equal(t, len(c.keys)-c.letters, consumer.count("inbox"))
			require.Equal(t, c.letters, consumer.count("dead_letters"))
		})
	}
}

// Of events that some were handled before the others are new.
func TestAnEffectInOneStatementIsThatOfNewEventsAlone(t *testing.T) {
	var transactions atomic.Int64
	consumer := newConsumer(t, newDB(t), writesAtOnce(&transactions))
	records := [][]byte{record(t, "a"), record(t, "b"), record(t, "c")}
	consumer.deliver(records[1])
	consumer.deliver(records...)
	require.Equal(t, 3, consumer.count("effects"))
	require.Equal(t, 1, consumer.count("effects WHERE key = 'b'"))
	require.Zero(t, transactions.Load())
}

// What Postgres refuses only when it commits is not acknowledged.
func TestAnEffectInOneStatementIsCommittedBeforeTheAnswer(t *testing.T) {
	db := newDB(t)
	_, err := db.ExecContext(t.Context(), "ALTER TABLE consumer.effects ADD UNIQUE (key) DEFERRABLE INITIALLY DEFERRED")
	require.NoError(t, err)
	var transactions atomic.Int64
	consumer := newConsumer(t, db, writesAtOnce(&transactions))
	require.Equal(t, []string{success, retry, success}, consumer.deliver(record(t, "a"), record(t, "a"), record(t, "b")))
	require.Equal(t, 2, consumer.count("effects"))
	require.Equal(t, 2, consumer.count("inbox"))
}
