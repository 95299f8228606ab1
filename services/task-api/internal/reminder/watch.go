package reminder

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/outage"
)

// watchInterval is how often it is looked for reminders that are overdue.
const watchInterval = 2 * time.Second

var overdueDesc = prometheus.NewDesc("taskwire_reminder_overdue_seconds",
	"How long the oldest reminder that is due has waited to become an event; 0 when none waits.", nil, nil)

// Watch tells, as a metric, of reminders that no clock fires: a clock that is
// stuck can not tell it by itself. All replicas tell the same.
type Watch struct {
	DB  *bun.DB
	Now func() time.Time
	Log *slog.Logger

	mu     sync.Mutex
	known  bool
	oldest bun.NullTime // zero when none is due
}

// Run looks for what is overdue until ctx ends.
func (w *Watch) Run(ctx context.Context) error {
	if err := prometheus.Register(w); err != nil {
		return fmt.Errorf("register the metric of overdue reminders: %w", err)
	}
	defer prometheus.Unregister(w)
	failing := &outage.Outage{Log: w.Log, Gone: "it is not known which reminders are overdue; trying again", Back: "it is known again which reminders are overdue"}
	return database.Repeat(ctx, failing, nil, func(ctx context.Context) (time.Duration, error) {
		var oldest bun.NullTime
		err := w.DB.NewRaw("SELECT min(remind_at) FROM task.reminders WHERE armed AND remind_at <= ?", w.Now()).Scan(ctx, &oldest)
		w.mu.Lock()
		w.known, w.oldest = err == nil, oldest
		w.mu.Unlock()
		return watchInterval, err
	})
}

// Describe implements prometheus.Collector.
func (w *Watch) Describe(to chan<- *prometheus.Desc) { to <- overdueDesc }

// Collect implements prometheus.Collector. The time grows between two looks.
func (w *Watch) Collect(to chan<- prometheus.Metric) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.known {
		return
	}
	waited := 0.0
	if !w.oldest.IsZero() {
		waited = w.Now().Sub(w.oldest.Time).Seconds()
	}
	to <- prometheus.MustNewConstMetric(overdueDesc, prometheus.GaugeValue, waited)
}
