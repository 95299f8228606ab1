package reconcile

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/services/task-api/internal/task"
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
		events[t.ID] = e
	}
	// A task that is gone, open again, or recurs no more need not be followed.
	unfollowed, err := query[uuid.UUID](ctx, c.Reconciler, `SELECT id FROM task.tasks WHERE id = ANY(?::uuid[]) AND is_complete AND NOT followed AND recurrence IS NOT NULL`,
		pgdialect.Array(texts(ids)))
	if err != nil {
		return fmt.Errorf("look for what follows: %w", err)
	}
	var lost []loggedEvent
	for _, id := range unfollowed {
		var missing bool
		err := c.reading(ctx, func(ctx context.Context, tx bun.Tx) (err error) {
			missing, err = task.Unfollowed(ctx, tx, id)
			return err
		})
		if err != nil {
			return err
		}
		if missing {
			lost = append(lost, events[id])
		}
	}
	without, err := c.account(ctx, recurringTask, lost, result)
	if err != nil {
		return err
	}
	// A task is followed once, however often its completion is handled.
	inbox := func(ctx context.Context, ids []uuid.UUID) ([]string, error) {
		return c.handled(ctx, recurringTask.schema, ids)
	}
	return result.lack(ctx, recurringTask, without, inbox, func(e loggedEvent) string {
		return fmt.Sprintf("task %s was completed and is not followed (event %s)", e.Key, e.ID)
	})
}
