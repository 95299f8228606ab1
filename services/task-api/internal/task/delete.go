package task

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
	"github.com/taskwire/taskwire/services/task-api/internal/refuse"
)

// Delete moves a task of the actor and its subtasks into the trash, with an event for
// each. With its open occurrence a series ends; deleting a finished one ends nothing.
func (s *Store) Delete(ctx context.Context, actor access.Actor, id uuid.UUID, match Versions) error {
	return s.Changes.Do(ctx, actor, func(ctx context.Context, tx *change.Tx) error { return moveToTrash(ctx, tx, id, match) })
}

func moveToTrash(ctx context.Context, tx *change.Tx, id uuid.UUID, match Versions) error {
	t, err := lock(ctx, tx, id)
	if err != nil {
		return err
	}
	if !match.Allow(t.Version) {
		return errStale
	}
	if t.Recurrence == nil {
		if err := touchParent(ctx, tx, t.ParentID); err != nil {
			return err
		}
	}
	outcome := ""
	switch {
	case t.SeriesID == nil:
	case !t.IsComplete:
		if outcome, err = outcomeOf(ctx, tx, t); err != nil {
			return err
		}
	case t.recurs() && !t.Followed:
		// Whoever was to have it followed will not find it any more.
		if _, err := follow(ctx, tx, t, false); err != nil {
			return err
		}
	default:
		// What is under it and goes on by itself does so elsewhere.
		next, err := openAfter(ctx, tx, t)
		if err == nil && next != nil {
			err = moveSubtasks(ctx, tx, t, next)
		}
		if err != nil {
			return err
		}
	}
	return remove(ctx, tx, t, removal{outcome: outcome, root: t.ID})
}

// outcomeOf says what becomes of the series of an open task that is deleted.
func outcomeOf(ctx context.Context, tx *change.Tx, t *Task) (string, error) {
	var goesOn bool
	err := tx.NewRaw(`SELECT EXISTS (SELECT FROM task.tasks WHERE series_id = ? AND id <> ?
		AND (NOT is_complete OR NOT followed AND recurrence IS NOT NULL))`, *t.SeriesID, t.ID).Scan(ctx, &goesOn)
	if err != nil {
		return "", fmt.Errorf("look for another open occurrence: %w", err)
	}
	if goesOn {
		return event.Skipped, nil
	}
	return event.Ended, nil
}

// Skip deletes an open occurrence and answers the next one.
func (s *Store) Skip(ctx context.Context, actor access.Actor, id uuid.UUID, match Versions) (*Task, error) {
	var next *Task
	err := s.Changes.Do(ctx, actor, func(ctx context.Context, tx *change.Tx) error {
		t, err := lock(ctx, tx, id)
		switch {
		case err != nil:
			return err
		case !match.Allow(t.Version):
			return errStale
		case !t.recurs():
			return refuse.Because(refuse.NotRecurring, "the task does not recur; delete it instead")
		case t.IsComplete:
			return refuse.Because(refuse.AlreadyComplete, "the occurrence is complete; reopen it first")
		}
		f, err := follow(ctx, tx, t, true)
		if err != nil {
			return err
		}
		if next = f.Next; next == nil {
			return refuse.Because(refuse.LastOccurrence, "nothing follows the last occurrence of a rule; complete it, or delete it to end the series")
		}
		if !f.Created {
			if err := readReminders(ctx, tx, []*Task{next}, ""); err != nil {
				return err
			}
		}
		return letSkip(ctx, tx, t, next.ID)
	})
	return next, err
}

// letSkip has the series of a task go on without it. What was said about it goes on with
// another, and comes back with it.
func letSkip(ctx context.Context, tx *change.Tx, t *Task, other uuid.UUID) error {
	var said []uuid.UUID
	if err := tx.NewRaw("UPDATE task.comments SET task_id = ? WHERE task_id = ? RETURNING id", other, t.ID).Scan(ctx, &said); err != nil {
		return fmt.Errorf("move what was said about the task: %w", err)
	}
	if err := remove(ctx, tx, t, removal{event.Skipped, t.ID, true}); err != nil {
		return err
	}
	if len(said) > 0 {
		tx.Queue("UPDATE task.trash SET comments = to_jsonb(?::uuid[]) WHERE id = ?", said, t.ID)
	}
	return nil
}

// takeBack removes what follows a task that was reopened, as long as nobody has touched
// or commented on it or its subtasks: completing the task again brings it back. Else both stand.
// List is where the two were, if not where the task is.
func takeBack(ctx context.Context, tx *change.Tx, t *Task, list uuid.UUID) error {
	if _, err := tx.NewUpdate().Model((*Task)(nil)).Set("followed = false").Where("id = ?", t.ID).Exec(ctx); err != nil {
		return fmt.Errorf("mark the task as not followed: %w", err)
	}
	next, untouched, err := follower(ctx, tx, t, list)
	if err != nil || next == nil || !untouched {
		return err
	}
	// What has come along goes back.
	if err := moveAll(ctx, tx, next.ID, t.ID, "true"); err != nil {
		return err
	}
	return remove(ctx, tx, next, removal{event.TakenBack, next.ID, true})
}

