package account

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/taskapi"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/accountmail"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
	"github.com/taskwire/taskwire/services/task-api/internal/refuse"
)

// ChangePassword gives the actor another password, and ends all his sessions but one, as
// whoever has stolen the old password may have some. Wrong guesses of the current one slow
// down as those of a device do.
func (a *Authenticator) ChangePassword(ctx context.Context, actor access.Actor, session uuid.UUID, current, wanted string) error {
	if err := actor.SignedInRecently(a.Store.Changes.Now()); err != nil {
		return err
	}
	u, err := a.Store.Get(ctx, actor)
	if err != nil {
		return err
	}
	if !u.hasPassword() {
		return refuse.Part("current", "there is none: you sign in elsewhere")
	}
	if err := checkNew("new", wanted, u.Email, u.Name); err != nil {
		return err
	}
	done, err := a.turn(ctx, Stranger{Origin: actor.Origin, device: Device{user: u.ID}, known: true})
	if err != nil {
		return err
	}
	defer done()
	attempts := counted{a.Limits.ForDevice(), "password " + u.ID.String()}
	wait, _, err := a.Attempts.Count(ctx, attempts.limit, attempts.key)
	switch {
	case err != nil:
		return err
	case wait > 0:
		return refuse.Until(wait, "too many wrong passwords; wait before you try again")
	}
	right, err := checkPassword(*u.PasswordHash, current)
	if err != nil {
		return err
	}
	if !right {
		a.Failed.Note(ctx, actor.Origin, u.Email, reasonPassword)
		return refuse.Part("current", "is not your password")
	}
	if err := a.Attempts.GiveBack(ctx, attempts.limit, attempts.key); err != nil {
		return err
	}
	hash := hashPassword(wanted)
	defer a.Sessions.forget()
	return a.Store.Changes.Do(ctx, actor, func(ctx context.Context, tx *change.Tx) error {
		// Unless somebody else has changed it meanwhile.
		done, err := wrote(tx.NewRaw("UPDATE task.users SET password_hash = ?, updated_at = ? WHERE id = ? AND password_hash = ?", hash, tx.Now, u.ID, *u.PasswordHash).Exec(ctx))
		if err != nil {
			return fmt.Errorf("change the password: %w", err)
		}
		if !done {
			return refuse.Part("current", "is not your password any more")
		}
		if _, err := end(ctx, tx, u, "id <> ?", session); err != nil {
			return err
		}
		accountmail.Withdraw(tx, u.ID)
		if err := noticeOf(ctx, tx, taskapi.NoticePasswordChanged); err != nil {
			return err
		}
		return appendAudit(tx, event.UserPasswordChanged, u, nil, nil, nil)
	})
}
