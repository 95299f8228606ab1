package reconcile

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"
	"github.com/uptrace/bun/dialect/pgdialect"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/recurrence"
)

// followed checks that each completion of a task that recurs was followed by
// the next occurrence, where the series has one.
func (c *comparison) followed(ctx context.Context, result *Result) error {
	var batch []loggedEvent
	var failed error
	compare := func() {
		if failed == nil {
			failed = c.successors(ctx, batch, result)
		}
		batch = nil
	}
	err := c.readAll(ctx, result, event.TopicTasks, completions, func(e loggedEvent) {
		if e.Data == "" {
			return
		}
		if !e.Published {
			result.InFlight++
			return
		}
		if batch = append(batch, e); len(batch) == batchRows/4 {
			compare()
		}
	})
	if err != nil {
		return err
	}
	compare()
	return failed
}

// successors looks for what follows the tasks whose completions are logged.
func (c *comparison) successors(ctx context.Context, completed []loggedEvent, result *Result) error {
	tasks := map[uuid.UUID]event.Task{}
	events := map[uuid.UUID]loggedEvent{}
	var ids []uuid.UUID
	for _, e := range completed {
		var data event.TaskEvent
		if err := json.Unmarshal([]byte(e.Data), &data); err != nil {
			return fmt.Errorf("read event %s: %w", e.ID, err)
		}
		t := data.TaskData
		if t.Recurrence == nil || t.SeriesID == nil || t.Occurrence == nil || t.CompletedAt == nil {
			continue
		}
		result.Looked++
		if _, again := events[t.ID]; !again {
			ids = append(ids, t.ID)
		}
		tasks[t.ID], events[t.ID] = t, e
	}
	// A task that is gone, or recurs no more, need not be followed.
	open, err := query[uuid.UUID](ctx, c.Reconciler, `SELECT id FROM task.tasks t WHERE id = ANY(?::uuid[]) AND NOT followed AND recurrence IS NOT NULL
		AND NOT EXISTS (SELECT FROM task.tasks n WHERE n.follows_id = t.id)`, pgdialect.Array(texts(ids)))
	if err != nil {
		return fmt.Errorf("look for what follows: %w", err)
	}
	var lost []loggedEvent
	for _, id := range open {
		due, err := c.due(ctx, tasks[id])
		if err != nil {
			return err
		}
		if due {
			lost = append(lost, events[id])
		}
	}
	return c.account(ctx, subscription{"recurring", event.TopicTasks}, lost, result, func(e loggedEvent) {
		result.missing("task %s was completed and is not followed (event %s)", e.Key, e.ID)
	})
}

// due says whether a completed task has a next occurrence that does not exist,
// as recurring-task works it out.
func (c *comparison) due(ctx context.Context, t event.Task) (bool, error) {
	places, err := query[int](ctx, c.Reconciler, `SELECT count(*) FROM recurring.occurrences
		WHERE series_id = ? AND occurrence <= ? AND status <> 'missed'`, *t.SeriesID, *t.Occurrence)
	if err != nil {
		return false, fmt.Errorf("count the occurrences of series %s: %w", *t.SeriesID, err)
	}
	rule := t.Recurrence.Rule(t.Timezone, t.AllDay)
	after := *t.CompletedAt
	if rule.Basis == recurrence.BasisDue && rule.Missed == recurrence.MissedCollapse && t.DueAt != nil && t.DueAt.After(after) {
		after = *t.DueAt
	}
	step, err := rule.Next(recurrence.Position{Wall: *t.Occurrence, Ordinal: max(1, places[0])}, after)
	if err != nil || step.Next == nil {
		// A rule that says nothing makes a dead letter, which is seen by itself.
		return false, nil //nolint:nilerr // see above
	}
	exists, err := query[bool](ctx, c.Reconciler, "SELECT EXISTS (SELECT FROM task.tasks WHERE id = ?)", event.OccurrenceID(*t.SeriesID, step.Next.Wall))
	if err != nil {
		return false, fmt.Errorf("look for an occurrence: %w", err)
	}
	return !exists[0], nil
}
