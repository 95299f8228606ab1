package account

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/mailbox"
	"github.com/taskwire/taskwire/pkg/recurrence"
	"github.com/taskwire/taskwire/pkg/taskapi"
	"github.com/taskwire/taskwire/services/task-api/internal/accountmail"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
	"github.com/taskwire/taskwire/services/task-api/internal/limit"
	"github.com/taskwire/taskwire/services/task-api/internal/refuse"
)

// Settings say who may have an account.
type Settings struct {
	Registration string `env:"REGISTRATION" envDefault:"open" oneof:"open invite closed"`
	Verification string `env:"MAIL_VERIFICATION" envDefault:"required" oneof:"required optional"`
}

// Verified says whether an account can not be used before its address was verified.
func (s Settings) Verified() bool { return s.Verification == "required" }

// Authenticator registers users, and signs them in.
type Authenticator struct {
	Settings  Settings
	Store     *Store
	Sessions  *Sessions
	APITokens *APITokens
	Limits    limit.Settings
	Attempts  *limit.Windows
	Hashing   *limit.Turns
	Failed    *FailedSignIns
}

// Registration is what a new account is to be.
type Registration struct {
	Email    string
	Password string
	Name     string
	Timezone string // "": UTC
}

// Register makes an account, and begins a session of its user. Where addresses have to be
// verified it answers nothing, whether there is an account with the address or not: who has
// the address is told, by mail.
func (a *Authenticator) Register(ctx context.Context, from Stranger, r Registration) (*User, *Opened, error) {
	if a.Settings.Registration == "closed" {
		return nil, nil, errClosed
	}
	if err := accountmail.CheckAddress("email", r.Email); err != nil {
		return nil, nil, err
	}
	if r.Timezone == "" {
		r.Timezone = "UTC"
	}
	if err := checkTimezone(r.Timezone); err != nil {
		return nil, nil, err
	}
	if err := checkNew("password", r.Password, r.Email, r.Name); err != nil {
		return nil, nil, err
	}
	hash, err := a.hashNew(ctx, from, r.Password)
	if err != nil {
		return nil, nil, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return nil, nil, err
	}
	u := &User{ID: id, Email: r.Email, Name: r.Name, Timezone: r.Timezone, PasswordHash: &hash}
	err = a.mayRegister(ctx, r.Email)
	invited := !errors.Is(err, errClosed)
	if err != nil && invited {
		return nil, nil, err
	}
	if a.Settings.Verified() {
		return nil, nil, a.registerUnverified(ctx, from, u, invited)
	}
	if !invited {
		return nil, nil, errClosed
	}
	opened, err := a.Store.Create(ctx, from.Origin, u)
	return u, opened, err
}

var errClosed = refuse.Because(refuse.RegistrationClosed, "accounts are not for everybody to make here; ask the operator for an invitation")

// mayRegister refuses who wants an account with an address where that is not for everybody.
func (a *Authenticator) mayRegister(ctx context.Context, email string) error {
	switch a.Settings.Registration {
	case "open":
		return nil
	case "invite":
		invited, err := a.Store.invited(ctx, email)
		if err != nil || invited {
			return err
		}
	}
	return errClosed
}

// registerUnverified makes an account that can be used once its address was verified. Who
// has an account with that address is told that somebody wanted another.
func (a *Authenticator) registerUnverified(ctx context.Context, from Stranger, u *User, invited bool) error {
	wait, _, err := a.Attempts.Count(ctx, a.Limits.ForMails(), "registered "+mailbox.Of(u.Email))
	if err != nil || !invited {
		return err
	}
	return a.Store.Changes.Do(ctx, u.actor(from.Origin), func(ctx context.Context, tx *change.Tx) error {
		created, err := create(ctx, tx, u)
		if err != nil {
			return err
		}
		m := accountmail.Mail{Kind: taskapi.MailVerify, User: u.ID, Address: u.Email}
		if created {
			if err := appendAudit(tx, event.UserRegistered, u, nil, u, nil); err != nil {
				return err
			}
		} else if m, err = again(ctx, tx, u.Email); err != nil {
			return err
		}
		if wait > 0 { // there were enough mails to this address
			return nil
		}
		return accountmail.Post(tx, m)
	})
}

// again is the mail to who has an address that somebody wanted to register again. Where it
// was not verified, the first to register it may have been a stranger, who waits for its
// owner to verify it for him: so the mail lets who has it set a password of his own.
func again(ctx context.Context, tx *change.Tx, email string) (accountmail.Mail, error) {
	u := new(User)
	if err := tx.NewSelect().Model(u).Where("lower(email) = lower(?) AND password_hash IS NOT NULL", email).Scan(ctx); err != nil {
		return accountmail.Mail{}, fmt.Errorf("read whose address it is: %w", err)
	}
	if !u.Verified {
		return accountmail.Mail{Kind: taskapi.MailReset, User: u.ID, Address: u.Email}, nil
	}
	return accountmail.Mail{Kind: taskapi.MailNotice, User: u.ID, Address: u.Email, About: accountmail.About{
		Notice: taskapi.NoticeRegisteredAgain, IP: tx.Actor.IP, Device: tx.Actor.UserAgent,
	}}, nil
}

// invited says whether somebody wants who has an address to be a member of a list.
func (s *Store) invited(ctx context.Context, email string) (bool, error) {
	found, err := s.DB.NewSelect().Table("task.invitations").Where("lower(email) = lower(?)", email).Exists(ctx)
	if err != nil {
		return false, fmt.Errorf("look for an invitation: %w", err)
	}
	return found, nil
}

// hashNew hashes the password of a new account.
func (a *Authenticator) hashNew(ctx context.Context, from Stranger, password string) (string, error) {
	of := a.Limits.ForRegistrations()
	if wait := a.Attempts.Refused(of, from.network); wait > 0 {
		return "", tooManyAccounts(wait) // without a turn
	}
	done, err := a.turn(ctx, from)
	if err != nil {
		return "", err
	}
	defer done()
	wait, _, err := a.Attempts.Count(ctx, of, from.network)
	if err != nil {
		return "", err
	}
	if wait > 0 {
		return "", tooManyAccounts(wait)
	}
	return hashPassword(password), nil
}

func checkTimezone(zone string) error {
	if _, err := recurrence.Location(zone); err != nil {
		return refuse.Part("timezone", err.Error())
	}
	return nil
}
