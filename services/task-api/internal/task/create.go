package task

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/telemetry"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
	"github.com/taskwire/taskwire/services/task-api/internal/refuse"
	"github.com/taskwire/taskwire/services/task-api/internal/search"
)

// Create adds a task of the actor. With a key it does so once: a repetition
// answers what the first answered.
func (s *Store) Create(ctx context.Context, actor access.Actor, draft Draft, key *change.Key) (*Task, error) {
	var t *Task
	err := s.Changes.Do(ctx, actor, func(ctx context.Context, tx *change.Tx) error {
		if key != nil {
			var first event.Task
			if was, err := key.Claim(ctx, tx, &first); err != nil || was {
				t = answered(first)
				return err
			}
		}
		var err error
		if t, err = create(ctx, tx, uuid.Must(uuid.NewV7()), draft); err != nil {
			return err
		}
		if key != nil {
			return key.Keep(tx, t.onTheWire())
		}
		return nil
	})
	return t, err
}

// create adds a task of the actor with an id.
func create(ctx context.Context, tx *change.Tx, id uuid.UUID, draft Draft) (*Task, error) {
	t := &Task{ID: id, UserID: tx.Actor.UserID, Version: 1, CreatedAt: tx.Now, UpdatedAt: tx.Now}
	if err := draft.apply(t, askingIn(ctx, tx)); err != nil {
		return nil, err
	}
	if err := t.beginSeries(); err != nil {
		return nil, err
	}
	if err := placeInList(ctx, tx, nil, t); err != nil {
		return nil, err
	}
	return t, insert(ctx, tx, t, nil)
}

// placeInList checks where a new task is to be, or where an edit has put one (before it is as it
// was; nil for a new one): its parent and its list. A subtask is in the list of its parent.
func placeInList(ctx context.Context, tx *change.Tx, before, t *Task) error {
	if t.ParentID != nil && (before == nil || !equal(t.ParentID, before.ParentID)) {
		list, err := checkParent(ctx, tx, t)
		if err != nil {
			return err
		}
		named := t.ListID != uuid.Nil && (before == nil || t.ListID != before.ListID)
		if named && t.ListID != list {
			return refuse.Part("list_id", "is not that of the parent, which a subtask is always in")
		}
		t.ListID = list
	} else if t.ParentID != nil && t.ListID != before.ListID {
		return refuse.Part("list_id", "is not that of the parent, which a subtask is always in")
	}
	inbox := access.Inbox(tx.Actor.UserID)
	switch {
	case t.ListID == uuid.Nil && !tx.Actor.Reaches(inbox):
		return refuse.Part("list_id", "must be said: the API token is for some lists alone, and not for the inbox")
	case t.ListID == uuid.Nil:
		t.ListID = tx.EnsureInbox()
	case t.ListID == inbox && tx.Actor.Reaches(inbox):
		tx.EnsureInbox()
	case t.ParentID == nil && (before == nil || t.ListID != before.ListID):
		if err := checkList(ctx, tx, t.ListID); err != nil {
			return err
		}
	}
	moved := before != nil && t.ListID != before.ListID
	if before == nil || moved {
		t.Position = tx.NextPosition()
		if err := tx.TakeRoom(ctx, t.ListID); err != nil {
			return err
		}
	}
	if moved {
		if err := leaveOthers(ctx, tx, t, before.AssigneeID); err != nil {
			return err
		}
	}
	return assign(ctx, tx, before, t)
}

// checkParent refuses a parent that is not there, is not the actor's to change, is a
// subtask itself, or is full, and answers its list. (What a subtask that recurs has left
// behind takes no room.) The parent stays locked, so that two requests can not fill or
// nest it at once.
func checkParent(ctx context.Context, tx *change.Tx, t *Task) (list uuid.UUID, err error) {
	var parent Task
	may, role := tx.Actor.Tasks(), tx.Actor.RoleIn("t.list_id")
	err = tx.NewSelect().Model(&parent).Column("id", "parent_id", "list_id").ColumnExpr(role.SQL+" AS role", role.Args...).
		Where("id = ?", *t.ParentID).Where(may.SQL, may.Args...).For("NO KEY UPDATE").Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) || err == nil && parent.ID == t.ID {
		return uuid.Nil, refuse.Part("parent_id", "is none of your other tasks")
	}
	if err != nil {
		return uuid.Nil, fmt.Errorf("read the parent: %w", err)
	}
	if !parent.Role.Writes() {
		return uuid.Nil, access.ErrReadOnly
	}
	if parent.ParentID != nil {
		return uuid.Nil, refuse.Part("parent_id", "is a subtask itself; subtasks have one level")
	}
	var siblings, children int
	err = tx.NewRaw(`SELECT
		(SELECT count(*) FROM task.tasks WHERE parent_id = ? AND id <> ? AND NOT (is_complete AND recurrence IS NOT NULL)),
		(SELECT count(*) FROM task.tasks WHERE parent_id = ?)`, *t.ParentID, t.ID, t.ID).Scan(ctx, &siblings, &children)
	switch {
	case err != nil:
		return uuid.Nil, fmt.Errorf("count the subtasks: %w", err)
	case children > 0:
		return uuid.Nil, refuse.Part("parent_id", "this task has subtasks of its own; subtasks have one level")
	case siblings >= maxSubtasks:
		return uuid.Nil, refuse.Part("parent_id", fmt.Sprintf("has %d subtasks already, the most there can be", maxSubtasks))
	}
	return parent.ListID, nil
}

const noList = "is none of your lists"

// checkList refuses a list that is not there for the actor to change.
func checkList(ctx context.Context, tx *change.Tx, list uuid.UUID) error {
	// Whoever takes the list away waits until the task is in it, or has gone first.
	mine := tx.Actor.Memberships().And("m.list_id = ? AND l.trashed_at IS NULL", list)
	found, err := change.Read[struct{ Role access.Role }](ctx, tx, "SELECT m.role FROM task.members m JOIN task.lists l ON l.id = m.list_id WHERE "+mine.SQL+" FOR KEY SHARE", mine.Args...)
	switch {
	case err != nil:
		return fmt.Errorf("read the list: %w", err)
	case len(found) == 0:
		return refuse.Part("list_id", noList)
	case !found[0].Role.Writes():
		return access.ErrReadOnly
	}
	return nil
}

// insert writes a new task with its reminders and events, which say about it what their
// metadata is.
func insert(ctx context.Context, tx *change.Tx, t *Task, about map[string]any) error {
	if err := t.arm(nil, tx.Now); err != nil {
		return err
	}
	kinds := []string{event.TaskCreated}
	if t.IsComplete {
		t.Version++
		kinds = append(kinds, event.TaskCompleted)
	}
	t.keepWalls()
	t.SearchVersion = t.searchVersion()
	names, values := tx.Columns(t)
	tx.Queue(insertion("task.tasks", append(names, "title_key")), append(values, search.TitleKey(t.Title))...)
	if err := t.index(ctx, tx); err != nil {
		return err
	}
	for _, r := range t.Reminders {
		r.TraceParent = telemetry.TraceParent(ctx)
		names, values := tx.Columns(&r)
		tx.Queue(insertion("task.reminders", names), values...)
	}
	return appendEvents(tx, kinds, nil, t, about)
}

// insertion inserts a row.
func insertion(table string, names []string) string {
	return "INSERT INTO " + table + " (" + strings.Join(names, ", ") + ") VALUES (?" + strings.Repeat(", ?", len(names)-1) + ")"
}
