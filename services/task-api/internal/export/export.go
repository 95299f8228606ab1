// Package export gives a user all that the suite has of him, as files in a ZIP archive.
//
// The archive is written as it is read, some rows at a time: it takes as little memory for
// a million tasks as for one, but for the ids of those in the trash.
package export

import (
	"archive/zip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/page"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/account"
	"github.com/taskwire/taskwire/services/task-api/internal/comment"
	"github.com/taskwire/taskwire/services/task-api/internal/list"
	"github.com/taskwire/taskwire/services/task-api/internal/task"
)

// Store reads all that there is of a user.
type Store struct {
	DB        *bun.DB
	Users     *account.Store
	Sessions  *account.Sessions
	APITokens *account.APITokens
	Passkeys  *account.Passkeys
	Lists     *list.Store
	Tasks     *task.Store
	Comments  *comment.Store
	// Show is a task as the API answers it.
	Show func(*task.Task) any
	Now  func() time.Time
	// Alive says whether who asks is still signed in.
	Alive func(ctx context.Context) error
}

// Source is what another service has of the user: a file of the archive.
type Source struct {
	Name string // of the file
	// Page reads the next page, from a cursor on that is "" for the first one; next is ""
	// after the last.
	Page func(ctx context.Context, cursor string) (items []json.RawMessage, next string, err error)

	first []json.RawMessage
	next  string
}

// ErrUnderWay says that the user is being given an export already.
var ErrUnderWay = errors.New("an export of the user is under way")

const (
	// lease is how long an export may take over a part of the archive before another may begin.
	lease = time.Minute
	// rows is how many are read at once.
	rows = 200
)

// Export is one that is about to be given.
type Export struct {
	*Store

	id      uuid.UUID
	actor   access.Actor
	session uuid.UUID
	user    *account.User
	sources []Source
	renewed time.Time
}

// Begin gets hold of the user's one export, and asks the other services: an archive that
// is without what one of them has is none. It is a refusal where the actor has not signed
// in recently, ErrUnderWay, or what a source has answered.
func (s *Store) Begin(ctx context.Context, actor access.Actor, session uuid.UUID, sources ...Source) (*Export, error) {
	if err := actor.SignedInRecently(s.Now()); err != nil {
		return nil, err
	}
	user, err := s.Users.Get(ctx, actor)
	if err != nil {
		return nil, err
	}
	e := &Export{Store: s, id: uuid.New(), actor: actor, session: session, user: user, sources: sources}
	if err := e.hold(ctx); err != nil {
		return nil, err
	}
	for i := range sources {
		if sources[i].first, sources[i].next, err = sources[i].Page(ctx, ""); err != nil {
			e.End(ctx)
			return nil, err
		}
	}
	return e, nil
}

// hold takes the user's one export, or keeps it.
func (e *Export) hold(ctx context.Context) error {
	now := e.Now()
	res, err := e.DB.NewRaw(`INSERT INTO task.exports AS x (user_id, export, until) VALUES (?, ?, ?)
		ON CONFLICT (user_id) DO UPDATE SET export = EXCLUDED.export, until = EXCLUDED.until WHERE x.export = EXCLUDED.export OR x.until < ?`,
		e.actor.UserID, e.id, now.Add(lease), now).Exec(ctx)
	if err != nil {
		return fmt.Errorf("begin an export: %w", err)
	}
	n, err := res.RowsAffected()
	if err == nil && n == 0 {
		err = ErrUnderWay
	}
	e.renewed = now
	return err
}

// endTime is how long it may take to say that an export has ended.
const endTime = 5 * time.Second

// End lets the user have another export.
func (e *Export) End(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTime)
	defer cancel()
	// Where this fails, the next one has to wait for the lease to end.
	_, _ = e.DB.NewRaw("DELETE FROM task.exports WHERE user_id = ? AND export = ?", e.actor.UserID, e.id).Exec(ctx)
}

