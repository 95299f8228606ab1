package task

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/page"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
)

// Erase deletes some of the tasks of a list that goes with the account whose it was, past
// the trash, and says whether that was all. Each has its event, without what it said: the
// consumers get the event that it is gone, and no other after it.
func Erase(ctx context.Context, tx *change.Tx, list uuid.UUID) (done bool, err error) {
	var found []*Task
	// Subtasks first: a parent goes after the last of them. To find these all are not sorted,
	// but some, whichever come first in an index, with their subtasks: where those are more
	// than a batch, none of the parents is in it.
	err = tx.NewSelect().Model(&found).Where(`id = ANY (ARRAY(WITH first AS MATERIALIZED (
			SELECT id`+page.Unsortable+` FROM task.tasks WHERE list_id = ?0 ORDER BY is_complete, created_at, id LIMIT ?1
		)
		SELECT id FROM first UNION (SELECT s.id FROM first CROSS JOIN LATERAL (SELECT id FROM task.tasks WHERE parent_id = first.id OFFSET 0) s LIMIT ?1)))`, list, batch).
		Where("(list_id = ?) IS TRUE", list).OrderExpr("parent_id IS NULL, id").Limit(batch).For("UPDATE").Scan(ctx)
	if err != nil {
		return false, fmt.Errorf("read the tasks of a list that goes: %w", err)
	}
	var series []uuid.UUID
	for _, t := range found {
		if t.SeriesID != nil {
			series = append(series, *t.SeriesID)
		}
		t.Title, t.Description, t.Tags, t.Reminders = event.ErasedTitle, "", []string{}, nil
		before := t.clone()
		t.Version++
		if err := appendEvents(tx, []string{event.TaskDeleted}, before, t, map[string]any{event.MetaErased: true}); err != nil {
			return false, err
		}
		if _, err := tx.NewDelete().Model(t).WherePK().Exec(ctx); err != nil {
			return false, fmt.Errorf("delete a task of a list that goes: %w", err)
		}
		gone(tx, t.ID)
	}
	if len(found) > 0 {
		return false, forgetSeries(ctx, tx, series)
	}
	var trashed []struct {
		ID       uuid.UUID  `bun:"id"`
		SeriesID *uuid.UUID `bun:"series_id"`
	}
	err = tx.NewRaw("DELETE FROM task.trash WHERE id = ANY (ARRAY(SELECT id FROM task.trash WHERE list_id = ? ORDER BY id LIMIT ?)) RETURNING id, series_id", list, batch).Scan(ctx, &trashed)
	if err != nil {
		return false, fmt.Errorf("empty the trash of a list that goes: %w", err)
	}
	for _, t := range trashed {
		if t.SeriesID != nil {
			series = append(series, *t.SeriesID)
		}
		gone(tx, t.ID)
	}
	return len(trashed) == 0, forgetSeries(ctx, tx, series)
}

// gone notes that there was a task, of which there are to be no more events.
func gone(tx *change.Tx, id uuid.UUID) {
	tx.Queue("INSERT INTO task.purged (id, with_account) VALUES (?, true) ON CONFLICT (id) DO UPDATE SET with_account = true", id)
}
