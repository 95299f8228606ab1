// Package followup has the next occurrence created when a recurring task is completed, and
// the ledger written. What follows is decided by task-api, which knows the whole series
// as it is now; here only events are known, each of which may be late.
package followup

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/erasure"
	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/subscribe"
	"github.com/taskwire/taskwire/pkg/taskapi"
	"github.com/taskwire/taskwire/services/recurring-task/internal/ledger"
)

// Consumer turns completions into next occurrences.
type Consumer struct {
	Ledger  *ledger.Store
	Erased  *erasure.Keeper
	TaskAPI *taskapi.Client
	Log     *slog.Logger
}

// Subscribe has events handled by c.
func (c *Consumer) Subscribe(events *subscribe.Subscriber) {
	events.Idempotent(event.TopicTasks, c.Handle)
	events.Only(event.TopicTasks, event.OfSeries)
	events.Check(event.TopicTasks, Check)
}

// Check says why an event on task-events can never be handled.
func Check(e subscribe.Event) error {
	if e.Type() == event.AccountErased {
		_, err := event.ErasedUser(e.Event)
		return err
	}
	_, err := dataOf(e)
	return err
}

// dataOf decodes an event and refuses what could never be handled.
func dataOf(e subscribe.Event) (event.TaskEvent, error) {
	data, err := event.DataOf[event.TaskEvent](e.Event)
	t := data.TaskData
	if err != nil {
		return data, err
	}
	if t.SeriesID == nil || t.Occurrence == nil {
		return data, errors.New("a task without series or occurrence, which is nothing to follow")
	}
	if _, err := time.Parse(event.WallLayout, *t.Occurrence); err != nil {
		return data, fmt.Errorf("the occurrence of task %s: %w", t.ID, err)
	}
	if e.Type() == event.TaskCompleted && t.Recurrence != nil && t.CompletedAt == nil {
		return data, errors.New("a completed task without completed_at")
	}
	return data, nil
}

// Handle is the effect of an event on task-events that is event.OfSeries. It may run
// again for the same event: the ledger takes no older version, and task-api lets a task
// be followed once for each completion.
func (c *Consumer) Handle(ctx context.Context, e subscribe.Event) error {
	if e.Type() == event.AccountErased {
		user, err := event.ErasedUser(e.Event)
		if err != nil {
			return subscribe.Poison(err)
		}
		return c.Erased.Record(ctx, c.Erased.DB, erasure.User, user)
	}
	data, err := dataOf(e)
	if err != nil {
		return subscribe.Poison(err)
	}
	if data.Metadata[event.MetaErased] == true {
		return c.Ledger.ForgetSeries(ctx, *data.TaskData.SeriesID)
	}
	erased, err := c.Erased.Among(ctx, c.Erased.DB, map[uuid.UUID]bool{data.TaskData.UserID: true})
	if err != nil {
		return err
	}
	if erased[data.TaskData.UserID] {
		if ledger.Private(data.TaskData.UserID, data.TaskData.ListID) {
			return nil // it comes late, and brings nothing back
		}
		data.TaskData.UserID = ledger.Nobody
	}
	t := data.TaskData
	if err := c.Ledger.Record(ctx, e.Type(), data, e.Time()); err != nil {
		return err
	}
	if t.Recurrence == nil {
		return nil
	}
	switch e.Type() {
	case event.TaskCreated:
		if after, ok := data.Metadata[event.MetaFollows].(string); ok && t.DueAt != nil {
			return c.recordMissed(ctx, t, after, t.DueAt.Add(-time.Nanosecond), e.Time())
		}
	case event.TaskCompleted:
		return c.follow(ctx, t, e.Time())
	}
	return nil
}

// follow has task-api create what comes after t. A task that is gone, was reopened or
// recurs no more is not followed.
func (c *Consumer) follow(ctx context.Context, t event.Task, at time.Time) error {
	following, status, err := c.TaskAPI.Follow(ctx, t.ID)
	switch {
	case err != nil:
		return err
	case status == http.StatusNotFound, status == http.StatusConflict:
		c.Log.DebugContext(ctx, "no occurrence follows", "task_id", t.ID, "series_id", *t.SeriesID, "status", status)
		return nil
	case status != http.StatusOK && status != http.StatusCreated:
		return fmt.Errorf("have task %s followed: task-api answered %d", t.ID, status)
	case following.Ended:
		until := *t.CompletedAt
		if t.DueAt != nil && t.DueAt.After(until) {
			until = *t.DueAt
		}
		return c.recordMissed(ctx, t, *t.Occurrence, until, at)
	}
	return nil // its event tells what was missed before it
}

// recordMissed records what t's series has passed over from an occurrence on.
func (c *Consumer) recordMissed(ctx context.Context, t event.Task, after string, until, at time.Time) error {
	missed, err := t.Recurrence.Rule(t.Timezone, t.AllDay).Passed(after, until)
	if err != nil {
		// task-api has validated the rule: another answer will not come.
		return subscribe.Poison(fmt.Errorf("work out what was missed before task %s: %w", t.ID, err))
	}
	return c.Ledger.RecordMissed(ctx, t, missed, at)
}
