package task

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
	"github.com/taskwire/taskwire/services/task-api/internal/refuse"
)

// CreateAs adds a task of the actor with an id that he has chosen, and says so. Where
// the task is there it answers that, for ever: a client that was cut off asks again.
func (s *Store) CreateAs(ctx context.Context, actor access.Actor, id uuid.UUID, draft Draft) (t *Task, created bool, err error) {
	if err := checkChosen(id); err != nil {
		return nil, false, err
	}
	err = twice(func() error {
		return s.Changes.Do(ctx, actor, func(ctx context.Context, tx *change.Tx) error {
			if t, err = chosen(ctx, tx, id); err != nil || t != nil {
				created = false
				return err
			}
			created = true
			t, err = create(ctx, tx, id, draft)
			return err
		})
	})
	return t, created, err
}

func checkChosen(id uuid.UUID) error {
	if v := id.Version(); v != 4 && v != 7 || id.Variant() != uuid.RFC4122 {
		return refuse.Part("id", "must be a UUID of version 7 or 4 (RFC 9562)")
	}
	return nil
}

// twice tries again where the same request, at the same time, was there first.
func twice(try func() error) error {
	err := try()
	if database.IsUniqueViolation(err) {
		err = try()
	}
	return err
}

// chosen is the task with an id that a client has chosen, or nil where nothing has it yet.
func chosen(ctx context.Context, tx *change.Tx, id uuid.UUID) (*Task, error) {
	t, err := read(ctx, tx, id)
	if !errors.Is(err, errNotFound) {
		return t, err
	}
	trash := tx.Actor.Trash()
	var there, inTrash bool
	err = tx.NewRaw("SELECT EXISTS (SELECT FROM task.tasks WHERE id = ?) OR EXISTS (SELECT FROM task.trash WHERE id = ?) OR EXISTS (SELECT FROM task.gone_occurrences WHERE task_id = ?)"+
		" OR EXISTS (SELECT FROM task.purged WHERE id = ?) OR EXISTS (SELECT FROM task.lists WHERE id = ?), EXISTS (SELECT FROM task.trash x WHERE x.id = ? AND "+trash.SQL+")",
		append([]any{id, id, id, id, id, id}, trash.Args...)...).Scan(ctx, &there, &inTrash)
	switch {
	case err != nil:
		return nil, fmt.Errorf("look for the id: %w", err)
	case inTrash:
		return nil, refuse.Because(refuse.InTrash, "the task is in the trash; restore it")
	case there:
		// Unless the same request, at the same time, has been there since.
		if t, err = read(ctx, tx, id); errors.Is(err, errNotFound) {
			return nil, refuse.Because(refuse.IDTaken, "the id is that of something else; choose another")
		}
		return t, err
	}
	return nil, nil
}
