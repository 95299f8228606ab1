// Package comment keeps what the members of a list say about its tasks. Who may see and
// change it, package access says.
package comment

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/page"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
	"github.com/taskwire/taskwire/services/task-api/internal/refuse"
)

// Comment is what somebody says about a task.
type Comment struct {
	ID        uuid.UUID    `bun:"id" json:"id" format:"uuid" doc:"The comment"`
	TaskID    uuid.UUID    `bun:"task_id" json:"task_id" format:"uuid" doc:"The task that it is about"`
	Author    event.Author `bun:"author,type:jsonb" json:"author" doc:"Who wrote it"`
	Text      string       `bun:"text" json:"text" doc:"What it says"`
	EditedAt  *time.Time   `bun:"edited_at" json:"edited_at" nullable:"true" doc:"When its author last changed it; null for never"`
	CreatedAt time.Time    `bun:"created_at" json:"created_at" doc:"When it was written"`

	ListID uuid.UUID   `bun:"list_id" json:"-"` // the task's list
	Role   access.Role `bun:"role" json:"-"`    // the actor's, in it
}

// Limits bound what a task can have. 0 is no limit.
type Limits struct {
	Comments int `env:"LIMIT_COMMENTS" envDefault:"1000" min:"0" max:"1000000"` // on a task
}

// Store keeps the comments in Postgres. Each of its changes is one transaction, which
// locks the task first: it stays in its list meanwhile, and its comments come one by one.
type Store struct {
	DB      *bun.DB
	Changes *change.Writer
	Limits  Limits
}

var (
	errNotFound    = refuse.Missing("comment")
	errNoTask      = refuse.Missing("task")
	errAuthorsOnly = refuse.Because(refuse.AuthorsOnly, "only who wrote the comment may change it, and they or an owner of the list delete it")
)

// maxText is how many characters a comment has at most.
const maxText = 10_000

// check refuses a text that can not be a comment.
func check(text string) error {
	if strings.TrimSpace(text) == "" || utf8.RuneCountInString(text) > maxText {
		return refuse.Part("text", "must have 1 to 10,000 characters, and not only spaces")
	}
	return nil
}

// columns are what read asks a query for.
const columns = "c.id, c.task_id, c.author_id, c.text, c.edited_at, c.created_at"

// read reads those of the comments that a query finds which the actor may see. The query
// finds them by itself (OFFSET 0): Postgres takes who sees many tasks for one who sees as many
// as others, and would rather begin with his tasks.
func read(ctx context.Context, db bun.IDB, actor access.Actor, some query, rest string, args ...any) ([]*Comment, error) {
	may, role := actor.Tasks(), actor.RoleIn("t.list_id")
	found := []*Comment{}
	err := db.NewRaw(`SELECT c.id, c.task_id, json_build_object('user_id', c.author_id, 'name', coalesce((SELECT u.name FROM task.users u WHERE u.id = c.author_id), '')) AS author,
			c.text, c.edited_at, c.created_at, t.list_id, `+role.SQL+` AS role
		FROM (`+some.sql+` OFFSET 0) c CROSS JOIN LATERAL (SELECT list_id FROM task.tasks WHERE id = c.task_id AND `+may.SQL+` OFFSET 0) t `+rest,
		slices.Concat(role.Args, some.args, may.Args, args)...).Scan(ctx, &found)
	if err != nil {
		return nil, fmt.Errorf("read the comments: %w", err)
	}
	return found, nil
}

type query struct {
	sql  string
	args []any
}

// is finds the comments c that meet a condition.
func is(condition string, args ...any) query {
	return query{"SELECT " + columns + " FROM task.comments c WHERE " + condition, args}
}

// first finds the comments c that meet a condition, in an order that an index has.
func first(condition, order string, args ...any) query {
	return query{"SELECT " + columns + page.Unsortable + " FROM task.comments c WHERE " + condition + order, args}
}

func one(ctx context.Context, tx *change.Tx, id uuid.UUID) (*Comment, error) {
	found, err := read(ctx, tx, tx.Actor, is("c.id = ?", id), "")
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, errNotFound
	}
	return found[0], nil
}

// Of reads up to limit comments on a task of the actor, the oldest first, behind a place.
func (s *Store) Of(ctx context.Context, actor access.Actor, task uuid.UUID, after *page.Place, limit int) ([]*Comment, error) {
	behind, args := "c.task_id = ?", []any{task}
	if after != nil {
		behind, args = behind+" AND (c.created_at, c.id) > (?, ?)", append(args, after.At, after.ID)
	}
	const order = " ORDER BY c.created_at, c.id"
	found, err := read(ctx, s.DB, actor, first(behind, order, args...), order+" LIMIT ?", limit)
	if err != nil || len(found) > 0 {
		return found, err
	}
	may := actor.Tasks()
	his, err := s.DB.NewSelect().Table("task.tasks").Where("id = ?", task).Where(may.SQL, may.Args...).Exists(ctx)
	if err != nil {
		return nil, fmt.Errorf("look for the task: %w", err)
	}
	if !his {
		return nil, errNoTask
	}
	return found, nil
}

// about is what a comment has to know of its task.
type about struct {
	ListID     uuid.UUID
	Title      string
	AssigneeID *uuid.UUID
	Role       access.Role // the actor's
}

