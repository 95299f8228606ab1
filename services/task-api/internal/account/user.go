// Package account keeps the users: how they register, sign in and change
// their profile, and the tokens they get.
package account

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/cache"
	"github.com/taskwire/taskwire/pkg/erasure"
	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/taskapi"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/accountmail"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
	"github.com/taskwire/taskwire/services/task-api/internal/refuse"
)

// User is an account as its owner sees it.
type User struct {
	bun.BaseModel `bun:"table:task.users,alias:u" json:"-"`

	ID           uuid.UUID  `bun:"id,pk" json:"id" format:"uuid" doc:"You"`
	Email        string     `bun:"email" json:"email" doc:"By which you sign in, and where reminders go"`
	Name         string     `bun:"name" json:"name" doc:"How you are called"`
	Timezone     string     `bun:"timezone" json:"timezone" doc:"IANA time zone that new tasks get"`
	Verified     bool       `bun:"verified" json:"verified" doc:"Whether it was shown that the address is yours"`
	CreatedAt    time.Time  `bun:"created_at" json:"created_at" doc:"When you registered"`
	UpdatedAt    time.Time  `bun:"updated_at" json:"updated_at" doc:"When your profile was last changed"`
	PasswordHash *string    `bun:"password_hash" json:"-"`
	BlockedAt    *time.Time `bun:"blocked_at" json:"-"`
	Operator     bool       `bun:"operator" json:"is_operator" doc:"Whether you see the operator's corner"`
	// EraseAt is when he is erased, if he has asked for it.
	EraseAt *time.Time `bun:"erase_at" json:"erase_at" nullable:"true" doc:"When your account is erased, which you have asked for; null where you have not"`
}

// Store keeps the users in Postgres.
type Store struct {
	DB      *bun.DB
	Changes *change.Writer

	outside cache.Cache[uuid.UUID, addressClaims] // what was said last
}

var errNoUser = errors.New("there is no such user")

// Create adds a user, who has a session then: from is where he registers from. It refuses
// an address that somebody has.
func (s *Store) Create(ctx context.Context, from access.Origin, u *User) (opened *Opened, err error) {
	return s.createWith(ctx, from, u, func(context.Context, *change.Tx) (map[string]any, error) { return nil, nil })
}

// createWith does so in the change in which he gets what else he has from the beginning: of
// that, the audit trail says what with returns.
func (s *Store) createWith(ctx context.Context, from access.Origin, u *User, with func(context.Context, *change.Tx) (map[string]any, error)) (opened *Opened, err error) {
	err = s.Changes.Do(ctx, u.actor(from), func(ctx context.Context, tx *change.Tx) error {
		created, err := create(ctx, tx, u)
		if err != nil {
			return err
		}
		if !created {
			return taken("email")
		}
		said, err := with(ctx, tx)
		if err != nil {
			return err
		}
		opened = open(tx, u.ID)
		return appendAudit(tx, event.UserRegistered, u, nil, u, said)
	})
	return opened, err
}

// create adds a user in a change of his; false where somebody has the address.
func create(ctx context.Context, tx *change.Tx, u *User) (created bool, err error) {
	u.CreatedAt, u.UpdatedAt = tx.Now, tx.Now
	// Not by way of an error: Postgres would write the address and the hash
	// into its log.
	done, err := wrote(tx.NewInsert().Model(u).On("CONFLICT DO NOTHING").Returning("NULL").Exec(ctx))
	if err != nil {
		return false, fmt.Errorf("insert the user: %w", err)
	}
	if !done {
		return false, nil
	}
	// With the account: of his first tasks none waits for another that would make it.
	tx.EnsureInbox()
	return true, nil
}

// wrote says whether a statement has written a row.
func wrote(res sql.Result, err error) (bool, error) {
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n > 0, err
}

func taken(field string) error {
	return refuse.Because(refuse.EmailTaken, "there is an account with this email address; sign in instead",
		refuse.Field{Name: field, Message: "is taken"})
}

// hasPassword says whether he can sign in with one.
func (u *User) hasPassword() bool { return u.PasswordHash != nil && *u.PasswordHash != noUserHash }

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
	Email    *string // has to be shown to be his first: his account has it from then on
}

// Update changes the actor's account under a lock. What changes nothing has no event. Asked
// says that another address was asked for, and a mail goes there.
func (a *Authenticator) Update(ctx context.Context, actor access.Actor, to Profile) (u *User, asked bool, err error) {
	if to.Email == nil {
		u, err = a.Store.update(ctx, actor, to)
		return u, false, err
	}
	if err := actor.SignedInRecently(a.Store.Changes.Now()); err != nil {
		return nil, false, err
	}
	if err := accountmail.CheckAddress("email", *to.Email); err != nil {
		return nil, false, err
	}
	for _, c := range []counted{{a.Limits.ForMails(), "of " + actor.UserID.String()}, {a.Limits.ForMails(), "wanted " + strings.ToLower(*to.Email)}} {
		wait, _, err := a.Attempts.Count(ctx, c.limit, c.key)
		if err != nil {
			return nil, false, err
		}
		if wait > 0 {
			return nil, false, refuse.Until(wait, "too many mails were asked for; try again later")
		}
	}
	u, err = a.Store.update(ctx, actor, to)
	return u, err == nil && *to.Email != u.Email, err
}

