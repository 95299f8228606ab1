// Package spawn creates the next occurrence when a recurring task is completed.
package spawn

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/invoke"
	"github.com/taskwire/taskwire/pkg/recurrence"
	"github.com/taskwire/taskwire/pkg/subscribe"
	"github.com/taskwire/taskwire/services/recurring-task/internal/ledger"
)

// Spawner turns completions into next occurrences.
type Spawner struct {
	Ledger  *ledger.Store
	TaskAPI *invoke.Client
	Log     *slog.Logger
}

// Handle is the effect of an event on task-events. It may run again for the
// same event: the ledger takes no older version, and task-api lets a task be
// followed once only.
func (s *Spawner) Handle(ctx context.Context, e subscribe.Event) error {
	data, err := event.DataOf[event.TaskEvent](e.Event)
	if err != nil {
		return subscribe.Poison(err)
	}
	t := data.TaskData
	if t.SeriesID == nil || t.Occurrence == nil {
		return nil
	}
	if err := s.Ledger.Record(ctx, e.Type(), t, e.Time()); err != nil {
		return err
	}
	if e.Type() != event.TaskCompleted || t.Recurrence == nil {
		return nil
	}
	if t.CompletedAt == nil {
		return subscribe.Poison(errors.New("a completed task without completed_at"))
	}
	return s.follow(ctx, t, e.Time())
}

// follow computes what comes after t and has it created. The completion's own
// time decides what was missed, so that a late or repeated delivery of the
// event gives the same answer.
func (s *Spawner) follow(ctx context.Context, t event.Task, at time.Time) error {
	ordinal, err := s.Ledger.Ordinal(ctx, *t.SeriesID, *t.Occurrence)
	if err != nil {
		return err
	}
	r := t.Recurrence
	rule := recurrence.Rule{
		RRule: r.RRule, Anchor: r.Anchor, Timezone: t.Timezone, AllDay: t.AllDay,
		Basis: r.Basis, MonthEnd: r.MonthEnd, DSTGap: r.DSTGap, Missed: r.Missed,
	}
	step, err := rule.Next(recurrence.Position{Wall: *t.Occurrence, Ordinal: ordinal}, *t.CompletedAt)
	if err != nil {
		// task-api has validated the rule: another answer will not come.
		return subscribe.Poison(fmt.Errorf("work out what follows task %s: %w", t.ID, err))
	}
	if step.Next != nil {
		if err := s.create(ctx, t, *step.Next); err != nil {
			return err
		}
	}
	return s.Ledger.RecordMissed(ctx, t, step.Missed, at)
}

func (s *Spawner) create(ctx context.Context, t event.Task, next recurrence.Occurrence) error {
	var answer struct {
		TaskID uuid.UUID `json:"task_id"`
	}
	status, err := s.TaskAPI.Post(ctx, "task-api", "internal/occurrences", map[string]any{
		"after_task_id": t.ID, "occurrence": next.Wall, "due_at": next.At,
	}, &answer)
	if err != nil {
		return err
	}
	switch status {
	case http.StatusOK, http.StatusCreated:
		return nil
	case http.StatusNotFound, http.StatusConflict, http.StatusUnprocessableEntity:
		// The task is gone, recurs no more, or can not be followed: the series ends here.
		s.Log.InfoContext(ctx, "a series has ended", "task_id", t.ID, "series_id", *t.SeriesID, "status", status)
		return nil
	default:
		return fmt.Errorf("create the occurrence after task %s: task-api answered %d", t.ID, status)
	}
}
