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
	// completion may write 1,000 rows (recurrence.MaxPassed). What a task stood for
	// is as many rows as the user has made tasks, and stays.
	missedLife = 90 * 24 * time.Hour
	// keepInterval is how often it is looked for what is old.
	keepInterval = time.Hour
)

// Keep deletes missed occurrences that are old, until ctx ends. Any number of replicas
// may do it.
func (s *Store) Keep(ctx context.Context, log *slog.Logger, now func() time.Time) error {
	return database.KeepPruned(ctx, s.DB, log, keepInterval, func() database.Old {
		return database.Old{
			Table: migrations.Name + ".occurrences", Key: "series_id, occurrence", Age: "updated_at",
			Only: "status = '" + Missed + "'", Before: now().Add(-missedLife),
		}
	})
}
