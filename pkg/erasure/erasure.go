// Package erasure is a consumer's part in erasing an account. task-api tells of it by an
// event that has the user's id and nothing else. The consumer notes it with the event
// (Record), erases what it has of him beside the events, some at a time (Run), and notes when
// all of it is gone: reconcile takes that for the acknowledgement.
//
// Of who was erased the hash of his id stays, so that an event of his that comes later, out
// of a broker or by a replay, brings nothing back (Among).
package erasure

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/outage"
)

// The kinds of what is erased.
const (
	User = "user"
	List = "list" // one that has gone with its only owner
)

// Subject is who, or what, is being erased.
type Subject struct {
	Kind string    `bun:"kind"`
	ID   uuid.UUID `bun:"subject"`
	// Pseudonym stands for the user in what stays. It is random, the same as long as he is
	// being erased, and kept nowhere afterwards.
	Pseudonym uuid.UUID `bun:"pseudonym"`
	// Addresses are those that the service found him to have had; see Remember.
	Addresses []string `bun:"addresses,array"`
}

// Step erases some of what there is of a subject, in a transaction, and says whether that
// was all. It is called again until then, also after the service was killed.
type Step func(ctx context.Context, tx bun.Tx, of *Subject) (done bool, err error)

// Keeper erases what a consumer has of accounts that were erased.
type Keeper struct {
	DB     *bun.DB
	Schema string // with Tables
	Step   Step
	Now    func() time.Time
	Log    *slog.Logger
	// Settle is how long an event that was taken in before the erasure was known may still
	// be on its way into a transaction; DefaultSettle where it is 0.
	Settle time.Duration

	failing Failing
	fences  fences
}

const (
	// DefaultSettle is longer than a consumer takes from its look for who was erased to the
	// one statement that is all it writes (subscribe.AtOnce). Its transactions are waited for
	// by themselves: see fences.
	DefaultSettle = 10 * time.Second
	// lookEvery is how often it is looked for something to erase.
	lookEvery = 5 * time.Second
	// pause leaves the database to others between two steps.
	pause = 20 * time.Millisecond
)

// Hash is what stays of an id.
func Hash(id uuid.UUID) []byte {
	sum := sha256.Sum256(id[:])
	return sum[:]
}

// Record records that something is to be erased, in the transaction of the event that says so.
// What was erased before is, or stays, as it is.
func (k *Keeper) Record(ctx context.Context, tx bun.IDB, kind string, id uuid.UUID) error {
	_, err := tx.NewRaw("INSERT INTO ?.erased (id, told_at, kind, subject, pseudonym) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
		bun.Ident(k.Schema), Hash(id), k.Now(), kind, id, uuid.New()).Exec(ctx)
	if err != nil {
		return fmt.Errorf("record that a %s is to be erased: %w", kind, err)
	}
	return nil
}

// Among are those of some ids that were erased, or are being.
func (k *Keeper) Among(ctx context.Context, db bun.IDB, ids map[uuid.UUID]bool) (map[uuid.UUID]bool, error) {
	byHash := make(map[string]uuid.UUID, len(ids))
	hashes := make([][]byte, 0, len(ids))
	for id := range ids {
		hash := Hash(id)
		byHash[string(hash)] = id
		hashes = append(hashes, hash)
	}
	found := map[uuid.UUID]bool{}
	if len(hashes) == 0 {
		return found, nil
	}
	var rows []struct {
		ID []byte `bun:"id"`
	}
	if err := db.NewRaw("SELECT id FROM ?.erased WHERE id = ANY (?)", bun.Ident(k.Schema), pgdialect.Array(hashes)).Scan(ctx, &rows); err != nil {
		return nil, fmt.Errorf("look for what was erased: %w", err)
	}
	for _, r := range rows {
		found[byHash[string(r.ID)]] = true
	}
	return found, nil
}

