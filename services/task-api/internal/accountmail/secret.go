package accountmail

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/services/task-api/internal/change"
	"github.com/taskwire/taskwire/services/task-api/internal/refuse"
)

// secretBytes is the length of a secret: 256 bits, which nobody guesses.
const secretBytes = 32

// newToken makes a secret of a mail, and its hash. The token says whose it is, so that
// it is compared, and not looked for.
func newToken(mail uuid.UUID) (token string, hash [sha256.Size]byte) {
	raw := make([]byte, len(mail)+secretBytes)
	copy(raw, mail[:])
	// rand.Read never fails: it ends the process where there is no randomness.
	_, _ = rand.Read(raw[len(mail):])
	return base64.RawURLEncoding.EncodeToString(raw), sha256.Sum256(raw)
}

// Token is what a mail's token stands for.
type Token struct {
	Mail    uuid.UUID
	Kind    string
	User    uuid.UUID
	Address string
}

// ErrToken refuses a token that stands for nothing, or nothing any more.
var ErrToken error = refuse.Part("token", "is not valid, or not any more; ask for a new mail")

// Find says what a token stands for, of one of these kinds.
func Find(ctx context.Context, db bun.IDB, now time.Time, token string, kinds ...string) (*Token, error) {
	return find(ctx, db, "", now, token, kinds)
}

// Use says what a token stands for, of one of these kinds, once.
func Use(ctx context.Context, tx *change.Tx, token string, kinds ...string) (*Token, error) {
	t, err := find(ctx, tx, " FOR UPDATE", tx.Now, token, kinds)
	if err == nil {
		tx.Queue("UPDATE task.account_mails SET used_at = ?, secrets = '{}' WHERE id = ?", tx.Now, t.Mail)
	}
	return t, err
}

func find(ctx context.Context, db bun.IDB, lock string, now time.Time, token string, kinds []string) (*Token, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(raw) != len(uuid.Nil)+secretBytes {
		return nil, ErrToken
	}
	var row struct {
		ID      uuid.UUID `bun:"id"`
		Kind    string    `bun:"kind"`
		UserID  uuid.UUID `bun:"user_id"`
		Address string    `bun:"address"`
		Secrets string    `bun:"secrets"` // their hashes, one after the other
	}
	err = db.NewRaw(`SELECT id, kind, user_id, address, array_to_string(array(SELECT encode(s, 'hex') FROM unnest(secrets) s), '') AS secrets
		FROM task.account_mails WHERE id = ? AND user_id IS NOT NULL AND used_at IS NULL AND expires_at > ?`+lock, uuid.UUID(raw[:len(uuid.Nil)]), now).Scan(ctx, &row)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ErrToken
	}
	if err != nil {
		return nil, fmt.Errorf("look for the mail of a token: %w", err)
	}
	hash := fmt.Appendf(nil, "%x", sha256.Sum256(raw))
	for sent := range slices.Chunk([]byte(row.Secrets), len(hash)) {
		if subtle.ConstantTimeCompare(sent, hash) == 1 && slices.Contains(kinds, row.Kind) {
			return &Token{row.ID, row.Kind, row.UserID, row.Address}, nil
		}
	}
	return nil, ErrToken
}
