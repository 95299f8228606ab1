package eventlog

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
)

// Range is a part of the log that has been published.
type Range struct {
	From, To time.Time // when the events happened: From is part of it, To is not
	Topics   []string
	Key      string // events of this key alone, where it is not ""
	After    int64  // events with a higher seq
	// IDs, where there are any, are all that is meant.
	IDs []uuid.UUID
}

// Replay publishes events again that have been published: as they were the
// first time, with the same id and sequence, so that a consumer that has
// handled one knows it. The relay's cursors stay where they are, and the relay
// may be at work beside it.
type Replay struct {
	DB        *bun.DB
	Schema    string
	Publisher Publisher
	Rate      int // events in a second at most; 0 for as many as the broker takes
	Log       *slog.Logger
}

// Check refuses a range that holds no time, and one that reaches back further
// than consumers are bound to remember.
func (r Range) Check(now time.Time, retention time.Duration) error {
	if !r.From.Before(r.To) {
		return fmt.Errorf("from %s to %s there is no time", r.From.Format(time.RFC3339), r.To.Format(time.RFC3339))
	}
	if oldest := now.Add(-retention); r.From.Before(oldest) {
		return fmt.Errorf("events from before %s can not be replayed: consumers remember what they have handled for EVENT_RETENTION (%s) alone, and an older event could have its effect twice",
			oldest.UTC().Format(time.RFC3339), retention)
	}
	return nil
}

// Counted is how many events of a topic and type are in a range.
type Counted struct {
	Topic  string `bun:"topic"`
	Type   string `bun:"type"`
	Events int64  `bun:"events"`
	First  int64  `bun:"first"` // the lowest seq
	Last   int64  `bun:"last"`  // the highest
}

// part are the conditions that a range sets, as SQL on events e and cursors c,
// with its arguments from ?1 on.
const part = `e.seq > ?1 AND e.seq <= c.published_seq AND e.occurred_at >= ?2 AND e.occurred_at < ?3
	AND (?4 = '' OR e.key = ?4) AND (cardinality(?5::uuid[]) = 0 OR e.id = ANY(?5::uuid[]))`

func (r Range) arguments(schema string) []any {
	ids := r.IDs
	if ids == nil {
		ids = []uuid.UUID{}
	}
	return []any{bun.Ident(schema), r.After, r.From, r.To, r.Key, pgdialect.Array(ids), pgdialect.Array(r.Topics)}
}

// Count says what is in a range, by topic and type.
func (r *Replay) Count(ctx context.Context, of Range) ([]Counted, error) {
	var counted []Counted
	err := r.reading(ctx, func(ctx context.Context, tx bun.Tx) error {
		return tx.NewRaw(`
			SELECT e.topic, e.type, count(*) AS events, min(e.seq) AS first, max(e.seq) AS last
			FROM ?0.events e JOIN ?0.event_cursors c ON c.topic = e.topic
			WHERE e.topic = ANY(?6) AND `+part+` GROUP BY e.topic, e.type ORDER BY e.topic, e.type`,
			of.arguments(r.Schema)...).Scan(ctx, &counted)
	})
	if err != nil {
		return nil, fmt.Errorf("count the events to replay: %w", err)
	}
	return counted, nil
}

// reading runs queries that may take as long as the log is.
func (r *Replay) reading(ctx context.Context, do func(context.Context, bun.Tx) error) error {
	return r.DB.RunInTx(ctx, &sql.TxOptions{ReadOnly: true}, func(ctx context.Context, tx bun.Tx) error {
		if _, err := tx.ExecContext(ctx, "SET LOCAL statement_timeout = 0"); err != nil {
			return err
		}
		return do(ctx, tx)
	})
}

// Run publishes what is counted, in the order of the log, and tells progress
// after each window how many went out and the seq that they reach to. A broker
// that is away is waited for. When ctx ends, everything up to the last seq that
// progress was told is out.
func (r *Replay) Run(ctx context.Context, of Range, counted []Counted, progress func(events int, seq int64)) error {
	if len(counted) == 0 {
		return nil
	}
	first := slices.MinFunc(counted, func(a, b Counted) int { return int(a.First - b.First) }).First
	last := slices.MaxFunc(counted, func(a, b Counted) int { return int(a.Last - b.Last) }).Last
	// The relay's own way to the broker: one event of a key at a time, retries
	// with backoff, and a word in the log when it has to wait.
	relay := &Relay{Publisher: r.Publisher, broker: brokerOutage(r.Log)}
	of.After = max(of.After, first-1)
	size := windowRows
	if r.Rate > 0 {
		size = min(size, r.Rate)
	}
	began, sent := time.Now(), 0
	for of.After < last {
		window, err := r.window(ctx, of, last, size)
		if err != nil {
			return err
		}
		if len(window) == 0 {
			return nil
		}
		// One topic after another, so that a task's events are never under way
		// on two of them.
		byTopic := map[string][]row{}
		for _, e := range window {
			byTopic[e.Topic] = append(byTopic[e.Topic], e)
		}
		for _, topic := range of.Topics {
			if err := relay.publishWindow(ctx, topic, byTopic[topic]); err != nil {
				return err
			}
		}
		of.After = window[len(window)-1].Seq
		sent += len(window)
		progress(len(window), of.After)
		if r.Rate == 0 {
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Until(began.Add(time.Duration(sent) * time.Second / time.Duration(r.Rate)))):
		}
	}
	return nil
}

// window reads the next events of a range, up to the seq last. Each topic is
// read by its index.
func (r *Replay) window(ctx context.Context, of Range, last int64, size int) ([]row, error) {
	var window []row
	err := r.reading(ctx, func(ctx context.Context, tx bun.Tx) error {
		return tx.NewRaw(`
			SELECT e.* FROM ?0.event_cursors c CROSS JOIN LATERAL (
				SELECT seq, id, topic, type, key, trace_parent, occurred_at, data FROM ?0.events e
				WHERE e.topic = c.topic AND e.seq <= ?7 AND `+part+` ORDER BY e.seq LIMIT ?8
			) e WHERE c.topic = ANY(?6) ORDER BY e.seq LIMIT ?8`,
			append(of.arguments(r.Schema), last, size)...).Scan(ctx, &window)
	})
	if err != nil {
		return nil, fmt.Errorf("read the event log from %d: %w", of.After, err)
	}
	return window, nil
}
