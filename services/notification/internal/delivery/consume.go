package delivery

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/erasure"
	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/subscribe"
	"github.com/taskwire/taskwire/services/notification/internal/erase"
	"github.com/taskwire/taskwire/services/notification/internal/inapp"
)

// Consumer turns events into deliveries, and stops deliveries that an event
// has made pointless.
type Consumer struct {
	clock  func() time.Time
	erased *erasure.Keeper
	wake   func()
}

// NewConsumer returns a consumer that notes who is erased, and calls wake when there may
// be something new to deliver.
func NewConsumer(clock func() time.Time, erased *erasure.Keeper, wake func()) *Consumer {
	return &Consumer{clock: clock, erased: erased, wake: wake}
}

// Subscribe has events handled by c.
func (c *Consumer) Subscribe(events *subscribe.Subscriber) {
	events.InTx(event.TopicReminders, c.Reminders)
	events.InTx(event.TopicTasks, c.Tasks)
	events.Only(event.TopicTasks, event.ChangesTask)
}

// Wake is the middleware around the event routes: once a request with
// reminders is answered its transaction is over, and the workers can see what
// it stored.
func (c *Consumer) Wake(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r)
		if strings.HasSuffix(r.URL.Path, "/"+event.TopicReminders) {
			c.wake()
		}
	})
}

// Reminders stores a delivery per channel for each reminder that is due, and shows
// each comment, in the transaction of the events' inbox rows.
func (c *Consumer) Reminders(ctx context.Context, tx bun.Tx, events []subscribe.Event) error {
	type key struct {
		reminder uuid.UUID
		at       int64
	}
	events, err := c.withoutErased(ctx, tx, events)
	if err != nil {
		return err
	}
	now := c.clock()
	var rows []Row
	var comments []subscribe.Event
	seen := map[key]int{} // one statement may not touch a row twice
	for _, e := range events {
		switch e.Type() {
		case event.ReminderDue:
		case event.CommentAdded:
			comments = append(comments, e)
			continue
		default:
			if event.AsksForMail(e.Type()) {
				row, err := mailOf(e, now)
				if err != nil {
					return err
				}
				k := key{row.ReminderID, row.RemindAt.UnixMicro()}
				if _, again := seen[k]; !again {
					seen[k] = len(rows)
					rows = append(rows, row)
				}
			}
			continue // others were added within the major version
		}
		data, err := reminderOf(e)
		if err != nil {
			return subscribe.Poison(err)
		}
		k := key{data.ReminderID, data.RemindAt.UnixMicro()}
		if at, again := seen[k]; again {
			for i := range channels {
				if data.Timestamp.After(rows[at+i].EventAt) {
					rows[at+i].EventAt = data.Timestamp
				}
			}
			continue
		}
		seen[k] = len(rows)
		for _, channel := range channels {
			id, err := uuid.NewV7()
			if err != nil {
				return fmt.Errorf("new delivery id: %w", err)
			}
			rows = append(rows, Row{
				ID: id, ReminderID: data.ReminderID, RemindAt: data.RemindAt, Channel: channel,
				UserID: data.UserID, TaskID: data.TaskID, Title: data.Title, DueAt: data.DueAt, AllDay: data.AllDay, ExpectedAt: data.ExpectedAt, Timezone: data.Timezone,
				EventAt: data.Timestamp, TraceID: traceID(e.TraceParent()), TraceParent: e.TraceParent(), State: Pending, NextAttemptAt: now, CreatedAt: now, UpdatedAt: now,
			})
		}
	}
	if err := inapp.StoreComments(ctx, tx, now, comments); err != nil || len(rows) == 0 {
		return err
	}
	// A newer event about a cancelled delivery means that the reminder is due
	// again after all: a task that was reopened, or moved away and back.
	_, err = tx.NewInsert().Model(&rows).
		On("CONFLICT (reminder_id, remind_at, channel) DO UPDATE").
		Set("state = 'pending', reason = '', attempts = 0, first_attempt_at = NULL, counted_in = NULL, last_error = '', claim = NULL").
		Set("title = excluded.title, due_at = excluded.due_at, all_day = excluded.all_day, expected_at = excluded.expected_at, timezone = excluded.timezone, trace_id = excluded.trace_id, trace_parent = excluded.trace_parent").
		Set("event_at = excluded.event_at, next_attempt_at = excluded.next_attempt_at, updated_at = excluded.updated_at").
		Where("d.state = 'cancelled' AND d.event_at < excluded.event_at").
		Returning("NULL").Exec(ctx)
	if err != nil {
		return fmt.Errorf("store %d deliveries: %w", len(rows), err)
	}
	return nil
}

