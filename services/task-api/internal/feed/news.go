package feed

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/services/task-api/internal/access"
)

// news is what has become of tasks and comments, read once for all who wait for it: they
// are the same for whoever may see them. Lists are not, and memberships say who may.
type news struct {
	log     uuid.UUID
	settled int64 // all below is in it, or was told before
	rows    []row
	changes []Change                         // of the rows
	members map[uuid.UUID]map[uuid.UUID]bool // by list, as of after the changes were read
	others  map[uuid.UUID]bool               // lists, and users, of which something else has changed
}

const (
	// mostNews is how many changes are read for all. Where there are more, as after a
	// bulk, each reads for himself.
	mostNews = 200
	// mostTold is how many news wait for somebody who is slow.
	mostTold = 16
)

// in is nil where somebody who waits for a list has to read for himself.
func (n *news) in(list uuid.UUID) *news {
	if n == nil || n.others[list] {
		return nil
	}
	return n
}

// read reads what has changed since the last look, and in which lists. The news are nil
// where that is too much.
func (h *Hub) read(ctx context.Context, now head) (*news, []uuid.UUID, error) {
	const since = " FROM task.feed WHERE changed >= ?::text::xid8 AND changed < ?::text::xid8"
	from, to := fmt.Sprint(h.changed), fmt.Sprint(now.Settled)
	n := &news{log: now.Log, settled: now.Settled, others: map[uuid.UUID]bool{}}
	err := h.Store.DB.NewRaw("SELECT list_id, kind, entity_id, changed::text::bigint AS changed, gone"+since+" ORDER BY task.feed.changed, list_id, kind, entity_id LIMIT ?", from, to, mostNews+1).Scan(ctx, &n.rows)
	if err != nil {
		return nil, nil, fmt.Errorf("read what has changed: %w", err)
	}
	if len(n.rows) > mostNews {
		var lists []uuid.UUID
		if err := h.Store.DB.NewRaw("SELECT DISTINCT list_id"+since, from, to).Scan(ctx, &lists); err != nil {
			return nil, nil, fmt.Errorf("read in which lists something has changed: %w", err)
		}
		return nil, lists, nil
	}
	h.mu.Lock()
	// Who begins to wait after this reads what is in these rows himself.
	n.rows = slices.DeleteFunc(n.rows, func(r row) bool { return len(h.waiting[r.ListID]) == 0 })
	h.mu.Unlock()
	var lists []uuid.UUID
	for _, r := range n.rows {
		if !slices.Contains(lists, r.ListID) {
			lists = append(lists, r.ListID)
		}
		if r.Kind != KindTask && r.Kind != KindComment {
			n.others[r.ListID] = true
		}
	}
	n.rows = slices.DeleteFunc(n.rows, func(r row) bool { return n.others[r.ListID] })
	if len(n.rows) == 0 {
		return n, lists, nil
	}
	if n.changes, err = h.Store.fill(ctx, access.Actor{Service: "feed"}, n.rows); err != nil {
		return nil, nil, err
	}
	for i, c := range n.changes {
		if n.changes[i].JSON, err = h.Encode(c); err != nil {
			return nil, nil, fmt.Errorf("write what has changed as JSON: %w", err)
		}
	}
	// After the changes: who is out of a list is told nothing of later.
	n.members, err = access.Members(ctx, h.Store.DB, lists...)
	return n, lists, err
}

// tell keeps news for the next Page.
func (w *Watch) tell(n *news) {
	switch {
	case n == nil, len(w.told) == mostTold:
		w.told, w.alone = nil, true
	case w.alone, len(w.told) > 0 && w.told[len(w.told)-1] == n: // it is there, by another list
	default:
		w.told = append(w.told, n)
	}
}

// Page is what was told since a place, in the lists that are watched. It is not known where
// something else has changed, or before the watch was set.
func (w *Watch) Page(from Place) (p Page, known bool) {
	w.hub.mu.Lock()
	told, alone, since := w.told, w.alone, w.since
	w.told = nil
	w.hub.mu.Unlock()
	if alone || len(told) == 0 || from.Changed < since || from.ID != uuid.Nil {
		return Page{}, false
	}
	p.Next = from
	for _, n := range told {
		if n.log != from.Log {
			return Page{}, false
		}
		for i, r := range n.rows {
			if r.Changed >= from.Changed && n.members[r.ListID][w.actor.UserID] && w.actor.Reaches(r.ListID) && w.watches(r.ListID) {
				p.rows, p.Changes = append(p.rows, r), append(p.Changes, n.changes[i])
			}
		}
		p.Next.Changed = max(p.Next.Changed, n.settled)
	}
	return p, true
}

// watches says whether what changes in a list of the user's is waited for.
func (w *Watch) watches(list uuid.UUID) bool {
	return len(w.only) == 0 || slices.Contains(w.only, list)
}