// lockTask reads a task of the actor once it is locked.
func lockTask(ctx context.Context, tx *change.Tx, id uuid.UUID) (*about, error) {
	may, role := tx.Actor.Tasks(), tx.Actor.RoleIn("t.list_id")
	tx.Queue("SELECT FROM task.tasks WHERE id = ? AND "+may.SQL+" FOR NO KEY UPDATE", append([]any{id}, may.Args...)...)
	found, err := change.Read[about](ctx, tx, "SELECT t.list_id, t.title, t.assignee_id, "+role.SQL+" AS role FROM task.tasks t WHERE t.id = ? AND "+may.SQL,
		slices.Concat(role.Args, []any{id}, may.Args)...)
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the task: %w", err)
	case len(found) == 0:
		return nil, errNoTask
	case !found[0].Role.Writes():
		return nil, access.ErrReadOnly
	}
	return found[0], nil
}

// Add comments on a task of the actor. With a key it is done once, and a repetition
// answers what the first answered.
func (s *Store) Add(ctx context.Context, actor access.Actor, task uuid.UUID, text string, key *change.Key) (*Comment, error) {
	var c *Comment
	err := s.Changes.Do(ctx, actor, func(ctx context.Context, tx *change.Tx) error {
		c = new(Comment)
		if key != nil {
			if was, err := key.Claim(ctx, tx, c); err != nil || was {
				return err
			}
		}
		if err := check(text); err != nil {
			return err
		}
		t, err := lockTask(ctx, tx, task)
		if err != nil {
			return err
		}
		at, err := s.next(ctx, tx, task)
		if err != nil {
			return err
		}
		id := uuid.Must(uuid.NewV7())
		tx.Queue("INSERT INTO task.comments (id, task_id, author_id, text, created_at) VALUES (?, ?, ?, ?, ?)", id, task, actor.UserID, text, at)
		if c, err = one(ctx, tx, id); err != nil {
			return err
		}
		if err := appendAudit(tx, event.CommentCreated, nil, c); err != nil {
			return err
		}
		if err := notify(ctx, tx, t, c); err != nil {
			return err
		}
		if key != nil {
			return key.Keep(tx, c)
		}
		return nil
	})
	return c, err
}

// next is when the next comment on a task is written, if there may be one. It is behind
// all others, whatever the clocks of other replicas say: whoever reads on from the last
// comment that he has seen misses none.
func (s *Store) next(ctx context.Context, tx *change.Tx, task uuid.UUID) (time.Time, error) {
	found, err := change.Read[struct {
		Comments int64
		Latest   *time.Time
	}](ctx, tx, `SELECT (SELECT count(*) FROM (SELECT FROM task.comments WHERE task_id = ? LIMIT ?) x) AS comments,
		(SELECT max(created_at) FROM task.comments WHERE task_id = ?) AS latest`, task, s.Limits.Comments, task)
	if err != nil {
		return time.Time{}, fmt.Errorf("count the comments: %w", err)
	}
	there := found[0]
	if s.Limits.Comments > 0 && there.Comments >= int64(s.Limits.Comments) {
		return time.Time{}, refuse.Because(refuse.LimitReached, fmt.Sprintf("the task has %d comments, the most that there can be", there.Comments))
	}
	if there.Latest != nil && !there.Latest.Before(tx.Now) {
		return there.Latest.Add(time.Microsecond).UTC(), nil
	}
	return tx.Now, nil
}

// lock reads a comment of the actor's that he may change things about, once its task is
// locked.
func lock(ctx context.Context, tx *change.Tx, id uuid.UUID) (*Comment, error) {
	mine := tx.Actor.Comments()
	tx.Queue("SELECT FROM task.tasks WHERE id = (SELECT c.task_id FROM task.comments c WHERE c.id = ? AND "+mine.SQL+") FOR NO KEY UPDATE",
		append([]any{id}, mine.Args...)...)
	c, err := one(ctx, tx, id)
	if err == nil && !c.Role.Writes() {
		return nil, access.ErrReadOnly
	}
	return c, err
}

// Edit has a comment of the actor's own say something else; nil leaves it.
func (s *Store) Edit(ctx context.Context, actor access.Actor, id uuid.UUID, text *string) (*Comment, error) {
	var c *Comment
	err := s.Changes.Do(ctx, actor, func(ctx context.Context, tx *change.Tx) error {
		before, err := lock(ctx, tx, id)
		switch {
		case err != nil:
			return err
		case !actor.Wrote(before.Author.UserID):
			return errAuthorsOnly
		}
		after := *before
		if c = &after; text == nil {
			return nil
		}
		if err := check(*text); err != nil {
			return err
		}
		if *text == before.Text {
			return nil
		}
		after.Text, after.EditedAt = *text, &tx.Now
		tx.Queue("UPDATE task.comments SET text = ?, edited_at = ? WHERE id = ?", after.Text, after.EditedAt, id)
		return appendAudit(tx, event.CommentUpdated, before, c)
	})
	return c, err
}

// Delete removes a comment: by its author, or by an owner of the list.
func (s *Store) Delete(ctx context.Context, actor access.Actor, id uuid.UUID) error {
	return s.Changes.Do(ctx, actor, func(ctx context.Context, tx *change.Tx) error {
		c, err := lock(ctx, tx, id)
		switch {
		case err != nil:
			return err
		case !actor.Wrote(c.Author.UserID) && !c.Role.Rules():
			return errAuthorsOnly
		}
		tx.Queue("DELETE FROM task.comments WHERE id = ?", id)
		return appendAudit(tx, event.CommentDeleted, c, nil)
	})
}
