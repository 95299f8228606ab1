// Package change is the one way in which task-api changes anything: a transaction in
// which a change and the events of it are written together or not at all.
package change

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/eventlog"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/migrations"
)

// Writer makes changes.
type Writer struct {
	DB     *bun.DB
	Events *eventlog.Signal // raised after each commit with events
	Clock  *eventlog.Signal // raised after each commit after which a reminder may be due sooner
	Now    func() time.Time
}

// Tx is a change under way: its transaction, by which it reads and writes, and what it
// does besides.
type Tx struct {
	transaction

	Actor access.Actor
	Now   time.Time // the moment of the change, to the microsecond, as Postgres keeps it
	// Zone is that of the actor's account when the change began; UTC without one.
	Zone string

	events   []eventlog.Entry
	told     bool // there are or were events
	reminder bool
}

// tries is how often a change is tried that Postgres refuses for a deadlock or a
// failed serialization.
const tries = 3

// Do runs f in a transaction. With the commit what f has appended is in the event
// log, and whoever waits for that is woken. f runs again when Postgres asks for it,
// so it sets whatever it leaves behind anew. Its error is returned as it is.
func (w *Writer) Do(ctx context.Context, actor access.Actor, f func(ctx context.Context, tx *Tx) error) error {
	for try := 1; ; try++ {
		tx := &Tx{Actor: actor, Now: w.Now().UTC().Truncate(time.Microsecond)}
		err := tx.run(ctx, w.DB, tx.askZone, func() error {
			if err := f(ctx, tx); err != nil {
				return err
			}
			return tx.write(ctx)
		})
		if err == nil {
			tx.wake(w)
			return nil
		}
		if try == tries || !database.IsConflict(err) {
			return err
		}
	}
}

// Append adds events, which are written when all else is.
func (tx *Tx) Append(events ...eventlog.Entry) {
	tx.events, tx.told = slices.Concat(tx.events, events), true
}

// Flush writes all so far, for a change of so many tasks that their events are too
// much to keep.
func (tx *Tx) Flush(ctx context.Context) error {
	if err := tx.write(ctx); err != nil {
		return err
	}
	return tx.send(ctx)
}

func (tx *Tx) write(ctx context.Context) error {
	events := tx.events
	tx.events = nil
	return eventlog.Append(ctx, tx.Later(), migrations.Name, events...)
}

// askZone reads the zone of the actor's account.
func (tx *Tx) askZone(along *pgx.Batch) {
	if tx.Zone = "UTC"; tx.Actor.UserID == uuid.Nil {
		return
	}
	along.Queue("SELECT timezone FROM task.users WHERE id = $1", tx.Actor.UserID.String()).QueryRow(func(row pgx.Row) error {
		if err := row.Scan(&tx.Zone); err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return fmt.Errorf("read the user's zone: %w", err)
		}
		return nil
	})
}

// ReminderSet says that a reminder may be due sooner than any before.
func (tx *Tx) ReminderSet() { tx.reminder = true }

func (tx *Tx) wake(w *Writer) {
	if tx.told {
		w.Events.Raise()
	}
	if tx.reminder {
		w.Clock.Raise()
	}
}
