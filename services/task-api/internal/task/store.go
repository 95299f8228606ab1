package task

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/cache"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
	"github.com/taskwire/taskwire/services/task-api/internal/refuse"
)

// Store keeps the tasks in Postgres. Each of its changes is one transaction.
//
// Locks are taken from above: the actor's membership, a series, a parent, then its task, then the subtasks of
// that by id, and reminders last. A task that moves under another parent is locked
// with that one in the order of their ids.
type Store struct {
	DB      *bun.DB
	Changes *change.Writer

	rare cache.Cache[uint64, struct{}] // what few tasks of a user had when it was last looked for: see wanted
}

var errNotFound = refuse.Missing("task")

// withReminders is a column beside those of a task that a query calls t.
const withReminders = `(SELECT json_agg(r ORDER BY r.ordinal, r.id) FROM task.reminders r WHERE r.task_id = t.id) AS reminders`

// Get reads a task of the actor.
func (s *Store) Get(ctx context.Context, actor access.Actor, id uuid.UUID) (*Task, error) {
	found, err := s.readAll(ctx, actor.Tasks().And("id = ?", id), 1)
	if err == nil && len(found) == 0 {
		err = errNotFound
	}
	if err != nil {
		return nil, err
	}
	return found[0], nil
}

// stored are the columns of a task, for change.Read, and whole those of a task t with its
// reminders.
var (
	stored = strings.Replace(columns, "due_wall", "coalesce(due_wall, '') AS due_wall", 1)
	whole  = stored + ", " + withReminders
)

// lock reads a task that the actor may change as it is once it and its reminders are
// locked, after its series. All of that is one message.
func lock(ctx context.Context, tx *change.Tx, id uuid.UUID) (*Task, error) {
	lockMembership(tx, id)
	lockSeries(tx, id)
	may := tx.Actor.Tasks()
	args := append([]any{id}, may.Args...)
	tx.Queue("SELECT FROM task.tasks WHERE id = ? AND "+may.SQL+" FOR UPDATE", args...)
	tx.Queue("SELECT FROM task.reminders WHERE task_id = (SELECT id FROM task.tasks WHERE id = ? AND "+may.SQL+") ORDER BY ordinal, id FOR UPDATE", args...)
	t, err := read(ctx, tx, id)
	if err == nil && !t.Role.Writes() {
		return nil, access.ErrReadOnly
	}
	return t, err
}

// lockMembership has whoever takes the actor out of a task's list wait, and then find what
// this change has made his.
func lockMembership(tx *change.Tx, id uuid.UUID) {
	if tx.Actor.Service == "" {
		tx.Queue("SELECT FROM task.members WHERE user_id = ? AND list_id = (SELECT list_id FROM task.tasks WHERE id = ?) FOR KEY SHARE", tx.Actor.UserID, id)
	}
}

func read(ctx context.Context, tx *change.Tx, id uuid.UUID) (*Task, error) {
	may, role := tx.Actor.Tasks(), tx.Actor.RoleIn("t.list_id")
	found, err := change.Read[Task](ctx, tx, "SELECT "+whole+", "+role.SQL+" AS role FROM task.tasks t WHERE id = ? AND "+may.SQL,
		slices.Concat(role.Args, []any{id}, may.Args)...)
	if err != nil {
		return nil, fmt.Errorf("read the task: %w", err)
	}
	if len(found) == 0 {
		return nil, errNotFound
	}
	return found[0], nil
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
