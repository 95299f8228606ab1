// Package recipient keeps what is known of whoever is sent mails: how many he
// had within the hour, and whether he wants any.
//
// The address is nobody's secret to choose: who registers an account with a
// stranger's address can have mails sent there. So mails are counted for each
// address, over all accounts and replicas, and each mail has a link that ends
// them.
package recipient

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/mailbox"
)

// Hour is how long mails are counted together. It begins with the first of them.
const Hour = time.Hour

// tokenBytes is the length of a token before it is written as text: 192 bits,
// which nobody guesses.
const tokenBytes = 24

// Recipient is an address that mails are sent to; the columns are explained in
// the migration.
type Recipient struct {
	bun.BaseModel `bun:"table:notification.recipients,alias:r"`

	Address        []byte `bun:",pk"`
	Token          []byte
	HourStart      time.Time
	Mails          int
	Notice         *uuid.UUID
	UnsubscribedAt *time.Time
}

// Lock reads the recipient of an address, who is made if he is new, and locks
// him until the transaction ends.
func Lock(ctx context.Context, tx bun.Tx, address string, now time.Time) (*Recipient, error) {
	key := sha256.Sum256([]byte(mailbox.Of(address)))
	r := new(Recipient)
	read := func() error { return tx.NewSelect().Model(r).Where("address = ?", key[:]).For("UPDATE").Scan(ctx) }
	err := read()
	if errors.Is(err, sql.ErrNoRows) {
		fresh := &Recipient{Address: key[:], Token: make([]byte, tokenBytes), HourStart: now}
		rand.Read(fresh.Token) // never fails
		// Two may be the first at once.
		if _, err := tx.NewInsert().Model(fresh).On("CONFLICT (address) DO NOTHING").Returning("NULL").Exec(ctx); err != nil {
			return nil, fmt.Errorf("add a recipient: %w", err)
		}
		err = read()
	}
	if err != nil {
		return nil, fmt.Errorf("read a recipient: %w", err)
	}
	return r, nil
}

// Verdict is what becomes of a mail. Of a mail that is not sent it is the reason,
// too.
type Verdict string

// The verdicts.
const (
	Send         Verdict = "send"
	Notice       Verdict = "notice"       // in its place one that says that there are no more in this hour
	OverBudget   Verdict = "over_budget"  // none: there have been enough in this hour
	Unsubscribed Verdict = "unsubscribed" // none: he wants none
)

// Count decides about the mail of a delivery, and counts it in the hour of now.
// A mail that is counted in this hour already, by its start, is let
// through. A budget of 0 is none.
func (r *Recipient) Count(delivery uuid.UUID, countedIn time.Time, budget int, now time.Time) Verdict {
	if r.UnsubscribedAt != nil {
		return Unsubscribed
	}
	if !now.Before(r.HourStart.Add(Hour)) {
		r.HourStart, r.Mails, r.Notice = now, 0, nil
	}
	switch {
	case countedIn.Equal(r.HourStart):
		return Send
	case budget == 0 || r.Mails < budget:
		r.Mails++
		return Send
	case r.Notice == nil || *r.Notice == delivery:
		r.Notice = &delivery
		return Notice
	default:
		return OverBudget
	}
}

// Save writes what Count has changed.
func (r *Recipient) Save(ctx context.Context, tx bun.Tx) error {
	if _, err := tx.NewUpdate().Model(r).Column("hour_start", "mails", "notice").WherePK().Exec(ctx); err != nil {
		return fmt.Errorf("count a mail of a recipient: %w", err)
	}
	return nil
}

// TokenText is the token as links carry it.
func (r *Recipient) TokenText() string { return base64.RawURLEncoding.EncodeToString(r.Token) }

// Store is for whoever follows a link.
type Store struct {
	DB  *bun.DB
	Now func() time.Time
}

// ErrUnknown says that a token is nobody's, or no longer.
var ErrUnknown = errors.New("the token is nobody's")

// Subscribed says whether mails are sent to the owner of a token.
func (s *Store) Subscribed(ctx context.Context, token string) (bool, error) {
	return s.one(ctx, token, "SELECT unsubscribed_at FROM notification.recipients WHERE sha256(token) = ?0")
}

// Set sets whether mails are sent to the owner of a token.
func (s *Store) Set(ctx context.Context, token string, subscribed bool) error {
	_, err := s.one(ctx, token, `UPDATE notification.recipients
		SET unsubscribed_at = CASE WHEN NOT ?1 THEN coalesce(unsubscribed_at, ?2) END
		WHERE sha256(token) = ?0 RETURNING unsubscribed_at`, subscribed, s.Now())
	return err
}

func (s *Store) one(ctx context.Context, token, query string, args ...any) (subscribed bool, err error) {
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(raw) != tokenBytes {
		return false, ErrUnknown
	}
	hash := sha256.Sum256(raw)
	var since bun.NullTime
	err = s.DB.NewRaw(query, append([]any{hash[:]}, args...)...).Scan(ctx, &since)
	if errors.Is(err, sql.ErrNoRows) {
		return false, ErrUnknown
	}
	if err != nil {
		return false, fmt.Errorf("find the recipient of a token: %w", err)
	}
	return since.IsZero(), nil
}
