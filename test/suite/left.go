package suite

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Left counts what is on its way still: events to publish, events to consume by
// each of their consumers, reminders to fire and deliveries to make.
type Left struct{ Unpublished, Unconsumed, Unfired, Undelivered int }

// Total is 0 when everything has arrived.
func (l Left) Total() int { return l.Unpublished + l.Unconsumed + l.Unfired + l.Undelivered }

func (l Left) String() string {
	return fmt.Sprintf("%d events to publish, %d to consume, %d reminders to fire, %d deliveries to make", l.Unpublished, l.Unconsumed, l.Unfired, l.Undelivered)
}

// database is a connection of pgx, or a pool of them.
type database interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

const unpublished = `(SELECT count(*) FROM task.events WHERE seq IS NULL)
		+ (SELECT count(*) FROM task.events e LEFT JOIN task.event_cursors c USING (topic) WHERE e.seq > coalesce(c.published_seq, 0))`

// ReadUnpublished counts the events to publish alone: a suite whose consumers
// have never been started has none of the tables that tell of the rest.
func ReadUnpublished(ctx context.Context, db database) (int, error) {
	var n int
	if err := db.QueryRow(ctx, "SELECT "+unpublished).Scan(&n); err != nil {
		return 0, fmt.Errorf("count what is not published: %w", err)
	}
	return n, nil
}

// ReadLeft counts in a database, as its owner. An event of two consumers counts
// for each; one that means nothing to a consumer leaves no trace of it.
func ReadLeft(ctx context.Context, db database) (Left, error) {
	var l Left
	err := db.QueryRow(ctx, `SELECT
		`+unpublished+`,
		(SELECT count(*) FROM task.events e WHERE topic = 'audit-logs' AND NOT EXISTS (SELECT FROM audit.inbox i WHERE i.id = e.id::text))
		+ (SELECT count(*) FROM task.events e WHERE topic = 'task-events' AND e.data::json->'task_data'->>'series_id' IS NOT NULL
			AND NOT EXISTS (SELECT FROM recurring.inbox i WHERE i.id = e.id::text))
		+ (SELECT count(*) FROM task.events e WHERE topic IN ('task-events', 'reminders') AND type NOT IN ('task.created', 'task.restored')
			AND NOT EXISTS (SELECT FROM notification.inbox i WHERE i.id = e.id::text)),
		(SELECT count(*) FROM task.reminders WHERE armed AND remind_at < now() + interval '1 minute'),
		(SELECT count(*) FROM notification.deliveries WHERE state = 'pending')`).
		Scan(&l.Unpublished, &l.Unconsumed, &l.Unfired, &l.Undelivered)
	if err != nil {
		return l, fmt.Errorf("count what has not arrived: %w", err)
	}
	return l, nil
}
