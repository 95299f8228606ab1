// Package erase takes an account out of task-api that its user has asked to be erased, and
// tells the other services to do the same.
//
// It is done in steps, each in many transactions of their own. How far it is, a row says
// (task.erasures): whoever is killed in the middle is gone on with. From the first step on
// the account has neither address nor name, nobody is signed in with it, and it can not be
// called back.
//
// What stays is what others have: his tasks in lists that have another owner, as those of
// a user whom there is not, and the events of the log, without what they said of him. His
// id in them leads nowhere.
package erase

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun/dialect/pgdialect"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/erasure"
	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/eventlog"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/account"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
	"github.com/taskwire/taskwire/services/task-api/internal/list"
)

// Eraser erases accounts whose time has come.
type Eraser struct {
	Changes *change.Writer
	Log     *slog.Logger

	failing erasure.Failing
}

const (
	// settle is how long requests of who was signed in may still be under way. It is longer
	// than a session is taken for alive that has ended.
	settle = 10 * time.Second
	// rows is how many are erased or looked at in a transaction.
	rows = 500
)

// erasing is an account that has begun to go.
type erasing struct {
	ID       []byte     `bun:"id"` // the hash
	UserID   uuid.UUID  `bun:"user_id"`
	Step     int        `bun:"step"`
	Reached  uuid.UUID  `bun:"reached"` // the last row that the step has looked at
	At       *time.Time `bun:"reached_at"`
	Position int64      `bun:"reached_position"`
}

// step erases some, and says whether that was all. What it has reached in of is kept.
type step func(ctx context.Context, tx *change.Tx, of *erasing) (done bool, err error)

// steps are what is done, in this order. Rows of erasures name their places.
var steps = []step{eraseLists, eraseOwn, eraseComments, eraseMentions, eraseTrash, scrubEvents, endErasure}

// Run erases until ctx ends. Any number of replicas may run it: one is at an account.
func (e *Eraser) Run(ctx context.Context) error { return erasure.Repeat(ctx, e.Log, e.Erase) }

// Erase does one transaction of what there is to do, and says whether there may be more.
// Where that has failed for one account, which is left alone for a while, there may be others.
func (e *Eraser) Erase(ctx context.Context) (more bool, err error) {
	var at uuid.UUID
	var now time.Time
	// What a service does, it does for the user whom the event is of.
	err = e.Changes.Do(ctx, access.Actor{Service: "erase"}, func(ctx context.Context, tx *change.Tx) error {
		more, now = false, tx.Now
		failing := pgdialect.Array(e.failing.Now(now))
		var found []*erasing
		err := tx.NewRaw(`SELECT id, user_id, step, coalesce(reached, ?) AS reached, reached_at, coalesce(reached_position, 0) AS reached_position FROM task.erasures
			WHERE done_at IS NULL AND began_at <= ? AND user_id <> ALL (?::uuid[]) ORDER BY began_at LIMIT 1 FOR UPDATE SKIP LOCKED`, uuid.Nil, now.Add(-settle), failing).Scan(ctx, &found)
		if err != nil {
			return fmt.Errorf("look for accounts that are being erased: %w", err)
		}
		if len(found) == 0 {
			at, err = begin(ctx, tx, failing)
			more = at != uuid.Nil
			return err
		}
		of := found[0]
		more, at = true, of.UserID
		done, err := steps[of.Step](ctx, tx, of)
		if err != nil {
			return fmt.Errorf("erase an account, step %d: %w", of.Step, err)
		}
		if done && of.Step == len(steps)-1 {
			e.Log.InfoContext(ctx, "an account is erased", "user_id", of.UserID)
			return nil
		}
		if done {
			of.Step, of.Reached, of.At, of.Position = of.Step+1, uuid.Nil, nil, 0
		}
		_, err = tx.NewRaw("UPDATE task.erasures SET step = ?, reached = ?, reached_at = ?, reached_position = ? WHERE id = ?", of.Step, of.Reached, of.At, of.Position, of.ID).Exec(ctx)
		if err != nil {
			return fmt.Errorf("note how far an account is erased: %w", err)
		}
		return nil
	})
	if err != nil && more {
		if ctx.Err() != nil || database.IsOutage(err) {
			return false, err
		}
		e.failing.Add(at, now)
	}
	return more, err
}

