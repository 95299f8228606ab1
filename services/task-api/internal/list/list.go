// Package list keeps the lists that tasks are in, their members and who is invited. What
// a member may do, package access says.
package list

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
	"github.com/taskwire/taskwire/services/task-api/internal/limit"
	"github.com/taskwire/taskwire/services/task-api/internal/refuse"
	"github.com/taskwire/taskwire/services/task-api/internal/task"
)

// List is a list as one of its members sees it: Position, Group and Role are his own.
type List struct {
	ID         uuid.UUID   `bun:"id" json:"id" format:"uuid" doc:"The list"`
	Name       string      `bun:"name" json:"name" doc:"How it is called"`
	Color      *string     `bun:"color" json:"color" nullable:"true" doc:"#rrggbb"`
	Group      *string     `bun:"list_group" json:"group" nullable:"true" doc:"Under what you keep it; your own"`
	IsInbox    bool        `bun:"is_inbox" json:"is_inbox" doc:"Whether it is your inbox, where tasks are that name no list. It is yours alone"`
	IsArchived bool        `bun:"is_archived" json:"is_archived" doc:"Whether it is put away"`
	Position   int64       `bun:"position" json:"position" doc:"Where it is among your lists: the lower, the earlier; your own"`
	Role       access.Role `bun:"role" json:"role" doc:"What you may do: read, also change tasks, or also change the list and its members"`
	Members    []Member    `bun:"members,type:jsonb" json:"members" nullable:"false" doc:"Who is in it, and who is invited"`
	OpenTasks  int         `bun:"open_tasks" json:"open_tasks" doc:"How many of its tasks are open. Not part of the version"`
	Version    int64       `bun:"version" json:"version" minimum:"1" doc:"Counts the changes of the list and of its members, from 1"`
	CreatedAt  time.Time   `bun:"created_at" json:"created_at" doc:"When it was made"`
	UpdatedAt  time.Time   `bun:"updated_at" json:"updated_at" doc:"When it was last changed"`
}

// Member is a member of a list, or who is invited: he has no UserID, since nobody is to
// learn from a list which addresses have accounts.
type Member struct {
	UserID *uuid.UUID  `json:"user_id" nullable:"true" format:"uuid" doc:"The member; null for who is invited"`
	Email  string      `json:"email" doc:"The address"`
	Name   string      `json:"name" doc:"How the member is called"`
	Role   access.Role `json:"role" doc:"What the member may do"`
	State  string      `json:"state" enum:"active,invited" doc:"Whether there is an answer to the invitation"`
	// InvitationID is for an owner, who takes it back with it; it opens nothing.
	InvitationID *uuid.UUID `json:"invitation_id" nullable:"true" format:"uuid" doc:"Of who is invited, the invitation; null for a member"`
}

// The states of a member.
const (
	Active  = "active"
	Invited = "invited"
)

// Limits bound what a user and a list can have. 0 is no limit.
type Limits struct {
	Lists   int `env:"LIMIT_LISTS" envDefault:"500" min:"0" max:"1000000"`   // that a user is a member of
	Members int `env:"LIMIT_MEMBERS" envDefault:"100" min:"0" max:"1000000"` // of a list, and who is invited
}

// Store keeps the lists in Postgres. Each of its changes is one transaction, which locks
// the list first.
type Store struct {
	DB      *bun.DB
	Changes *change.Writer
	Limits  Limits
	// VerifiedOnly: an invitation is for who has shown that the address is his.
	VerifiedOnly bool
	Attempts     *limit.Windows
	Mails        limit.Limit // of invitations that a user may have sent
}

var (
	errNotFound = refuse.Missing("list")
	errStale    = refuse.Because(refuse.ListChanged, "the list has changed since; read it again and send its new ETag")
)

// maxMembers bounds what a list answers of its members.
const maxMembers = 100_000

// columns are those of a List, of task.lists l and the actor's task.members m.
var columns = fmt.Sprintf(`l.id, l.name, l.color, m.list_group, l.is_inbox, l.is_archived, m.position, m.role, l.version, l.created_at, l.updated_at,
	(SELECT count(*) FROM task.tasks t WHERE t.list_id = l.id AND NOT t.is_complete) AS open_tasks,
	(SELECT json_agg(p.member ORDER BY p.since, p.id) FROM (
		(SELECT json_build_object('user_id', o.user_id, 'email', coalesce(u.email, ''), 'name', coalesce(u.name, ''), 'role', o.role, 'state', 'active', 'invitation_id', NULL) AS member, o.since, o.user_id AS id
			FROM task.members o LEFT JOIN task.users u ON u.id = o.user_id WHERE o.list_id = l.id ORDER BY o.since, o.user_id LIMIT %d)
		UNION ALL
		(SELECT json_build_object('user_id', NULL, 'email', i.email, 'name', '', 'role', i.role, 'state', 'invited', 'invitation_id', i.id), i.created_at, i.id
			FROM task.invitations i WHERE i.list_id = l.id ORDER BY i.created_at, i.id LIMIT %d)) p) AS members`, maxMembers, maxMembers)

