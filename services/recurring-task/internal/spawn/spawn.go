// Package spawn creates the next occurrence when a recurring task is completed.
package spawn

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/recurrence"
	"github.com/taskwire/taskwire/pkg/subscribe"
	"github.com/taskwire/taskwire/pkg/taskapi"
	"github.com/taskwire/taskwire/services/recurring-task/internal/ledger"
)

// Spawner turns completions into next occurrences.
type Spawner struct {
	Ledger  *ledger.Store
	TaskAPI *taskapi.Client
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
	if _, err := time.Parse(event.WallLayout, *t.Occurrence); err != nil {
		return subscribe.Poison(fmt.Errorf("the occurrence of task %s: %w", t.ID, err))
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
	rule := t.Recurrence.Rule(t.Timezone, t.AllDay)
	after := *t.CompletedAt
	if rule.Basis == recurrence.BasisDue && rule.Missed == recurrence.MissedCollapse && t.DueAt != nil && t.DueAt.After(after) {
		// Moved ahead, past dates of its schedule: what follows comes after it.
		after = *t.DueAt
	}
	step, err := rule.Next(recurrence.Position{Wall: *t.Occurrence, Ordinal: ordinal}, after)
	if err != nil {
		// task-api has validated the rule: another answer will not come.
		return subscribe.Poison(fmt.Errorf("work out what follows task %s: %w", t.ID, err))
	}
	if step.MissedCount > len(step.Missed) {
		s.Log.InfoContext(ctx, "only the last of the missed occurrences are recorded", "series_id", *t.SeriesID,
			"missed", step.MissedCount, "recorded", len(step.Missed))
	}
	missed := step.Missed
	if step.Next != nil {
		next, err := s.create(ctx, t, *step.Next)
		if errors.Is(err, errOver) {
			s.Log.InfoContext(ctx, "no occurrence follows", "task_id", t.ID, "series_id", *t.SeriesID, "reason", err)
			return nil
		}
		if err != nil {
			return err
		}
		// Completed, reopened and completed again, later: the successor of the
		// first time stands, and nothing from it on has been missed.
		if i := slices.IndexFunc(missed, func(o recurrence.Occurrence) bool { return o.Wall >= next }); i >= 0 {
			missed = missed[:i]
		}
	}
	return s.Ledger.RecordMissed(ctx, t, missed, at)
}

// errOver says that nothing is to follow: the task is gone, or recurs no more.
var errOver = errors.New("the series has ended")

// create has task-api create the occurrence that follows t, and returns which
// one does: a task is followed once, so it may be another than asked for. Any
// error but errOver and poison may pass.
func (s *Spawner) create(ctx context.Context, t event.Task, next recurrence.Occurrence) (string, error) {
	following, status, err := s.TaskAPI.Follow(ctx, taskapi.Next{AfterTaskID: t.ID, Occurrence: next.Wall, DueAt: next.At})
	if err != nil {
		return "", err
	}
	err = fmt.Errorf("create occurrence %s after task %s: task-api answered %d", next.Wall, t.ID, status)
	switch status {
	case http.StatusOK, http.StatusCreated:
		return following.Occurrence, nil
	case http.StatusNotFound, http.StatusConflict:
		return "", fmt.Errorf("%w: %w", errOver, err)
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		return "", subscribe.Poison(err)
	default:
		return "", err
	}
}
