package accountmail

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/taskapi"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
)

// Store keeps the mails in Postgres.
type Store struct {
	DB      *bun.DB
	Changes *change.Writer
	// VerifiedOnly: nothing but what verifies an address, or sets its password, goes to one
	// that was not verified.
	VerifiedOnly bool
}

// Write says what mails say and to whom they go, and makes their secrets. It may be asked
// again, as a mail may have to be sent again: the last few secrets of a mail are good.
func (s *Store) Write(ctx context.Context, actor access.Actor, mails []uuid.UUID) ([]taskapi.AccountMail, error) {
	written := make([]taskapi.AccountMail, len(mails))
	for i, id := range mails {
		err := s.Changes.Do(ctx, actor, func(ctx context.Context, tx *change.Tx) (err error) {
			written[i], err = s.write(ctx, tx, id)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("write mail %s: %w", id, err)
		}
	}
	return written, nil
}

// Keep forgets mails that are too old, until ctx ends.
func (s *Store) Keep(ctx context.Context, log *slog.Logger) error {
	return database.KeepPruned(ctx, s.DB, log, time.Hour, func() database.Old {
		return database.Old{Table: "task.account_mails", Key: "id", Age: "created_at", Before: s.Changes.Now().Add(-kept)}
	})
}

// row is a mail as it is kept.
type row struct {
	Kind      string     `bun:"kind"`
	UserID    *uuid.UUID `bun:"user_id"`
	Address   string     `bun:"address"`
	About     About      `bun:"about,type:jsonb"`
	CreatedAt time.Time  `bun:"created_at"`
	UsedAt    *time.Time `bun:"used_at"`
}

// person is whose account a mail is about.
type person struct {
	ID        uuid.UUID  `bun:"id"`
	Email     string     `bun:"email"`
	Name      string     `bun:"name"`
	Timezone  string     `bun:"timezone"`
	Verified  bool       `bun:"verified"`
	BlockedAt *time.Time `bun:"blocked_at"`
}

func (s *Store) write(ctx context.Context, tx *change.Tx, id uuid.UUID) (taskapi.AccountMail, error) {
	out := taskapi.AccountMail{ID: id}
	no := func(reason string) (taskapi.AccountMail, error) {
		out.Reason = reason
		return out, nil
	}
	var m row
	err := tx.NewRaw("SELECT kind, user_id, address, about, created_at, used_at FROM task.account_mails WHERE id = ? FOR UPDATE", id).Scan(ctx, &m)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return no(taskapi.Deleted)
	case err != nil:
		return out, fmt.Errorf("read the mail: %w", err)
	case m.UsedAt != nil:
		return no(taskapi.MailUsed)
	case tx.Now.Sub(m.CreatedAt) > rules[m.Kind].late:
		return no(taskapi.MailExpired)
	}
	u, err := owner(ctx, tx, &m)
	if err != nil {
		return out, err
	}
	if m.UserID == nil && u != nil {
		// To the account's address, as it is kept: what was typed is the same in small letters,
		// which need not be the same mailbox.
		m.Address = u.Email
		tx.Queue("UPDATE task.account_mails SET address = ? WHERE id = ?", m.Address, id)
	}
	if reason := s.cancelReason(&m, u); reason != "" {
		return no(reason)
	}
	if m.Kind == taskapi.MailNotice {
		if full, err := noticesUsedUp(ctx, tx, &m, id); err != nil || full {
			out.Reason = taskapi.MailTooMany
			return out, err
		}
	}
	out.Stands, out.Kind, out.To, out.At = true, m.Kind, m.Address, m.CreatedAt.UTC()
	out.Notice, out.IP, out.Device = m.About.Notice, m.About.IP, m.About.Device
	if u != nil {
		out.Name, out.Timezone = u.Name, u.Timezone
	}
	if m.Kind == taskapi.MailInvitation {
		return invitation(ctx, tx, &m, out)
	}
	if life := rules[m.Kind].life; life > 0 {
		token, hash := newToken(id)
		expires := tx.Now.Add(life)
		out.Token, out.ExpiresAt = token, &expires
		tx.Queue("UPDATE task.account_mails SET secrets = CASE WHEN cardinality(secrets) < ? THEN secrets ELSE secrets[2:] END || ?::bytea, expires_at = ?, user_id = ? WHERE id = ?",
			mostSecrets, hash[:], expires, u.ID, id)
	}
	return out, nil
}

// mostSecrets is how many secrets of a mail are good: it may have arrived though nobody
// knew, and was sent again.
const mostSecrets = 5

// owner is whose account a mail is about; nil where there is no such account.
func owner(ctx context.Context, tx *change.Tx, m *row) (*person, error) {
	where, arg := "id = ?", any(m.UserID)
	if m.UserID == nil {
		where, arg = "lower(email) = lower(?) AND password_hash IS NOT NULL", m.Address
	}
	u := new(person)
	err := tx.NewRaw("SELECT id, email, name, timezone, verified, blocked_at FROM task.users WHERE "+where, arg).Scan(ctx, u)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read whose mail it is: %w", err)
	}
	return u, nil
}

// cancelReason says why a mail is not to be sent; "" where it is.
func (s *Store) cancelReason(m *row, u *person) string {
	own := u != nil && SameAddress(u.Email, m.Address)
	switch {
	case m.Kind == taskapi.MailInvitation: // who has no account is invited, too
		if own && !u.Verified && s.VerifiedOnly {
			return taskapi.MailUnverified
		}
	case u == nil:
		return taskapi.MailNoAccount
	case u.BlockedAt != nil:
		return taskapi.MailBlocked
	case m.Kind == taskapi.MailVerify && own && u.Verified:
		return taskapi.MailUsed
	case m.Kind == taskapi.MailNotice && own && !u.Verified:
		return taskapi.MailUnverified
	}
	return ""
}

// mostNotices is how many notices a user gets within an hour. Whoever is signed in as him
// could have any number sent.
const mostNotices = 20

// noticesUsedUp says whether a user has had his notices of an hour before this one.
func noticesUsedUp(ctx context.Context, tx *change.Tx, m *row, id uuid.UUID) (bool, error) {
	var before int
	err := tx.NewRaw("SELECT count(*) FROM task.account_mails WHERE user_id = ? AND kind = ? AND created_at > ? AND (created_at, id) < (?, ?)",
		m.UserID, taskapi.MailNotice, m.CreatedAt.Add(-time.Hour), m.CreatedAt, id).Scan(ctx, &before)
	if err != nil {
		return false, fmt.Errorf("count the notices: %w", err)
	}
	return before >= mostNotices, nil
}

// invitation adds what an invitation's mail says, if it still stands.
func invitation(ctx context.Context, tx *change.Tx, m *row, out taskapi.AccountMail) (taskapi.AccountMail, error) {
	err := tx.NewRaw(`SELECT l.name, coalesce(nullif(u.name, ''), u.email, '') FROM task.invitations i JOIN task.lists l ON l.id = i.list_id
		LEFT JOIN task.users u ON u.id = i.invited_by WHERE i.id = ? AND l.trashed_at IS NULL`, m.About.Invitation).Scan(ctx, &out.List, &out.InvitedBy)
	if errors.Is(err, sql.ErrNoRows) {
		return taskapi.AccountMail{ID: out.ID, Reason: taskapi.Deleted}, nil
	}
	if err != nil {
		return out, fmt.Errorf("read the invitation: %w", err)
	}
	return out, nil
}
