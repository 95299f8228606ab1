// Package erase takes out of notification what it has of somebody whose account was erased.
package erase

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/erasure"
	"github.com/taskwire/taskwire/services/notification/internal/migrations"
)

// rows is how many are erased in a transaction.
const rows = 1000

// New returns what erases people.
func New(db *bun.DB, now func() time.Time, log *slog.Logger) *erasure.Keeper {
	return &erasure.Keeper{DB: db, Schema: migrations.Name, Now: now, Log: log, Step: step}
}

// step erases what was delivered to somebody, and his name where others were told of what
// he had said. Recipients stay: they are hashes of addresses, which nobody knows to be his,
// and go by their age, but for the wish to get no mails.
func step(ctx context.Context, tx bun.Tx, of *erasure.Subject) (done bool, err error) {
	left := int64(0)
	for _, s := range []struct {
		what, query string
		args        []any
	}{
		{"notifications", "DELETE FROM notification.notifications WHERE id IN (SELECT id FROM notification.notifications WHERE user_id = ? LIMIT ?)", []any{of.ID, rows}},
		{"deliveries", "DELETE FROM notification.deliveries WHERE id IN (SELECT id FROM notification.deliveries WHERE user_id = ? LIMIT ?)", []any{of.ID, rows}},
		{"names", `UPDATE notification.notifications SET author = jsonb_build_object('user_id', ?::text, 'name', '')
			WHERE id IN (SELECT id FROM notification.notifications WHERE author ->> 'user_id' = ? LIMIT ?)`, []any{of.Pseudonym, of.ID.String(), rows}},
	} {
		res, err := tx.NewRaw(s.query, s.args...).Exec(ctx)
		if err != nil {
			return false, fmt.Errorf("erase the %s of a user: %w", s.what, err)
		}
		n, err := res.RowsAffected()
		if err != nil {
			return false, fmt.Errorf("count the %s that were erased: %w", s.what, err)
		}
		left += n
	}
	return left == 0, nil
}

// Tasks erases what anybody was told of tasks that have gone with an account.
func Tasks(ctx context.Context, tx bun.IDB, tasks []uuid.UUID) error {
	if len(tasks) == 0 {
		return nil
	}
	for _, table := range []string{"notifications", "deliveries"} {
		if _, err := tx.NewRaw("DELETE FROM notification.? WHERE task_id IN (?)", bun.Ident(table), bun.List(tasks)).Exec(ctx); err != nil {
			return fmt.Errorf("erase the %s of %d tasks: %w", table, len(tasks), err)
		}
	}
	return nil
}
