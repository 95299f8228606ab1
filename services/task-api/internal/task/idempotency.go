package task

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/httpapi"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
)

// keyLife is how long an Idempotency-Key is remembered.
const keyLife = 24 * time.Hour

// idempotencyKey makes repetitions of one request one request. The key's row
// is written in the transaction that does the work: a repetition that comes
// while the first is still at it waits for its commit and answers the same.
type idempotencyKey struct {
	key  string
	hash []byte
}

func newIdempotencyKey(key string, body any) (*idempotencyKey, error) {
	if key == "" {
		return nil, nil
	}
	raw, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("hash the request: %w", err)
	}
	sum := sha256.Sum256(raw)
	return &idempotencyKey{key, sum[:]}, nil
}

// claim takes the key, or answers what its first user was answered.
func (k *idempotencyKey) claim(ctx context.Context, tx *change.Tx) (*event.Task, error) {
	user := tx.Actor.UserID
	res, err := tx.NewRaw(`INSERT INTO task.idempotency_keys (user_id, key, request_hash, created_at) VALUES (?, ?, ?, ?)
		ON CONFLICT (user_id, key) DO NOTHING`, user, k.key, k.hash, tx.Now).Exec(ctx)
	if err != nil {
		return nil, fmt.Errorf("claim the idempotency key: %w", err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 1 {
		return nil, err
	}
	// A struct: bun takes a []byte that stands alone for a list of numbers.
	var row struct {
		Hash   []byte `bun:"request_hash"`
		Answer string `bun:"answer"`
	}
	err = tx.NewRaw("SELECT request_hash, answer FROM task.idempotency_keys WHERE user_id = ? AND key = ?", user, k.key).Scan(ctx, &row)
	if err != nil {
		return nil, fmt.Errorf("read the idempotency key: %w", err)
	}
	if !bytes.Equal(row.Hash, k.hash) {
		return nil, httpapi.Invalid("header.Idempotency-Key", "was used for another request; choose a new one")
	}
	first := new(event.Task)
	if err := json.Unmarshal([]byte(row.Answer), first); err != nil {
		return nil, fmt.Errorf("read the first answer: %w", err)
	}
	return first, nil
}

func (k *idempotencyKey) answer(ctx context.Context, tx *change.Tx, t event.Task) error {
	raw, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("keep the answer: %w", err)
	}
	if _, err := tx.NewRaw("UPDATE task.idempotency_keys SET answer = ?::jsonb WHERE user_id = ? AND key = ?", string(raw), tx.Actor.UserID, k.key).Exec(ctx); err != nil {
		return fmt.Errorf("keep the answer: %w", err)
	}
	return nil
}

// forgetEvery is how often old keys are looked for.
const forgetEvery = 10 * time.Minute

// ForgetKeys deletes idempotency keys that are older than keyLife, now and
// then, until ctx ends.
func (s *Store) ForgetKeys(ctx context.Context, log *slog.Logger) error {
	return database.KeepPruned(ctx, s.DB, log, forgetEvery, s.oldKeys)
}

func (s *Store) oldKeys() database.Old {
	return database.Old{Table: "task.idempotency_keys", Key: "user_id, key", Age: "created_at", Before: s.Changes.Now().Add(-keyLife)}
}
