package account

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/erasure"
	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/taskapi"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
	"github.com/taskwire/taskwire/services/task-api/internal/refuse"
)

// WaysIn are the tables of what a user signs in with, and is asked for besides, other than
// his password: rows of his, by user_id.
var WaysIn = []string{"passkeys", "identities", "second_factors", "recovery_codes", "ceremonies"}

// AskErasure has the actor's account erased after a time, and says when. All his sessions
// end but one: who else is signed in as him is not to hold him up. He can sign in until
// then, and call it back. Who has asked before is told when; nothing is put off.
func (a *Authenticator) AskErasure(ctx context.Context, actor access.Actor, session uuid.UUID, after time.Duration) (time.Time, error) {
	if err := actor.SignedInRecently(a.Store.Changes.Now()); err != nil {
		return time.Time{}, err
	}
	var at time.Time
	defer a.Sessions.forget()
	err := a.Store.Changes.Do(ctx, actor, func(ctx context.Context, tx *change.Tx) (err error) {
		if _, err := end(ctx, tx, userOf(actor), "id <> ?", session); err != nil {
			return err
		}
		wanted := tx.Now.Add(after).UTC()
		if at, err = scheduleErasure(ctx, tx, actor.UserID, wanted); err != nil || !at.Equal(wanted) {
			return err // he has asked before
		}
		return noticeOf(ctx, tx, taskapi.NoticeErasureAsked)
	})
	return at, err
}

// CallErasureBack has the actor's account stay, if it was to be erased. It is a refusal
// where it has begun to go.
func (s *Store) CallErasureBack(ctx context.Context, actor access.Actor) error {
	return s.Changes.Do(ctx, actor, func(ctx context.Context, tx *change.Tx) error {
		before, err := lockUser(ctx, tx, actor.UserID)
		if err != nil || before.EraseAt == nil {
			return err
		}
		after := *before
		after.EraseAt = nil
		tx.Queue("UPDATE task.users SET erase_at = NULL WHERE id = ?", before.ID)
		return appendAudit(tx, event.UserErasureCalledBack, before, before, &after, nil)
	})
}

// scheduleErasure has a user's account erased at a moment, and says when: earlier where he
// has asked for it before.
func scheduleErasure(ctx context.Context, tx *change.Tx, user uuid.UUID, at time.Time) (time.Time, error) {
	before, err := lockUser(ctx, tx, user)
	if err != nil {
		return time.Time{}, err
	}
	at = at.UTC().Truncate(time.Microsecond)
	if before.EraseAt != nil && !before.EraseAt.After(at) {
		return before.EraseAt.UTC(), nil
	}
	after := *before
	after.EraseAt = &at
	tx.Queue("UPDATE task.users SET erase_at = ? WHERE id = ?", at, user)
	return at, appendAudit(tx, event.UserErasureAsked, before, before, &after, nil)
}

// lockUser reads a user who stays as he is until the end of the change.
func lockUser(ctx context.Context, tx *change.Tx, id uuid.UUID) (*User, error) {
	u := new(User)
	err := tx.NewSelect().Model(u).Where("id = ?", id).Where("NOT EXISTS (SELECT FROM task.erasures e WHERE e.user_id = u.id)").For("UPDATE").Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, refuse.Missing("user")
	}
	if err != nil {
		return nil, fmt.Errorf("read the user: %w", err)
	}
	return u, nil
}

// ErrErased says that an account was erased, and does not come again: the rest of the suite
// takes nothing of who has its id any more.
var ErrErased = errors.New("the account was erased")

// refuseErased returns ErrErased where there was a user who was erased, or is being.
func refuseErased(ctx context.Context, tx *change.Tx, user uuid.UUID) error {
	var erased bool
	if err := tx.NewRaw("SELECT EXISTS (SELECT FROM task.erasures WHERE id = ?)", erasure.Hash(user)).Scan(ctx, &erased); err != nil {
		return fmt.Errorf("look whether the account was erased: %w", err)
	}
	if erased {
		return ErrErased
	}
	return nil
}

// ForgetOutside has each user of an outside issuer looked up again, as somebody may have
// been erased.
func (s *Store) ForgetOutside() { s.outside.Clear() }
