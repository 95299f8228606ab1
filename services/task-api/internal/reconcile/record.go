package reconcile

import (
	"context"
	"encoding/json"
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
	checks := make([]Finding, len(results))
	for i, result := range results {
		if result.Undone != "" {
			return nil
		}
		gaps += result.Missing
		checks[i] = Finding{result.Check, result.Looked, result.InFlight, result.Letters, result.Missing}
	}
	if r.Since < proof {
		return nil
	}
	found, err := json.Marshal(checks)
	if err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	if _, err := db.NewRaw("UPDATE task.reconciled SET ended_at = ?, gaps = ?, checks = ?::jsonb", r.Now(), gaps, string(found)).Exec(ctx); err != nil {
		return fmt.Errorf("keep the result: %w", err)
	}
	return nil
}

// Finding is what a check has found, in numbers.
type Finding struct {
	Check    string `json:"check" doc:"What is to be true"`
	Looked   int64  `json:"looked" doc:"How many were looked at"`
	InFlight int64  `json:"in_flight" doc:"How many were still on their way"`
	Letters  int64  `json:"dead_letters" doc:"How many are open dead letters"`
	Missing  int64  `json:"missing" doc:"How many it is not true of"`
}

// Reconciled is the result of the last run that was kept.
type Reconciled struct {
	EndedAt time.Time `json:"ended_at" doc:"When it ended"`
	Gaps    int64     `json:"gaps" doc:"How many gaps it found"`
	Checks  []Finding `json:"checks" nullable:"false" doc:"What each check found; empty where none was kept yet"`
}

// Last reads it. Of a suite in which none has run yet it is the making of the suite,
// without gaps and without checks.
func Last(ctx context.Context, db bun.IDB) (Reconciled, error) {
	var row struct {
		EndedAt time.Time       `bun:"ended_at"`
		Gaps    int64           `bun:"gaps"`
		Checks  json.RawMessage `bun:"checks"`
	}
	kept := Reconciled{Checks: []Finding{}}
	if err := db.NewRaw("SELECT ended_at, gaps, checks FROM task.reconciled").Scan(ctx, &row); err != nil {
		return kept, fmt.Errorf("read the result of the last reconcile: %w", err)
	}
	kept.EndedAt, kept.Gaps = row.EndedAt.UTC(), row.Gaps
	if err := json.Unmarshal(row.Checks, &kept.Checks); err != nil {
		return kept, fmt.Errorf("read the checks of the last reconcile: %w", err)
	}
	return kept, nil
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
