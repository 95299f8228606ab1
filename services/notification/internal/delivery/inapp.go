package delivery

import (
	"context"
	"log/slog"

	"github.com/taskwire/taskwire/pkg/telemetry"
)

// show delivers a batch in the application: one statement, nothing to wait for.
func (w *worker) show(_, work context.Context, rows []Row, _ []standing) error {
	now := w.clock()
	work, spans := telemetry.Delivering(work, w.channel, traced(rows))
	done, err := w.store.show(work, rows, now)
	spans.End(err)
	if err != nil {
		return err
	}
	for i := range rows {
		r := &rows[i]
		if !done[r.ID] {
			continue // cancelled meanwhile, or another worker's by now
		}
		observeLateness(r, now)
		w.outcome(work, r, Sent, slog.Int64("late_ms", r.lateAt(now).Milliseconds()))
	}
	return nil
}
