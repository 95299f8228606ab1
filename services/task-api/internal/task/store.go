package task

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/telemetry"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
	"github.com/taskwire/taskwire/services/task-api/internal/refuse"
	"github.com/taskwire/taskwire/services/task-api/internal/search"
)

// Store keeps the tasks in Postgres. Each of its changes is one transaction.
//
// Locks are taken from above: a parent, then its task, then the subtasks of that
// by id, and reminders last. A task that moves under another parent is locked
// with that one in the order of their ids.
type Store struct {
	DB      *bun.DB
	Changes *change.Writer
}

var errNotFound = refuse.Missing("task")

// Create adds a task of the actor. With a key it does so once: a repetition
// answers what the first answered.
func (s *Store) Create(ctx context.Context, actor access.Actor, draft Draft, key *Key) (*Task, error) {
	var t *Task
	err := s.Changes.Do(ctx, actor, func(ctx context.Context, tx *change.Tx) error {
		if key != nil {
			var err error
			if t, err = key.claim(ctx, tx); err != nil || t != nil {
				return err
			}
		}
		id, err := uuid.NewV7()
		if err != nil {
			return fmt.Errorf("make a task id: %w", err)
		}
		t = &Task{ID: id, UserID: actor.UserID, Version: 1, CreatedAt: tx.Now, UpdatedAt: tx.Now}
		zone, err := zoneOf(ctx, tx, draft.Timezone)
		if err != nil {
			return err
		}
		if err := draft.apply(t, zone, tx.Now); err != nil {
			return err
		}
		if err := t.joinSeries(nil); err != nil {
			return err
		}
		if t.ParentID != nil {
			if err := checkParent(ctx, tx, t); err != nil {
				return err
			}
		}
		if err := insert(ctx, tx, t); err != nil {
			return err
		}
		if key != nil {
			return key.answer(ctx, tx, t)
		}
		return nil
	})
	return t, err
}

// insert writes a new task with its reminders and events.
func insert(ctx context.Context, tx *change.Tx, t *Task) error {
	if err := t.arm(nil, tx.Now); err != nil {
		return err
	}
	kinds := []string{event.TaskCreated}
	if t.IsComplete {
		t.Version++
		kinds = append(kinds, event.TaskCompleted)
	}
	t.SearchVersion = t.searchVersion()
	if _, err := tx.NewInsert().Model(t).Value("title_key", "?", search.TitleKey(t.Title)).Exec(ctx); err != nil {
		return fmt.Errorf("insert the task: %w", err)
	}
	if err := index(ctx, tx, t); err != nil {
		return err
	}
	if len(t.Reminders) > 0 {
		for i := range t.Reminders {
			t.Reminders[i].TraceParent = telemetry.TraceParent(ctx)
		}
		if _, err := tx.NewInsert().Model(&t.Reminders).Exec(ctx); err != nil {
			return fmt.Errorf("insert the reminders: %w", err)
		}
	}
	return appendEvents(tx, kinds, nil, t)
}

// zoneOf is the time zone that a task of the actor gets when it names none.
func zoneOf(ctx context.Context, tx *change.Tx, named string) (string, error) {
	if named != "" {
		return named, nil
	}
	zone := "UTC"
	err := tx.NewSelect().Table("task.users").Column("timezone").Where("id = ?", tx.Actor.UserID).Scan(ctx, &zone)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("read the user's zone: %w", err)
	}
	return zone, nil
}

// checkParent refuses a parent that is not there, is the caller's not, is a
// subtask itself, or is full. The parent stays locked, so that two requests
// can not fill or nest it at once.
func checkParent(ctx context.Context, tx *change.Tx, t *Task) error {
	var parent Task
	may := tx.Actor.Tasks()
	err := tx.NewSelect().Model(&parent).Column("id", "parent_id").
		Where("id = ?", *t.ParentID).Where(may.SQL, may.Args...).For("NO KEY UPDATE").Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) || err == nil && parent.ID == t.ID {
		return refuse.Part("parent_id", "is none of your other tasks")
	}
	if err != nil {
		return fmt.Errorf("read the parent: %w", err)
	}
	if parent.ParentID != nil {
		return refuse.Part("parent_id", "is a subtask itself; subtasks have one level")
	}
	var siblings, children int
	err = tx.NewRaw(`SELECT
		(SELECT count(*) FROM task.tasks WHERE parent_id = ? AND id <> ?),
		(SELECT count(*) FROM task.tasks WHERE parent_id = ?)`, *t.ParentID, t.ID, t.ID).Scan(ctx, &siblings, &children)
	switch {
	case err != nil:
		return fmt.Errorf("count the subtasks: %w", err)
	case children > 0:
		return refuse.Part("parent_id", "this task has subtasks of its own; subtasks have one level")
	case siblings >= maxSubtasks:
		return refuse.Part("parent_id", fmt.Sprintf("has %d subtasks already, the most there can be", maxSubtasks))
	}
	return nil
}

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

