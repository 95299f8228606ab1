// Package access says who may see and change what. Whatever reads or writes
// something of a user asks here: task-api for its own routes, and the front door
// before it passes a request on. The other services keep nothing of it: where they need
// to know whose lists something is in, the front door tells them with the request.
//
// A task is in a list, and a list has members (task.members). Who is no member of a
// list sees nothing in it; what a member may do there, his role says (role.go). An
// account is its owner's alone. Who shows an API token that is restricted to lists sees
// those alone, and what else its user sees is not there for him.
package access

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/services/task-api/internal/refuse"
)

// Actor is who asks, and from where. The zero Actor is nobody, who may nothing.
type Actor struct {
	UserID uuid.UUID
	Email  string
	// Service is the name of a part of the suite that asks for whoever owns what it
	// changes, and may do so for all.
	Service string
	// SignedInAt is when he last proved who he is; zero where that is not known.
	SignedInAt time.Time
	// Only are the lists that he is restricted to, of those that he is a member of; nil for
	// all.
	Only []uuid.UUID
	// LeavesLists says that he may change what is in lists, and not the lists, whatever his
	// role: he shows an API token without that scope.
	LeavesLists bool
	Origin
}

// Origin is where a request comes from, for the audit trail.
type Origin struct {
	IP        string
	UserAgent string
	RequestID string
}

// Condition is a part of a WHERE clause.
type Condition struct {
	SQL  string
	Args []any
}

// And is the condition and another.
func (c Condition) And(sql string, args ...any) Condition {
	return Condition{"(" + c.SQL + ") AND " + sql, slices.Concat(c.Args, args)}
}

// Tasks are the rows of task.tasks that the actor may see.
func (a Actor) Tasks() Condition {
	switch {
	case a.Service != "":
		return Condition{SQL: "true"}
	case a.UserID == uuid.Nil:
		return Condition{SQL: "false"}
	}
	return a.InLists("list_id")
}

// Known is Tasks for a statement that knows which tasks it is about, by their ids as a rule:
// Postgres looks at each of those (IS TRUE), and does not begin with the actor's lists, which
// it takes for short ones.
func (a Actor) Known() Condition {
	may := a.Tasks()
	return Condition{"(" + may.SQL + ") IS TRUE", may.Args}
}

// InLists is that a column names a list of the actor's, any or one of these.
func (a Actor) InLists(column string, lists ...uuid.UUID) Condition {
	mine := a.Memberships(lists...)
	return Condition{column + " IN (SELECT m.list_id FROM task.members m WHERE " + mine.SQL + ")", mine.Args}
}

// Comments are the rows of task.comments, called c, that the actor may see: those on his
// tasks.
func (a Actor) Comments() Condition {
	may := a.Tasks()
	return Condition{"c.task_id IN (SELECT t.id FROM task.tasks t WHERE " + may.SQL + ")", may.Args}
}

// Wrote says whether the actor is the author of something.
func (a Actor) Wrote(author uuid.UUID) bool { return a.UserID != uuid.Nil && a.UserID == author }

// Memberships are the rows of task.members, called m, that are the actor's, of these lists
// or of all.
func (a Actor) Memberships(lists ...uuid.UUID) Condition {
	c := a.within(Condition{"m.user_id = ? AND NOT m.trashed", []any{a.UserID}})
	if len(lists) > 0 {
		c = c.And("m.list_id IN (?)", bun.List(lists))
	}
	return c
}

// Trash are the rows of task.trash, called x, that the actor may see: those of his lists,
// and the lists in the trash that he was a member of.
func (a Actor) Trash() Condition {
	mine := a.TrashMemberships()
	return Condition{"x.list_id IN (SELECT m.list_id FROM task.members m WHERE " + mine.SQL + ") AND NOT x.let_go", mine.Args}
}

// TrashMemberships are the rows of task.members, called m, by which the actor sees a row of
// task.trash of their list, called x.
func (a Actor) TrashMemberships() Condition {
	return a.within(Condition{"m.user_id = ? AND m.trashed = (x.task IS NULL)", []any{a.UserID}})
}

