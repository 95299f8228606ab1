package task

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
	"github.com/taskwire/taskwire/services/task-api/internal/refuse"
)

// Store keeps the tasks in Postgres. Each of its changes is one transaction.
//
// Locks are taken from above: a series, a parent, then its task, then the subtasks of
// that by id, and reminders last. A task that moves under another parent is locked
// with that one in the order of their ids.
type Store struct {
	DB      *bun.DB
	Changes *change.Writer
}

var errNotFound = refuse.Missing("task")

// Get reads a task of the actor.
func (s *Store) Get(ctx context.Context, actor access.Actor, id uuid.UUID) (*Task, error) {
	return read(ctx, s.DB, actor, id, "")
}

// read finds a task of the actor, locked when lock says how.
func read(ctx context.Context, db bun.IDB, actor access.Actor, id uuid.UUID, lock string) (*Task, error) {
	t, may := new(Task), actor.Tasks()
	q := db.NewSelect().Model(t).Where("id = ?", id).Where(may.SQL, may.Args...)
	if lock != "" {
		q = q.For(lock)
	}
	if err := q.Scan(ctx); errors.Is(err, sql.ErrNoRows) {
		return nil, errNotFound
	} else if err != nil {
		return nil, fmt.Errorf("read the task: %w", err)
	}
	return t, readReminders(ctx, db, []*Task{t}, lock)
}

func readReminders(ctx context.Context, db bun.IDB, tasks []*Task, lock string) error {
	if len(tasks) == 0 {
		return nil
	}
	byID := make(map[uuid.UUID]*Task, len(tasks))
	ids := make([]uuid.UUID, len(tasks))
	for i, t := range tasks {
		ids[i], byID[t.ID] = t.ID, t
	}
	var found []Reminder
	q := db.NewSelect().Model(&found).Where("task_id IN (?)", bun.List(ids)).OrderExpr("task_id, ordinal, id")
	if lock != "" {
		q = q.For(lock)
	}
	if err := q.Scan(ctx); err != nil {
		return fmt.Errorf("read the reminders: %w", err)
	}
	for _, r := range found {
		byID[r.TaskID].Reminders = append(byID[r.TaskID].Reminders, r)
	}
	return nil
}
