// Package account keeps the users: how they register, sign in and change
// their profile, and the tokens they get.
package account

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/cache"
	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
	"github.com/taskwire/taskwire/services/task-api/internal/refuse"
)

// User is an account as its owner sees it.
type User struct {
	bun.BaseModel `bun:"table:task.users,alias:u" json:"-"`

	ID        uuid.UUID `bun:"id,pk" json:"id" format:"uuid" doc:"You"`
	Email     string    `bun:"email" json:"email" doc:"By which you sign in, and where reminders go"`
	Name      string    `bun:"name" json:"name" doc:"How you are called"`
	Timezone  string    `bun:"timezone" json:"timezone" doc:"IANA time zone that new tasks get"`
	CreatedAt time.Time `bun:"created_at" json:"created_at" doc:"When you registered"`
	UpdatedAt time.Time `bun:"updated_at" json:"updated_at" doc:"When your profile was last changed"`
	// EraseAt is when he is erased, if he has asked for it.
	EraseAt      *time.Time `bun:"erase_at" json:"erase_at" nullable:"true" doc:"When your account is erased, which you have asked for; null where you have not"`
	PasswordHash *string    `bun:"password_hash" json:"-"`
}

// Store keeps the users in Postgres.
type Store struct {
	DB      *bun.DB
	Changes *change.Writer

	outside cache.Cache[uuid.UUID, word] // what was said last
}

var errNoUser = errors.New("there is no such user")

// Create adds a user, who has a session then: from is where he registers from. It refuses
// an address that somebody has.
func (s *Store) Create(ctx context.Context, from access.Origin, u *User) (opened *Opened, err error) {
	err = s.Changes.Do(ctx, u.actor(from), func(ctx context.Context, tx *change.Tx) error {
		u.CreatedAt, u.UpdatedAt = tx.Now, tx.Now
		// Not by way of an error: Postgres would write the address and the hash
		// into its log.
		res, err := tx.NewInsert().Model(u).On("CONFLICT DO NOTHING").Returning("NULL").Exec(ctx)
		if err != nil {
			return fmt.Errorf("insert the user: %w", err)
		}
		n, err := res.RowsAffected()
		if err != nil {
			return fmt.Errorf("insert the user: %w", err)
		}
		if n == 0 {
			return refuse.Because(refuse.EmailTaken, "there is an account with this email address; sign in instead",
				refuse.Field{Name: "email", Message: "is taken"})
		}
		// With the account: of his first tasks none waits for another that would make it.
		tx.Inbox()
		opened = open(tx, u.ID)
		return appendAudit(tx, event.UserRegistered, u, nil, u, nil)
	})
	return opened, err
}

func (u *User) actor(from access.Origin) access.Actor {
	return access.Actor{UserID: u.ID, Email: u.Email, Origin: from}
}

// ByEmail finds a user who signs in here.
func (s *Store) ByEmail(ctx context.Context, email string) (*User, error) {
	return s.one(ctx, access.Condition{SQL: "lower(email) = lower(?) AND password_hash IS NOT NULL", Args: []any{email}})
}

// Get reads the actor's account.
func (s *Store) Get(ctx context.Context, actor access.Actor) (*User, error) {
	u, err := s.one(ctx, actor.Account())
	if errors.Is(err, errNoUser) {
		return nil, refuse.Missing("user")
	}
	return u, err
}

func (s *Store) one(ctx context.Context, where access.Condition) (*User, error) {
	u := new(User)
	err := s.DB.NewSelect().Model(u).Where(where.SQL, where.Args...).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, errNoUser
	}
	if err != nil {
		return nil, fmt.Errorf("read the user: %w", err)
	}
	return u, nil
}

// Profile is what a user changes of his account; nil leaves it.
type Profile struct {
	Name     *string
	Timezone *string
}

// Update changes the actor's account under a lock. What changes nothing has no event.
func (s *Store) Update(ctx context.Context, actor access.Actor, to Profile) (*User, error) {
	if to.Timezone != nil {
		if err := checkTimezone(*to.Timezone); err != nil {
			return nil, err
		}
	}
	var u *User
	err := s.Changes.Do(ctx, actor, func(ctx context.Context, tx *change.Tx) error {
		u = new(User)
		his := actor.Account()
		err := tx.NewSelect().Model(u).Where(his.SQL, his.Args...).For("UPDATE").Scan(ctx)
		if errors.Is(err, sql.ErrNoRows) {
			return refuse.Missing("user")
		}
		if err != nil {
			return fmt.Errorf("read the user: %w", err)
		}
		before := *u
		if to.Name != nil {
			u.Name = *to.Name
		}
		if to.Timezone != nil {
			u.Timezone = *to.Timezone
		}
		if *u == before {
			return nil
		}
		u.UpdatedAt = tx.Now
		if _, err := tx.NewUpdate().Model(u).Column("name", "timezone", "updated_at").WherePK().Exec(ctx); err != nil {
			return fmt.Errorf("update the user: %w", err)
		}
		return appendAudit(tx, event.UserUpdated, u, &before, u, nil)
	})
	return u, err
}

// LetIn begins a session of a user who has shown who he is.
func (s *Store) LetIn(ctx context.Context, from access.Origin, u *User) (opened *Opened, err error) {
	err = s.Changes.Do(ctx, u.actor(from), func(_ context.Context, tx *change.Tx) error {
		opened = open(tx, u.ID)
		return appendAudit(tx, event.UserSignedIn, u, nil, nil, map[string]any{event.MetaSession: opened.ID})
	})
	return opened, err
}

// appendAudit appends the audit event of what a user did with his account.
func appendAudit(tx *change.Tx, action string, u, before, after *User, metadata map[string]any) error {
	return tx.TellAudit(u.ID, event.AuditEvent{
		Frame: event.Frame{UserID: u.ID, Metadata: metadata}, Actor: event.Actor{UserID: u.ID, Email: u.Email}, Action: action, Target: "user/" + u.ID.String(),
	}, optional(before), optional(after))
}

// optional keeps a nil *User from becoming a non-nil any.
func optional(u *User) any {
	if u == nil {
		return nil
	}
	return u
}