// Remember keeps, until the subject is gone, addresses that he was found to have had: a
// later step finds by them what an earlier one can no longer tell to be his.
func (k *Keeper) Remember(ctx context.Context, tx bun.Tx, of *Subject, addresses []string) error {
	if addresses == nil {
		addresses = []string{}
	}
	_, err := tx.NewRaw("UPDATE ?.erased SET addresses = ? WHERE id = ?", bun.Ident(k.Schema), pgdialect.Array(addresses), Hash(of.ID)).Exec(ctx)
	if err != nil {
		return fmt.Errorf("keep the addresses of who is being erased: %w", err)
	}
	of.Addresses = addresses
	return nil
}

// Run erases what there is to erase, now and again, until ctx ends. Any number of replicas
// may run it: each takes another one.
func (k *Keeper) Run(ctx context.Context) error { return Repeat(ctx, k.Log, k.Erase) }

// Repeat makes step after step, as long as there is one to make, now and again, until ctx ends.
// An error of one that there was is about an account: there may be others.
func Repeat(ctx context.Context, log *slog.Logger, step func(context.Context) (more bool, err error)) error {
	failing := &outage.Outage{Log: log, Gone: "accounts can not be erased; trying again", Back: "accounts are erased again"}
	return database.Repeat(ctx, failing, nil, func(ctx context.Context) (time.Duration, error) {
		more, err := step(ctx)
		if more {
			if err != nil {
				log.WarnContext(ctx, "an account can not be erased; others are, and it is tried again", "error", err)
			}
			return pause, nil
		}
		return lookEvery, err
	})
}

// Erase makes a step, and says whether there was one to make. Where that has failed for
// what it is about, which is left alone for a while, there may be others.
func (k *Keeper) Erase(ctx context.Context) (more bool, err error) {
	settle := k.Settle
	if settle == 0 {
		settle = DefaultSettle
	}
	of, now := new(Subject), k.Now()
	err = k.DB.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		// The trail of a long life is looked through to its end.
		if _, err := tx.ExecContext(ctx, "SET LOCAL statement_timeout = '10min'"); err != nil {
			return fmt.Errorf("begin to erase: %w", err)
		}
		var oldest, next int64
		err := tx.NewRaw("SELECT kind, subject, pseudonym, addresses, pg_snapshot_xmin(pg_current_snapshot())::text::bigint, pg_snapshot_xmax(pg_current_snapshot())::text::bigint FROM ?.erased WHERE done_at IS NULL AND told_at <= ? AND subject <> ALL (?::uuid[]) ORDER BY told_at LIMIT 1 FOR UPDATE SKIP LOCKED",
			bun.Ident(k.Schema), now.Add(-settle), pgdialect.Array(k.failing.Now(now))).
			Scan(ctx, &of.Kind, &of.ID, &of.Pseudonym, pgdialect.Array(&of.Addresses), &oldest, &next)
		if errors.Is(err, sql.ErrNoRows) {
			k.fences.forget() // those that other replicas have erased, too
			return nil
		}
		if err != nil {
			return fmt.Errorf("look for what is to be erased: %w", err)
		}
		if !k.fences.passed(of.ID, oldest, next) {
			return nil
		}
		more = true
		done, err := k.Step(ctx, tx, of)
		if err != nil || !done {
			return err
		}
		for _, needle := range append([]string{of.ID.String()}, of.Addresses...) {
			if _, err := tx.NewRaw("SELECT ?.erase_letters(?)", bun.Ident(k.Schema), needle).Exec(ctx); err != nil {
				return fmt.Errorf("erase dead letters: %w", err)
			}
		}
		_, err = tx.NewRaw("UPDATE ?.erased SET done_at = ?, kind = NULL, subject = NULL, pseudonym = NULL, addresses = NULL WHERE id = ?",
			bun.Ident(k.Schema), k.Now(), Hash(of.ID)).Exec(ctx)
		if err != nil {
			return fmt.Errorf("note that a %s is erased: %w", of.Kind, err)
		}
		k.Log.InfoContext(ctx, "what there was of an erased account is gone", "kind", of.Kind)
		return nil
	})
	if err != nil && more {
		if ctx.Err() != nil || database.IsOutage(err) {
			return false, err
		}
		k.failing.Add(of.ID, now)
	}
	return more, err
}