// Get reads a list of the actor.
func (s *Store) Get(ctx context.Context, actor access.Actor, id uuid.UUID) (*List, error) {
	if err := s.EnsureInbox(ctx, actor); err != nil {
		return nil, err
	}
	return one(ctx, s.DB, actor, id)
}

// Find reads a list of the actor; nil where it is none of his.
func (s *Store) Find(ctx context.Context, actor access.Actor, id uuid.UUID) (*List, error) {
	l, err := one(ctx, s.DB, actor, id)
	if errors.Is(err, errNotFound) {
		return nil, nil
	}
	return l, err
}

func one(ctx context.Context, db bun.IDB, actor access.Actor, id uuid.UUID) (*List, error) {
	mine := actor.Memberships(id)
	var found []*List
	err := db.NewRaw("SELECT "+columns+" FROM task.members m JOIN task.lists l ON l.id = m.list_id WHERE "+mine.SQL, mine.Args...).Scan(ctx, &found)
	if err != nil {
		return nil, fmt.Errorf("read the list: %w", err)
	}
	if len(found) == 0 {
		return nil, errNotFound
	}
	return found[0], nil
}

// Place is where a list is in the order of its member.
type Place struct {
	Position int64     `json:"p"`
	ID       uuid.UUID `json:"i"`
}

// All reads up to limit lists of the actor in his order, behind a place.
func (s *Store) All(ctx context.Context, actor access.Actor, after *Place, limit int) ([]*List, error) {
	if err := s.EnsureInbox(ctx, actor); err != nil {
		return nil, err
	}
	mine := actor.Memberships()
	if after != nil {
		mine = mine.And("(m.position, m.list_id) > (?, ?)", after.Position, after.ID)
	}
	var found []*List
	err := s.DB.NewRaw("SELECT "+columns+" FROM task.members m JOIN task.lists l ON l.id = m.list_id WHERE "+mine.SQL+" ORDER BY m.position, m.list_id LIMIT ?",
		append(mine.Args, limit)...).Scan(ctx, &found)
	if err != nil {
		return nil, fmt.Errorf("read the lists: %w", err)
	}
	return found, nil
}

// EnsureInbox gives a user his inbox who has changed nothing yet.
func (s *Store) EnsureInbox(ctx context.Context, actor access.Actor) error {
	if s.Changes.KnowsInbox(actor.UserID) {
		return nil
	}
	return s.Changes.Do(ctx, actor, func(_ context.Context, tx *change.Tx) error {
		tx.EnsureInbox()
		return nil
	})
}

// Draft is a new list as its user wants it.
type Draft struct {
	Name         string
	Color, Group *string
}

// Create adds a list of the actor's own, who must not be restricted to some. With a key it does so once: a repetition answers
// what the first answered.
func (s *Store) Create(ctx context.Context, actor access.Actor, draft Draft, key *change.Key) (*List, error) {
	if err := actor.MakesLists(); err != nil {
		return nil, err
	}
	var l *List
	err := s.Changes.Do(ctx, actor, func(ctx context.Context, tx *change.Tx) error {
		l = new(List)
		if key != nil {
			if was, err := key.Claim(ctx, tx, l); err != nil || was {
				return err
			}
		}
		if err := (Patch{Name: &draft.Name, Color: draft.Color}).check(); err != nil {
			return err
		}
		tx.EnsureInbox()
		if err := s.roomForOne(ctx, tx, actor.UserID); err != nil {
			return err
		}
		id := uuid.Must(uuid.NewV7())
		tx.Queue(`INSERT INTO task.lists (id, created_by, name, color, version, created_at, updated_at) VALUES (?, ?, ?, ?, 1, ?, ?)`,
			id, actor.UserID, strings.TrimSpace(draft.Name), draft.Color, tx.Now, tx.Now)
		tx.Queue(`INSERT INTO task.members (user_id, list_id, role, position, list_group, since) VALUES (?, ?, ?, ?, ?, ?)`,
			actor.UserID, id, string(access.Owner), tx.Now.UnixMicro(), draft.Group, tx.Now)
		var err error
		if l, err = one(ctx, tx, actor, id); err != nil {
			return err
		}
		if err := appendAudit(tx, event.ListCreated, nil, l); err != nil {
			return err
		}
		if key != nil {
			return key.Keep(tx, l)
		}
		return nil
	})
	return l, err
}

