package list

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/page"
	"github.com/taskwire/taskwire/pkg/taskapi"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/accountmail"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
	"github.com/taskwire/taskwire/services/task-api/internal/refuse"
	"github.com/taskwire/taskwire/services/task-api/internal/task"
)

// Invitation asks who has an address to be a member of a list.
type Invitation struct {
	ID        uuid.UUID   `bun:"id" json:"id" format:"uuid" doc:"The invitation"`
	ListID    uuid.UUID   `bun:"list_id" json:"list_id" format:"uuid" doc:"The list"`
	ListName  string      `bun:"list_name" json:"list_name" doc:"How the list is called"`
	Email     string      `bun:"email" json:"email" doc:"Whom it is for"`
	Role      access.Role `bun:"role" json:"role" doc:"What the member may do"`
	State     string      `bun:"state" json:"state" enum:"invited" doc:"There is no answer yet"`
	InvitedBy Inviter     `bun:"invited_by,type:jsonb" json:"invited_by" doc:"Who asks"`
	CreatedAt time.Time   `bun:"created_at" json:"created_at" doc:"Since when"`
}

// Inviter is who invites.
type Inviter struct {
	UserID uuid.UUID `json:"user_id" format:"uuid" doc:"The user"`
	Email  string    `json:"email" doc:"The address"`
	Name   string    `json:"name" doc:"How the user is called"`
}

// invited are the columns of an Invitation, of task.invitations i.
const invited = `i.id, i.list_id, l.name AS list_name, i.email, i.role, 'invited' AS state, i.created_at,
	json_build_object('user_id', i.invited_by, 'email', coalesce(u.email, ''), 'name', coalesce(u.name, '')) AS invited_by
	FROM task.invitations i JOIN task.lists l ON l.id = i.list_id LEFT JOIN task.users u ON u.id = i.invited_by`

// membership is a member of a list as the audit trail shows him.
type membership struct {
	ListID uuid.UUID   `json:"list_id"`
	UserID *uuid.UUID  `json:"user_id"`
	Email  string      `json:"email"`
	Role   access.Role `json:"role"`
	State  string      `json:"state"`
}

// Invite asks who has an address to be a member, with a role. Who is invited already has
// the new role then.
func (s *Store) Invite(ctx context.Context, actor access.Actor, id uuid.UUID, email string, role access.Role) (*Invitation, error) {
	email = strings.TrimSpace(email)
	if err := accountmail.CheckAddress("email", email); err != nil {
		return nil, err
	}
	if !role.Known() {
		return nil, refuse.Part("role", "is none that there is")
	}
	// Beyond what one user may have sent in an hour he invites without a mail.
	wait, _, err := s.Attempts.Count(ctx, s.Mails, actor.UserID.String())
	if err != nil {
		return nil, err
	}
	var i *Invitation
	err = s.Changes.Do(ctx, actor, func(ctx context.Context, tx *change.Tx) error {
		l, err := lockOwned(ctx, tx, id)
		if err != nil {
			return err
		}
		if l.IsInbox {
			return refuse.Because(refuse.PrivateInbox, "an inbox is its owner's alone; make a list to share tasks")
		}
		for _, m := range l.Members {
			if m.State == Active && accountmail.SameAddress(m.Email, email) {
				return refuse.Because(refuse.AlreadyMember, "who has this address is a member already")
			}
		}
		again := slices.ContainsFunc(l.Members, func(m Member) bool { return m.State == Invited && accountmail.SameAddress(m.Email, email) })
		if s.Limits.Members > 0 && len(l.Members) >= s.Limits.Members && !again {
			return refuse.Because(refuse.LimitReached, fmt.Sprintf("the list has %d members and invitations, the most that there can be", len(l.Members)))
		}
		var made uuid.UUID
		err = tx.NewRaw(`INSERT INTO task.invitations (id, list_id, email, role, invited_by, created_at) VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT (list_id, lower(email)) DO UPDATE SET role = EXCLUDED.role RETURNING id`,
			uuid.Must(uuid.NewV7()), id, email, string(role), actor.UserID, tx.Now).Scan(ctx, &made)
		if err != nil {
			return fmt.Errorf("write the invitation: %w", err)
		}
		touch(tx, l)
		if i, err = invitation(ctx, tx, access.Condition{SQL: "i.id = ?", Args: []any{made}}); err != nil {
			return err
		}
		if !again && wait == 0 {
			err := accountmail.Post(tx, accountmail.Mail{Kind: taskapi.MailInvitation, Address: i.Email, About: accountmail.About{Invitation: i.ID}})
			if err != nil {
				return err
			}
		}
		return appendMemberAudit(tx, event.MemberInvited, nil, &membership{id, nil, i.Email, role, Invited})
	})
	return i, err
}