// begin takes an account whose time has come, and is not among those that failed: nobody
// can use it from now on. It returns the nil UUID where there is none.
func begin(ctx context.Context, tx *change.Tx, failing any) (begun uuid.UUID, err error) {
	var users []uuid.UUID
	err = tx.NewRaw("SELECT id FROM task.users WHERE erase_at <= ? AND id <> ALL (?::uuid[]) ORDER BY erase_at LIMIT 1 FOR UPDATE SKIP LOCKED", tx.Now, failing).Scan(ctx, &users)
	if err != nil {
		return uuid.Nil, fmt.Errorf("look for accounts that are to be erased: %w", err)
	}
	if len(users) == 0 {
		return uuid.Nil, nil
	}
	user := users[0]
	// The address and the name are never an argument: Postgres would write one that fails
	// into its log.
	tx.Queue("INSERT INTO task.erasures (id, began_at, user_id, emails, name, step) SELECT ?, ?, id, array_remove(former_emails || email, ''), name, 0 FROM task.users WHERE id = ? ON CONFLICT DO NOTHING", erasure.Hash(user), tx.Now, user)
	tx.Queue("DELETE FROM task.invitations WHERE lower(email) IN (SELECT lower(unnest(emails)) FROM task.erasures WHERE id = ?)", erasure.Hash(user))
	tx.Queue("DELETE FROM task.account_mails WHERE user_id = ? OR lower(address) IN (SELECT lower(unnest(emails)) FROM task.erasures WHERE id = ?)", user, erasure.Hash(user))
	for _, way := range append([]string{"api_tokens"}, account.WaysIn...) {
		tx.Queue("DELETE FROM task."+way+" WHERE user_id = ?", user)
	}
	tx.Queue("UPDATE task.users SET email = '', former_emails = '{}', name = '', password_hash = NULL, erase_at = NULL WHERE id = ?", user)
	tx.Queue("DELETE FROM task.sessions WHERE user_id = ?", user)
	tx.Queue("SELECT pg_notify('" + account.EndedChannel + "', '')")
	return user, nil
}

// eraseLists ends memberships, and takes the lists away that have no other owner.
func eraseLists(ctx context.Context, tx *change.Tx, of *erasing) (bool, error) {
	return list.Erase(ctx, tx, of.UserID)
}

// eraseOwn deletes what is his alone.
func eraseOwn(ctx context.Context, tx *change.Tx, of *erasing) (bool, error) {
	for _, table := range His {
		res, err := tx.NewRaw("DELETE FROM task."+table+" WHERE ctid IN (SELECT ctid FROM task."+table+" WHERE user_id = ? LIMIT ?)", of.UserID, rows).Exec(ctx)
		if err != nil {
			return false, fmt.Errorf("erase of %s: %w", table, err)
		}
		if n, err := res.RowsAffected(); err != nil || n > 0 {
			return false, err
		}
	}
	return true, nil
}

// eraseComments deletes what he has said. An empty comment would say as much as none.
func eraseComments(ctx context.Context, tx *change.Tx, of *erasing) (bool, error) {
	res, err := tx.NewRaw("DELETE FROM task.comments WHERE id IN (SELECT id FROM task.comments WHERE author_id = ? LIMIT ?)", of.UserID, rows).Exec(ctx)
	if err != nil {
		return false, fmt.Errorf("erase comments: %w", err)
	}
	n, err := res.RowsAffected()
	return n == 0, err
}

// oneWay are letters that become the first of theirs in small, and which that does not become
// in capitals: who ignores case in a regular expression does not find them by it.
var oneWay = []string{"ßẞ", "iIİ", "kK\u212a", "åÅ\u212b", "ωΩ\u2126"}

// address is, in SQL with x for his row of erasures, any of his addresses as a regular
// expression: a longer one goes before one that it begins with.
var address = func() string {
	// In a cluster of locale C they are no letters: they stay as they are all the same.
	one := `regexp_replace(e, '([^[:alnum:]@` + strings.Join(oneWay, "") + `])', '\\\1', 'g')`
	for _, letters := range oneWay {
		one = "regexp_replace(" + one + ", '[" + letters + "]', '[" + letters + "]', 'g')"
	}
	return "(SELECT string_agg(" + one + ", '|' ORDER BY length(e) DESC) FROM unnest(x.emails) e)"
}()

// names is, in SQL with x as above, that a text has one of his addresses in it.
func names(text string) string {
	return "EXISTS (SELECT FROM unnest(x.emails) e WHERE strpos(lower(" + text + "), lower(e)) > 0)"
}

