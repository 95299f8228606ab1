package limit

import (
	"context"
	"sync"

	"golang.org/x/sync/semaphore"
)

// Share lets a few requests of each key work at once; further ones of that key
// wait for their turn, in order, and hold up nobody else.
type Share struct {
	size int64
	mu   sync.Mutex
	keys map[string]*sharing
}

// sharing is there as long as somebody works or waits.
type sharing struct {
	turns *semaphore.Weighted
	users int
}

// NewShare lets n requests of each key work at once.
func NewShare(n int) *Share { return &Share{size: int64(n), keys: map[string]*sharing{}} }

// Take waits for a place, and returns what gives it back. Those without a key
// need none.
func (s *Share) Take(ctx context.Context, key string) (done func(), err error) {
	if key == "" {
		return func() {}, nil
	}
	s.mu.Lock()
	k := s.keys[key]
	if k == nil {
		k = &sharing{turns: semaphore.NewWeighted(s.size)}
		s.keys[key] = k
	}
	k.users++
	s.mu.Unlock()
	leave := func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if k.users--; k.users == 0 {
			delete(s.keys, key)
		}
	}
	if err := k.turns.Acquire(ctx, 1); err != nil {
		leave()
		return nil, err
	}
	return func() {
		k.turns.Release(1)
		leave()
	}, nil
}
