package ledger

import (
	"context"
	"log/slog"
	"time"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/services/recurring-task/internal/migrations"
)

const (
	// missedLife is how long it is remembered what a series has passed over: one
	// completion may write 1,000 rows (recurrence.MaxMissed). What a task stood for
	// is as many rows as the user has made tasks; COUNT counts them, and they stay.
	missedLife = 90 * 24 * time.Hour
	// keepInterval is how often it is looked for what is old.
	keepInterval = time.Hour
)

// Keep deletes missed occurrences that are old, at once and again and again until
// ctx ends. A database that is away is waited for. Any number of replicas may do it.
func (s *Store) Keep(ctx context.Context, log *slog.Logger, now func() time.Time) error {
	tick := time.NewTicker(keepInterval)
	defer tick.Stop()
	for {
		if n, err := s.pruneMissed(ctx, now()); err != nil && ctx.Err() == nil {
			log.WarnContext(ctx, "old missed occurrences could not be deleted; it will be tried again", "error", err)
		} else if n > 0 {
			log.InfoContext(ctx, "old missed occurrences deleted", "rows", n)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (s *Store) pruneMissed(ctx context.Context, now time.Time) (int64, error) {
	return database.Prune(ctx, s.DB, database.Old{
		Table: migrations.Name + ".occurrences", Key: "series_id, occurrence", Age: "updated_at", Only: "status = '" + Missed + "'", Before: now.Add(-missedLife),
	})
}
