package trail

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"

	"github.com/taskwire/taskwire/pkg/erasure"
	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/subscribe"
	"github.com/taskwire/taskwire/services/audit-log/internal/migrations"
)

// An entry is a header, which stays, and a body, which goes with the person that it tells
// of. Nobody can change an entry but by audit.erase, a function of the tables' owner.

// eraseRows is how many entries are erased in a transaction.
const eraseRows = 1000

// NewEraser returns what erases people from the trail.
func NewEraser(db *bun.DB, now func() time.Time, log *slog.Logger) *erasure.Keeper {
	k := &erasure.Keeper{DB: db, Schema: migrations.Name, Now: now, Log: log}
	k.Step = func(ctx context.Context, tx bun.Tx, of *erasure.Subject) (bool, error) { return erase(ctx, tx, k, of) }
	return k
}

func erase(ctx context.Context, tx bun.Tx, k *erasure.Keeper, of *erasure.Subject) (done bool, err error) {
	n := 0
	if of.Kind == erasure.List {
		if err := tx.NewRaw("SELECT audit.erase_list(?, ?)", of.ID, eraseRows).Scan(ctx, &n); err != nil {
			return false, fmt.Errorf("erase the entries of a list: %w", err)
		}
		return n == 0, nil
	}
	if of.Addresses == nil {
		// The event names no address, and the trail has all that he has acted by.
		var addresses []string
		err := tx.NewRaw("SELECT DISTINCT lower(actor_email) FROM audit.entries WHERE actor_id = ? AND actor_email <> ''", of.ID).Scan(ctx, &addresses)
		if err != nil {
			return false, fmt.Errorf("read the addresses of who is being erased: %w", err)
		}
		if err := k.Remember(ctx, tx, of, addresses); err != nil {
			return false, err
		}
	}
	err = tx.NewRaw("SELECT audit.erase(?, ?, ?, ?, ?, ?)", of.ID, of.Pseudonym, pgdialect.Array(of.Addresses),
		event.InboxID(of.ID), event.InboxID(of.Pseudonym), eraseRows).Scan(ctx, &n)
	if err != nil {
		return false, fmt.Errorf("erase the entries of a user: %w", err)
	}
	return n == 0, nil
}

// erase takes note of who is to be erased, and takes out of entries what there is not to
// be any more: an event may come after the one that says that its user was erased.
func (r *Recorder) erase(ctx context.Context, tx bun.Tx, events []subscribe.Event, entries []entry) error {
	for i, e := range entries {
		if kind, id := e.erases(events[i]); kind != "" {
			if err := r.Erased.Record(ctx, tx, kind, id); err != nil {
				return err
			}
		}
	}
	erased, err := r.Erased.Among(ctx, tx, named(entries))
	if err != nil || len(erased) == 0 {
		return err
	}
	for i := range entries {
		entries[i].erase(erased)
	}
	return nil
}

// erases says what the entry's event wants erased, if anything.
func (e entry) erases(of subscribe.Event) (kind string, id uuid.UUID) {
	switch {
	case e.Action == event.UserErased:
		return erasure.User, e.UserID
	case e.Action == event.ListPurged && e.ListID != nil && wentWithAccount(of):
		return erasure.List, *e.ListID
	}
	return "", uuid.Nil
}

// named are whom and what entries name.
func named(entries []entry) map[uuid.UUID]bool {
	ids := map[uuid.UUID]bool{}
	for _, e := range entries {
		for _, id := range e.people() {
			ids[id] = true
		}
		if e.ListID != nil {
			ids[*e.ListID] = true
		}
	}
	return ids
}

func wentWithAccount(e subscribe.Event) bool {
	data, err := event.DataOf[event.Frame](e.Event)
	return err == nil && data.Metadata[event.MetaErased] == true
}

// people are those whom the entry names: the actor, whose it is, and whom it is about.
func (e entry) people() []uuid.UUID {
	people := []uuid.UUID{e.ActorID, e.UserID}
	if id, is := strings.CutPrefix(e.Target, "user/"); is {
		if user, err := uuid.Parse(id); err == nil {
			people = append(people, user)
		}
	}
	if !strings.HasPrefix(e.Action, "comment.") {
		return people // nothing else has an author: most states need not be read
	}
	for _, state := range []json.RawMessage{e.Before, e.After} {
		var of struct {
			Author struct {
				UserID uuid.UUID `json:"user_id"`
			} `json:"author"`
		}
		if json.Unmarshal(state, &of) == nil && of.Author.UserID != uuid.Nil {
			people = append(people, of.Author.UserID)
		}
	}
	return people
}

// erase takes out of a new entry what it says of who was erased. Each entry has a
// pseudonym of its own: that of the others is known to nobody any more.
func (e *entry) erase(erased map[uuid.UUID]bool) {
	gone := erased[e.ActorID] || e.ListID != nil && erased[*e.ListID]
	inbox := e.ListID != nil && *e.ListID == event.InboxID(e.UserID) && erased[e.UserID]
	for _, id := range e.people() { // what others did to a task of his in a list is theirs
		gone = gone || erased[id] && (id != e.UserID || e.ListID == nil)
	}
	if gone || inbox {
		e.Before, e.After, e.Erased = nil, nil, true
	}
	pseudonym := uuid.New()
	if inbox {
		list := event.InboxID(pseudonym)
		e.ListID = &list
	}
	if erased[e.ActorID] || inbox || erased[e.UserID] && e.ListID == nil {
		e.ActorEmail, e.IP, e.UserAgent, e.RequestID, e.TraceID, e.Erased = "", "", "", "", "", true
		if strings.HasPrefix(e.Target, "invitation/") {
			e.Target = "invitation/"
		}
	}
	if id, is := strings.CutPrefix(e.Target, "user/"); is {
		if user, err := uuid.Parse(id); err == nil && erased[user] {
			e.Target = "user/" + pseudonym.String()
		}
	}
	if erased[e.ActorID] {
		e.ActorID = pseudonym
	}
	if erased[e.UserID] {
		e.UserID, e.Erased = pseudonym, true
	}
}
