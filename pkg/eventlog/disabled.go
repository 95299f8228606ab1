package eventlog

import (
	"context"
	"log/slog"
)

// Disabled stands in for a relay where publishing is switched off: events are
// kept in the log, and published when it is switched on again.
func Disabled(ctx context.Context, signal *Signal, log *slog.Logger) error {
	log.InfoContext(ctx, "event publishing is switched off; events are kept in the log until it is on again")
	raised := signal.Waiter()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-raised:
			log.DebugContext(ctx, "event publishing is disabled; events are kept in the log")
		}
	}
}