// Write writes the archive. After an error what was written is of no use.
func (e *Export) Write(ctx context.Context, w io.Writer) error {
	archive := zip.NewWriter(w)
	for _, f := range []struct {
		name  string
		write func(ctx context.Context, w io.Writer) error
	}{
		{"account.json", e.account},
		{"sessions.ndjson", e.lines(e.sessions)},
		{"api_tokens.ndjson", e.lines(e.apiTokens)},
		{"passkeys.ndjson", e.lines(e.passkeys)},
		{"identities.ndjson", e.lines(e.identities)},
		{"lists.ndjson", e.lines(e.lists)},
		{"invitations.ndjson", e.lines(e.invitations)},
		{"tasks.ndjson", e.lines(e.tasks)},
		{"tasks.ics", e.calendar},
		{"reminders.ndjson", e.lines(e.reminders)},
		{"comments.ndjson", e.lines(e.comments)},
		{"trash.ndjson", e.lines(e.trash)},
	} {
		if err := e.file(ctx, archive, f.name, f.write); err != nil {
			return err
		}
	}
	for _, s := range e.sources {
		if err := e.file(ctx, archive, s.Name, e.lines(s.all)); err != nil {
			return err
		}
	}
	if err := archive.Close(); err != nil {
		return fmt.Errorf("end the archive: %w", err)
	}
	return nil
}

func (e *Export) file(ctx context.Context, archive *zip.Writer, name string, write func(context.Context, io.Writer) error) error {
	w, err := archive.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: e.Now().UTC()})
	if err == nil {
		err = write(ctx, w)
	}
	if err != nil {
		return fmt.Errorf("write %s of an export: %w", name, err)
	}
	return nil
}

// each gives things to f, one by one.
type each func(ctx context.Context, f func(any) error) error

// lines writes each thing as a line of JSON, and keeps the export meanwhile.
func (e *Export) lines(of each) func(context.Context, io.Writer) error {
	return func(ctx context.Context, w io.Writer) error {
		encoder := json.NewEncoder(w)
		encoder.SetEscapeHTML(false)
		return of(ctx, func(thing any) error {
			if err := e.keep(ctx); err != nil {
				return err
			}
			return encoder.Encode(thing)
		})
	}
}

// keep holds the export for longer, now and then.
func (e *Export) keep(ctx context.Context) error {
	if e.Now().Sub(e.renewed) < lease/4 {
		return nil
	}
	if err := e.Alive(ctx); err != nil {
		return fmt.Errorf("go on with an export: %w", err)
	}
	return e.hold(ctx)
}

func (e *Export) account(_ context.Context, w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(e.user)
}

func (e *Export) sessions(ctx context.Context, f func(any) error) error {
	found, err := e.Sessions.List(ctx, e.actor, e.session)
	return all(found, err, f)
}

func (e *Export) passkeys(ctx context.Context, f func(any) error) error {
	found, err := e.Passkeys.List(ctx, e.actor)
	return all(found, err, f)
}

func (e *Export) identities(ctx context.Context, f func(any) error) error {
	found, err := e.Users.Identities(ctx, e.actor)
	return all(found, err, f)
}

func (e *Export) apiTokens(ctx context.Context, f func(any) error) error {
	return page.Each(func(last *account.APIToken) ([]*account.APIToken, error) {
		var behind *page.Place
		if last != nil {
			behind = &page.Place{At: last.CreatedAt, ID: last.ID}
		}
		return e.APITokens.List(ctx, e.actor, behind, rows)
	}, func(t *account.APIToken) error { return f(t) })
}

// all gives what was found to f, one by one, or returns why it was not.
func all[T any](found []T, err error, f func(any) error) error {
	if err != nil {
		return err
	}
	for _, one := range found {
		if err := f(one); err != nil {
			return err
		}
	}
	return nil
}

func (e *Export) eachList(ctx context.Context, f func(*list.List) error) error {
	return page.Each(func(last *list.List) ([]*list.List, error) {
		var after *list.Place
		if last != nil {
			after = &list.Place{Position: last.Position, ID: last.ID}
		}
		return e.Lists.All(ctx, e.actor, after, rows)
	}, f)
}

func (e *Export) lists(ctx context.Context, f func(any) error) error {
	return e.eachList(ctx, func(l *list.List) error { return f(l) })
}

func (e *Export) invitations(ctx context.Context, f func(any) error) error {
	return page.Each(func(last *list.Invitation) ([]*list.Invitation, error) {
		var after *page.Place
		if last != nil {
			after = &page.Place{At: last.CreatedAt, ID: last.ID}
		}
		return e.Lists.Invitations(ctx, e.actor, after, rows)
	}, func(i *list.Invitation) error { return f(i) })
}

// eachTask gives all tasks that the user sees: those of his lists, whoever has made them.
func (e *Export) eachTask(ctx context.Context, f func(*task.Task) error) error {
	return e.eachList(ctx, func(l *list.List) error {
		return page.Each(func(last *task.Task) ([]*task.Task, error) {
			var after *page.Place
			if last != nil {
				after = &page.Place{At: last.CreatedAt, ID: last.ID}
			}
			return e.Tasks.InList(ctx, e.actor, l.ID, after, rows)
		}, f)
	})
}

