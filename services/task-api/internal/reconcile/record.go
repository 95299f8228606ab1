package reconcile

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

const (
	// proof is how far back a run has to look for its result to be kept. A
	// shorter one that finds nothing takes no alarm back.
	proof = 24 * time.Hour
	// watchInterval is how often the kept result is read.
	watchInterval = 15 * time.Second
)

// A vector without labels is not there before it is known.
var (
	gapsMetric = promauto.NewGaugeVec(prometheus.GaugeOpts{
		Name: "taskwire_reconcile_gaps", Help: "Gaps that the last reconcile found.",
	}, nil)
	lastRunMetric = promauto.NewGaugeVec(prometheus.GaugeOpts{
		Name: "taskwire_reconcile_last_run_timestamp_seconds", Help: "When the last reconcile ended that could make all of its checks.",
	}, nil)
	subscriptionMetric = promauto.NewGaugeVec(prometheus.GaugeOpts{
		Name: "taskwire_subscription", Help: "1, for each service that has to handle each event of a topic.",
	}, []string{"consumer", "topic"})
)

// Record keeps the result of a run for Watch, in the schema of task-api. A run
// that could not make all of its checks has proven nothing, and is not kept.
func (r *Reconciler) Record(ctx context.Context, db bun.IDB, results []Result) error {
	var gaps int64
	for _, result := range results {
		if result.Undone != "" {
			return nil
		}
		gaps += result.Missing
	}
	if r.Since < proof {
		return nil
	}
	if _, err := db.NewRaw("UPDATE task.reconciled SET ended_at = ?, gaps = ?", r.Now(), gaps).Exec(ctx); err != nil {
		return fmt.Errorf("keep the result: %w", err)
	}
	return nil
}

// Watch shows what Record has kept as metrics, until ctx ends, and who has to handle
// what: a consumer that is gone can not say that it is missing.
func Watch(ctx context.Context, db bun.IDB, log *slog.Logger) error {
	for _, s := range subscriptions {
		subscriptionMetric.WithLabelValues(s.service, s.topic).Set(1)
	}
	failing := &outage.Outage{Log: log, Gone: "the result of the last reconcile can not be read; trying again", Back: "the result of the last reconcile is read again"}
	return database.Repeat(ctx, failing, nil, func(ctx context.Context) (time.Duration, error) {
		var last struct {
			EndedAt time.Time `bun:"ended_at"`
			Gaps    int64     `bun:"gaps"`
		}
		err := db.NewRaw("SELECT ended_at, gaps FROM task.reconciled").Scan(ctx, &last)
		if err == nil {
			gapsMetric.WithLabelValues().Set(float64(last.Gaps))
			lastRunMetric.WithLabelValues().Set(float64(last.EndedAt.Unix()))
		}
		return watchInterval, err
	})
}
