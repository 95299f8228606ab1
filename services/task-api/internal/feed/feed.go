// Package feed tells clients what has changed for them: since a place that they have seen,
// as it is now. A client that has applied all up to a place has what the server had there.
//
// Places are transactions (ADR 0015): a change is settled, and sent, once no older
// transaction is under way that may still write.
package feed

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/outage"
	"github.com/taskwire/taskwire/pkg/page"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/comment"
	"github.com/taskwire/taskwire/services/task-api/internal/list"
	"github.com/taskwire/taskwire/services/task-api/internal/task"
)

// The kinds of things that changes are of.
const (
	KindTask    = "task"
	KindList    = "list"
	KindMember  = "member"
	KindComment = "comment"
)

// The operations: put is a thing as it is now, gone one that there is no more for who
// asks, and reset says that all of a list is to be read anew.
const (
	Put   = "put"
	Gone  = "gone"
	Reset = "reset"
)

// Change is what has become of a thing. Of Put exactly one of the things is there.
type Change struct {
	ListID uuid.UUID
	Kind   string
	ID     uuid.UUID
	Op     string

	Task    *task.Task
	List    *list.List
	Member  *list.Member
	Comment *comment.Comment

	// JSON is its encoding, where it is sent to many. Nobody may change it.
	JSON []byte
}

// Store reads the feed.
type Store struct {
	DB       *bun.DB
	Tasks    *task.Store
	Lists    *list.Store
	Comments *comment.Store
}

// Place is how far a client has seen the feed: all of the transactions below Changed, and,
// where it names a thing, of those of Changed up to that thing.
type Place struct {
	Log     uuid.UUID `json:"l"`
	Changed int64     `json:"x"`
	ListID  uuid.UUID `json:"i,omitzero"`
	Kind    string    `json:"k,omitempty"`
	ID      uuid.UUID `json:"e,omitzero"`
}

// ErrResync says that a place is of another log, or of long ago: the client has to begin
// with a snapshot.
var ErrResync = errors.New("the place is not known any more")

// ParsePlace reads the cursor that was made of a place. Its error is ErrResync.
func ParsePlace(cursor string) (Place, error) {
	var p Place
	if err := page.DecodeCursor(cursor, &p); err != nil || !database.Storable(p.Kind) || p.Changed < 0 {
		return Place{}, ErrResync
	}
	return p, nil
}

// head is where the feed is settled up to: below the oldest transaction under way, and no
// further than behind what has been committed in the feed. Transactions behind that may be
// on no disk yet, such as those that came to nothing. Where Postgres dies it gives their
// numbers again, and a client whose place is beyond them would never be sent what they
// are of then.
type head struct {
	Log     uuid.UUID `bun:"id"`
	Floor   int64     `bun:"floor"`
	Settled int64     `bun:"settled"`
	// Open says that there are transactions under way.
	Open bool `bun:"open"`
	// Other says that the log is that of another cluster, or of before a restore.
	Other bool `bun:"other"`
}

func (s *Store) head(ctx context.Context) (head, error) {
	for {
		var h head
		err := s.DB.NewRaw(`SELECT id, floor::text::bigint AS floor, pg_snapshot_xmin(s) <> pg_snapshot_xmax(s) AS open, cluster <> `+cluster+` AS other,
			least(pg_snapshot_xmin(s)::text::bigint, greatest(floor::text::bigint, (SELECT f.changed::text::bigint + 1 FROM task.feed f ORDER BY f.changed DESC LIMIT 1))) AS settled
			FROM task.feed_log, pg_current_snapshot() s`).Scan(ctx, &h)
		if err != nil {
			return head{}, fmt.Errorf("read how far the feed is: %w", err)
		}
		if !h.Other {
			return h, nil
		}
		if err := s.beginAnother(ctx); err != nil {
			return head{}, err
		}
	}
}

// Now is the place up to which all is settled.
func (s *Store) Now(ctx context.Context) (Place, error) {
	h, err := s.head(ctx)
	return Place{Log: h.Log, Changed: h.Settled}, err
}

// row is one of the feed.
type row struct {
	ListID  uuid.UUID `bun:"list_id"`
	Kind    string    `bun:"kind"`
	ID      uuid.UUID `bun:"entity_id"`
	Changed int64     `bun:"changed"`
	Gone    bool      `bun:"gone"`
}

// Page is changes, the place behind them, and whether there are more already.
type Page struct {
	Changes []Change
	Next    Place
	More    bool

	rows []row // of the changes
}

// First are its first n changes.
func (p Page) First(n int) Page {
	if n >= len(p.Changes) {
		return p
	}
	return Page{Changes: p.Changes[:n], Next: p.Behind(n - 1), More: true, rows: p.rows[:n]}
}

// Behind is the place behind one of its changes.
func (p Page) Behind(i int) Place {
	r := p.rows[i]
	return Place{p.Next.Log, r.Changed, r.ListID, r.Kind, r.ID}
}

