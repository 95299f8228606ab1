package list

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
	"github.com/taskwire/taskwire/services/task-api/internal/refuse"
	"github.com/taskwire/taskwire/services/task-api/internal/task"
)

// Undo takes back what a request has made of a list, of which the log says l. What has
// been changed since stays: then it returns a refusal that names what differs.
func Undo(ctx context.Context, tx *change.Tx, l change.Logged) error {
	_, target, _ := strings.Cut(l.Target, "/")
	id, err := uuid.Parse(target)
	if err != nil {
		return fmt.Errorf("read which list an event is of: %w", err)
	}
	if err := tx.Actor.ChangesLists(); err != nil {
		return err
	}
	if l.Action == event.ListDeleted {
		others, err := tx.NewSelect().Table("task.trash").Where("id = ?", id).Where("deleted_by <> ?", tx.Actor.UserID).Exists(ctx)
		if err != nil {
			return fmt.Errorf("look who has deleted the list: %w", err)
		}
		if others {
			return differs(id, "", "was restored since, and deleted by somebody else")
		}
		_, err = task.Restore(ctx, tx, id)
		if refused := (*refuse.Error)(nil); errors.As(err, &refused) && refused.Code == refuse.NotFound {
			// It may be back, or gone for good; for whoever is no member it never was.
			if _, err := one(ctx, tx, tx.Actor, id); err != nil {
				return err
			}
			return differs(id, "", "is there again")
		}
		return err
	}
	is, err := lockOwned(ctx, tx, id)
	if errors.Is(err, errNotFound) {
		trash := tx.Actor.Trash()
		there, failed := tx.NewSelect().TableExpr("task.trash x").Where("x.id = ?", id).Where(trash.SQL, trash.Args...).Exists(ctx)
		if failed != nil {
			return fmt.Errorf("look for the list in the trash: %w", failed)
		}
		if there {
			return differs(id, "", "has been deleted since")
		}
	}
	if err != nil {
		return err
	}
	switch l.Action {
	case event.ListUpdated:
		return putBack(tx, is, l)
	case event.ListCreated:
		return undoCreation(ctx, tx, is, l)
	}
	return undoReturn(ctx, tx, is, l)
}

// differs refuses for what of a list is not as the request has left it: parts of it, or,
// with "", the list.
func differs(id uuid.UUID, part, message string, more ...string) error {
	var fields []refuse.Field
	for _, p := range append([]string{part}, more...) {
		fields = append(fields, refuse.Differs("list/"+id.String(), p, message))
	}
	return refuse.Changed(fields...)
}

func (s *state) read(raw json.RawMessage) error {
	if err := json.Unmarshal(raw, s); err != nil {
		return fmt.Errorf("read a list as it was: %w", err)
	}
	return nil
}

// differing are the parts that differ in two states of a list.
func (s *state) differing(o state) (parts []string) {
	for part, same := range map[string]bool{"name": s.Name == o.Name, "color": equal(s.Color, o.Color), "is_archived": s.IsArchived == o.IsArchived} {
		if !same {
			parts = append(parts, part)
		}
	}
	slices.Sort(parts)
	return parts
}

const changedSince = "has been changed since"

// putBack gives a list the parts back that were changed.
func putBack(tx *change.Tx, l *List, was change.Logged) error {
	var before, after state
	if err := errors.Join(before.read(was.Before), after.read(was.After)); err != nil {
		return err
	}
	is, then := l.state().(state), *l
	ours, theirs := before.differing(after), is.differing(after)
	if both := slices.DeleteFunc(theirs, func(p string) bool { return !slices.Contains(ours, p) }); len(both) > 0 {
		return differs(l.ID, both[0], changedSince, both[1:]...)
	}
	for _, part := range ours {
		switch part {
		case "name":
			then.Name = before.Name
		case "color":
			then.Color = before.Color
		case "is_archived":
			then.IsArchived = before.IsArchived
		}
	}
	return save(tx, l, &then)
}

// undoCreation throws a list away that nothing has come into.
func undoCreation(ctx context.Context, tx *change.Tx, l *List, was change.Logged) error {
	var after state
	if err := after.read(was.After); err != nil {
		return err
	}
	is := l.state().(state)
	if parts := is.differing(after); len(parts) > 0 {
		return differs(l.ID, parts[0], changedSince, parts[1:]...)
	}
	if len(l.Members) > 1 {
		return differs(l.ID, "members", "have been added since")
	}
	filled, err := tx.NewSelect().Table("task.tasks").Where("list_id = ?", l.ID).Exists(ctx)
	if err != nil {
		return fmt.Errorf("look for tasks in the list: %w", err)
	}
	if filled {
		return differs(l.ID, "tasks", "have been added since")
	}
	return moveToTrash(ctx, tx, l)
}

// undoReturn throws a list away again that had come back, and in which all is as it was
// then.
func undoReturn(ctx context.Context, tx *change.Tx, l *List, was change.Logged) error {
	same, err := task.UnchangedSince(ctx, tx, l.ID, was.Timestamp)
	if err != nil {
		return err
	}
	if !same {
		return differs(l.ID, "tasks", "have been changed since")
	}
	return moveToTrash(ctx, tx, l)
}