// Replace makes a task of the actor what draft says, and Patch changes parts of it.
// Their event is an update; where the task became complete, a completion follows.
func (s *Store) Replace(ctx context.Context, actor access.Actor, id uuid.UUID, match Versions, draft Draft) (*Task, error) {
	return s.edit(ctx, actor, id, match, draft.apply, updated)
}

// Patch is described at Replace.
func (s *Store) Patch(ctx context.Context, actor access.Actor, id uuid.UUID, match Versions, patch Patch) (*Task, error) {
	return s.edit(ctx, actor, id, match, patch.apply, updated)
}

// updated are the events of a change of any part of a task.
func updated(before, after *Task) []string {
	if !before.IsComplete && after.IsComplete {
		return []string{event.TaskUpdated, event.TaskCompleted}
	}
	return []string{event.TaskUpdated}
}

// Complete sets whether a task of the actor is complete; nil toggles it.
func (s *Store) Complete(ctx context.Context, actor access.Actor, id uuid.UUID, match Versions, complete *bool) (*Task, error) {
	return s.edit(ctx, actor, id, match, func(t *Task, _ string, now time.Time) error {
		done := !t.IsComplete
		if complete != nil {
			done = *complete
		}
		t.complete(done, now)
		return nil
	}, func(_, after *Task) []string {
		if after.IsComplete {
			return []string{event.TaskCompleted}
		}
		return []string{event.TaskUpdated}
	})
}

// edit makes one change; kindsOf says which events it has.
func (s *Store) edit(ctx context.Context, actor access.Actor, id uuid.UUID, match Versions, edit func(t *Task, zone string, now time.Time) error, kindsOf func(before, after *Task) []string) (*Task, error) {
	var t *Task
	err := s.Changes.Do(ctx, actor, func(ctx context.Context, tx *change.Tx) error {
		zone, err := zoneOf(ctx, tx, "")
		if err != nil {
			return err
		}
		if err := lockMove(ctx, tx, id, func(t *Task) error { return edit(t, zone, tx.Now) }); err != nil {
			return err
		}
		if t, err = read(ctx, tx, actor, id, "UPDATE"); err != nil {
			return err
		}
		if !match.Allow(t.Version) {
			return errStale
		}
		before := t.clone()
		if err := edit(t, zone, tx.Now); err != nil {
			return err
		}
		if err := t.joinSeries(before); err != nil {
			return err
		}
		if t.ParentID != nil && !equal(t.ParentID, before.ParentID) {
			if err := checkParent(ctx, tx, t); err != nil {
				return err
			}
		}
		if err := t.arm(before, tx.Now); err != nil {
			return err
		}
		if reflect.DeepEqual(before.onTheWire(), t.onTheWire()) {
			return nil
		}
		kinds := kindsOf(before, t)
		t.Version += int64(len(kinds))
		t.UpdatedAt = tx.Now
		if err := update(ctx, tx, before, t); err != nil {
			return err
		}
		return appendEvents(tx, kinds, before, t)
	})
	return t, err
}

