package task

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
	"github.com/taskwire/taskwire/services/task-api/internal/refuse"
)

// keyLife is how long an Idempotency-Key is remembered.
const keyLife = 24 * time.Hour

// Key makes repetitions of one request one request. The key's row is written in
// the transaction that does the work: a repetition that comes while the first is
// still at it waits for its commit and answers the same.
type Key struct {
	Key  string
	Hash []byte // of what is asked for: the key of one request is not for another
}

// claim takes the key, or answers what its first user was answered.
func (k *Key) claim(ctx context.Context, tx *change.Tx) (*Task, error) {
	user := tx.Actor.UserID
	res, err := tx.NewRaw(`INSERT INTO task.idempotency_keys (user_id, key, request_hash, created_at) VALUES (?, ?, ?, ?)
		ON CONFLICT (user_id, key) DO NOTHING`, user, k.Key, k.Hash, tx.Now).Exec(ctx)
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
	err = tx.NewRaw("SELECT request_hash, answer FROM task.idempotency_keys WHERE user_id = ? AND key = ?", user, k.Key).Scan(ctx, &row)
	if err != nil {
		return nil, fmt.Errorf("read the idempotency key: %w", err)
	}
	if !bytes.Equal(row.Hash, k.Hash) {
		return nil, refuse.Because(refuse.KeyUsed, "was used for another request; choose a new one")
	}
	var first event.Task
	if err := json.Unmarshal([]byte(row.Answer), &first); err != nil {
		return nil, fmt.Errorf("read the first answer: %w", err)
	}
	return answered(first), nil
}

// answer keeps the task as it is answered now.
func (k *Key) answer(tx *change.Tx, t *Task) error {
	raw, err := json.Marshal(t.onTheWire())
	if err != nil {
		return fmt.Errorf("keep the answer: %w", err)
	}
	tx.Later("UPDATE task.idempotency_keys SET answer = ?::jsonb WHERE user_id = ? AND key = ?", string(raw), tx.Actor.UserID, k.Key)
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