// mailOf is the delivery of a mail about an account.
func mailOf(e subscribe.Event, now time.Time) (Row, error) {
	data, err := event.DataOf[event.AccountMailEvent](e.Event)
	if err == nil && data.MailID == uuid.Nil {
		err = errors.New("mail_id is missing")
	}
	if err != nil {
		return Row{}, subscribe.Poison(err)
	}
	id, err := uuid.NewV7()
	if err != nil {
		return Row{}, fmt.Errorf("new delivery id: %w", err)
	}
	// The moment is part of what makes it one delivery: the event's, whoever publishes it again.
	at := e.Time().UTC().Truncate(time.Microsecond)
	return Row{
		ID: id, ReminderID: data.MailID, RemindAt: at, Channel: Account, UserID: data.UserID, EventAt: at,
		TraceID: traceID(e.TraceParent()), TraceParent: e.TraceParent(), State: Pending, NextAttemptAt: now, CreatedAt: now, UpdatedAt: now,
	}, nil
}

// withoutErased are those events that are neither for somebody who was erased nor of what
// he has said: they come late, and bring nothing back.
func (c *Consumer) withoutErased(ctx context.Context, tx bun.Tx, events []subscribe.Event) ([]subscribe.Event, error) {
	people := func(e subscribe.Event) []uuid.UUID {
		data, err := event.DataOf[event.CommentEvent](e.Event)
		if err != nil {
			return nil // to be refused by whoever reads it
		}
		return []uuid.UUID{data.UserID, data.Author.UserID}
	}
	ids := map[uuid.UUID]bool{}
	for _, e := range events {
		for _, id := range people(e) {
			ids[id] = true
		}
	}
	erased, err := c.erased.Among(ctx, tx, ids)
	if err != nil || len(erased) == 0 {
		return events, err
	}
	return slices.DeleteFunc(slices.Clone(events), func(e subscribe.Event) bool {
		return slices.ContainsFunc(people(e), func(id uuid.UUID) bool { return erased[id] })
	}), nil
}

// reminderOf decodes an event and refuses what could never be delivered.
func reminderOf(e subscribe.Event) (event.ReminderEvent, error) {
	data, err := event.DataOf[event.ReminderEvent](e.Event)
	if err != nil {
		return data, err
	}
	switch {
	case data.ReminderID == uuid.Nil:
		return data, errors.New("reminder_id is missing")
	case data.TaskID == uuid.Nil:
		return data, errors.New("task_id is missing")
	case data.UserID == uuid.Nil:
		return data, errors.New("user_id is missing")
	case data.RemindAt.IsZero():
		return data, errors.New("remind_at is missing")
	case !database.Storable(data.Title):
		return data, errors.New("title cannot be stored")
	case !database.Storable(data.Timezone):
		return data, errors.New("timezone cannot be stored")
	case !storable(data.RemindAt), !storable(data.Timestamp), data.DueAt != nil && !storable(*data.DueAt), data.ExpectedAt != nil && !storable(*data.ExpectedAt):
		return data, errors.New("a time is outside the years 1 to 9999")
	}
	// Postgres keeps microseconds, and the key must be the same on both sides.
	data.RemindAt = data.RemindAt.UTC().Truncate(time.Microsecond)
	if data.Timestamp.IsZero() {
		data.Timestamp = e.Time()
	}
	return data, nil
}