// lockOwned is lock for what only an owner may do.
func lockOwned(ctx context.Context, tx *change.Tx, id uuid.UUID) (*List, error) {
	l, err := lock(ctx, tx, id)
	if err == nil && !l.Role.Rules() {
		return nil, access.ErrOwnersOnly
	}
	return l, err
}

// touch counts a change of the members of a list as one of the list.
func touch(tx *change.Tx, l *List) {
	tx.Queue("UPDATE task.lists SET version = version + 1, updated_at = ? WHERE id = ?", tx.Now, l.ID)
}

func appendMemberAudit(tx *change.Tx, action string, before, after *membership) error {
	is := after
	if is == nil {
		is = before
	}
	target := "invitation/" + is.Email
	if is.UserID != nil {
		target = "user/" + is.UserID.String()
	}
	return appendAuditOf(tx, is.ListID, action, target, before, after)
}

// invitation reads one; nil where there is none.
func invitation(ctx context.Context, tx *change.Tx, where access.Condition) (*Invitation, error) {
	i := new(Invitation)
	err := tx.NewRaw("SELECT "+invited+" WHERE "+where.SQL, where.Args...).Scan(ctx, i)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, refuse.Missing("invitation")
	}
	if err != nil {
		return nil, fmt.Errorf("read the invitation: %w", err)
	}
	return i, nil
}

// forActor are the invitations to the address that the actor's account has, and that was
// verified where that is asked for. They are to lists that he is not in: who is restricted
// to some of his has none.
func (s *Store) forActor(actor access.Actor) access.Condition {
	if actor.Only != nil {
		return access.Condition{SQL: "false"}
	}
	return access.Condition{
		SQL:  "l.trashed_at IS NULL AND lower(i.email) = (SELECT lower(me.email) FROM task.users me WHERE me.id = ? AND me.email <> '' AND (me.verified OR NOT ?))",
		Args: []any{actor.UserID, s.VerifiedOnly},
	}
}

// Invitations reads up to limit of those that the actor can accept, behind one.
func (s *Store) Invitations(ctx context.Context, actor access.Actor, after *page.Place, limit int) ([]*Invitation, error) {
	where := s.forActor(actor)
	if after != nil {
		where = where.And("(i.created_at, i.id) > (?, ?)", after.At, after.ID)
	}
	found := []*Invitation{}
	err := s.DB.NewRaw("SELECT "+invited+" WHERE "+where.SQL+" ORDER BY i.created_at, i.id LIMIT ?", append(where.Args, limit)...).Scan(ctx, &found)
	if err != nil {
		return nil, fmt.Errorf("read the invitations: %w", err)
	}
	return found, nil
}

