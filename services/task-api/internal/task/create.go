package task

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/telemetry"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
	"github.com/taskwire/taskwire/services/task-api/internal/refuse"
	"github.com/taskwire/taskwire/services/task-api/internal/search"
)

// ReminderDraft is a reminder as its user wants it: either At or BeforeDue. With
// the ID of one that the task has, it stays that one.
type ReminderDraft struct {
	ID        *uuid.UUID
	UserID    *uuid.UUID // of another member: left as it is
	At        *time.Time
	BeforeDue string
}

// RecurrenceDraft is a recurrence as its user wants it. What is left out has its default.
type RecurrenceDraft struct {
	RRule, Basis, MonthEnd, DSTGap, Missed string
}

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

func create(ctx context.Context, tx *change.Tx, id uuid.UUID, draft Draft) (*Task, error) {
	t := &Task{ID: id, UserID: tx.Actor.UserID, Version: 1, CreatedAt: tx.Now, UpdatedAt: tx.Now}
	if err := draft.apply(t, askingIn(ctx, tx)); err != nil {
		return nil, err
	}
	if err := t.joinSeries(nil, edit{}); err != nil {
		return nil, err
	}
	if err := settle(ctx, tx, nil, t); err != nil {
		return nil, err
	}
	return t, insert(ctx, tx, t, nil)
}

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

func askingIn(ctx context.Context, tx *change.Tx) asking {
	return asking{user: tx.Actor.UserID, zone: func() (string, error) { return tx.Zone(ctx) }, now: tx.Now}
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
	tx.Later(insertion("task.tasks", append(names, "title_key")), append(values, search.TitleKey(t.Title))...)
	if err := t.index(ctx, tx); err != nil {
		return err
	}
	for _, r := range t.Reminders {
		r.TraceParent = telemetry.TraceParent(ctx)
		names, values := tx.Columns(&r)
		tx.Later(insertion("task.reminders", names), values...)
	}
	return appendEvents(tx, kinds, nil, t, about)
}

// insertion inserts a row.
func insertion(table string, names []string) string {
	return "INSERT INTO " + table + " (" + strings.Join(names, ", ") + ") VALUES (?" + strings.Repeat(", ?", len(names)-1) + ")"
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