// Lists are those that the actor is a member of, at most so many: the one called first,
// then those that he came into last.
func (a Actor) Lists(ctx context.Context, db bun.IDB, first uuid.UUID, most int) ([]uuid.UUID, error) {
	mine := a.Memberships()
	var lists []uuid.UUID
	err := db.NewRaw("SELECT m.list_id FROM task.members m WHERE "+mine.SQL+" ORDER BY m.list_id = ? DESC, m.since DESC, m.list_id LIMIT ?",
		slices.Concat(mine.Args, []any{first, most})...).Scan(ctx, &lists)
	if err != nil {
		return nil, fmt.Errorf("read the actor's lists: %w", err)
	}
	return lists, nil
}

// Members are those who see what is in lists, by list.
func Members(ctx context.Context, db bun.IDB, lists ...uuid.UUID) (map[uuid.UUID]map[uuid.UUID]bool, error) {
	var rows []struct {
		ListID uuid.UUID `bun:"list_id"`
		UserID uuid.UUID `bun:"user_id"`
	}
	err := db.NewRaw("SELECT m.list_id, m.user_id FROM task.members m WHERE m.list_id IN (?) AND NOT m.trashed", bun.List(lists)).Scan(ctx, &rows)
	if err != nil {
		return nil, fmt.Errorf("read the members of %d lists: %w", len(lists), err)
	}
	members := map[uuid.UUID]map[uuid.UUID]bool{}
	for _, r := range rows {
		if members[r.ListID] == nil {
			members[r.ListID] = map[uuid.UUID]bool{}
		}
		members[r.ListID][r.UserID] = true
	}
	return members, nil
}

// RoleIn is what the actor may do in the list whose id the SQL says; null for nothing.
func (a Actor) RoleIn(list string) Condition {
	if a.Service != "" {
		return Condition{SQL: "'" + string(Owner) + "'"}
	}
	mine := a.within(Condition{"m.user_id = ? AND m.list_id = " + list, []any{a.UserID}})
	return Condition{"(SELECT m.role FROM task.members m WHERE " + mine.SQL + ")", mine.Args}
}

// Account is the row of task.users that the actor may see and change.
func (a Actor) Account() Condition {
	if a.UserID == uuid.Nil {
		return Condition{SQL: "false"}
	}
	return Condition{"(id = ?)", []any{a.UserID}}
}

// ErrRefused says that the actor may not. For him, what he asks for is not there.
var ErrRefused = errors.New("the actor may not")

// Task returns ErrRefused where the task with an id is not one of the actor's. Of
// one that is gone or never was it returns nil: whoever keeps something of it knows
// whose it is.
func (a Actor) Task(ctx context.Context, db bun.IDB, id uuid.UUID) error {
	may, his := a.Tasks(), false
	// Of one in the trash there is nothing but there.
	err := db.NewRaw("SELECT "+may.SQL+" FROM task.tasks WHERE id = ? UNION ALL SELECT false FROM task.trash WHERE id = ? AND NOT let_go LIMIT 1", append(slices.Clone(may.Args), id, id)...).Scan(ctx, &his)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err != nil:
		return fmt.Errorf("look for the task's owner: %w", err)
	case !his:
		return ErrRefused
	}
	return nil
}

// recently is how long ago a sign-in may be that is asked for before what matters most.
const recently = 10 * time.Minute

// SignedInRecently refuses an actor who has not proved who he is for ten minutes (ASVS 5,
// 7.5.1): his address, password, tokens and the account itself are not for whoever finds a
// browser that was left open.
func (a Actor) SignedInRecently(now time.Time) error {
	if now.Sub(a.SignedInAt) > recently {
		return refuse.Because(refuse.SignInAgain, "this matters too much for a sign-in of more than 10 minutes ago; sign in again")
	}
	return nil
}

// Own returns ErrRefused where the actor is no user: the other services keep things of
// users that are theirs alone, such as notifications.
func (a Actor) Own() error {
	if a.UserID == uuid.Nil {
		return ErrRefused
	}
	return nil
}
