package eventlog

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/outage"
)

// keepInterval is how often the partitions are looked after. They are made a week
// ahead.
const keepInterval = time.Hour

var heldPartitions = promauto.NewGauge(prometheus.GaugeOpts{
	Name: "taskwire_event_partitions_held",
	Help: "Daily partitions of the event log that are older than the retention and kept, because they hold unpublished events.",
})

// Keeper makes the partitions of the log ahead of time and drops those that
// are older than Retention, never one that holds an unpublished event. Any
// number of replicas may run it.
type Keeper struct {
	DB        *bun.DB
	Schema    string
	Retention time.Duration
	Log       *slog.Logger
}

// Run keeps the partitions until ctx ends. A failure is most often a lock that could
// not be had at once.
func (k *Keeper) Run(ctx context.Context) error {
	failing := &outage.Outage{Log: k.Log, Gone: "the event log's partitions can not be looked after; trying again", Back: "the event log's partitions are looked after again"}
	return database.Repeat(ctx, failing, nil, func(ctx context.Context) (time.Duration, error) { return keepInterval, k.Keep(ctx) })
}

// step is what one call of step_event_partitions has done.
type step struct {
	Made     int `bun:"made"`
	Detached int `bun:"detached"`
	Dropped  int `bun:"dropped"`
	Cleared  int `bun:"cleared"` // rows that had no partition
	Held     int `bun:"held"`
}

// Keep looks after the partitions until nothing is left to do. What it has done
// when it fails stays done.
func (k *Keeper) Keep(ctx context.Context) error {
	dropped := 0
	defer func() {
		if dropped > 0 {
			k.Log.InfoContext(ctx, "old events dropped", "days", dropped)
		}
	}()
	for {
		var did step
		err := k.DB.NewRaw("SELECT * FROM ?.step_event_partitions(make_interval(secs => ?))",
			bun.Ident(k.Schema), k.Retention.Seconds()).Scan(ctx, &did)
		if err != nil {
			return fmt.Errorf("keep the partitions of the event log: %w", err)
		}
		dropped += did.Dropped
		if did.Made+did.Detached+did.Dropped+did.Cleared > 0 {
			continue
		}
		heldPartitions.Set(float64(did.Held))
		if did.Held > 0 {
			k.Log.WarnContext(ctx, "events are older than the retention and unpublished; they are kept", "days", did.Held)
		}
		return nil
	}
}
