package account

import (
	"context"
	"net/mail"
	"strings"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/recurrence"
	"github.com/taskwire/taskwire/services/task-api/internal/limit"
	"github.com/taskwire/taskwire/services/task-api/internal/refuse"
)

// Doorkeeper lets users in: who registers, and who signs in with his password.
type Doorkeeper struct {
	Store    *Store
	Sessions *Sessions
	Limits   limit.Settings
	Attempts *limit.Windows
	Hashing  *limit.Turns
	Failed   *FailedSignIns
}

// Registration is what a new account is to be.
type Registration struct {
	Email    string
	Password string
	Name     string
	Timezone string // "": UTC
}

// Register makes an account, and begins a session of its user.
func (d *Doorkeeper) Register(ctx context.Context, from Stranger, r Registration) (*User, *Opened, error) {
	if err := checkEmail(r.Email); err != nil {
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
	hash, err := d.hashNew(ctx, from, r.Password)
	if err != nil {
		return nil, nil, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return nil, nil, err
	}
	u := &User{ID: id, Email: r.Email, Name: r.Name, Timezone: r.Timezone, PasswordHash: &hash}
	opened, err := d.Store.Create(ctx, from.Origin, u)
	return u, opened, err
}

// hashNew hashes the password of a new account.
func (d *Doorkeeper) hashNew(ctx context.Context, from Stranger, password string) (string, error) {
	of := d.Limits.ForRegistrations()
	if wait := d.Attempts.Refused(of, from.network); wait > 0 {
		return "", tooManyAccounts(wait) // without a turn
	}
	done, err := d.turn(ctx, from)
	if err != nil {
		return "", err
	}
	defer done()
	wait, _, err := d.Attempts.Count(ctx, of, from.network)
	if err != nil {
		return "", err
	}
	if wait > 0 {
		return "", tooManyAccounts(wait)
	}
	return hashPassword(password), nil
}

// checkEmail takes an address alone (RFC 5322 addr-spec), without a name or a
// comment, and without what could break out of a mail header.
func checkEmail(email string) error {
	parsed, err := mail.ParseAddress(email)
	if err != nil || parsed.Address != email || parsed.Name != "" || strings.ContainsAny(email, " \t\r\n\"<>(),;") {
		return refuse.Part("email", "must be an email address, such as ada@example.org")
	}
	return nil
}

func checkTimezone(zone string) error {
	if _, err := recurrence.Location(zone); err != nil {
		return refuse.Part("timezone", err.Error())
	}
	return nil
}
