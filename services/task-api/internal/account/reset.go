package account

import (
	"context"
	"fmt"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/taskapi"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/accountmail"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
)

// resetting are the mails whose tokens set a password.
var resetting = []string{taskapi.MailReset, taskapi.MailWelcome}

// Reset gives the account of a mail's token a new password. All its sessions and API tokens
// end, and its address is taken for verified. It returns whose it is.
func (a *Authenticator) Reset(ctx context.Context, from Stranger, token, password string) (*User, error) {
	now := a.Store.Changes.Now()
	t, err := accountmail.Find(ctx, a.Store.DB, now, token, resetting...)
	if err != nil {
		return nil, err
	}
	u, err := a.Store.one(ctx, access.Condition{SQL: "id = ?", Args: []any{t.User}})
	if err != nil {
		return nil, err
	}
	if err := checkNew("password", password, u.Email, u.Name); err != nil {
		return nil, err
	}
	done, err := a.turn(ctx, from)
	if err != nil {
		return nil, err
	}
	hash := hashPassword(password)
	done()
	defer a.Sessions.forget()
	defer a.APITokens.forget()
	err = a.Store.Changes.Do(ctx, u.actor(from.Origin), func(ctx context.Context, tx *change.Tx) error {
		t, err := accountmail.Use(ctx, tx, token, resetting...)
		if err != nil {
			return err
		}
		if u, err = lockUser(ctx, tx, t.User); err != nil {
			return err
		}
		if !accountmail.SameAddress(u.Email, t.Address) {
			return accountmail.ErrToken // the account has another address by now
		}
		if !u.Verified {
			// Whoever has used the account so far has not shown that it is his.
			for _, table := range WaysIn {
				tx.Queue("DELETE FROM task."+table+" WHERE user_id = ?", u.ID)
			}
		}
		u.Verified, u.UpdatedAt, u.PasswordHash = true, tx.Now, &hash
		_, err = tx.NewRaw("UPDATE task.users SET password_hash = ?, verified = true, updated_at = ? WHERE id = ?", hash, tx.Now, u.ID).Exec(ctx)
		if err != nil {
			return fmt.Errorf("set the password: %w", err)
		}
		accountmail.Withdraw(tx, u.ID)
		if _, err := end(ctx, tx, u, "true"); err != nil {
			return err
		}
		if _, err := revoke(ctx, tx, "t.user_id = ?", u.ID); err != nil {
			return err
		}
		if err := accountmail.PostNotice(tx, u.ID, u.Email, taskapi.NoticePasswordChanged); err != nil {
			return err
		}
		return appendAudit(tx, event.UserPasswordChanged, u, nil, nil, map[string]any{event.MetaBy: "mail"})
	})
	return u, err
}