func (e *Export) tasks(ctx context.Context, f func(any) error) error {
	return e.eachTask(ctx, func(t *task.Task) error { return f(e.Show(t)) })
}

// reminder is one of the user's, with the task that it is of.
type reminder struct {
	ID        uuid.UUID  `json:"id"`
	TaskID    uuid.UUID  `json:"task_id"`
	At        *time.Time `json:"at"`
	BeforeDue *string    `json:"before_due"`
	RemindAt  *time.Time `json:"remind_at"`
}

func (e *Export) reminders(ctx context.Context, f func(any) error) error {
	return e.eachTask(ctx, func(t *task.Task) error {
		for _, r := range t.Reminders {
			if r.Of(t) != e.actor.UserID {
				continue
			}
			if err := f(reminder{r.ID, t.ID, r.At, r.BeforeDue, r.RemindAt}); err != nil {
				return err
			}
		}
		return nil
	})
}

// comments gives those that he has written, on what he sees.
func (e *Export) comments(ctx context.Context, f func(any) error) error {
	return page.Each(func(last *comment.Comment) ([]*comment.Comment, error) {
		var behind uuid.UUID
		if last != nil {
			behind = last.ID
		}
		return e.Comments.Written(ctx, e.actor, behind, rows)
	}, func(c *comment.Comment) error { return f(c) })
}

// trashed is a task or a list in the trash, with what the task said.
type trashed struct {
	ID          uuid.UUID       `bun:"id" json:"id"`
	RootID      uuid.UUID       `bun:"root_id" json:"root_id"`
	Kind        string          `bun:"kind" json:"kind"`
	Title       string          `bun:"title" json:"title"`
	Description *string         `bun:"description" json:"description"`
	Tags        json.RawMessage `bun:"tags" json:"tags"`
	DueAt       *time.Time      `bun:"due_at" json:"due_at"`
	ListID      uuid.UUID       `bun:"list_id" json:"list_id"`
	DeletedAt   time.Time       `bun:"deleted_at" json:"deleted_at"`
}

func (e *Export) trash(ctx context.Context, f func(any) error) error {
	may := e.actor.TrashMemberships()
	// What was thrown away by itself, by the lists, and what went with it: a list in the
	// trash is there for who was its member. By the ids of all that is in the trash,
	// Postgres would look for his among everybody's. That is done once, and not for each page.
	var his []uuid.UUID
	err := e.DB.NewRaw(`SELECT w.id FROM task.members m JOIN task.trash x ON x.list_id = m.list_id AND x.root_id = x.id JOIN task.trash w ON w.root_id = x.id
		WHERE `+may.SQL+" AND NOT x.let_go AND NOT w.let_go ORDER BY w.id", may.Args...).Scan(ctx, &his)
	if err != nil {
		return fmt.Errorf("look through the trash: %w", err)
	}
	for ids := range slices.Chunk(his, rows) {
		var found []*trashed
		// He may have left its list meanwhile. A value, so that each is looked at by itself, and
		// not all of his again.
		err := e.DB.NewRaw(`SELECT w.id, w.root_id, CASE WHEN w.task IS NULL THEN 'list' ELSE 'task' END AS kind, w.title, w.task ->> 'description' AS description,
				coalesce(w.task -> 'tags', '[]') AS tags, (w.task ->> 'due_at')::timestamptz AS due_at, w.list_id, w.deleted_at
			FROM task.trash w WHERE w.id IN (?) AND NOT w.let_go
			AND (SELECT true FROM task.trash x JOIN task.members m ON m.list_id = x.list_id WHERE x.id = w.root_id AND x.root_id = x.id AND `+may.SQL+") ORDER BY w.id",
			append([]any{bun.List(ids)}, may.Args...)...).Scan(ctx, &found)
		if err != nil {
			return fmt.Errorf("read the trash: %w", err)
		}
		for _, t := range found {
			if err := f(t); err != nil {
				return err
			}
		}
	}
	return nil
}

// all gives what another service has, from the page on that was read at the beginning.
func (s Source) all(ctx context.Context, f func(any) error) (err error) {
	items, next := s.first, s.next
	for {
		for _, item := range items {
			if err := f(item); err != nil {
				return err
			}
		}
		if next == "" {
			return nil
		}
		if items, next, err = s.Page(ctx, next); err != nil {
			return err
		}
	}
}