func (s *Store) update(ctx context.Context, actor access.Actor, to Profile) (*User, error) {
	if to.Timezone != nil {
		if err := checkTimezone(*to.Timezone); err != nil {
			return nil, err
		}
	}
	var u *User
	err := s.Changes.Do(ctx, actor, func(ctx context.Context, tx *change.Tx) error {
		var err error
		if u, err = lockUser(ctx, tx, actor.UserID); err != nil {
			return err
		}
		before := *u
		if to.Name != nil {
			u.Name = *to.Name
		}
		if to.Timezone != nil {
			u.Timezone = *to.Timezone
		}
		if to.Email != nil && *to.Email != u.Email {
			if u.PasswordHash == nil {
				return refuse.Part("email", "is for the issuer to change who you sign in with")
			}
			if err := s.askForAddress(ctx, tx, u, *to.Email); err != nil {
				return err
			}
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

// askForAddress has a mail sent to an address that a user wants; who has it already is told,
// and the user is not.
func (s *Store) askForAddress(ctx context.Context, tx *change.Tx, u *User, email string) error {
	var others []uuid.UUID
	err := tx.NewRaw("SELECT id FROM task.users WHERE lower(email) = lower(?) AND password_hash IS NOT NULL AND id <> ?", email, u.ID).Scan(ctx, &others)
	if err != nil {
		return fmt.Errorf("look for who has the address: %w", err)
	}
	if err := noticeOf(ctx, tx, taskapi.NoticeAddressAsked); err != nil {
		return err
	}
	if len(others) > 0 {
		return accountmail.PostNotice(tx, others[0], email, taskapi.NoticeAddressTaken)
	}
	return accountmail.Post(tx, accountmail.Mail{Kind: taskapi.MailVerify, User: u.ID, Address: email})
}

// OpenSession begins a session of a user who has shown who he is.
func (s *Store) OpenSession(ctx context.Context, from Stranger, u *User) (opened *Opened, err error) {
	return s.openSession(ctx, from, u, func(context.Context, *change.Tx) (map[string]any, error) { return nil, nil })
}

// openSession begins a session of a user in the change in which what he shows is used up: of
// that, the audit trail says what prove returns. He is told where the device is new; the
// session that the browser had ends, if it is one of his: it was signed in again.
func (s *Store) openSession(ctx context.Context, from Stranger, u *User, prove func(context.Context, *change.Tx) (map[string]any, error)) (opened *Opened, err error) {
	err = s.Changes.Do(ctx, u.actor(from.Origin), func(ctx context.Context, tx *change.Tx) error {
		if err := stillThere(ctx, tx, u); err != nil {
			return err
		}
		proof, err := prove(ctx, tx)
		if err != nil {
			return err
		}
		if from.had.UserID == u.ID {
			if _, err := end(ctx, tx, u, "id = ?", from.had.SessionID); err != nil {
				return err
			}
		}
		opened = open(tx, u.ID)
		if u.Verified && !from.knows(u) {
			if err := accountmail.PostNotice(tx, u.ID, u.Email, taskapi.NoticeNewDevice); err != nil {
				return err
			}
		}
		said := map[string]any{event.MetaSession: opened.ID}
		maps.Copy(said, proof)
		return appendAudit(tx, event.UserSignedIn, u, nil, nil, said)
	})
	return opened, err
}

// stillThere refuses a user who has another password by now than the one that he has shown,
// who was blocked, or who is being erased: what ends his sessions comes first, or ends this
// one, too.
func stillThere(ctx context.Context, tx *change.Tx, u *User) error {
	var same []bool
	err := tx.NewRaw(`SELECT u.password_hash IS NOT DISTINCT FROM ? AND u.blocked_at IS NULL AND NOT EXISTS (SELECT FROM task.erasures WHERE id = ?)
		FROM task.users u WHERE u.id = ? FOR SHARE OF u`, u.PasswordHash, erasure.Hash(u.ID), u.ID).Scan(ctx, &same)
	if err != nil {
		return fmt.Errorf("look at the account: %w", err)
	}
	if len(same) == 0 || !same[0] {
		return refuse.Because(refuse.WrongPassword, "the account was changed a moment ago; sign in again")
	}
	return nil
}

// noticeOf tells the actor by mail what was done with his account, where his address was
// verified.
func noticeOf(ctx context.Context, tx *change.Tx, notice string) error {
	var to []string
	err := tx.NewRaw("SELECT email FROM task.users WHERE id = ? AND verified AND email <> ''", tx.Actor.UserID).Scan(ctx, &to)
	if err != nil {
		return fmt.Errorf("read where a notice goes: %w", err)
	}
	if len(to) == 0 {
		return nil
	}
	return accountmail.PostNotice(tx, tx.Actor.UserID, to[0], notice)
}

// appendAudit appends the audit event of what a user did with his account.
func appendAudit(tx *change.Tx, action string, u, before, after *User, metadata map[string]any) error {
	return tx.AppendAudit(u.ID, event.AuditOf[any]{
		Frame: event.Frame{UserID: u.ID, Metadata: metadata}, Actor: event.Actor{UserID: u.ID, Email: u.Email}, Action: action, Target: "user/" + u.ID.String(),
		Before: before, After: after,
	})
}