// lockMove locks a task and the parent that an edit moves it under. Where the
// edit moves nothing, or fails, it locks nothing.
func lockMove(ctx context.Context, tx *change.Tx, id uuid.UUID, edit func(*Task) error) error {
	t, err := read(ctx, tx, tx.Actor, id, "")
	if err != nil {
		return err
	}
	had := t.ParentID
	if err := edit(t); err != nil {
		return nil //nolint:nilerr // it is said when the task is locked
	}
	if t.ParentID == nil || equal(t.ParentID, had) {
		return nil
	}
	ids := []uuid.UUID{id, *t.ParentID}
	slices.SortFunc(ids, func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
	may := tx.Actor.Tasks()
	for _, one := range ids {
		if _, err := tx.NewRaw("SELECT FROM task.tasks WHERE id = ? AND "+may.SQL+" FOR UPDATE", append([]any{one}, may.Args...)...).Exec(ctx); err != nil {
			return fmt.Errorf("lock the task and its new parent: %w", err)
		}
	}
	return nil
}

func update(ctx context.Context, tx *change.Tx, before, t *Task) error {
	q := tx.NewUpdate().Model(t).ExcludeColumn("id", "user_id", "created_at", "follows_id", "followed").WherePK()
	indexed := before.indexed()
	if t.SearchVersion = t.searchVersion(); !indexed || t.Title != before.Title {
		q = q.Value("title_key", "?", search.TitleKey(t.Title))
	}
	if _, err := q.Exec(ctx); err != nil {
		return fmt.Errorf("update the task: %w", err)
	}
	if !indexed || t.Title != before.Title || t.Description != before.Description || !slices.Equal(t.Tags, before.Tags) {
		if err := index(ctx, tx, t); err != nil {
			return err
		}
	}
	kept := make([]uuid.UUID, 0, len(t.Reminders)+1)
	var changed []Reminder
	for _, r := range t.Reminders {
		kept = append(kept, r.ID)
		if !slices.ContainsFunc(before.Reminders, r.same) {
			r.TraceParent = telemetry.TraceParent(ctx)
			changed = append(changed, r)
		}
	}
	if slices.ContainsFunc(before.Reminders, func(b Reminder) bool { return !slices.Contains(kept, b.ID) }) {
		q := tx.NewDelete().Model((*Reminder)(nil)).Where("task_id = ?", t.ID)
		if len(kept) > 0 {
			q = q.Where("id NOT IN (?)", bun.List(kept))
		}
		if _, err := q.Exec(ctx); err != nil {
			return fmt.Errorf("delete the reminders: %w", err)
		}
	}
	if len(changed) > 0 {
		_, err := tx.NewInsert().Model(&changed).On("CONFLICT (id) DO UPDATE").
			Set("ordinal = EXCLUDED.ordinal, at = EXCLUDED.at, before_due = EXCLUDED.before_due, remind_at = EXCLUDED.remind_at, armed = EXCLUDED.armed, passed_for = EXCLUDED.passed_for, trace_parent = EXCLUDED.trace_parent").
			Exec(ctx)
		if err != nil {
			return fmt.Errorf("update the reminders: %w", err)
		}
	}
	return nil
}

// Delete removes a task of the actor and its subtasks, with an event for each.
func (s *Store) Delete(ctx context.Context, actor access.Actor, id uuid.UUID, match Versions) error {
	return s.Changes.Do(ctx, actor, func(ctx context.Context, tx *change.Tx) error {
		t, err := read(ctx, tx, actor, id, "UPDATE")
		if err != nil {
			return err
		}
		if !match.Allow(t.Version) {
			return errStale
		}
		subtasks, err := subtasksOf(ctx, tx, t.ID, "UPDATE")
		if err != nil {
			return err
		}
		for _, gone := range append(subtasks, t) {
			before := gone.clone()
			gone.Version++
			if err := appendEvents(tx, []string{event.TaskDeleted}, before, gone); err != nil {
				return err
			}
			if _, err := tx.NewDelete().Model(gone).WherePK().Exec(ctx); err != nil {
				return fmt.Errorf("delete the task: %w", err)
			}
		}
		return nil
	})
}

func subtasksOf(ctx context.Context, tx *change.Tx, parent uuid.UUID, lock string) ([]*Task, error) {
	var found []*Task
	if err := tx.NewSelect().Model(&found).Where("parent_id = ?", parent).OrderExpr("id").Limit(maxSubtasks).For(lock).Scan(ctx); err != nil {
		return nil, fmt.Errorf("read the subtasks: %w", err)
	}
	return found, readReminders(ctx, tx, found, lock)
}

// Versions are those of a task that a change is meant for; nil are all.
type Versions []int64

// Allow says whether a version is one of them.
func (v Versions) Allow(version int64) bool { return v == nil || slices.Contains(v, version) }

var errStale = refuse.Because(refuse.TaskChanged, "the task has changed since; read it again and send its new ETag")
