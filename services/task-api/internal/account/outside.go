package account

import (
	"context"
	"fmt"
	"time"

	"github.com/taskwire/taskwire/pkg/auth"
	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/accountmail"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
)

// addressClaims are what a token says of its user's address, and when it was issued.
type addressClaims struct {
	email    string
	verified bool
	asOf     time.Time
}

// mostClaims is how many users' claims are remembered, so that not every request of an
// outside user asks the database.
const mostClaims = 10_000

// EnsureOutside gives a user of an outside issuer a row of his own at his first
// request, and the address that his newest token names. A token without an
// address leaves him the one that he has. It returns ErrErased for who was erased.
func (s *Store) EnsureOutside(ctx context.Context, from access.Origin, caller auth.Caller) error {
	said := addressClaims{caller.Email, caller.EmailVerified && (caller.Email == "" || accountmail.IsAddress(caller.Email)), caller.IssuedAt}
	if known, ok := s.outside.Get(caller.UserID); ok && known == said {
		return nil
	}
	actor := access.Actor{UserID: caller.UserID, Email: said.email, Origin: from}
	err := s.Changes.Do(ctx, actor, func(ctx context.Context, tx *change.Tx) error {
		if err := refuseErased(ctx, tx, caller.UserID); err != nil {
			return err
		}
		asOf := said.asOf
		if asOf.After(tx.Now) || !database.StorableTime(asOf) {
			asOf = tx.Now // it does not say when, or can not be true
		}
		created, err := wrote(tx.NewRaw(`INSERT INTO task.users (id, email, verified, email_as_of, timezone, created_at, updated_at) VALUES (?, ?, ?, ?, 'UTC', ?, ?)
			ON CONFLICT (id) DO NOTHING`, caller.UserID, said.email, said.verified, asOf, tx.Now, tx.Now).Exec(ctx))
		if err != nil {
			return fmt.Errorf("insert the outside user: %w", err)
		}
		tx.EnsureInbox()
		if created || said.email == "" {
			return nil
		}
		var before []User
		// Never the address of who signs in here: a shared secret may name his id.
		err = tx.NewSelect().Model(&before).Where("id = ?", caller.UserID).Where("password_hash IS NULL").Where("(email, verified) <> (?, ?)", said.email, said.verified).
			Where("email_as_of IS NULL OR email_as_of <= ?", asOf).For("UPDATE").Scan(ctx)
		if err != nil || len(before) == 0 {
			return err
		}
		after := before[0]
		after.Email, after.Verified, after.UpdatedAt = said.email, said.verified, tx.Now
		_, err = tx.NewRaw("UPDATE task.users SET email = ?, former_emails = array_remove(former_emails, email) || email, verified = ?, email_as_of = ?, updated_at = ? WHERE id = ?", after.Email, after.Verified, asOf, tx.Now, after.ID).Exec(ctx)
		if err != nil {
			return fmt.Errorf("update the outside user's address: %w", err)
		}
		return appendAudit(tx, event.UserUpdated, &after, &before[0], &after, nil)
	})
	if err != nil {
		return err
	}
	s.outside.Put(caller.UserID, said, mostClaims)
	return nil
}
