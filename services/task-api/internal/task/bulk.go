package task

import (
	"context"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/page"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
)

// Step is one of several changes that are made together.
type Step struct {
	id uuid.UUID // of the task; Nil for a new one
	// do answers the task as it is then; nil for one that is deleted.
	do func(ctx context.Context, tx *change.Tx) (*Task, error)
}

// CreateStep adds a task.
func CreateStep(draft Draft) Step {
	return Step{do: func(ctx context.Context, tx *change.Tx) (*Task, error) {
		return create(ctx, tx, uuid.Must(uuid.NewV7()), draft)
	}}
}

// PatchStep changes parts of a task.
func PatchStep(id uuid.UUID, match Versions, patch Patch) Step {
	return Step{id, func(ctx context.Context, tx *change.Tx) (*Task, error) {
		return patch.edit(ScopeThis).in(ctx, tx, id, match)
	}}
}

// CompleteStep sets whether a task is complete; nil toggles it.
func CompleteStep(id uuid.UUID, match Versions, complete *bool) Step {
	return Step{id, func(ctx context.Context, tx *change.Tx) (*Task, error) {
		return completion(complete).in(ctx, tx, id, match)
	}}
}

// MoveStep moves a task.
func MoveStep(id uuid.UUID, match Versions, to Move) Step {
	return Step{id, func(ctx context.Context, tx *change.Tx) (*Task, error) {
		e, err := to.edit(id)
		if err != nil {
			return nil, err
		}
		return e.in(ctx, tx, id, match)
	}}
}

// DeleteStep moves a task into the trash.
func DeleteStep(id uuid.UUID, match Versions) Step {
	return Step{id, func(ctx context.Context, tx *change.Tx) (*Task, error) { return nil, moveToTrash(ctx, tx, id, match) }}
}

// What steps have written is sent after so many of them, or so many bytes of events: one
// that deletes a task with a long checklist has as many events as 200 others.
const (
	flushEvery = 50
	flushBytes = 1 << 20
)

// Together makes changes in one transaction, one after another: all of them, or, where
// one is refused, none. Then it says which that was. It answers each task as it is then;
// where their texts are more than a page has room for, nil for those that come later and
// are not new.
func (s *Store) Together(ctx context.Context, actor access.Actor, steps []Step) (tasks []*Task, failed int, err error) {
	err = s.Changes.Do(ctx, actor, func(ctx context.Context, tx *change.Tx) error {
		tasks = make([]*Task, len(steps))
		kept := 0
		if ids := idsOf(steps); len(ids) > 1 { // one locks what it needs
			lockAll(tx, ids)
		}
		for i, step := range steps {
			failed = i
			t, err := step.do(ctx, tx)
			if err != nil {
				return err
			}
			if t != nil {
				if kept += len(t.Title) + len(t.Description); kept <= page.Bytes || step.id == uuid.Nil {
					tasks[i] = t
				}
			}
			if i%flushEvery == flushEvery-1 || tx.Waiting() > flushBytes {
				if err := tx.Flush(ctx); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return tasks, failed, err
}

func idsOf(steps []Step) (ids []uuid.UUID) {
	for _, step := range steps {
		if step.id != uuid.Nil {
			ids = append(ids, step.id)
		}
	}
	return ids
}

// lockAll locks what is about to be changed in the order of all locks, not in that of the
// changes: two that have the same tasks in another order would wait for each other.
func lockAll(tx *change.Tx, ids []uuid.UUID) {
	may := tx.Actor.Known()
	args := append([]any{ids}, may.Args...)
	mine := " WHERE id = ANY (?) AND " + may.SQL
	if tx.Actor.Service == "" {
		// An array, so that their lists are found by the tasks, and not the tasks in each list.
		tx.Queue("SELECT FROM task.members WHERE user_id = ? AND list_id = ANY (ARRAY(SELECT list_id FROM task.tasks"+mine+")) ORDER BY list_id FOR KEY SHARE", append([]any{tx.Actor.UserID}, args...)...)
	}
	tx.Queue("SELECT pg_advisory_xact_lock(s.lock) FROM (SELECT DISTINCT hashtextextended(series_id::text, 0) AS lock FROM task.tasks"+mine+" AND series_id IS NOT NULL ORDER BY 1) s", args...)
	tx.Queue("SELECT FROM task.tasks WHERE id IN (SELECT parent_id FROM task.tasks"+mine+") ORDER BY id FOR NO KEY UPDATE", args...)
	tx.Queue("SELECT FROM task.tasks"+mine+" ORDER BY id FOR UPDATE", args...)
}
