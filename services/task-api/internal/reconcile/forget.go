package reconcile

import (
	"context"
	"fmt"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"

	"github.com/taskwire/taskwire/pkg/event"
)

// Forget has consumers forget the events that they have for handled though their effect
// is missing, so that they take them when they come again, and says how many those are,
// by schema. It needs the login of the tables' owner.
func (r *Reconciler) Forget(ctx context.Context, events []Event) (map[string]int64, error) {
	ids := map[string][]string{}
	for _, e := range events {
		if e.HandledBy != "" {
			ids[e.HandledBy] = append(ids[e.HandledBy], e.ID.String())
		}
	}
	forgotten := map[string]int64{}
	for schema := range ids {
		gone, err := r.DB.NewRaw("DELETE FROM ?.inbox WHERE source = ? AND id = ANY(?)",
			bun.Ident(schema), event.Source, pgdialect.Array(ids[schema])).Exec(ctx)
		if err != nil {
			return forgotten, fmt.Errorf("make %s forget what it has for handled, as the owner of its tables (MIGRATE_DATABASE_URL, or --login-stdin): %w", schema, err)
		}
		if forgotten[schema], err = gone.RowsAffected(); err != nil {
			return forgotten, fmt.Errorf("count what %s has forgotten: %w", schema, err)
		}
	}
	return forgotten, nil
}