// Accept makes the actor a member of the list that he is invited to.
func (s *Store) Accept(ctx context.Context, actor access.Actor, id uuid.UUID) (*List, error) {
	var l *List
	err := s.Changes.Do(ctx, actor, func(ctx context.Context, tx *change.Tx) error {
		i, err := s.answer(ctx, tx, id, s.forActor(actor))
		if err != nil {
			return err
		}
		tx.EnsureInbox()
		if err := s.roomForOne(ctx, tx, actor.UserID); err != nil {
			return err
		}
		// Who has got in by another address keeps the role that he has.
		tx.Queue(`INSERT INTO task.members (user_id, list_id, role, position, since) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
			actor.UserID, i.ListID, string(i.Role), tx.Now.UnixMicro(), tx.Now)
		if l, err = one(ctx, tx, actor, i.ListID); err != nil {
			return err
		}
		return appendMemberAudit(tx, event.MemberJoined, nil, &membership{l.ID, &actor.UserID, i.Email, l.Role, Active})
	})
	return l, err
}

// Decline takes an invitation of the actor away.
func (s *Store) Decline(ctx context.Context, actor access.Actor, id uuid.UUID) error {
	return s.Changes.Do(ctx, actor, func(ctx context.Context, tx *change.Tx) error {
		i, err := s.answer(ctx, tx, id, s.forActor(actor))
		if err != nil {
			return err
		}
		return appendMemberAudit(tx, event.MemberDeclined, &membership{i.ListID, nil, i.Email, i.Role, Invited}, nil)
	})
}

// Withdraw takes an invitation to a list back that the actor is an owner of.
func (s *Store) Withdraw(ctx context.Context, actor access.Actor, id uuid.UUID) error {
	return s.Changes.Do(ctx, actor, func(ctx context.Context, tx *change.Tx) error {
		where := actor.InLists("i.list_id")
		i, err := invitation(ctx, tx, access.Condition{SQL: "i.id = ?", Args: []any{id}}.And(where.SQL, where.Args...))
		if err != nil {
			return err
		}
		if _, err := lockOwned(ctx, tx, i.ListID); err != nil {
			return err
		}
		if i, err = s.answer(ctx, tx, id, where); err != nil {
			return err
		}
		return appendMemberAudit(tx, event.MemberDeclined, &membership{i.ListID, nil, i.Email, i.Role, Invited}, nil)
	})
}

// answer takes away an invitation that meets a condition. Its list is locked first, and
// counts a change.
func (s *Store) answer(ctx context.Context, tx *change.Tx, id uuid.UUID, may access.Condition) (*Invitation, error) {
	where := access.Condition{SQL: "i.id = ?", Args: []any{id}}.And(may.SQL, may.Args...)
	tx.Queue("SELECT FROM task.lists WHERE id = (SELECT i.list_id FROM task.invitations i JOIN task.lists l ON l.id = i.list_id WHERE "+where.SQL+") FOR NO KEY UPDATE", where.Args...)
	i, err := invitation(ctx, tx, where)
	if err != nil {
		return nil, err
	}
	tx.Queue("DELETE FROM task.invitations WHERE id = ?", id)
	touch(tx, &List{ID: i.ListID})
	return i, nil
}

// SetRole gives a member of a list of the actor's another role.
func (s *Store) SetRole(ctx context.Context, actor access.Actor, id, user uuid.UUID, role access.Role) (*Member, error) {
	if !role.Known() {
		return nil, refuse.Part("role", "is none that there is")
	}
	var m *Member
	err := s.Changes.Do(ctx, actor, func(ctx context.Context, tx *change.Tx) error {
		l, err := lock(ctx, tx, id)
		if err != nil {
			return err
		}
		was := l.Member(user)
		switch {
		case was == nil:
			return refuse.Missing("member")
		case !l.Role.Rules():
			return access.ErrOwnersOnly
		case was.Role == role:
			m = was
			return nil
		case was.Role.Rules() && l.owners() == 1:
			return errLastOwner
		}
		is := *was
		is.Role, m = role, &is
		tx.Queue("UPDATE task.members SET role = ? WHERE user_id = ? AND list_id = ?", string(role), user, id)
		touch(tx, l)
		return appendMemberAudit(tx, event.MemberUpdated, &membership{id, &user, was.Email, was.Role, Active}, &membership{id, &user, is.Email, role, Active})
	})
	return m, err
}

var errLastOwner = refuse.Because(refuse.LastOwner, "the list has no other owner; make somebody one first")

// Remove takes a member out of a list: by one of its owners, or himself. What is his in
// it stays; he is assigned nothing there any more, and reminded of nothing.
func (s *Store) Remove(ctx context.Context, actor access.Actor, id, user uuid.UUID) error {
	return s.Changes.Do(ctx, actor, func(ctx context.Context, tx *change.Tx) error {
		l, err := lock(ctx, tx, id)
		if err != nil {
			return err
		}
		was := l.Member(user)
		switch {
		case was == nil && !l.Role.Rules():
			return access.ErrOwnersOnly
		case was == nil:
			return refuse.Missing("member")
		case user != actor.UserID && !l.Role.Rules():
			return access.ErrOwnersOnly
		case l.IsInbox:
			return refuse.Because(refuse.PrivateInbox, "an inbox is always its owner's")
		case was.Role.Rules() && l.owners() == 1:
			return errLastOwner
		}
		tx.Queue("DELETE FROM task.members WHERE user_id = ? AND list_id = ?", user, id)
		touch(tx, l)
		if err := task.Forget(ctx, tx, id, user); err != nil {
			return err
		}
		return appendMemberAudit(tx, event.MemberRemoved, &membership{id, &user, was.Email, was.Role, Active}, nil)
	})
}

// Member is who is a member of the list; nil where he is none.
func (l *List) Member(user uuid.UUID) *Member {
	for i := range l.Members {
		if m := &l.Members[i]; m.UserID != nil && *m.UserID == user {
			return m
		}
	}
	return nil
}

func (l *List) owners() int {
	n := 0
	for _, m := range l.Members {
		if m.State == Active && m.Role.Rules() {
			n++
		}
	}
	return n
}
