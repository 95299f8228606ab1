package feed

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/outage"
)

// Hub wakes those who wait for changes. It reads the feed once for all of them: who waits
// for lists in which nothing has changed costs nothing.
type Hub struct {
	Store *Store
	Log   *slog.Logger

	mu      sync.Mutex
	waiting map[uuid.UUID]map[*Watch]struct{} // by list
	changed int64                             // all below has been seen
}

// Watch is somebody who waits.
type Watch struct {
	hub   *Hub
	lists []uuid.UUID
	woken chan struct{}
}

// Watch begins to wait. What changes from now on wakes it, in the lists that are set.
func (h *Hub) Watch() *Watch { return &Watch{hub: h, woken: make(chan struct{}, 1)} }

// Woken receives when something may have changed.
func (w *Watch) Woken() <-chan struct{} { return w.woken }

// Set says in which lists, and of which user, changes are waited for.
func (w *Watch) Set(lists ...uuid.UUID) {
	w.hub.mu.Lock()
	defer w.hub.mu.Unlock()
	w.leave()
	if w.hub.waiting == nil {
		w.hub.waiting = map[uuid.UUID]map[*Watch]struct{}{}
	}
	for _, list := range lists {
		if w.hub.waiting[list] == nil {
			w.hub.waiting[list] = map[*Watch]struct{}{}
		}
		w.hub.waiting[list][w] = struct{}{}
	}
	w.lists = lists
}

// Stop ends the wait.
func (w *Watch) Stop() {
	w.hub.mu.Lock()
	defer w.hub.mu.Unlock()
	w.leave()
}

func (w *Watch) leave() {
	for _, list := range w.lists {
		if delete(w.hub.waiting[list], w); len(w.hub.waiting[list]) == 0 {
			delete(w.hub.waiting, list)
		}
	}
	w.lists = nil
}

const (
	// lookAgain is how soon it is looked again while transactions are under way that may
	// have changed something.
	lookAgain = 10 * time.Millisecond
	// lookAnyhow is how long a lost signal may go unnoticed.
	lookAnyhow = time.Second
)

// Run wakes who waits, until ctx ends. The signal says that something was committed.
func (h *Hub) Run(ctx context.Context, signal <-chan struct{}) error {
	failing := &outage.Outage{Log: h.Log, Gone: "changes can not be told; trying again", Back: "changes are told again"}
	return database.Repeat(ctx, failing, signal, func(ctx context.Context) (time.Duration, error) {
		if !h.awaited() {
			return lookAnyhow, nil
		}
		open, err := h.look(ctx)
		if open {
			return lookAgain, err
		}
		return lookAnyhow, err
	})
}

func (h *Hub) awaited() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.waiting) == 0 {
		h.changed = 0 // who comes next reads for himself what was before
	}
	return len(h.waiting) > 0
}

// look wakes who waits for what has changed since the last look, and says whether there
// may be more in a moment.
func (h *Hub) look(ctx context.Context) (open bool, err error) {
	now, err := h.Store.head(ctx)
	if err != nil {
		return false, err
	}
	if h.changed == 0 || h.changed > now.Settled {
		h.wake(nil)
		h.changed = now.Settled
		return now.Open, nil
	}
	if h.changed == now.Settled {
		return now.Open, nil
	}
	var lists []uuid.UUID
	err = h.Store.DB.NewRaw("SELECT DISTINCT list_id FROM task.feed WHERE changed >= ?::text::xid8 AND changed < ?::text::xid8",
		fmt.Sprint(h.changed), fmt.Sprint(now.Settled)).Scan(ctx, &lists)
	if err != nil {
		return false, fmt.Errorf("read in which lists something has changed: %w", err)
	}
	h.changed = now.Settled
	if len(lists) > 0 {
		h.wake(lists)
	}
	return now.Open, nil
}

// wake wakes who waits for lists; for nil, all.
func (h *Hub) wake(lists []uuid.UUID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	one := func(watches map[*Watch]struct{}) {
		for w := range watches {
			select {
			case w.woken <- struct{}{}:
			default:
			}
		}
	}
	if lists == nil {
		for _, watches := range h.waiting {
			one(watches)
		}
		return
	}
	for _, list := range lists {
		one(h.waiting[list])
	}
}
