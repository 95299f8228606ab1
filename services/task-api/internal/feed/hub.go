package feed

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/outage"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
)

// Hub wakes those who wait for changes. It reads the feed once for all of them: who waits
// for lists in which nothing has changed costs nothing, and who waits with many others for
// a list little more.
type Hub struct {
	Store *Store
	// Encode makes a change's JSON, once for all who are sent it.
	Encode func(Change) ([]byte, error)
	Log    *slog.Logger

	mu      sync.Mutex
	waiting map[uuid.UUID]map[*Watch]struct{} // by list
	changed int64                             // all below has been sent, where
	looked  bool                              // while somebody waits
}

// Watch is somebody who waits.
type Watch struct {
	hub    *Hub
	actor  access.Actor
	only   []uuid.UUID // lists only changes in these; in all where there are none
	lists  []uuid.UUID
	woken  chan struct{}
	since  int64    // what has changed from there is queued, in the lists
	queued []*batch // since the last Page
	missed bool     // something was not queued: it is to be read
}

// Watch begins to wait, for an actor, for what changes in all of his lists or only in some.
// What changes from now on wakes it, in the lists that are set.
func (h *Hub) Watch(actor access.Actor, only ...uuid.UUID) *Watch {
	return &Watch{hub: h, actor: actor, only: only, woken: make(chan struct{}, 1)}
}

// Woken receives when something may have changed.
func (w *Watch) Woken() <-chan struct{} { return w.woken }

// Set says in which lists, and of which user, changes are waited for. Whoever sets them
// reads what has changed before.
func (w *Watch) Set(lists ...uuid.UUID) {
	w.hub.mu.Lock()
	defer w.hub.mu.Unlock()
	w.leave()
	w.since, w.queued, w.missed = w.hub.changed, nil, false
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
	// pollInterval is how soon it is looked again while transactions are under way that may
	// have changed something.
	pollInterval = 10 * time.Millisecond
	// idleInterval is how long a lost signal may go unnoticed.
	idleInterval = time.Second
)

// Run wakes who waits, until ctx ends. The signal says that something was committed.
func (h *Hub) Run(ctx context.Context, signal <-chan struct{}) error {
	failing := &outage.Outage{Log: h.Log, Gone: "changes can not be told; trying again", Back: "changes are told again"}
	return database.Repeat(ctx, failing, signal, func(ctx context.Context) (time.Duration, error) {
		if !h.hasWatches() {
			return idleInterval, nil
		}
		open, err := h.poll(ctx)
		if open {
			return pollInterval, err
		}
		return idleInterval, err
	})
}

func (h *Hub) hasWatches() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.waiting) == 0 {
		h.changed, h.looked = 0, false // who comes next reads for himself what was before
	}
	return len(h.waiting) > 0
}

// poll tells who waits what has changed since the last look, and says whether there may
// be more in a moment.
func (h *Hub) poll(ctx context.Context) (open bool, err error) {
	now, err := h.Store.head(ctx)
	if err != nil {
		return false, err
	}
	if !h.looked || h.changed > now.Settled {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.changed, h.looked = now.Settled, true
		for _, watches := range h.waiting {
			wake(watches, nil)
		}
		return now.Open, nil
	}
	if h.changed == now.Settled {
		return now.Open, nil
	}
	n, lists, err := h.read(ctx, now)
	if err != nil {
		return false, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.changed = now.Settled
	for _, list := range lists {
		wake(h.waiting[list], n.in(list))
	}
	return now.Open, nil
}

// wake wakes who waits and queues a batch for it; of nil it has to read for itself.
func wake(watches map[*Watch]struct{}, n *batch) {
	for w := range watches {
		w.queue(n)
		select {
		case w.woken <- struct{}{}:
		default:
		}
	}
}
