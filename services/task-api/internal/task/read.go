package task

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/services/task-api/internal/access"
)

// ByID reads those of some tasks that the actor may see.
func (s *Store) ByID(ctx context.Context, actor access.Actor, ids []uuid.UUID) (map[uuid.UUID]*Task, error) {
	found := make(map[uuid.UUID]*Task, len(ids))
	if len(ids) == 0 {
		return found, nil
	}
	tasks, err := s.readAll(ctx, actor.Tasks().And("id IN (?)", bun.List(ids)), len(ids))
	for _, t := range tasks {
		found[t.ID] = t
	}
	return found, err
}

// InList reads up to limit tasks of a list of the actor, behind an id.
func (s *Store) InList(ctx context.Context, actor access.Actor, list, behind uuid.UUID, limit int) ([]*Task, error) {
	return s.readAll(ctx, actor.Tasks().And("list_id = ? AND id > ?", list, behind), limit)
}

func (s *Store) readAll(ctx context.Context, where access.Condition, limit int) ([]*Task, error) {
	var tasks []*Task
	err := s.DB.NewSelect().Model(&tasks).ColumnExpr("t.*").ColumnExpr(withReminders).Where(where.SQL, where.Args...).OrderExpr("id").Limit(int64(limit)).Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("read %d tasks: %w", limit, err)
	}
	return tasks, nil
}