// roomForOne refuses a user who is a member of as many lists as he can be.
func (s *Store) roomForOne(ctx context.Context, tx *change.Tx, user uuid.UUID) error {
	if s.Limits.Lists == 0 {
		return nil
	}
	var lists int
	if err := tx.NewRaw("SELECT count(*) FROM task.members WHERE user_id = ? AND NOT trashed", user).Scan(ctx, &lists); err != nil {
		return fmt.Errorf("count the lists: %w", err)
	}
	if lists >= s.Limits.Lists {
		return refuse.Because(refuse.LimitReached, fmt.Sprintf("you have %d lists, the most that one can have here", lists))
	}
	return nil
}

// Patch changes parts of a list; nil leaves one. Of Color and Group "" is none.
type Patch struct {
	Name       *string
	Color      *string
	IsArchived *bool
	Group      *string // the member's own
}

var color = regexp.MustCompile("^#[0-9a-fA-F]{6}$")

func (p Patch) check() error {
	if p.Name != nil {
		if n := utf8.RuneCountInString(strings.TrimSpace(*p.Name)); n < 1 || n > 100 {
			return refuse.Part("name", "must have 1 to 100 characters")
		}
	}
	if p.Color != nil && *p.Color != "" && !color.MatchString(*p.Color) {
		return refuse.Part("color", "must be #rrggbb")
	}
	return nil
}

// Patch changes a list of the actor. His group is his own; all else is for owners.
func (s *Store) Patch(ctx context.Context, actor access.Actor, id uuid.UUID, match change.Versions, p Patch) (*List, error) {
	var l *List
	err := s.Changes.Do(ctx, actor, func(ctx context.Context, tx *change.Tx) error {
		before, err := lock(ctx, tx, id)
		if err != nil {
			return err
		}
		if (p.Name != nil || p.Color != nil || p.IsArchived != nil) && !before.Role.Rules() {
			return access.ErrOwnersOnly
		}
		if !match.Allow(before.Version) {
			return errStale
		}
		if err := p.check(); err != nil {
			return err
		}
		after := *before
		if p.Name != nil {
			after.Name = strings.TrimSpace(*p.Name)
		}
		if p.Color != nil {
			after.Color = orNil(*p.Color)
		}
		if p.IsArchived != nil {
			after.IsArchived = *p.IsArchived
		}
		shared := after.Name != before.Name || !equal(after.Color, before.Color) || after.IsArchived != before.IsArchived
		if p.Group != nil {
			after.Group = orNil(*p.Group)
		}
		switch {
		case after.IsArchived && after.IsInbox:
			return refuse.Part("is_archived", "is not for the inbox")
		case !shared && equal(after.Group, before.Group):
			l = before
			return nil
		}
		tx.Queue("UPDATE task.members SET list_group = ? WHERE user_id = ? AND list_id = ?", after.Group, actor.UserID, id)
		if l = &after; !shared {
			return nil // his own matter
		}
		return save(tx, before, l)
	})
	return l, err
}

// save writes a list that was changed, with its event.
func save(tx *change.Tx, before, l *List) error {
	l.Version, l.UpdatedAt = before.Version+1, tx.Now
	tx.Queue("UPDATE task.lists SET name = ?, color = ?, is_archived = ?, version = ?, updated_at = ? WHERE id = ?",
		l.Name, l.Color, l.IsArchived, l.Version, l.UpdatedAt, l.ID)
	return appendAudit(tx, event.ListUpdated, before, l)
}

// Delete moves a list of the actor's and its tasks into the trash. Its members find it
// there.
func (s *Store) Delete(ctx context.Context, actor access.Actor, id uuid.UUID, match change.Versions) error {
	return s.Changes.Do(ctx, actor, func(ctx context.Context, tx *change.Tx) error {
		l, err := lockOwned(ctx, tx, id)
		switch {
		case err != nil:
			return err
		case !match.Allow(l.Version):
			return errStale
		case l.IsInbox:
			return refuse.Because(refuse.PrivateInbox, "an inbox stays as long as its user; delete its tasks instead")
		}
		return moveToTrash(ctx, tx, l)
	})
}

// moveToTrash moves a list that is locked into the trash, with its tasks.
func moveToTrash(ctx context.Context, tx *change.Tx, l *List) error {
	// Nothing comes into it any more: whoever adds a task waits, and finds no such list.
	tx.Queue("SELECT FROM task.lists WHERE id = ? FOR UPDATE", l.ID)
	if err := task.TrashList(ctx, tx, l.ID); err != nil {
		return err
	}
	tx.Queue("UPDATE task.lists SET trashed_at = ?, version = version + 1, updated_at = ? WHERE id = ?", tx.Now, tx.Now, l.ID)
	tx.Queue("UPDATE task.members SET trashed = true WHERE list_id = ?", l.ID)
	tx.Queue("INSERT INTO task.trash (id, root_id, list_id, title, version, deleted_by, deleted_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
		l.ID, l.ID, l.ID, l.Name, l.Version+1, tx.Actor.UserID, tx.Now)
	return appendAuditOf(tx, l.ID, event.ListDeleted, "list/"+l.ID.String(), l.state(), nil)
}

