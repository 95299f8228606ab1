package task

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
	"github.com/taskwire/taskwire/services/task-api/internal/refuse"
)

// Several people may have to do with a task: whoever is to do it (its assignee) is a
// member of its list, and each of its reminders is one member's.

// Of is whose reminder it is. One of before is that of who made its task.
func (r Reminder) Of(t *Task) uuid.UUID {
	if r.UserID == uuid.Nil {
		return t.UserID
	}
	return r.UserID
}

// members are those of some users who are members of a list. They stay until the end of
// the change: who takes one out waits, and finds what was made his.
func members(ctx context.Context, tx *change.Tx, list uuid.UUID, users []uuid.UUID) (found []uuid.UUID, err error) {
	if len(users) == 0 {
		return nil, nil
	}
	err = tx.NewRaw("SELECT user_id FROM task.members WHERE list_id = ? AND user_id IN (?) ORDER BY user_id FOR KEY SHARE", list, bun.List(users)).Scan(ctx, &found)
	if err != nil {
		return nil, fmt.Errorf("read the members of the list: %w", err)
	}
	return found, nil
}

// assign checks whom an edit assigns a task to, and gives him the reminders that count
// from its due time.
func assign(ctx context.Context, tx *change.Tx, before, t *Task) error {
	if t.AssigneeID == nil || before != nil && equal(t.AssigneeID, before.AssigneeID) {
		return nil
	}
	assignee := *t.AssigneeID
	if assignee != tx.Actor.UserID { // who may change the task is a member
		found, err := members(ctx, tx, t.ListID, []uuid.UUID{assignee})
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return refuse.Part("assignee_id", "is no member of the list")
		}
	}
	has := map[string]bool{}
	for _, r := range t.Reminders {
		if r.BeforeDue != nil && r.Of(t) == assignee {
			has[*r.BeforeDue] = true
		}
	}
	for _, r := range slices.Clone(t.Reminders) {
		if r.BeforeDue == nil || has[*r.BeforeDue] || len(t.Reminders) >= maxRemindersOfAll {
			continue
		}
		has[*r.BeforeDue] = true
		t.Reminders = append(t.Reminders, Reminder{
			ID: uuid.Must(uuid.NewV7()), TaskID: t.ID, UserID: assignee, Ordinal: r.Ordinal, BeforeDue: r.BeforeDue,
		})
	}
	return nil
}

// leaveOthers has a task that has come into another list forget whoever is no member of
// it. An assignee whom the same edit has named is left to be refused.
func leaveOthers(ctx context.Context, tx *change.Tx, t *Task, had *uuid.UUID) error {
	var users []uuid.UUID
	if t.AssigneeID != nil && equal(t.AssigneeID, had) {
		users = append(users, *t.AssigneeID)
	}
	for _, r := range t.Reminders {
		users = append(users, r.Of(t))
	}
	users = slices.DeleteFunc(users, func(u uuid.UUID) bool { return u == tx.Actor.UserID })
	found, err := members(ctx, tx, t.ListID, users)
	if err != nil {
		return err
	}
	t.forget(func(user uuid.UUID) bool { return slices.Contains(users, user) && !slices.Contains(found, user) })
	return nil
}

// forget takes what is somebody's out of a task.
func (t *Task) forget(gone func(user uuid.UUID) bool) {
	if t.AssigneeID != nil && gone(*t.AssigneeID) {
		t.AssigneeID = nil
	}
	t.Reminders = slices.DeleteFunc(t.Reminders, func(r Reminder) bool { return gone(r.Of(t)) })
}

func (t *Task) has(user uuid.UUID) bool {
	return t.AssigneeID != nil && *t.AssigneeID == user || slices.ContainsFunc(t.Reminders, func(r Reminder) bool { return r.Of(t) == user })
}

// Forget takes what is a user's out of the tasks of a list that he is no member of any
// more. Each has an update.
func Forget(ctx context.Context, tx *change.Tx, list, user uuid.UUID) error {
	// All of the list are looked through once (OFFSET 0): Postgres would rather look through
	// those of everybody, in the order of their ids.
	var his []uuid.UUID
	err := tx.NewRaw(`SELECT id FROM (SELECT id, user_id, assignee_id FROM task.tasks WHERE list_id = ? OFFSET 0) t
		WHERE assignee_id = ? OR EXISTS (SELECT FROM task.reminders r WHERE r.task_id = t.id AND coalesce(r.user_id, t.user_id) = ?) ORDER BY id`, list, user, user).Scan(ctx, &his)
	if err != nil {
		return fmt.Errorf("look for the tasks of who leaves: %w", err)
	}
	for ids := range slices.Chunk(his, batch) {
		var found []*Task
		err := tx.NewSelect().Model(&found).Where("id IN (?)", bun.List(ids)).Where("(list_id = ?) IS TRUE", list).OrderExpr("id").For("UPDATE").Scan(ctx)
		if err != nil {
			return fmt.Errorf("read the tasks of who leaves: %w", err)
		}
		if err := readReminders(ctx, tx, found, "UPDATE"); err != nil {
			return err
		}
		for _, t := range found {
			if !t.has(user) { // any more
				continue
			}
			was := t.clone()
			t.forget(func(u uuid.UUID) bool { return u == user })
			t.carriedOn(t.Version + 1)
			if err := save(ctx, tx, was, t, event.TaskUpdated); err != nil {
				return err
			}
		}
		if err := tx.Flush(ctx); err != nil {
			return err
		}
	}
	return nil
}
