// Package change is the one way in which task-api changes what events tell of: a transaction in
// which a change and the events of it are written together or not at all.
package change

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/cache"
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
	Limits Limits

	zones    cache.Cache[uuid.UUID, string]    // of users, see Tx.Zone
	creators cache.Cache[uuid.UUID, uuid.UUID] // of lists that are there, see Tx.Inbox
	rooms    cache.Cache[uuid.UUID, *atomic.Int64]
}

// Tx is a change under way: its transaction, by which it reads and writes, and what it
// does besides.
type Tx struct {
	transaction

	Actor access.Actor
	Now   time.Time // the moment of the change, to the microsecond, as Postgres keeps it
	// Undoes is the request whose changes this one takes back, which all its events say.
	Undoes string

	zones     *cache.Cache[uuid.UUID, string]
	zoneBatch *pgx.Batch // that the remembered zone is compared by
	creators  *cache.Cache[uuid.UUID, uuid.UUID]
	madeInbox bool
	limits    Limits
	rooms     *cache.Cache[uuid.UUID, *atomic.Int64] // left in lists, see TakeRoom
	events    []eventlog.Entry
	appended  bool // there are or were events
	placed    int64
	reminder  bool
}

// tries is how often a change is tried that Postgres refuses for a deadlock or a failed
// serialization, whose actor has another zone by now than he had, or that did not reach
// Postgres, as with a connection from before a restart.
const tries = 3

// Do runs f in a transaction. With the commit what f has appended is in the event
// log, and whoever waits for that is woken. f runs again when Postgres asks for it,
// so it sets whatever it leaves behind anew. Its error is returned as it is.
func (w *Writer) Do(ctx context.Context, actor access.Actor, f func(ctx context.Context, tx *Tx) error) error {
	for try := 1; ; try++ {
		tx := &Tx{Actor: actor, Now: w.Now().UTC().Truncate(time.Microsecond), zones: &w.zones, creators: &w.creators, limits: w.Limits, rooms: &w.rooms}
		err := tx.once(ctx, w.DB, f)
		if err == nil {
			if tx.madeInbox {
				w.creators.Put(access.Inbox(actor.UserID), actor.UserID, mostCreators)
			}
			if tx.appended {
				w.Events.Raise()
			}
			if tx.reminder {
				w.Clock.Raise()
			}
			return nil
		}
		moved := tx.zoneMayHaveMoved(err)
		if moved {
			w.zones.Forget(actor.UserID)
		}
		if try == tries || !moved && !database.IsConflict(err) && !pgconn.SafeToRetry(err) {
			return err
		}
	}
}

// once runs f, and commits what it has written with its events.
func (tx *Tx) once(ctx context.Context, db *bun.DB, f func(ctx context.Context, tx *Tx) error) error {
	if err := tx.begin(ctx, db); err != nil {
		return err
	}
	defer tx.end(ctx)
	if err := f(ctx, tx); err != nil {
		return err
	}
	tx.writeEvents(ctx)
	if tx.appended {
		tx.recordOperation()
	}
	return tx.commit(ctx)
}

// Append adds events, which are written when all else is.
func (tx *Tx) Append(events ...eventlog.Entry) {
	tx.events, tx.appended = slices.Concat(tx.events, events), true
}

// Waiting is how many bytes of events are yet to be written.
func (tx *Tx) Waiting() (bytes int) {
	for _, e := range tx.events {
		bytes += len(e.Data)
	}
	return bytes
}

// Flush writes all so far, for a change of so many tasks that their events are too
// much to keep.
func (tx *Tx) Flush(ctx context.Context) error {
	tx.writeEvents(ctx)
	return tx.send(ctx)
}

func (tx *Tx) writeEvents(ctx context.Context) {
	eventlog.Append(ctx, tx.Queue, migrations.Name, tx.events...)
	tx.events = nil
}

// NextPosition is the end of a list: the time, in microseconds, and behind what the change
// has put there before.
func (tx *Tx) NextPosition() int64 {
	tx.placed++
	return tx.Now.UnixMicro() + tx.placed - 1
}

// ReminderSet says that a reminder may be due sooner than any before.
func (tx *Tx) ReminderSet() { tx.reminder = true }