// eraseMentions replaces his address in what others have said: they have mentioned him by it.
func eraseMentions(ctx context.Context, tx *change.Tx, of *erasing) (bool, error) {
	var last []uuid.UUID
	err := tx.NewRaw(`WITH next AS MATERIALIZED (
			SELECT id, text FROM task.comments WHERE id > ? ORDER BY id LIMIT ?
		), replaced AS (
			UPDATE task.comments c SET text = regexp_replace(c.text, `+address+`, ?, 'gi')
			FROM next n, task.erasures x WHERE c.id = n.id AND x.id = ? AND `+names("n.text")+`
		)
		SELECT id FROM next ORDER BY id DESC LIMIT 1`, of.Reached, looked, former, of.ID).Scan(ctx, &last)
	if err != nil {
		return false, fmt.Errorf("erase an address in comments: %w", err)
	}
	if len(last) == 0 {
		return true, nil
	}
	of.Reached = last[0]
	return false, nil
}

const (
	// looked is how many rows are looked at in a transaction.
	looked = 4 * rows
	// former stands where the address of somebody was who was erased.
	former = "former member"
)

// eraseTrash takes his comments and reminders out of what others have thrown away.
func eraseTrash(ctx context.Context, tx *change.Tx, of *erasing) (bool, error) {
	var last []uuid.UUID
	without := func(column, key string) string {
		return column + ` = (SELECT jsonb_agg(o.e ORDER BY o.n) FROM jsonb_array_elements(t.` + column + `) WITH ORDINALITY o (e, n) WHERE o.e ->> '` + key + `' IS DISTINCT FROM x.user_id::text)`
	}
	err := tx.NewRaw(`WITH next AS MATERIALIZED (
			SELECT id FROM task.trash WHERE id > ?0 ORDER BY id LIMIT ?1
		), cleared AS (
			UPDATE task.trash t SET `+without("comments", "author_id")+", "+without("reminders", "user_id")+`
			FROM next n, task.erasures x WHERE t.id = n.id AND x.id = ?2 AND (strpos(t.comments::text, x.user_id::text) > 0 OR strpos(t.reminders::text, x.user_id::text) > 0)
			RETURNING t.id
		), replaced AS (
			UPDATE task.trash t SET comments = regexp_replace(t.comments::text, `+address+`, ?3, 'gi')::jsonb
			FROM next n, task.erasures x WHERE t.id = n.id AND x.id = ?2 AND `+names("t.comments::text")+`
				AND NOT EXISTS (SELECT FROM cleared c WHERE c.id = t.id)
		)
		SELECT id FROM next WHERE NOT EXISTS (SELECT FROM cleared) OR id < (SELECT id FROM cleared ORDER BY id LIMIT 1) ORDER BY id DESC LIMIT 1`, of.Reached, looked, of.ID, former).Scan(ctx, &last)
	if err != nil {
		return false, fmt.Errorf("erase what is in the trash: %w", err)
	}
	if len(last) > 0 {
		of.Reached = last[0]
		return false, nil
	}
	// Nothing behind it, or only what was cleared a moment ago, which is looked at again.
	var more bool
	if err := tx.NewRaw("SELECT EXISTS (SELECT FROM task.trash WHERE id > ?)", of.Reached).Scan(ctx, &more); err != nil {
		return false, fmt.Errorf("look for more in the trash: %w", err)
	}
	return !more, nil
}

// endErasure deletes the account, and appends the event of it.
func endErasure(ctx context.Context, tx *change.Tx, of *erasing) (bool, error) {
	tx.Queue("DELETE FROM task.feed WHERE list_id = ?", of.UserID)
	tx.Queue("DELETE FROM task.users WHERE id = ?", of.UserID)
	tx.Queue("UPDATE task.erasures SET done_at = ?, user_id = NULL, emails = NULL, name = NULL, step = NULL, reached = NULL, reached_at = NULL, reached_position = NULL WHERE id = ?", tx.Now, of.ID)
	data, err := marshal(event.AccountEvent{Frame: event.Frame{EventType: event.AccountErased, UserID: of.UserID, Timestamp: tx.Now, Metadata: map[string]any{}}})
	if err != nil {
		return false, err
	}
	tx.Append(eventlog.Entry{Topic: event.TopicTasks, Type: event.AccountErased, Key: of.UserID.String(), Time: tx.Now, Data: data})
	return true, tx.AppendAudit(of.UserID, event.AuditOf[any]{
		Frame: event.Frame{UserID: of.UserID}, Action: event.UserErased, Target: "user/" + of.UserID.String(),
	})
}
