package subscribe

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// AtOnce is the effect of an InTx topic's events as a statement, for those whose effect is no
// more than that. With the inbox it is one statement and one stop at Postgres, where the
// transaction makes four at least. What it can not do, or fails at, the InTx does.
type AtOnce struct {
	// SQL writes the effect, of those events alone that fresh (source, id) has. It is always
	// the same, so that Postgres plans it once, and its own parameters begin with $4.
	SQL string
	// Args are its arguments for events, no two of which are the same, or nil when they are for
	// the InTx. They are in no order, and the database is for reading.
	Args func(ctx context.Context, events []Event) ([]any, error)
}

// atOnceTime is how long a statement may take with the look for its arguments: less than
// erasure.DefaultSettle, so that nobody is written of whom an erasure has passed meanwhile.
const atOnceTime = 5 * time.Second

// AtOnce has the effect of events on a topic, which has an InTx, written by a statement where
// that is possible.
func (s *Subscriber) AtOnce(topic string, a AtOnce) {
	a.SQL = strings.NewReplacer("?schema", pgx.Identifier{s.Schema}.Sanitize(), "?effect", a.SQL).Replace(`
		WITH fresh AS (
			INSERT INTO ?schema.inbox (source, id, handled_at) SELECT source, id, $3 FROM unnest($1::text[], $2::text[]) AS e (source, id)
			ON CONFLICT DO NOTHING RETURNING source, id
		), effect AS (
			?effect
		)
		SELECT source, id FROM fresh`)
	s.topics[topic].(*inTx).atOnce = &a
}

// inOneStatement says which events were not handled before, and now are. It is nil when
// nothing was done.
func (h *inTx) inOneStatement(ctx context.Context, s *Subscriber, batch []delivery) (isNew []bool, err error) {
	if h.atOnce == nil {
		return nil, nil
	}
	rows, first := inboxRows(batch, s.Now())
	sources, ids, events := make([]string, len(rows)), make([]string, len(rows)), make([]Event, len(rows))
	for i, r := range rows {
		sources[i], ids[i] = r.Source, r.ID
		events[i] = batch[first[identity{r.Source, r.ID}]].Event
	}
	ctx, cancel := context.WithTimeout(ctx, atOnceTime)
	defer cancel()
	var args []any
	err = guarded(func() error {
		args, err = h.atOnce.Args(ctx, events)
		return err
	})
	if err != nil || args == nil {
		return nil, err
	}
	// Past bun, which would write the arguments into the text.
	inserted, err := s.DB.DB.QueryContext(ctx, h.atOnce.SQL, append([]any{pgx.QueryExecModeCacheStatement, sources, ids, rows[0].HandledAt}, args...)...)
	if err != nil {
		return nil, fmt.Errorf("handle %d events in one statement: %w", len(rows), err)
	}
	defer inserted.Close()
	isNew = make([]bool, len(batch))
	for inserted.Next() {
		var key identity
		if err := inserted.Scan(&key.Source, &key.ID); err != nil {
			return nil, fmt.Errorf("read which events were new: %w", err)
		}
		isNew[first[key]] = true
	}
	// Nil says that it is committed, too: pgx has read up to where Postgres is ready again.
	if err := inserted.Err(); err != nil {
		return nil, fmt.Errorf("handle %d events in one statement: %w", len(rows), err)
	}
	return isNew, nil
}
