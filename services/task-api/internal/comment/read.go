package comment

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"

	"github.com/taskwire/taskwire/services/task-api/internal/access"
)

// ByID reads those of some comments that the actor may see.
func (s *Store) ByID(ctx context.Context, actor access.Actor, ids []uuid.UUID) (map[uuid.UUID]*Comment, error) {
	found := make(map[uuid.UUID]*Comment, len(ids))
	if len(ids) == 0 {
		return found, nil
	}
	comments, err := read(ctx, s.DB, actor, is("c.id IN (?)", bun.List(ids)), "")
	for _, c := range comments {
		found[c.ID] = c
	}
	return found, err
}

// Written reads up to limit comments that the actor has written, of those that he may see,
// behind an id.
func (s *Store) Written(ctx context.Context, actor access.Actor, behind uuid.UUID, limit int) ([]*Comment, error) {
	const order = " ORDER BY c.id"
	return read(ctx, s.DB, actor, first("c.author_id = ? AND c.id > ?", order, actor.UserID, behind), order+" LIMIT ?", limit)
}

// Counted is a task and how many comments it has.
type Counted struct {
	TaskID   uuid.UUID `bun:"task_id"`
	Comments int       `bun:"comments"`
}

// Count reads which of some tasks have comments, whoever may see them, and how many.
func (s *Store) Count(ctx context.Context, tasks []uuid.UUID) ([]Counted, error) {
	var counted []Counted
	err := s.DB.NewRaw("SELECT task_id, count(*) AS comments FROM task.comments WHERE task_id IN (?) GROUP BY task_id ORDER BY task_id", bun.List(tasks)).Scan(ctx, &counted)
	if err != nil {
		return nil, fmt.Errorf("count the comments on %d tasks: %w", len(tasks), err)
	}
	return counted, nil
}

// On reads up to limit comments on some tasks of the actor, task by task, behind one; nil is
// the beginning.
func (s *Store) On(ctx context.Context, actor access.Actor, tasks []uuid.UUID, behind *Comment, limit int) ([]*Comment, error) {
	if behind == nil {
		behind = &Comment{}
	}
	of := first("c.task_id = o.id AND (c.created_at, c.id) > (CASE o.id WHEN ? THEN ? ELSE timestamptz '-infinity' END, CASE o.id WHEN ? THEN ? ELSE ?::uuid END)",
		" ORDER BY c.created_at, c.id LIMIT ?", behind.TaskID, behind.CreatedAt, behind.TaskID, behind.ID, uuid.Nil, limit)
	some := query{
		"SELECT " + columns + " FROM unnest(?::uuid[]) o (id) CROSS JOIN LATERAL (" + of.sql + ") c WHERE o.id >= ?",
		slices.Concat([]any{pgdialect.Array(tasks)}, of.args, []any{behind.TaskID}),
	}
	return read(ctx, s.DB, actor, some, " ORDER BY c.task_id, c.created_at, c.id LIMIT ?", limit)
}