// follower is what follows a task, if it is there, and whether it is open, in the task's
// list or in this one, and it and what belongs to it are as the series made them.
func follower(ctx context.Context, tx *change.Tx, t *Task, list uuid.UUID) (next *Task, untouched bool, err error) {
	var found []*Task
	err = tx.NewSelect().Model(&found).Where("follows_id = ?", t.ID).OrderExpr("is_complete, created_at DESC").Limit(1).For("UPDATE").Scan(ctx)
	if err != nil {
		return nil, false, fmt.Errorf("read what follows the task: %w", err)
	}
	if len(found) == 0 {
		return nil, false, nil
	}
	next = found[0]
	if err := readReminders(ctx, tx, found, "UPDATE"); err != nil || next.IsComplete || next.ListID != list && next.ListID != t.ListID || !next.pristine() {
		return next, false, err
	}
	checklist, err := subtasksOf(ctx, tx, next.ID, "UPDATE", "recurrence IS NULL")
	if err != nil {
		return next, false, err
	}
	for _, sub := range checklist {
		if !sub.pristine() || !sub.CreatedAt.Equal(next.CreatedAt) {
			return next, false, nil
		}
	}
	added, err := tx.NewSelect().Model((*Task)(nil)).Where("parent_id = ?", next.ID).Where("recurrence IS NOT NULL").
		Where("follows_id IS NULL").Where("created_at > ?", next.CreatedAt).Exists(ctx)
	if err != nil {
		return next, false, fmt.Errorf("look for subtasks that were added: %w", err)
	}
	if added {
		return next, false, nil
	}
	ids := []uuid.UUID{next.ID}
	for _, sub := range checklist {
		ids = append(ids, sub.ID)
	}
	// Who comments locks the task first.
	commented, err := tx.NewSelect().Table("task.comments").Where("task_id IN (?)", bun.List(ids)).Exists(ctx)
	if err != nil {
		return next, false, fmt.Errorf("look for comments on what follows the task: %w", err)
	}
	return next, !commented, nil
}

// removal is how a task goes.
type removal struct {
	outcome string    // of an occurrence that was open
	root    uuid.UUID // with what it goes into the trash
	letGo   bool      // by its series, see insertTrash
}

// remove deletes a task and its subtasks.
func remove(ctx context.Context, tx *change.Tx, t *Task, how removal) error {
	var series []uuid.UUID
	one := func(t *Task, outcome string) error {
		if t.SeriesID != nil {
			series = append(series, *t.SeriesID)
		}
		return removeOne(ctx, tx, t, removal{outcome, how.root, how.letGo})
	}
	for {
		subtasks, err := subtasksOf(ctx, tx, t.ID, "UPDATE", "")
		if err != nil {
			return err
		}
		for _, sub := range subtasks {
			became := ""
			if sub.SeriesID != nil && !sub.IsComplete {
				if became, err = outcomeOf(ctx, tx, sub); err != nil {
					return err
				}
			}
			if err := one(sub, became); err != nil {
				return err
			}
		}
		if len(subtasks) < batch {
			break
		}
		// Subtasks that recur leave as many as they have been done.
		if err := tx.Flush(ctx); err != nil {
			return err
		}
	}
	if err := one(t, how.outcome); err != nil {
		return err
	}
	return forgetSeries(ctx, tx, series)
}

// lastReminded is the latest moment that the task has reminded for, or has let pass.
func (t *Task) lastReminded() *time.Time {
	var last *time.Time
	for _, r := range t.Reminders {
		for _, at := range []*time.Time{r.FiredFor, r.PassedFor} {
			if at != nil && (last == nil || at.After(*last)) {
				last = at
			}
		}
	}
	return last
}

func removeOne(ctx context.Context, tx *change.Tx, t *Task, how removal) error {
	before := t.clone()
	outcome := how.outcome
	t.Version++
	insertTrash(tx, t, how.root, how.letGo)
	var about map[string]any
	if outcome != "" {
		about = map[string]any{event.MetaOccurrence: outcome}
	}
	if err := appendEvents(tx, []string{event.TaskDeleted}, before, t, about); err != nil {
		return err
	}
	if _, err := tx.NewDelete().Model(t).WherePK().Exec(ctx); err != nil {
		return fmt.Errorf("delete the task: %w", err)
	}
	if t.SeriesID == nil || t.Occurrence == nil {
		return nil
	}
	at, err := t.stoodFor()
	if err != nil {
		return err
	}
	_, err = tx.NewRaw(`INSERT INTO task.gone_occurrences (series_id, task_id, occurrence, at, all_day, version, created_at, taken_back, reminded) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		*t.SeriesID, t.ID, *t.Occurrence, at, t.AllDay, t.Version, t.CreatedAt, outcome == event.TakenBack, t.lastReminded()).Exec(ctx)
	if err != nil {
		return fmt.Errorf("remember the occurrence: %w", err)
	}
	return nil
}
