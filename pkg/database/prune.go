package database

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/outage"
)

const (
	// pruneRows is how many rows are deleted at once: nobody waits long for them.
	pruneRows = 2000
	// prunePause leaves the database to others between two batches.
	prunePause = 20 * time.Millisecond
)

// Old is what of a table has been kept for long enough. All names are SQL, and come
// from the code.
type Old struct {
	Table  string    // with its schema
	Key    string    // the columns of its primary key, with commas between them
	Age    string    // the column that tells how old a row is, which has an index
	Before time.Time // what is older is deleted
	Only   string    // a condition that its rows meet; "": all do
}

// Prune deletes what is old, in batches of their own, and says how many rows that
// were: of those before an error, too. It goes on until nothing is left, so that it
// catches up with any number. Any number of replicas may do it: rows that one is
// deleting are left to it by the others.
func Prune(ctx context.Context, db bun.IDB, o Old) (total int64, err error) {
	only := ""
	if o.Only != "" {
		only = " AND " + o.Only
	}
	for {
		res, err := db.NewRaw(`
			WITH old AS MATERIALIZED (
				SELECT ?1 FROM ?0 WHERE ?2 < ?3?4 ORDER BY ?2 LIMIT ?5 FOR UPDATE SKIP LOCKED
			)
			DELETE FROM ?0 WHERE (?1) IN (SELECT ?1 FROM old)`,
			bun.Safe(o.Table), bun.Safe(o.Key), bun.Safe(o.Age), o.Before, bun.Safe(only), pruneRows).Exec(ctx)
		if err != nil {
			return total, fmt.Errorf("prune %s: %w", o.Table, err)
		}
		n, err := res.RowsAffected()
		if err != nil {
			return total, fmt.Errorf("count what was pruned of %s: %w", o.Table, err)
		}
		total += n
		if n < pruneRows {
			return total, nil
		}
		select {
		case <-ctx.Done():
			return total, ctx.Err()
		case <-time.After(prunePause):
		}
	}
}

// KeepPruned prunes what old says, at once and again and again until ctx ends. A
// database that is away is waited for.
func KeepPruned(ctx context.Context, db bun.IDB, log *slog.Logger, every time.Duration, old func() Old) error {
	failing := &outage.Outage{Log: log, Gone: "what is old can not be deleted; trying again", Back: "what is old is deleted again"}
	return Repeat(ctx, failing, nil, func(ctx context.Context) (time.Duration, error) {
		o := old()
		n, err := Prune(ctx, db, o)
		if n > 0 {
			log.DebugContext(ctx, "what was old is deleted", "table", o.Table, "rows", n)
		}
		return every, err
	})
}
