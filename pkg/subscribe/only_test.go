package subscribe_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/subscribe"
)

func TestWhatIsNotRelevantNeedsNoDatabase(t *testing.T) {
	db := newDB(t)
	for name, setUp := range map[string]func(*subscribe.Subscriber){
		"in a transaction": func(s *subscribe.Subscriber) { s.InTx(event.TopicTasks, writeAll) },
		"idempotent": func(s *subscribe.Subscriber) {
			s.Idempotent(event.TopicTasks, func(ctx context.Context, e subscribe.Event) error { return write(ctx, db, e) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newConsumer(t, db, func(s *subscribe.Subscriber) {
				setUp(s)
				s.Only(event.TopicTasks, event.ChangesTask)
			})
			away := func(schema, name string) {
				_, err := db.ExecContext(context.Background(), "ALTER SCHEMA "+schema+" RENAME TO "+name)
				require.NoError(t, err)
			}
			away("consumer", "elsewhere")
			at := time.Now()
			created := recordAt(t, at, "k")
			updated := []byte(strings.Replace(string(recordAt(t, at.Add(-time.Hour), "k")), `"type":"task.created"`, `"type":"task.updated"`, 1))
			malformed := []byte(strings.Replace(string(record(t, "other")), `"data":{`, `"data":{,`, 1))
			handled := counted(t)["handled task-events task.created"]
			require.Equal(t, []string{success, retry, success, retry}, c.deliver(created, updated, created, malformed), "what is malformed is to be kept")
			require.InDelta(t, 2, counted(t)["handled task-events task.created"]-handled, 0)
			require.InDelta(t, seconds(at), handledUpTo(t, event.TopicTasks), 1e-3)

			away("elsewhere", "consumer")
			effects, letters := c.count("effects"), c.count("dead_letters")
			require.Equal(t, []string{success, success, success, success}, c.deliver(created, updated, created, malformed))
			require.Equal(t, 1, c.count("effects")-effects)
			require.Equal(t, 1, c.count("dead_letters")-letters)
			require.Zero(t, c.count("inbox WHERE id IN (SELECT id FROM consumer.effects) = false"))
		})
	}
}
