package account

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/taskapi"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/accountmail"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
	"github.com/taskwire/taskwire/services/task-api/internal/refuse"
)

// operator is the actor of what an operator does to the accounts of others.
var operator = access.Actor{Service: "operator"}

// Listed is a user as operators see him.
type Listed struct {
	ID         uuid.UUID  `bun:"id"`
	Email      string     `bun:"email"`
	Name       string     `bun:"name"`
	Verified   bool       `bun:"verified"`
	Outside    bool       `bun:"outside"`
	Operator   bool       `bun:"operator"`
	BlockedAt  *time.Time `bun:"blocked_at"`
	CreatedAt  time.Time  `bun:"created_at"`
	LastSeenAt *time.Time `bun:"last_seen_at"`
}

// List reads up to limit users, those who came last first, behind one if that is not the
// nil UUID; email is a part of their address, "" for all.
func (s *Store) List(ctx context.Context, email string, after uuid.UUID, limit int) ([]Listed, error) {
	var found []Listed
	err := s.DB.NewRaw(`SELECT u.id, u.email, u.name, u.verified, u.password_hash IS NULL AS outside, u.operator, u.blocked_at, u.created_at,
			(SELECT max(s.last_seen_at) FROM task.sessions s WHERE s.user_id = u.id) AS last_seen_at
		FROM task.users u WHERE (strpos(lower(u.email), lower(?0)) > 0 OR ?0 = '') AND (u.id < ?1 OR ?1 = ?2)
		ORDER BY u.id DESC LIMIT ?3`, email, after, uuid.Nil, limit).Scan(ctx, &found)
	if err != nil {
		return nil, fmt.Errorf("list the users: %w", err)
	}
	return found, nil
}

// Invite makes an account for who has an address, and asks him by mail to choose a password.
// Who has an account that he never used is asked again.
func (s *Store) Invite(ctx context.Context, email, name string) (*User, error) {
	if err := accountmail.CheckAddress("email", email); err != nil {
		return nil, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return nil, fmt.Errorf("make an id: %w", err)
	}
	// No password has this hash: nobody can sign in before one is set.
	none := noUserHash
	u := &User{ID: id, Email: email, Name: name, Timezone: "UTC", PasswordHash: &none}
	err = s.Changes.Do(ctx, access.Actor{UserID: id, Email: email}, func(ctx context.Context, tx *change.Tx) error {
		created, err := create(ctx, tx, u)
		if err != nil {
			return err
		}
		if created {
			tx.Actor = operator
			if err := appendAudit(tx, event.UserInvited, u, nil, u, nil); err != nil {
				return err
			}
		} else {
			*u = User{}
			if err := tx.NewSelect().Model(u).Where("lower(email) = lower(?) AND password_hash IS NOT NULL", email).For("UPDATE").Scan(ctx); err != nil {
				return fmt.Errorf("read whose address it is: %w", err)
			}
			if u.Verified || *u.PasswordHash != noUserHash {
				return taken("email")
			}
		}
		return accountmail.Post(tx, accountmail.Mail{Kind: taskapi.MailWelcome, User: u.ID, Address: u.Email})
	})
	return u, err
}

// Block ends all that a user is signed in by, and lets him in no more until he is unblocked.
// Doing so again changes nothing.
func (s *Store) Block(ctx context.Context, email string) (*User, error) {
	return s.setBlocked(ctx, email, event.UserBlocked, func(tx *change.Tx, u *User) (bool, error) {
		if u.BlockedAt != nil {
			return false, nil
		}
		u.BlockedAt = &tx.Now
		_, err := end(ctx, tx, u, "true")
		// Also where he had no session: a token of an outside issuer is known for a moment.
		tx.Queue("SELECT pg_notify('" + EndedChannel + "', '')")
		return true, err
	})
}

// Unblock lets a user in again.
func (s *Store) Unblock(ctx context.Context, email string) (*User, error) {
	return s.setBlocked(ctx, email, event.UserUnblocked, func(_ *change.Tx, u *User) (bool, error) {
		changed := u.BlockedAt != nil
		u.BlockedAt = nil
		return changed, nil
	})
}

// setBlocked changes the user whose address or id is named.
func (s *Store) setBlocked(ctx context.Context, named, action string, set func(*change.Tx, *User) (changed bool, err error)) (u *User, err error) {
	err = s.Changes.Do(ctx, operator, func(ctx context.Context, tx *change.Tx) error {
		if u, err = lockNamed(ctx, tx, named); err != nil {
			return err
		}
		changed, err := set(tx, u)
		if err != nil || !changed {
			return err
		}
		tx.Queue("UPDATE task.users SET blocked_at = ?, updated_at = ? WHERE id = ?", u.BlockedAt, tx.Now, u.ID)
		return appendAudit(tx, action, u, nil, nil, nil)
	})
	return u, err
}

// EraseFor has the account of the user whose address or id is named erased after a time; it
// is no later for who has asked for it himself. Of the user, EraseAt says when.
func (s *Store) EraseFor(ctx context.Context, named string, after time.Duration) (u *User, err error) {
	err = s.Changes.Do(ctx, operator, func(ctx context.Context, tx *change.Tx) error {
		if u, err = lockNamed(ctx, tx, named); err != nil {
			return err
		}
		at, err := scheduleErasure(ctx, tx, u.ID, tx.Now.Add(after))
		u.EraseAt = &at
		return err
	})
	return u, err
}

// lockNamed reads the user whose address or id is named, who stays as he is until the end
// of the change.
func lockNamed(ctx context.Context, tx *change.Tx, named string) (*User, error) {
	where, arg := "lower(email) = lower(?) AND email <> ''", any(named)
	if id, err := uuid.Parse(named); err == nil {
		where, arg = "id = ?", id
	}
	var found []*User
	err := tx.NewSelect().Model(&found).Where(where, arg).Order("id").Limit(2).For("UPDATE").Scan(ctx)
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the user: %w", err)
	case len(found) == 0:
		return nil, refuse.Missing("user")
	case len(found) > 1:
		return nil, refuse.Part("email", "is that of more than one user: name the id instead")
	}
	return found[0], nil
}