// Since reads up to limit changes behind a place, in the actor's lists or some of them.
// Its error is ErrResync where the place is not known.
func (s *Store) Since(ctx context.Context, actor access.Actor, from Place, limit int, lists ...uuid.UUID) (Page, error) {
	h, err := s.head(ctx)
	if err != nil {
		return Page{}, err
	}
	if from.Log != h.Log || from.Changed < h.Floor || from.Changed > h.Settled {
		return Page{}, ErrResync
	}
	mine, own := actor.Memberships(lists...), access.Condition{SQL: "true"}
	if actor.Only != nil && len(lists) == 0 {
		lists = actor.Only
	}
	if len(lists) > 0 {
		own = access.Condition{SQL: "f.entity_id IN (?)", Args: []any{bun.List(lists)}}
	}
	const columns, order = "f.list_id, f.kind, f.entity_id, f.changed, f.gone", " ORDER BY f.changed, f.list_id, f.kind, f.entity_id LIMIT ?"
	behind := access.Condition{
		SQL:  "f.changed >= ?::text::xid8 AND f.changed < ?::text::xid8 AND (f.changed, f.list_id, f.kind, f.entity_id) > (?::text::xid8, ?::uuid, ?, ?::uuid)",
		Args: []any{fmt.Sprint(from.Changed), fmt.Sprint(h.Settled), fmt.Sprint(from.Changed), from.ListID, from.Kind, from.ID},
	}
	most := []any{limit + 1}
	var rows []row
	// Of each list by itself: only so is each read in its order, and no further.
	err = s.DB.NewRaw("SELECT f.list_id, f.kind, f.entity_id, f.changed::text::bigint AS changed, f.gone FROM ("+
		"(SELECT "+columns+" FROM task.members m, LATERAL (SELECT "+columns+page.Unsortable+" FROM task.feed f WHERE f.list_id = m.list_id AND "+behind.SQL+order+") f WHERE "+mine.SQL+")"+
		" UNION ALL (SELECT "+columns+" FROM (SELECT "+columns+page.Unsortable+" FROM task.feed f WHERE f.list_id = ? AND "+behind.SQL+" AND "+own.SQL+order+") f)) f"+order,
		slices.Concat(behind.Args, most, mine.Args, []any{actor.UserID}, behind.Args, own.Args, most, most)...).Scan(ctx, &rows)
	if err != nil {
		return Page{}, fmt.Errorf("read the feed: %w", err)
	}
	p := Page{Next: Place{Log: h.Log, Changed: h.Settled}, More: len(rows) > limit}
	if p.More {
		rows = rows[:limit]
		last := rows[limit-1]
		p.Next = Place{h.Log, last.Changed, last.ListID, last.Kind, last.ID}
	}
	p.rows = rows
	p.Changes, err = s.fill(ctx, actor, rows)
	return p, err
}

// fill makes changes of rows, with the things as the actor may see them now. Of what he may
// not there is nothing.
func (s *Store) fill(ctx context.Context, actor access.Actor, rows []row) ([]Change, error) {
	ids := map[string][]uuid.UUID{}
	for _, r := range rows {
		if !r.Gone {
			ids[r.Kind] = append(ids[r.Kind], r.ID)
		}
	}
	tasks, err := s.Tasks.ByID(ctx, actor, ids[KindTask])
	if err != nil {
		return nil, err
	}
	comments, err := s.Comments.ByID(ctx, actor, ids[KindComment])
	if err != nil {
		return nil, err
	}
	lists := map[uuid.UUID]*list.List{}
	for _, r := range rows {
		if id := r.ListID; (r.Kind == KindList && r.ListID == r.ID || r.Kind == KindMember) && !r.Gone && lists[id] == nil {
			l, err := s.Lists.Find(ctx, actor, id)
			if err != nil {
				return nil, err
			}
			lists[id] = l
		}
	}
	changes := make([]Change, 0, len(rows))
	for _, r := range rows {
		c := Change{ListID: r.ListID, Kind: r.Kind, ID: r.ID, Op: Gone}
		switch {
		case r.Kind == KindList && r.ListID != r.ID: // among what is the user's own
			if c.ListID = r.ID; !r.Gone {
				c.Op = Reset
			}
		case r.Gone:
		case r.Kind == KindTask:
			if t := tasks[r.ID]; t != nil && t.ListID == r.ListID {
				c.Op, c.Task = Put, t
			}
		case r.Kind == KindComment:
			if said := comments[r.ID]; said != nil && said.ListID == r.ListID {
				c.Op, c.Comment = Put, said
			}
		case r.Kind == KindList:
			if c.List = lists[r.ListID]; c.List != nil {
				c.Op = Put
			}
		case r.Kind == KindMember:
			if l := lists[r.ListID]; l != nil {
				if c.Member = l.Member(r.ID); c.Member != nil {
					c.Op = Put
				}
			}
		}
		changes = append(changes, c)
	}
	return changes, nil
}

