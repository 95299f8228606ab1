package change

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
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

// Claim takes the key, or reads into answer what its first user was answered, and says
// whether there was one.
func (k *Key) Claim(ctx context.Context, tx *Tx, answer any) (answered bool, err error) {
	user, hash := tx.Actor.UserID, k.hashFor(tx.Actor)
	res, err := tx.NewRaw(`INSERT INTO task.idempotency_keys (user_id, key, request_hash, created_at, request_id) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (user_id, key) DO NOTHING`, user, k.Key, hash, tx.Now, tx.Actor.RequestID).Exec(ctx)
	if err != nil {
		return false, fmt.Errorf("claim the idempotency key: %w", err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 1 {
		return false, err
	}
	// A struct: bun takes a []byte that stands alone for a list of numbers.
	var row struct {
		Hash   []byte `bun:"request_hash"`
		Answer string `bun:"answer"`
	}
	err = tx.NewRaw("SELECT request_hash, answer FROM task.idempotency_keys WHERE user_id = ? AND key = ?", user, k.Key).Scan(ctx, &row)
	if err != nil {
		return false, fmt.Errorf("read the idempotency key: %w", err)
	}
	if !bytes.Equal(row.Hash, hash) {
		return false, refuse.Because(refuse.KeyUsed, "was used for another request; choose a new one")
	}
	if err := json.Unmarshal([]byte(row.Answer), answer); err != nil {
		return false, fmt.Errorf("read the first answer: %w", err)
	}
	tx.recordRepetition(k)
	return true, nil
}

// hashFor is the hash of what an actor asks for. One who is restricted to some lists asks
// for something else than his user does otherwise, whose answer is not for him.
func (k *Key) hashFor(actor access.Actor) []byte {
	if actor.Only == nil {
		return k.Hash
	}
	hash := sha256.New()
	hash.Write(k.Hash)
	for _, list := range actor.Only {
		hash.Write(list[:])
	}
	return hash.Sum(nil)
}

// Keep keeps what is answered now.
func (k *Key) Keep(tx *Tx, answer any) error {
	raw, err := json.Marshal(answer)
	if err != nil {
		return fmt.Errorf("keep the answer: %w", err)
	}
	tx.Queue("UPDATE task.idempotency_keys SET answer = ?::jsonb WHERE user_id = ? AND key = ?", string(raw), tx.Actor.UserID, k.Key)
	return nil
}

// forgetEvery is how often old keys are looked for.
const forgetEvery = 10 * time.Minute

// ForgetKeys deletes idempotency keys that are older than keyLife, now and
// then, until ctx ends.
func (w *Writer) ForgetKeys(ctx context.Context, log *slog.Logger) error {
	return database.KeepPruned(ctx, w.DB, log, forgetEvery, w.oldKeys)
}

func (w *Writer) oldKeys() database.Old {
	return database.Old{Table: "task.idempotency_keys", Key: "user_id, key", Age: "created_at", Before: w.Now().Add(-keyLife)}
}
