package feed

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/services/task-api/internal/access"
)

// batch is what has become of tasks and comments, read once for all who wait for it: they
// are the same for whoever may see them. Lists are not, and memberships say who may.
type batch struct {
	log     uuid.UUID
	settled int64 // all below is in it, or was sent before
	rows    []row
	changes []Change                         // of the rows
	members map[uuid.UUID]map[uuid.UUID]bool // by list, as of after the changes were read
	others  map[uuid.UUID]bool               // lists, and users, of which something else has changed
}

const (
	// maxBatch is how many changes are read for all. Where there are more, as after a
	// bulk, each reads for himself.
	maxBatch = 200
	// maxQueued is how many batches wait for somebody who is slow.
	maxQueued = 16
)

// in is nil where somebody who waits for a list has to read for himself.
func (n *batch) in(list uuid.UUID) *batch {
	if n == nil || n.others[list] {
		return nil
	}
	return n
}

// read reads what has changed since the last look, and in which lists. The batch is nil
// where that is too much.
func (h *Hub) read(ctx context.Context, now head) (*batch, []uuid.UUID, error) {
	const since = " FROM task.feed WHERE changed >= ?::text::xid8 AND changed < ?::text::xid8"
	from, to := fmt.Sprint(h.changed), fmt.Sprint(now.Settled)
	n := &batch{log: now.Log, settled: now.Settled, others: map[uuid.UUID]bool{}}
	err := h.Store.DB.NewRaw("SELECT list_id, kind, entity_id, changed::text::bigint AS changed, gone"+since+" ORDER BY task.feed.changed, list_id, kind, entity_id LIMIT ?", from, to, maxBatch+1).Scan(ctx, &n.rows)
	if err != nil {
		return nil, nil, fmt.Errorf("read what has changed: %w", err)
	}
	if len(n.rows) > maxBatch {
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
	// After the changes: who is out of a list is sent nothing later.
	n.members, err = access.Members(ctx, h.Store.DB, lists...)
	return n, lists, err
}

// queue keeps a batch for the next Page.
func (w *Watch) queue(n *batch) {
	switch {
	case n == nil, len(w.queued) == maxQueued:
		w.queued, w.missed = nil, true
	case w.missed, len(w.queued) > 0 && w.queued[len(w.queued)-1] == n: // it is there, by another list
	default:
		w.queued = append(w.queued, n)
	}
}

// Page is what was queued since a place, in the lists that are watched. It is not known where
// something else has changed, or before the watch was set.
func (w *Watch) Page(from Place) (p Page, known bool) {
	w.hub.mu.Lock()
	queued, missed, since := w.queued, w.missed, w.since
	w.queued = nil
	w.hub.mu.Unlock()
	if missed || len(queued) == 0 || from.Changed < since || from.ID != uuid.Nil {
		return Page{}, false
	}
	p.Next = from
	for _, n := range queued {
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