// Snapshot gives all that the actor sees in his lists, or in some of them, to each, thing
// by thing. It begins after the place that Now gave: what changes meanwhile is sent from
// there.
func (s *Store) Snapshot(ctx context.Context, actor access.Actor, each func(Change) error, lists ...uuid.UUID) error {
	var after *list.Place
	for {
		found, err := s.Lists.All(ctx, actor, after, snapshotLists)
		if err != nil {
			return err
		}
		for _, l := range found {
			after = &list.Place{Position: l.Position, ID: l.ID}
			if len(lists) > 0 && !slices.Contains(lists, l.ID) {
				continue
			}
			if err := s.snapshotOf(ctx, actor, l, each); err != nil {
				return err
			}
		}
		if len(found) < snapshotLists {
			return nil
		}
	}
}

const (
	snapshotLists    = 50
	snapshotTasks    = 500 // of a list that are read at once
	snapshotComments = 100 // which may have 40 KB each
)

func (s *Store) snapshotOf(ctx context.Context, actor access.Actor, l *list.List, each func(Change) error) error {
	if err := each(Change{ListID: l.ID, Kind: KindList, ID: l.ID, Op: Put, List: l}); err != nil {
		return err
	}
	for _, m := range l.Members {
		if m.UserID == nil {
			continue
		}
		if err := each(Change{ListID: l.ID, Kind: KindMember, ID: *m.UserID, Op: Put, Member: &m}); err != nil {
			return err
		}
	}
	var after *page.Place
	for {
		tasks, err := s.Tasks.InList(ctx, actor, l.ID, after, snapshotTasks)
		if err != nil || len(tasks) == 0 {
			return err
		}
		for _, t := range tasks {
			after = &page.Place{At: t.CreatedAt, ID: t.ID}
			if err := each(Change{ListID: l.ID, Kind: KindTask, ID: t.ID, Op: Put, Task: t}); err != nil {
				return err
			}
		}
		if err := s.commentsOn(ctx, actor, tasks, each); err != nil {
			return err
		}
	}
}

// commentsOn gives the comments on some tasks, those of as many as have snapshotComments at once.
func (s *Store) commentsOn(ctx context.Context, actor access.Actor, tasks []*task.Task, each func(Change) error) error {
	ids := make([]uuid.UUID, len(tasks))
	for i, t := range tasks {
		ids[i] = t.ID
	}
	counted, err := s.Comments.Count(ctx, ids)
	if err != nil {
		return err
	}
	var on []uuid.UUID
	var n int
	for i, c := range counted {
		on, n = append(on, c.TaskID), n+c.Comments
		if i+1 < len(counted) && n+counted[i+1].Comments <= snapshotComments {
			continue
		}
		var last *comment.Comment
		for more := true; more; {
			found, err := s.Comments.On(ctx, actor, on, last, snapshotComments)
			if err != nil {
				return err
			}
			for _, last = range found {
				if err := each(Change{ListID: last.ListID, Kind: KindComment, ID: last.ID, Op: Put, Comment: last}); err != nil {
					return err
				}
			}
			more = len(found) == snapshotComments
		}
		on, n = nil, 0
	}
	return nil
}

// cluster names a cluster and its timeline: a restore begins another.
const cluster = "(SELECT (SELECT system_identifier FROM pg_control_system())::text || '/' || (SELECT timeline_id FROM pg_control_checkpoint())::text)"

// beginAnother makes the feed another log, once, where the database was restored, or is in
// another cluster: places of before mean nothing there.
func (s *Store) beginAnother(ctx context.Context) error {
	return s.DB.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		res, err := tx.NewRaw("UPDATE task.feed_log SET id = gen_random_uuid(), floor = '0', cluster = " + cluster + " WHERE cluster <> " + cluster).Exec(ctx)
		if err != nil {
			return fmt.Errorf("begin another feed: %w", err)
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return err // another replica was first
		}
		if _, err := tx.NewRaw("DELETE FROM task.feed").Exec(ctx); err != nil { // nobody has a place in it
			return fmt.Errorf("empty the feed: %w", err)
		}
		return nil
	})
}

const pruneEvery = time.Hour

// Keep forgets things that have been gone for longer than the trash keeps them, until ctx
// ends. Whoever has seen less than what was forgotten begins anew.
func (s *Store) Keep(ctx context.Context, retention time.Duration, now func() time.Time, log *slog.Logger) error {
	failing := &outage.Outage{Log: log, Gone: "what is gone can not be forgotten; trying again", Back: "what is gone is forgotten again"}
	return database.Repeat(ctx, failing, nil, func(ctx context.Context) (time.Duration, error) {
		return pruneEvery, s.forget(ctx, now().Add(-retention))
	})
}

func (s *Store) forget(ctx context.Context, before time.Time) error {
	// OFFSET 0: Postgres would rather look for the last one from the newest change on.
	_, err := s.DB.NewRaw(`WITH last AS (SELECT changed FROM (SELECT changed FROM task.feed WHERE gone AND at < ? OFFSET 0) f ORDER BY changed DESC LIMIT 1)
		UPDATE task.feed_log SET floor = (last.changed::text::bigint + 1)::text::xid8 FROM last WHERE floor <= last.changed`, before).Exec(ctx)
	if err != nil {
		return fmt.Errorf("raise the floor of the feed: %w", err)
	}
	_, err = database.Prune(ctx, s.DB, database.Old{Table: "task.feed", Key: "list_id, kind, entity_id", Age: "at", Only: "gone", Before: before})
	return err
}
