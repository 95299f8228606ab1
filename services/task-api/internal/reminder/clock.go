// Package reminder turns reminders that are due into events, and tells
// whoever delivers them whether they still stand.
package reminder

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/eventlog"
	"github.com/taskwire/taskwire/pkg/outage"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
)

const (
	// fireBatch is how many reminders one transaction turns into events.
	fireBatch = 500
	// pollInterval bounds the sleep, so that a wrong clock or a lost signal is
	// made good.
	pollInterval = 30 * time.Second
)

var lateness = promauto.NewHistogram(prometheus.HistogramOpts{
	Name: "taskwire_reminder_fired_late_seconds", Help: "Time from a reminder's moment to its event; from when it was set where that was later.",
	Buckets: []float64{.01, .05, .1, .25, .5, 1, 2, 5, 30, 60, 600, 3600},
})

// Clock fires reminders. It sleeps until the next one is due and is woken when
// a sooner one is written; any number of replicas may run it, since each
// reminder's row is locked by the one that fires it.
type Clock struct {
	Changes *change.Writer // its Clock wakes this one
	Log     *slog.Logger
}

// Run fires what is due until ctx ends. A database that is away is waited for.
func (c *Clock) Run(ctx context.Context) error {
	failing := &outage.Outage{Log: c.Log, Gone: "reminders could not be fired; trying again", Back: "reminders are fired again"}
	return database.Repeat(ctx, failing, c.Changes.Clock.Waiter(), c.tick)
}

// tick fires all that is due and says how long there is nothing to do.
func (c *Clock) tick(ctx context.Context) (time.Duration, error) {
	for {
		n, err := c.Fire(ctx)
		if err != nil {
			return 0, err
		}
		if n < fireBatch {
			break
		}
	}
	var next sql.NullTime
	if err := c.Changes.DB.NewRaw("SELECT min(remind_at) FROM task.reminders WHERE armed").Scan(ctx, &next); err != nil {
		return 0, fmt.Errorf("look for the next reminder: %w", err)
	}
	if !next.Valid {
		return pollInterval, nil
	}
	// At least a moment, so that a row which another replica is just firing is
	// not asked for without a pause.
	return min(max(next.Time.Sub(c.Changes.Now()), 5*time.Millisecond), pollInterval), nil
}

type due struct {
	ID       uuid.UUID  `bun:"id"`
	TaskID   uuid.UUID  `bun:"task_id"`
	RemindAt time.Time  `bun:"remind_at"`
	Changed  time.Time  `bun:"updated_at"` // the task, last
	UserID   uuid.UUID  `bun:"user_id"`    // whose reminder it is
	Title    string     `bun:"title"`
	DueAt    *time.Time `bun:"due_at"`
	AllDay   bool       `bun:"all_day"`
	Timezone string     `bun:"timezone"`
	Priority int        `bun:"priority"`
	Trace    string     `bun:"trace_parent"`
}

// Fire turns up to fireBatch due reminders into events, in one transaction: a
// reminder is either still armed, or fired with its event in the log.
func (c *Clock) Fire(ctx context.Context) (int, error) {
	n := 0
	err := c.Changes.Do(ctx, access.Actor{Service: "reminder clock"}, func(ctx context.Context, tx *change.Tx) error {
		var fired []due
		// The task is read, not locked: a change of it that commits at the same
		// time is found when the reminder is delivered (see Check).
		err := tx.NewRaw(`
			WITH next AS (
				SELECT id FROM task.reminders WHERE armed AND remind_at <= ?
				ORDER BY remind_at LIMIT ? FOR UPDATE SKIP LOCKED
			), fired AS (
				UPDATE task.reminders r SET armed = false, fired_for = remind_at, fired_at = ? FROM next WHERE r.id = next.id
				RETURNING r.id, r.task_id, r.remind_at, r.trace_parent, r.user_id
			)
			SELECT f.id, f.task_id, f.remind_at, f.trace_parent, t.updated_at, coalesce(f.user_id, t.user_id) AS user_id, t.title, t.due_at, t.all_day, t.timezone, t.priority
			FROM fired f JOIN task.tasks t ON t.id = f.task_id ORDER BY f.remind_at, f.id`,
			tx.Now, fireBatch, tx.Now).Scan(ctx, &fired)
		if err != nil {
			return fmt.Errorf("fire the due reminders: %w", err)
		}
		n = len(fired)
		for _, d := range fired {
			e, err := d.entry(tx.Now)
			if err != nil {
				return err
			}
			tx.Append(e)
			lateness.Observe(max(tx.Now.Sub(d.since()).Seconds(), 0))
		}
		return nil
	})
	return n, err
}

// since is from when on the reminder could have fired. What is set for the past
// is not late; nobody can set it after the last change of its task.
func (d due) since() time.Time {
	if d.Changed.After(d.RemindAt) {
		return d.Changed
	}
	return d.RemindAt
}

func (d due) entry(now time.Time) (eventlog.Entry, error) {
	e := event.ReminderEvent{
		Frame:      event.Frame{EventType: event.ReminderDue, TaskID: d.TaskID, UserID: d.UserID, Timestamp: now, Metadata: map[string]any{}},
		ReminderID: d.ID, Title: d.Title, AllDay: d.AllDay, RemindAt: d.RemindAt.UTC(), Timezone: d.Timezone, Priority: event.Priorities[d.Priority],
	}
	expected := d.since().UTC()
	e.ExpectedAt = &expected
	if d.DueAt != nil {
		at := d.DueAt.UTC()
		e.DueAt = &at
	}
	data, err := json.Marshal(e)
	if err != nil {
		return eventlog.Entry{}, fmt.Errorf("write a reminder event: %w", err)
	}
	return eventlog.Entry{Topic: event.TopicReminders, Type: event.ReminderDue, Key: d.TaskID.String(), Time: now, Data: data, TraceParent: d.Trace}, nil
}
