package task

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
)

// Subtasks without a rule are a checklist: they are done and reopened with their task,
// and each occurrence of a recurring task begins with copies of them. A subtask with a
// rule goes its own way, and only moves along to where its parent's series is.

// batch is how many subtasks are read at once: those that recur leave as many behind as
// they have been done.
const batch = 2 * maxSubtasks

// subtasksOf reads a batch of the subtasks of a task that meet a condition, locked, by id.
func subtasksOf(ctx context.Context, tx *change.Tx, parent uuid.UUID, lock, where string, args ...any) ([]*Task, error) {
	var found []*Task
	q := tx.NewSelect().Model(&found).Where("parent_id = ?", parent).OrderExpr("id").Limit(batch).For(lock)
	if where != "" {
		q = q.Where(where, args...)
	}
	if err := q.Scan(ctx); err != nil {
		return nil, fmt.Errorf("read the subtasks: %w", err)
	}
	return found, readReminders(ctx, tx, found, lock)
}

// completeSubtasks completes the open checklist of a task that was completed, or reopens
// what was completed with it.
func completeSubtasks(ctx context.Context, tx *change.Tx, before, t *Task) error {
	where, args, kind := "recurrence IS NULL AND NOT is_complete", []any(nil), event.TaskCompleted
	if !t.IsComplete {
		where, args, kind = "recurrence IS NULL AND is_complete AND completed_at = ?", []any{*before.CompletedAt}, event.TaskUpdated
	}
	for {
		subtasks, err := subtasksOf(ctx, tx, t.ID, "UPDATE", where, args...)
		if err != nil {
			return err
		}
		for _, sub := range subtasks {
			was := sub.clone()
			sub.complete(t.IsComplete, tx.Now)
			if err := save(ctx, tx, was, sub, kind); err != nil {
				return err
			}
		}
		if len(subtasks) < batch {
			return nil
		}
	}
}

// copySubtasks copies the checklist of the last occurrence to the next one, open.
func copySubtasks(ctx context.Context, tx *change.Tx, last, next *Task) error {
	subtasks, err := subtasksOf(ctx, tx, last.ID, "SHARE", "recurrence IS NULL")
	if err != nil {
		return err
	}
	for _, sub := range subtasks {
		c, err := sub.copyUnder(last, next, tx.Now)
		if err != nil {
			return err
		}
		c.madeBySeries(c.Version)
		if err := insert(ctx, tx, c, nil); err != nil {
			return err
		}
	}
	return nil
}

// copyUnder is a subtask of last, open again under next. It keeps its distance
// in time from its parent.
func (t *Task) copyUnder(last, next *Task, now time.Time) (*Task, error) {
	c := t.clone()
	id, err := uuid.NewV7()
	if err != nil {
		return nil, fmt.Errorf("make a task id: %w", err)
	}
	c.ID, c.ParentID, c.ListID = id, &next.ID, next.ListID
	c.SeriesID, c.Occurrence, c.FollowsID, c.Followed = nil, nil, nil, false
	by, err := last.distance(next)
	if err != nil {
		return nil, err
	}
	if t.DueAt != nil {
		at, err := shift(*t.DueAt, by, t.Timezone, t.AllDay)
		if err != nil {
			return nil, err
		}
		c.DueAt = &at
	}
	return c, c.start(by, now)
}

// moveSubtasks moves the open subtasks with a rule to the occurrence that follows
// their parent: they are left as they are, and stay beside its checklist. What of them is
// done and not followed yet is followed first: its parent may be about to go.
func moveSubtasks(ctx context.Context, tx *change.Tx, last, next *Task) error {
	done, err := subtasksOf(ctx, tx, last.ID, "UPDATE", "recurrence IS NOT NULL AND series_id IS NOT NULL AND is_complete AND NOT followed AND id <> ?", next.ID)
	if err != nil {
		return err
	}
	for _, sub := range done {
		if _, err := followUnder(ctx, tx, sub, false, &next.ID); err != nil {
			return err
		}
		if err := markFollowed(ctx, tx, sub); err != nil {
			return err
		}
	}
	return moveAll(ctx, tx, last.ID, next.ID, "NOT is_complete")
}

// moveAll moves the subtasks with a rule that meet a condition to another parent, which may
// be one of them.
func moveAll(ctx context.Context, tx *change.Tx, from, to uuid.UUID, where string, args ...any) error {
	for {
		subtasks, err := subtasksOf(ctx, tx, from, "UPDATE", "recurrence IS NOT NULL AND id <> ? AND "+where, append([]any{to}, args...)...)
		if err != nil {
			return err
		}
		if err := move(ctx, tx, subtasks, to); err != nil || len(subtasks) < batch {
			return err
		}
	}
}

// touchParent notes that somebody has changed the checklist that a task is of: what its
// series made is no more as it made it. The version that was is kept, below zero.
func touchParent(ctx context.Context, tx *change.Tx, parent *uuid.UUID) error {
	return setTouched(ctx, tx, parent, "pristine_version > 0")
}

// untouchParent notes that such a change was undone. Of two changes each can be: what else
// is not as the series made it is looked for in the checklist.
func untouchParent(ctx context.Context, tx *change.Tx, parent *uuid.UUID) error {
	return setTouched(ctx, tx, parent, "pristine_version < 0")
}

func setTouched(ctx context.Context, tx *change.Tx, parent *uuid.UUID, where string) error {
	if parent == nil {
		return nil
	}
	may := tx.Actor.Tasks()
	_, err := tx.NewUpdate().Model((*Task)(nil)).Set("pristine_version = -pristine_version").Where("id = ?", *parent).Where(where).Where(may.SQL, may.Args...).Exec(ctx)
	if err != nil {
		return fmt.Errorf("note that the checklist was changed: %w", err)
	}
	return nil
}

func move(ctx context.Context, tx *change.Tx, subtasks []*Task, parent uuid.UUID) error {
	for _, sub := range subtasks {
		was := sub.clone()
		sub.ParentID = &parent
		sub.carriedOn(sub.Version + 1)
		if err := save(ctx, tx, was, sub, event.TaskUpdated); err != nil {
			return err
		}
	}
	return nil
}

// parentNow is the parent that the next occurrence of a subtask belongs under: where
// its own parent was completed and followed, the open one of that series. It is locked:
// whoever deletes it meanwhile has it first.
func parentNow(ctx context.Context, tx *change.Tx, id *uuid.UUID) (*uuid.UUID, error) {
	if id == nil {
		return nil, nil
	}
	var now uuid.UUID
	err := tx.NewRaw(`SELECT n.id FROM task.tasks p JOIN task.tasks n ON n.series_id = p.series_id AND n.created_at > p.created_at AND NOT n.is_complete
		WHERE p.id = ? AND p.is_complete ORDER BY n.created_at LIMIT 1 FOR KEY SHARE OF n`, *id).Scan(ctx, &now)
	if errors.Is(err, sql.ErrNoRows) {
		return id, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for the parent's next occurrence: %w", err)
	}
	return &now, nil
}
