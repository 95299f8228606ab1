// Package account keeps the users: how they register, sign in and change
// their profile, and the tokens they get.
package account

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/eventlog"
	"github.com/taskwire/taskwire/services/task-api/internal/audit"
	"github.com/taskwire/taskwire/services/task-api/internal/migrations"
)

// User is an account as its owner sees it.
type User struct {
	bun.BaseModel `bun:"table:task.users,alias:u" json:"-"`

	ID           uuid.UUID `bun:"id,pk" json:"id"`
	Email        string    `bun:"email" json:"email"`
	Name         string    `bun:"name" json:"name"`
	Timezone     string    `bun:"timezone" json:"timezone" doc:"IANA time zone that new tasks get"`
	CreatedAt    time.Time `bun:"created_at" json:"created_at"`
	UpdatedAt    time.Time `bun:"updated_at" json:"updated_at"`
	PasswordHash *string   `bun:"password_hash" json:"-"`
}

// Store keeps the users in Postgres.
type Store struct {
	DB     *bun.DB
	Signal *eventlog.Signal
	Now    func() time.Time

	outside outsideUsers
}

var (
	errNoUser     = errors.New("there is no such user")
	errEmailTaken = errors.New("the email address is taken")
)

// Create adds a user and tells of it.
func (s *Store) Create(ctx context.Context, u *User) error {
	err := s.DB.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		// Not by way of an error: Postgres would write the address and the hash
		// into its log.
		res, err := tx.NewInsert().Model(u).On("CONFLICT DO NOTHING").Returning("NULL").Exec(ctx)
		if err != nil {
			return fmt.Errorf("insert the user: %w", err)
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(errEmailTaken, err)
		}
		return s.tell(ctx, tx, "user.registered", u, nil, u, nil)
	})
	if err == nil {
		s.Signal.Raise()
	}
	return err
}

// ByEmail finds a user who signs in here.
func (s *Store) ByEmail(ctx context.Context, email string) (*User, error) {
	return s.one(ctx, "lower(email) = lower(?) AND password_hash IS NOT NULL", email)
}

// ByID finds a user.
func (s *Store) ByID(ctx context.Context, id uuid.UUID) (*User, error) {
	return s.one(ctx, "id = ?", id)
}

func (s *Store) one(ctx context.Context, where string, arg any) (*User, error) {
	u := new(User)
	err := s.DB.NewSelect().Model(u).Where(where, arg).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, errNoUser
	}
	if err != nil {
		return nil, fmt.Errorf("read the user: %w", err)
	}
	return u, nil
}

// Update changes a user under a lock by change, and tells of it; a change that
// changes nothing is not told.
func (s *Store) Update(ctx context.Context, id uuid.UUID, change func(*User)) (*User, error) {
	u := new(User)
	err := s.DB.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		err := tx.NewSelect().Model(u).Where("id = ?", id).For("UPDATE").Scan(ctx)
		if errors.Is(err, sql.ErrNoRows) {
			return errNoUser
		}
		if err != nil {
			return fmt.Errorf("read the user: %w", err)
		}
		before := *u
		change(u)
		if *u == before {
			return nil
		}
		u.UpdatedAt = s.Now().UTC().Truncate(time.Microsecond)
		if _, err := tx.NewUpdate().Model(u).Column("name", "timezone", "updated_at").WherePK().Exec(ctx); err != nil {
			return fmt.Errorf("update the user: %w", err)
		}
		return s.tell(ctx, tx, "user.updated", u, &before, u, nil)
	})
	if err != nil {
		return nil, err
	}
	s.Signal.Raise()
	return u, nil
}

// TellSignedIn records a sign-in in the audit trail.
func (s *Store) TellSignedIn(ctx context.Context, u *User) error {
	err := s.DB.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		return s.tell(ctx, tx, "user.signed_in", u, nil, nil, nil)
	})
	if err == nil {
		s.Signal.Raise()
	}
	return err
}

func (s *Store) tell(ctx context.Context, tx bun.Tx, action string, actor, before, after *User, metadata map[string]any) error {
	now := s.Now().UTC().Truncate(time.Microsecond)
	if metadata == nil {
		metadata = map[string]any{}
	}
	data, err := userAudit(ctx, action, actor, before, after, metadata, now)
	if err != nil {
		return err
	}
	return eventlog.Append(ctx, tx, migrations.Name, eventlog.Entry{
		Topic: event.TopicAudit, Type: event.AuditPrefix + action, Key: actor.ID.String(), Time: now, Data: data,
	})
}

func userAudit(ctx context.Context, action string, actor, before, after *User, metadata map[string]any, at time.Time) (json.RawMessage, error) {
	e := event.AuditEvent{
		Frame:  event.Frame{EventType: event.AuditPrefix + action, UserID: actor.ID, Timestamp: at, Metadata: metadata},
		Actor:  event.Actor{UserID: actor.ID, Email: actor.Email},
		Action: action, Target: "user/" + actor.ID.String(),
	}
	if err := audit.Fill(ctx, &e, optional(before), optional(after)); err != nil {
		return nil, err
	}
	return json.Marshal(e)
}

// optional keeps a nil *User from becoming a non-nil any.
func optional(u *User) any {
	if u == nil {
		return nil
	}
	return u
}
