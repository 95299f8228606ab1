// Package retention deletes what notification has kept for long enough:
// deliveries that are done, notifications in the application, and what is known
// of recipients who have had no mail for that long.
package retention

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/uptrace/bun"
)

const (
	// interval is how often it is looked for what is old.
	interval = 10 * time.Minute
	// pruneRows is how many are deleted at once: nobody waits long for them.
	pruneRows = 2000
	// pause leaves the database to others between two batches.
	pause = 20 * time.Millisecond
	// replayMargin is how much longer than an event can be replayed its delivery
	// is kept: for replays under way, and events that wait in the broker.
	replayMargin = 48 * time.Hour
)

var pruned = promauto.NewCounterVec(prometheus.CounterOpts{
	Name: "taskwire_notification_pruned_total", Help: "Rows that were deleted since they were kept for long enough, by table.",
}, []string{"table"})

// Keeper deletes what is old. Any number of replicas may run it: rows that one is
// deleting are left to it by the others.
type Keeper struct {
	DB *bun.DB
	// Retention is how long things are kept. Deliveries are kept for as long as
	// their events can come again, too: that there is one is what makes a second
	// event harmless.
	Retention      time.Duration
	EventRetention time.Duration
	Now            func() time.Time
	Log            *slog.Logger
}

// Run deletes what is old, now and again and again until ctx ends. A database
// that is away is waited for.
func (k *Keeper) Run(ctx context.Context) error {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		switch n, err := k.Prune(ctx); {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			k.Log.WarnContext(ctx, "what is old could not be deleted; trying again later", "error", err)
		case n > 0:
			k.Log.InfoContext(ctx, "old deliveries, notifications and recipients deleted", "rows", n)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Prune deletes everything that is old, in batches, and says how many rows that
// were. It goes on until nothing is left, so that it catches up with any number.
func (k *Keeper) Prune(ctx context.Context) (int64, error) {
	now := k.Now()
	old := now.Add(-k.Retention)
	var total int64
	for _, table := range []struct {
		name, key, condition, age string
		before                    time.Time
	}{
		// What is pending has not been done yet, however old it is.
		{"deliveries", "id", "state <> 'pending'", "created_at", now.Add(-max(k.Retention, k.EventRetention+replayMargin))},
		{"notifications", "id", "true", "created_at", old},
		// Whoever wants no mails is remembered for good.
		{"recipients", "address", "unsubscribed_at IS NULL", "hour_start", old},
	} {
		for {
			res, err := k.DB.NewRaw(`
				WITH old AS MATERIALIZED (
					SELECT ?1 FROM notification.?0 WHERE ?2 AND ?3 < ?4 ORDER BY ?3 LIMIT ?5 FOR UPDATE SKIP LOCKED
				)
				DELETE FROM notification.?0 t USING old WHERE t.?1 = old.?1`,
				bun.Ident(table.name), bun.Ident(table.key), bun.Safe(table.condition), bun.Ident(table.age), table.before, pruneRows).Exec(ctx)
			if err != nil {
				return total, fmt.Errorf("prune the %s: %w", table.name, err)
			}
			n, err := res.RowsAffected()
			if err != nil {
				return total, fmt.Errorf("count the pruned %s: %w", table.name, err)
			}
			total += n
			pruned.WithLabelValues(table.name).Add(float64(n))
			if n < pruneRows {
				break
			}
			select {
			case <-ctx.Done():
				return total, ctx.Err()
			case <-time.After(pause):
			}
		}
	}
	return total, nil
}
