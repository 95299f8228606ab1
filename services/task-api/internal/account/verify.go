package account

import (
	"context"
	"fmt"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/mailbox"
	"github.com/taskwire/taskwire/pkg/taskapi"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/accountmail"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
	"github.com/taskwire/taskwire/services/task-api/internal/refuse"
)

// Verify takes it that the address which a mail with a token went to is that of the
// account: the one that it has, or another that its user wants. It returns whose it is.
func (a *Authenticator) Verify(ctx context.Context, from access.Origin, token string) (*User, error) {
	var u *User
	defer a.Sessions.forget() // they say the address
	err := a.Store.Changes.Do(ctx, access.Actor{Origin: from}, func(ctx context.Context, tx *change.Tx) error {
		t, err := accountmail.Use(ctx, tx, token, taskapi.MailVerify)
		if err != nil {
			return err
		}
		if u, err = lockUser(ctx, tx, t.User); err != nil {
			return err
		}
		before := *u
		u.Verified, u.UpdatedAt, tx.Actor = true, tx.Now, u.actor(from)
		if accountmail.SameAddress(u.Email, t.Address) {
			tx.Queue("UPDATE task.users SET verified = true, updated_at = ? WHERE id = ?", tx.Now, u.ID)
			return appendAudit(tx, event.UserVerified, u, &before, u, nil)
		}
		u.Email = t.Address
		return changeAddress(ctx, tx, &before, u)
	})
	return u, err
}

// changeAddress gives a user an address that was shown to be his, and tells the one before.
func changeAddress(ctx context.Context, tx *change.Tx, before, after *User) error {
	// Who registers it at this moment fails or comes first: not by way of an error of
	// Postgres, which would write the address into its log.
	done, err := wrote(tx.NewRaw(`UPDATE task.users SET email = ?0, verified = true, updated_at = ?1, former_emails = array_remove(former_emails, email) || email
		WHERE id = ?2 AND NOT EXISTS (SELECT FROM task.users u WHERE lower(u.email) = lower(?0) AND u.password_hash IS NOT NULL AND u.id <> ?2)`,
		after.Email, tx.Now, after.ID).Exec(ctx))
	if err != nil {
		return fmt.Errorf("change the address: %w", err)
	}
	if !done {
		return taken("token")
	}
	accountmail.Withdraw(tx, after.ID)
	tx.Queue("SELECT pg_notify('" + EndedChannel + "', '')")
	if before.Verified {
		if err := accountmail.PostNotice(tx, after.ID, before.Email, taskapi.NoticeAddressChanged); err != nil {
			return err
		}
	}
	return appendAudit(tx, event.UserUpdated, after, before, after, nil)
}

// ResendVerification has another mail sent to verify an address, where there is an account
// with it that needs one. The answer does not say whether there is.
func (a *Authenticator) ResendVerification(ctx context.Context, from Stranger, email string) error {
	return a.ask(ctx, from, taskapi.MailVerify, email)
}

// Forgot has a mail sent by which who has an address sets a new password.
func (a *Authenticator) Forgot(ctx context.Context, from Stranger, email string) error {
	return a.ask(ctx, from, taskapi.MailReset, email)
}

// ask has a mail sent to an address that somebody names. Whether there is an account is
// looked at when the mail is sent: neither the answer nor its time tells. Beyond what an
// address gets in an hour nothing is done, and nobody is told; a network that asks for too
// many is.
func (a *Authenticator) ask(ctx context.Context, from Stranger, kind, email string) error {
	if err := accountmail.CheckAddress("email", email); err != nil {
		return err
	}
	wait, _, err := a.Attempts.Count(ctx, a.Limits.ForMailsNetwork(), from.network)
	if err != nil {
		return err
	}
	if wait > 0 {
		return refuse.Until(wait, "too many mails were asked for from your network; try again later")
	}
	if wait, _, err = a.Attempts.Count(ctx, a.Limits.ForMails(), kind+" "+mailbox.Of(email)); err != nil || wait > 0 {
		return err
	}
	return a.Store.Changes.Do(ctx, access.Actor{Origin: from.Origin}, func(_ context.Context, tx *change.Tx) error {
		return accountmail.Post(tx, accountmail.Mail{Kind: kind, Address: email})
	})
}
