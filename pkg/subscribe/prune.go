package subscribe

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
	// pruneMargin is how much longer than an event can be replayed its inbox row
	// is kept: for replays under way, and events that wait in the broker.
	pruneMargin = 48 * time.Hour
	// pruneInterval is how often a Pruner looks for old rows.
	pruneInterval = time.Hour
	// pruneRows is how many it deletes at once: no consumer waits long for it.
	pruneRows = 5000
)

var pruned = promauto.NewCounter(prometheus.CounterOpts{
	Name: "taskwire_inbox_pruned_total", Help: "Inbox rows that were deleted since their events can not come again.",
})

// Pruner deletes what a consumer need not remember any more. A replay refuses
// events that are older than the retention of the event log, so an inbox row
// that is kept for longer outlives every chance of its event coming again.
// Any number of replicas may run it.
type Pruner struct {
	DB        *bun.DB
	Schema    string
	Retention time.Duration // of the event log
	Now       func() time.Time
	Log       *slog.Logger
}

// Run prunes at once and every hour, until ctx ends. A database that is away
// is waited for.
func (p *Pruner) Run(ctx context.Context) error {
	for {
		if n, err := p.Prune(ctx); err != nil && ctx.Err() == nil {
			p.Log.WarnContext(ctx, "the inbox could not be pruned; it will be tried again", "error", err)
		} else if n > 0 {
			p.Log.InfoContext(ctx, "inbox pruned", "rows", n)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pruneInterval):
		}
	}
}

// Prune deletes all rows that are old enough and says how many they were.
func (p *Pruner) Prune(ctx context.Context) (int64, error) {
	before := p.Now().Add(-p.Retention - pruneMargin)
	var total int64
	for {
		// Rows that another replica is deleting are left to it.
		res, err := p.DB.NewRaw(`
			DELETE FROM ?0.inbox WHERE (source, id) IN (
				SELECT source, id FROM ?0.inbox WHERE handled_at < ?1 ORDER BY handled_at LIMIT ?2 FOR UPDATE SKIP LOCKED)`,
			bun.Ident(p.Schema), before, pruneRows).Exec(ctx)
		if err != nil {
			return total, fmt.Errorf("prune the inbox of %s: %w", p.Schema, err)
		}
		n, err := res.RowsAffected()
		if err != nil {
			return total, fmt.Errorf("count the pruned rows: %w", err)
		}
		total += n
		pruned.Add(float64(n))
		if n < pruneRows {
			return total, nil
		}
	}
}
