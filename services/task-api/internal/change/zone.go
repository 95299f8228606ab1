package change

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"
)

// Zone is that of the actor's account; UTC without one. One that is remembered is
// compared by the statements of the change, and it is made again where it is another by
// now.
func (tx *Tx) Zone(ctx context.Context) (string, error) {
	user := tx.Actor.UserID
	if user == uuid.Nil {
		return "UTC", nil
	}
	if zone, ok := tx.zones.Get(user); ok {
		// A division by zero where he has another by now.
		tx.Queue("SELECT 1 / count(*) FROM task.users WHERE id = ? AND timezone = ?", user, zone)
		tx.zoneBatch = tx.queued
		return zone, nil
	}
	found, err := Read[struct{ Timezone string }](ctx, tx, "SELECT timezone FROM task.users WHERE id = ?", user)
	switch {
	case err != nil:
		return "", fmt.Errorf("read the user's zone: %w", err)
	case len(found) == 0:
		return "UTC", nil
	}
	tx.zones.Put(user, found[0].Timezone, mostZones)
	return found[0].Timezone, nil
}

// zoneMayHaveMoved says whether a change may have failed since the zone of its actor is
// another than the one that was remembered: Postgres has said so, or had not been asked yet.
func (tx *Tx) zoneMayHaveMoved(err error) bool {
	var refused *pgconn.PgError
	asked := tx.zoneBatch == nil || tx.zoneBatch != tx.queued
	return !asked || errors.As(err, &refused) && refused.Code == "22012" // division_by_zero
}

// mostZones is how many users' zones are remembered, of some 100 bytes each.
const mostZones = 20_000
