package task

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/page"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
)

// ByID reads those of some tasks that the actor may see.
func (s *Store) ByID(ctx context.Context, actor access.Actor, ids []uuid.UUID) (map[uuid.UUID]*Task, error) {
	found := make(map[uuid.UUID]*Task, len(ids))
	if len(ids) == 0 {
		return found, nil
	}
	tasks, err := s.readAll(ctx, actor.Known().And("id IN (?)", bun.List(ids)), len(ids))
	for _, t := range tasks {
		found[t.ID] = t
	}
	return found, err
}

// InList reads up to limit tasks of a list of the actor, the oldest first, behind a place;
// fewer where their texts are as long as a page may be. None are left where it reads none.
func (s *Store) InList(ctx context.Context, actor access.Actor, list uuid.UUID, after *page.Place, limit int) ([]*Task, error) {
	l := s.listingOf(actor, Query{Sort: "created_at", ListIDs: []uuid.UUID{list}})
	var c *cursor
	if after != nil {
		at := after.At.UTC().Format(time.RFC3339Nano)
		c = &cursor{Value: &at, ID: after.ID}
	}
	if err := l.filter(ctx, Query{}); err != nil {
		return nil, err
	}
	l.after(c, Query{})
	rows, err := l.walkAll(ctx, limit, nil)
	if err != nil {
		return nil, fmt.Errorf("read %d tasks of a list: %w", limit, err)
	}
	return tasksOf(rows), nil
}

func (s *Store) readAll(ctx context.Context, where access.Condition, limit int) ([]*Task, error) {
	var tasks []*Task
	err := s.DB.NewSelect().Model(&tasks).ColumnExpr("t.*").ColumnExpr(withReminders).Where(where.SQL, where.Args...).OrderExpr("id").Limit(int64(limit)).Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("read %d tasks: %w", limit, err)
	}
	return tasks, nil
}
