package feed

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Held tells a feed that stands still: a transaction holds it back that has been under way
// for long, and what was committed meanwhile can not be sent.
type Held struct {
	Store *Store
	// For is how long a transaction may hold changes back.
	For time.Duration

	mu     sync.Mutex
	oldest int64     // the transaction; 0 where nothing waits for it
	since  time.Time // when that was seen first
}

// Check returns an error once changes have waited for a transaction for longer than they may,
// as of the times at which it was asked.
func (h *Held) Check(ctx context.Context) error {
	since, oldest, err := h.Since(ctx)
	if waited := time.Since(since); err == nil && !since.IsZero() && waited > h.For {
		return fmt.Errorf("changes have waited for %s for transaction %d to end", waited, oldest)
	}
	return err
}

// Since is when it was seen first that changes wait, and for which transaction; the zero
// time where none do.
func (h *Held) Since(ctx context.Context) (since time.Time, oldest int64, err error) {
	var now struct {
		Oldest int64 `bun:"oldest"`
		Wait   bool  `bun:"wait"`
	}
	err = h.Store.DB.NewRaw(`SELECT pg_snapshot_xmin(s)::text::bigint AS oldest, coalesce((SELECT f.changed FROM task.feed f ORDER BY f.changed DESC LIMIT 1) >= pg_snapshot_xmin(s), false) AS wait
		FROM pg_current_snapshot() s`).Scan(ctx, &now)
	if err != nil {
		return since, 0, fmt.Errorf("read whether a transaction holds the feed back: %w", err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case !now.Wait:
		h.oldest, h.since = 0, time.Time{}
	case h.oldest != now.Oldest:
		h.oldest, h.since = now.Oldest, time.Now()
	}
	return h.since, h.oldest, nil
}
