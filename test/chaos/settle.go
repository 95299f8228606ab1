package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// noProgress is how long nothing may arrive before what is missing is taken
// for lost.
const noProgress = 3 * time.Minute

// leftQuery counts what is on its way still: events to publish, events to
// consume by each of their consumers, reminders to fire and to deliver.
const leftQuery = `SELECT
	(SELECT count(*) FROM task.events WHERE seq IS NULL)
	+ (SELECT count(*) FROM task.events e JOIN task.event_cursors c USING (topic) WHERE e.seq > c.published_seq),
	(SELECT count(*) FROM task.events e WHERE topic = 'audit-logs' AND NOT EXISTS (SELECT FROM audit.inbox i WHERE i.id = e.id::text))
	+ (SELECT count(*) FROM task.events e WHERE topic = 'task-events' AND NOT EXISTS (SELECT FROM recurring.inbox i WHERE i.id = e.id::text))
	+ (SELECT count(*) FROM task.events e WHERE topic IN ('task-events', 'reminders') AND NOT EXISTS (SELECT FROM notification.inbox i WHERE i.id = e.id::text)),
	(SELECT count(*) FROM task.reminders WHERE armed AND remind_at < now() + interval '1 minute'),
	(SELECT count(*) FROM notification.deliveries WHERE state = 'pending')`

// remainder is what has not arrived.
type remainder struct{ unpublished, unconsumed, unfired, undelivered int }

func (r remainder) total() int { return r.unpublished + r.unconsumed + r.unfired + r.undelivered }

func (r remainder) String() string {
	return fmt.Sprintf("%d events to publish, %d to consume, %d reminders to fire, %d deliveries to make", r.unpublished, r.unconsumed, r.unfired, r.undelivered)
}

// settle waits until nothing is on its way, or nothing moves any more.
func settle(ctx context.Context, db *pgxpool.Pool, log *journal) (remainder, error) {
	var left remainder
	least, moved, calm := -1, time.Now(), 0
	for {
		err := db.QueryRow(ctx, leftQuery).Scan(&left.unpublished, &left.unconsumed, &left.unfired, &left.undelivered)
		switch {
		case ctx.Err() != nil:
			return left, ctx.Err()
		case err != nil:
			log.note("look at what is left: %v", err)
			calm = 0
		case left.total() == 0:
			// Twice in a row: what is consumed may give rise to something new.
			if calm++; calm == 2 {
				return left, nil
			}
		default:
			log.note("left: %s", left)
			calm = 0
		}
		if err == nil && (least < 0 || left.total() < least) {
			least, moved = left.total(), time.Now()
		}
		if time.Since(moved) > noProgress {
			log.stage("nothing arrives any more; left are %s", left)
			return left, nil
		}
		select {
		case <-ctx.Done():
			return left, ctx.Err()
		case <-time.After(time.Second):
		}
	}
}
