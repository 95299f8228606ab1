package limit

import (
	"context"
	"sync"

	"golang.org/x/sync/semaphore"
)

// PerKey lets a few requests of each key work at once; further ones of that key
// wait for their turn, in order, and hold up nobody else.
type PerKey struct {
	size int64
	mu   sync.Mutex
	keys map[string]*keyTurns
}

// keyTurns is there as long as somebody works or waits.
type keyTurns struct {
	turns *semaphore.Weighted
	users int
}

// NewPerKey lets n requests of each key work at once.
func NewPerKey(n int) *PerKey { return &PerKey{size: int64(n), keys: map[string]*keyTurns{}} }

// Take waits for a place, and returns what gives it back. Those without a key
// need none.
func (s *PerKey) Take(ctx context.Context, key string) (done func(), err error) {
	if key == "" {
		return func() {}, nil
	}
	s.mu.Lock()
	k := s.keys[key]
	if k == nil {
		k = &keyTurns{turns: semaphore.NewWeighted(s.size)}
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