// lock reads a list of the actor once it is locked: the members of a list and what it is
// called are changed by one at a time.
func lock(ctx context.Context, tx *change.Tx, id uuid.UUID) (*List, error) {
	if id == access.Inbox(tx.Actor.UserID) {
		tx.EnsureInbox()
	}
	mine := tx.Actor.InLists("id")
	tx.Queue("SELECT FROM task.lists WHERE id = ? AND "+mine.SQL+" FOR NO KEY UPDATE", append([]any{id}, mine.Args...)...)
	return one(ctx, tx, tx.Actor, id)
}

// Move puts a list before or behind another in the actor's order, or at its end.
func (s *Store) Move(ctx context.Context, actor access.Actor, id uuid.UUID, match change.Versions, before, after *uuid.UUID) (*List, error) {
	if before != nil && after != nil {
		return nil, refuse.Part("after", "can not be said together with before")
	}
	var l *List
	err := s.Changes.Do(ctx, actor, func(ctx context.Context, tx *change.Tx) error {
		was, err := lock(ctx, tx, id)
		if err != nil {
			return err
		}
		if !match.Allow(was.Version) {
			return errStale
		}
		places, err := othersOf(ctx, tx, id)
		if err != nil {
			return err
		}
		at, name, other := len(places), "before", before
		if after != nil {
			name, other = "after", after
		}
		if other != nil {
			if at = indexOf(places, *other); at < 0 {
				return refuse.Part(name, "is none of your other lists")
			}
			if after != nil {
				at++
			}
		}
		now := *was
		now.Position = between(tx, places, at)
		tx.Queue("UPDATE task.members SET position = ? WHERE user_id = ? AND list_id = ?", now.Position, actor.UserID, id)
		l = &now
		return nil // his own matter
	})
	return l, err
}

// apart is how far lists are put from each other.
const apart = 1 << 20

// between is a position before places[at], of a list that is none of them. Where there is
// none all are put apart.
func between(tx *change.Tx, places []Place, at int) int64 {
	switch {
	case len(places) == 0:
		return tx.Now.UnixMicro()
	case at == len(places):
		return max(tx.Now.UnixMicro(), places[at-1].Position+1)
	case at == 0:
		return places[0].Position - apart
	}
	low, high := places[at-1].Position, places[at].Position
	if high-low >= 2 {
		return low + (high-low)/2
	}
	// A user has few lists: all of his others are numbered anew.
	first := places[0].Position
	for i, p := range places {
		position := first + int64(i)*apart
		if i >= at {
			position += apart
		}
		if position == p.Position {
			continue
		}
		tx.Queue("UPDATE task.members SET position = ? WHERE user_id = ? AND list_id = ?", position, tx.Actor.UserID, p.ID)
	}
	return first + int64(at)*apart
}

// othersOf are the places of the actor's lists but one, in order. They are locked: he may
// be ordering them from another device.
func othersOf(ctx context.Context, tx *change.Tx, id uuid.UUID) ([]Place, error) {
	mine := tx.Actor.Memberships()
	var found []struct {
		Position int64     `bun:"position"`
		ID       uuid.UUID `bun:"list_id"`
	}
	err := tx.NewRaw("SELECT m.position, m.list_id FROM task.members m WHERE "+mine.SQL+" ORDER BY m.position, m.list_id FOR UPDATE", mine.Args...).Scan(ctx, &found)
	if err != nil {
		return nil, fmt.Errorf("read the order of the lists: %w", err)
	}
	places := make([]Place, 0, len(found))
	for _, f := range found {
		if f.ID != id {
			places = append(places, Place{f.Position, f.ID})
		}
	}
	return places, nil
}

func indexOf(places []Place, id uuid.UUID) int {
	for i, p := range places {
		if p.ID == id {
			return i
		}
	}
	return -1
}

func equal(a, b *string) bool { return a == b || a != nil && b != nil && *a == *b }

func orNil(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// state is a list as events and the audit trail show it: without what is one member's own.
type state struct {
	ID         uuid.UUID `json:"id"`
	Name       string    `json:"name"`
	Color      *string   `json:"color"`
	IsInbox    bool      `json:"is_inbox"`
	IsArchived bool      `json:"is_archived"`
	Version    int64     `json:"version"`
	CreatedAt  time.Time `json:"created_at"`
	UpdatedAt  time.Time `json:"updated_at"`
}

func (l *List) state() any {
	if l == nil {
		return nil
	}
	return state{l.ID, l.Name, l.Color, l.IsInbox, l.IsArchived, l.Version, l.CreatedAt.UTC(), l.UpdatedAt.UTC()}
}
