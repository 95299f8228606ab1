package comment

import (
	"context"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/services/task-api/internal/access"
)

// ByID reads those of some comments that the actor may see.
func (s *Store) ByID(ctx context.Context, actor access.Actor, ids []uuid.UUID) (map[uuid.UUID]*Comment, error) {
	found := make(map[uuid.UUID]*Comment, len(ids))
	if len(ids) == 0 {
		return found, nil
	}
	comments, err := read(ctx, s.DB, actor, "c.id IN (?)", bun.List(ids))
	for _, c := range comments {
		found[c.ID] = c
	}
	return found, err
}

// InList reads up to limit comments on the tasks of a list of the actor, behind an id.
func (s *Store) InList(ctx context.Context, actor access.Actor, list, behind uuid.UUID, limit int) ([]*Comment, error) {
	return read(ctx, s.DB, actor, "t.list_id = ? AND c.id > ? ORDER BY c.id LIMIT ?", list, behind, limit)
}
