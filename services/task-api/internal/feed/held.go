package feed

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Held tells a feed that stands still: a transaction holds it back that has been under way
// for long, and what was committed meanwhile can not be told.
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
	var now struct {
		Oldest int64 `bun:"oldest"`
		Wait   bool  `bun:"wait"`
	}
	err := h.Store.DB.NewRaw(`SELECT pg_snapshot_xmin(s)::text::bigint AS oldest, coalesce((SELECT f.changed FROM task.feed f ORDER BY f.changed DESC LIMIT 1) >= pg_snapshot_xmin(s), false) AS wait
		FROM pg_current_snapshot() s`).Scan(ctx, &now)
	if err != nil {
		return fmt.Errorf("read whether a transaction holds the feed back: %w", err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case !now.Wait:
		h.oldest = 0
	case h.oldest != now.Oldest:
		h.oldest, h.since = now.Oldest, time.Now()
	case time.Since(h.since) > h.For:
		return fmt.Errorf("changes have waited for %s for transaction %d to end", time.Since(h.since), h.oldest)
	}
	return nil
}
