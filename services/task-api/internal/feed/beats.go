package feed

import (
	"context"
	"sync"
	"time"
)

// Beats says to all who keep a connection open when to write something to it. It says so to
// all at once: to wake each of 1,000 by a timer of its own took more than twice as much.
type Beats struct {
	mu   sync.Mutex
	next chan struct{}
}

// Next is closed with the next beat.
func (b *Beats) Next() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next == nil {
		b.next = make(chan struct{})
	}
	return b.next
}

// Run beats until ctx ends.
func (b *Beats) Run(ctx context.Context, every time.Duration) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			b.beat()
		}
	}
}

func (b *Beats) beat() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next != nil { // somebody waits
		close(b.next)
		b.next = nil
	}
}
