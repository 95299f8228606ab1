package reconcile

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/progress"
)

// loggedEvent is an event of the log, with what of its data the checks look at.
type loggedEvent struct {
	Seq        int64     `bun:"seq"` // 0: it has no place yet
	Position   int64     `bun:"position"`
	ID         uuid.UUID `bun:"id"`
	Type       string    `bun:"type"`
	Key        string    `bun:"key"`
	OccurredAt time.Time `bun:"occurred_at"`
	Published  bool      `bun:"published"`

	Version    int64     `bun:"version"`     // of the task, after the change
	ReminderID uuid.UUID `bun:"reminder_id"` // on reminders
	RemindAt   time.Time `bun:"remind_at"`
	Data       string    `bun:"data"` // where it is asked for
}

// What a check looks at in the data of a topic's events.
const (
	nothing       = "0 AS version"
	wholeData     = "e.data"
	taskVersion   = "coalesce((e.data::json->'task_data'->>'version')::bigint, 0) AS version"
	auditVersion  = "coalesce((e.data::json->'after'->>'version')::bigint, (e.data::json->'before'->>'version')::bigint + 1, 0) AS version"
	whichReminder = "(e.data::json->>'reminder_id')::uuid AS reminder_id, (e.data::json->>'remind_at')::timestamptz AS remind_at"
	completions   = "CASE WHEN e.type = '" + event.TaskCompleted + "' THEN e.data ELSE '' END AS data"
)

// scan reads the events of a topic that happened since the horizon, in the
// order of the log, and those behind them that have no place yet. It can be
// continued, for what was written meanwhile.
type scan struct {
	*comparison
	topic   string
	columns string
	each    func(loggedEvent)

	after    int64              // the last seq that was read
	position int64              // of the last event that was read
	unplaced map[uuid.UUID]bool // those that were read without a place
}

// begin finds where a scan begins, and how long it is.
func (c *comparison) begin(ctx context.Context, topic, columns string, each func(loggedEvent)) (*scan, int64, error) {
	type extent struct {
		First int64 `bun:"first"`
		Count int64 `bun:"count"`
	}
	rows, err := query[extent](ctx, c.Reconciler, `
		SELECT coalesce(min(seq), (SELECT last_seq + 1 FROM task.event_head)) AS first, count(*) AS count
		FROM task.events WHERE topic = ? AND occurred_at >= ?`, topic, c.horizon)
	if err != nil {
		return nil, 0, fmt.Errorf("look where the log of %s begins: %w", topic, err)
	}
	return &scan{
		comparison: c, topic: topic, columns: columns, each: each, after: rows[0].First - 1, unplaced: map[uuid.UUID]bool{},
	}, rows[0].Count, nil
}

// readAll reads a topic's log from its beginning to its end.
func (c *comparison) readAll(ctx context.Context, result *Result, topic, columns string, each func(loggedEvent)) error {
	s, n, err := c.begin(ctx, topic, columns, each)
	if err != nil {
		return err
	}
	bar := c.Progress.Begin(result.Check, n)
	defer bar.End()
	return s.read(ctx, bar)
}

// read reads on to the end of the log.
func (s *scan) read(ctx context.Context, bar *progress.Bar) error {
	// Most of it in short transactions: a long one keeps Postgres from cleaning up.
	for {
		n := 0
		err := s.reading(ctx, func(ctx context.Context, tx bun.Tx) (err error) {
			n, err = s.batch(ctx, tx, bar, "e.seq > ? ORDER BY e.seq", s.after)
			return err
		})
		if err != nil {
			return err
		}
		if n < batchRows {
			break
		}
	}
	// The end at one moment: what got its place since, and what has none. A row
	// that gets one meanwhile would be in neither part otherwise.
	return s.DB.RunInTx(ctx, &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead}, func(ctx context.Context, tx bun.Tx) error {
		// It is idle while a batch is compared.
		if _, err := tx.ExecContext(ctx, "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = '10min'"); err != nil {
			return err
		}
		for n := batchRows; n == batchRows; {
			var err error
			if n, err = s.batch(ctx, tx, bar, "e.seq > ? ORDER BY e.seq", s.after); err != nil {
				return err
			}
		}
		s.position = 0
		for n := batchRows; n == batchRows; {
			var err error
			if n, err = s.batch(ctx, tx, bar, "e.seq IS NULL AND e.position > ? ORDER BY e.position", s.position); err != nil {
				return err
			}
		}
		return nil
	})
}

// batch reads and passes on the next events, and returns how many they were.
func (s *scan) batch(ctx context.Context, tx bun.Tx, bar *progress.Bar, which string, from int64) (int, error) {
	var rows []loggedEvent
	err := tx.NewRaw(`SELECT coalesce(e.seq, 0) AS seq, e.position, e.id, e.type, e.key, e.occurred_at,
		coalesce(e.seq <= (SELECT published_seq FROM task.event_cursors c WHERE c.topic = e.topic), false) AS published, `+s.columns+`
		FROM task.events e WHERE e.topic = ? AND `+which+" LIMIT ?", s.topic, from, batchRows).Scan(ctx, &rows)
	if err != nil {
		return 0, fmt.Errorf("read the log of %s: %w", s.topic, err)
	}
	for _, e := range rows {
		s.after = max(s.after, e.Seq)
		s.position = e.Position
		s.add(e)
	}
	bar.Add(len(rows))
	return len(rows), nil
}

// add passes an event on, once.
func (s *scan) add(e loggedEvent) {
	if s.unplaced[e.ID] {
		return
	}
	if e.Seq == 0 {
		s.unplaced[e.ID] = true
	}
	s.each(e)
}
