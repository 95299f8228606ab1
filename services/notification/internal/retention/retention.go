// Package retention deletes what notification has kept for long enough:
// deliveries that are done, notifications in the application, and what is known
// of recipients who have had no mail for that long.
package retention

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/outage"
	"github.com/taskwire/taskwire/services/notification/internal/migrations"
)

const (
	// interval is how often it is looked for what is old.
	interval = 10 * time.Minute
	// replayMargin is how much longer than an event can be replayed its delivery
	// is kept: for replays under way, and events that wait in the broker.
	replayMargin = 48 * time.Hour
)

var pruned = promauto.NewCounterVec(prometheus.CounterOpts{
	Name: "taskwire_notification_pruned_total", Help: "Rows that were deleted since they were kept for long enough, by table.",
}, []string{"table"})

// Keeper deletes what is old. Any number of replicas may run it.
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
	failing := &outage.Outage{Log: k.Log, Gone: "what is old could not be deleted; trying again", Back: "what is old is deleted again"}
	return database.Repeat(ctx, failing, nil, func(ctx context.Context) (time.Duration, error) {
		n, err := k.Prune(ctx)
		if n > 0 {
			k.Log.InfoContext(ctx, "old deliveries, notifications and recipients deleted", "rows", n)
		}
		return interval, err
	})
}

// Prune deletes everything that is old, and says how many rows that were.
func (k *Keeper) Prune(ctx context.Context) (total int64, err error) {
	now := k.Now()
	before := now.Add(-k.Retention)
	for _, old := range []database.Old{
		// What is pending has not been done yet, however old it is.
		{Table: "deliveries", Key: "id", Age: "created_at", Only: "state <> 'pending'", Before: now.Add(-max(k.Retention, k.EventRetention+replayMargin))},
		{Table: "notifications", Key: "id", Age: "created_at", Before: before},
		// Whoever wants no mails is remembered for good.
		{Table: "recipients", Key: "address", Age: "hour_start", Only: "unsubscribed_at IS NULL", Before: before},
	} {
		name := old.Table
		old.Table = migrations.Name + "." + name
		n, err := database.Prune(ctx, k.DB, old)
		total += n
		pruned.WithLabelValues(name).Add(float64(n))
		if err != nil {
			return total, err
		}
	}
	return total, nil
}