// storable says whether both Postgres and RFC 3339 can write t.
func storable(t time.Time) bool {
	year := t.UTC().Year()
	return year >= 1 && year <= 9999
}

// Tasks takes events that are event.ChangesTask: it cancels the pending deliveries of
// tasks that are done, deleted or moved. It spares a mail its retries; the check before
// every attempt is what decides.
func (c *Consumer) Tasks(ctx context.Context, tx bun.Tx, events []subscribe.Event) error {
	latest := map[uuid.UUID]event.TaskEvent{}
	var gone []uuid.UUID
	for _, e := range events {
		if e.Type() == event.AccountErased {
			if err := c.recordErased(ctx, tx, e); err != nil {
				return err
			}
			continue
		}
		data, err := event.DataOf[event.TaskEvent](e.Event)
		if err != nil {
			return subscribe.Poison(err)
		}
		data.EventType = e.Type()
		if data.Metadata[event.MetaErased] == true {
			gone = append(gone, data.TaskID)
		}
		if data.Timestamp.IsZero() {
			data.Timestamp = e.Time()
		}
		if before, ok := latest[data.TaskID]; !ok || !data.Timestamp.Before(before.Timestamp) {
			latest[data.TaskID] = data
		}
	}
	if err := erase.Tasks(ctx, tx, gone); err != nil || len(latest) == 0 {
		return err
	}
	tasks := make([]uuid.UUID, 0, len(latest))
	for id := range latest {
		tasks = append(tasks, id)
	}
	var rows []Row
	err := tx.NewSelect().Model(&rows).
		Where("d.state = 'pending' AND d.task_id IN (?)", bun.List(tasks)).
		Order("d.id").For("UPDATE").Scan(ctx)
	if err != nil {
		return fmt.Errorf("find the deliveries of %d tasks: %w", len(tasks), err)
	}
	for _, r := range rows {
		reason := cancelReason(r, latest[r.TaskID])
		if reason == "" {
			continue
		}
		_, err := tx.ExecContext(ctx, `UPDATE notification.deliveries SET state = 'cancelled', reason = ?, updated_at = ? WHERE id = ?`,
			reason, c.clock(), r.ID)
		if err != nil {
			return fmt.Errorf("cancel delivery %s: %w", r.ID, err)
		}
	}
	return nil
}

// recordErased records who was erased.
func (c *Consumer) recordErased(ctx context.Context, tx bun.Tx, e subscribe.Event) error {
	user, err := event.ErasedUser(e.Event)
	if err != nil {
		return subscribe.Poison(err)
	}
	return c.erased.Record(ctx, tx, erasure.User, user)
}

// cancelReason says why a delivery is not to be made after what the event tells;
// "" when it stands as far as the event knows.
func cancelReason(r Row, e event.TaskEvent) string {
	// The two topics have no common order. An event from before the reminder
	// fell due was known to whoever sent the reminder.
	if !e.Timestamp.After(r.EventAt) {
		return ""
	}
	if e.EventType == event.TaskDeleted {
		return Deleted
	}
	if e.TaskData.IsComplete {
		return Completed
	}
	for _, reminder := range e.TaskData.Reminders {
		if reminder.ID != r.ReminderID {
			continue
		}
		if reminder.At != nil {
			if !reminder.At.Truncate(time.Microsecond).Equal(r.RemindAt) {
				return Moved
			}
			return ""
		}
		// Relative to the due time: it moves when that does.
		if !sameTime(e.TaskData.DueAt, r.DueAt) {
			return Moved
		}
		return ""
	}
	return Deleted
}

func sameTime(a, b *time.Time) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Truncate(time.Microsecond).Equal(b.Truncate(time.Microsecond))
}
