package reconcile

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/services/task-api/internal/progress"
)

// told is an event of the log, with what of its data the checks look at.
type told struct {
	Seq        int64     `bun:"seq"` // 0: it has no place yet
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
	taskVersion   = "coalesce((e.data::json->'task_data'->>'version')::bigint, 0) AS version"
	auditVersion  = "coalesce((e.data::json->'after'->>'version')::bigint, (e.data::json->'before'->>'version')::bigint + 1, 0) AS version"
	whichReminder = "(e.data::json->>'reminder_id')::uuid AS reminder_id, (e.data::json->>'remind_at')::timestamptz AS remind_at"
	completions   = "CASE WHEN e.type = '" + event.TaskCompleted + "' THEN e.data ELSE '' END AS data"
)

// scan reads the events of a topic that happened since the horizon, in the
// order of the log, and those behind them that have no place yet. It can be
// gone on with, for what was told meanwhile.
type scan struct {
	*comparison
	topic   string
	columns string
	each    func(told)

	after    int64
	unplaced map[uuid.UUID]bool // those that were read without a place
}

// begin finds where a scan begins, and how long it is.
func (c *comparison) begin(ctx context.Context, topic, columns string, each func(told)) (*scan, int64, error) {
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

// read reads on to the end of the log.
func (s *scan) read(ctx context.Context, bar *progress.Bar) error {
	const columns = `coalesce(e.seq, 0) AS seq, e.id, e.type, e.key, e.occurred_at,
		coalesce(e.seq <= (SELECT published_seq FROM task.event_cursors c WHERE c.topic = e.topic), false) AS published, `
	for {
		rows, err := query[told](ctx, s.Reconciler, "SELECT "+columns+s.columns+
			" FROM task.events e WHERE e.topic = ? AND e.seq > ? ORDER BY e.seq LIMIT ?", s.topic, s.after, batchRows)
		if err != nil {
			return fmt.Errorf("read the log of %s: %w", s.topic, err)
		}
		for _, e := range rows {
			s.after = e.Seq
			s.tell(e)
		}
		bar.Add(len(rows))
		if len(rows) < batchRows {
			break
		}
	}
	// What got its place since the last look, and what has none, at one moment.
	rows, err := query[told](ctx, s.Reconciler, "SELECT "+columns+s.columns+
		" FROM task.events e WHERE e.topic = ? AND (e.seq > ? OR e.seq IS NULL) ORDER BY e.seq NULLS LAST, e.position", s.topic, s.after)
	if err != nil {
		return fmt.Errorf("read the end of the log of %s: %w", s.topic, err)
	}
	for _, e := range rows {
		s.after = max(s.after, e.Seq)
		s.tell(e)
	}
	bar.Add(len(rows))
	return nil
}

// tell hands an event on, once.
func (s *scan) tell(e told) {
	if s.unplaced[e.ID] {
		return
	}
	if e.Seq == 0 {
		s.unplaced[e.ID] = true
	}
	s.each(e)
}
