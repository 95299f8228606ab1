package ledger

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/erasure"
	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/services/recurring-task/internal/migrations"
)

// eraseRows is how many occurrences are erased in a transaction.
const eraseRows = 1000

// Nobody stands for a user who was erased: a series of his in a list of others goes on.
var Nobody = uuid.Nil

// NewEraser returns what erases people from the ledger.
func NewEraser(db *bun.DB, now func() time.Time, log *slog.Logger) *erasure.Keeper {
	return &erasure.Keeper{DB: db, Schema: migrations.Name, Now: now, Log: log, Step: erase}
}

// Private says whether a list, or none, is a user's alone.
func Private(user, list uuid.UUID) bool { return list == uuid.Nil || list == event.InboxID(user) }

func erase(ctx context.Context, tx bun.Tx, of *erasure.Subject) (done bool, err error) {
	res, err := tx.NewRaw(`DELETE FROM recurring.occurrences WHERE (series_id, occurrence) IN (
		SELECT series_id, occurrence FROM recurring.occurrences WHERE user_id = ? AND (list_id IS NULL OR list_id = ?) LIMIT ?)`,
		of.ID, event.InboxID(of.ID), eraseRows).Exec(ctx)
	if err != nil {
		return false, fmt.Errorf("erase a user's occurrences: %w", err)
	}
	gone, err := res.RowsAffected()
	if err != nil {
		return false, fmt.Errorf("count the occurrences that were erased: %w", err)
	}
	res, err = tx.NewRaw(`UPDATE recurring.occurrences SET user_id = ? WHERE (series_id, occurrence) IN (
		SELECT series_id, occurrence FROM recurring.occurrences WHERE user_id = ? AND list_id <> ? LIMIT ?)`,
		Nobody, of.ID, event.InboxID(of.ID), eraseRows).Exec(ctx)
	if err != nil {
		return false, fmt.Errorf("take a user's name from occurrences: %w", err)
	}
	changed, err := res.RowsAffected()
	if err != nil {
		return false, fmt.Errorf("count the occurrences that were changed: %w", err)
	}
	return gone+changed == 0, nil
}

// ForgetSeries deletes what there is of a series that has gone with an account.
func (s *Store) ForgetSeries(ctx context.Context, series uuid.UUID) error {
	if _, err := s.DB.NewDelete().Model((*Occurrence)(nil)).Where("series_id = ?", series).Exec(ctx); err != nil {
		return fmt.Errorf("forget series %s: %w", series, err)
	}
	return nil
}
