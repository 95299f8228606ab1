package erasure

import (
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
)

// retryAfter is how long somebody is left alone whose erasure has failed.
const retryAfter = time.Minute

// Failing are those whose erasure has failed: they are left alone for a while, so that they
// hold up nobody. The zero value is ready for use.
type Failing struct {
	mu    sync.Mutex
	until map[uuid.UUID]time.Time
}

// Add leaves somebody alone.
func (f *Failing) Add(id uuid.UUID, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.until == nil {
		f.until = map[uuid.UUID]time.Time{}
	}
	f.until[id] = now.Add(retryAfter)
}

// Now are those who are to be left alone. It is never nil.
func (f *Failing) Now(now time.Time) []uuid.UUID {
	f.mu.Lock()
	defer f.mu.Unlock()
	left := []uuid.UUID{}
	for id, until := range f.until {
		if now.Before(until) {
			left = append(left, id)
		} else {
			delete(f.until, id)
		}
	}
	slices.SortFunc(left, func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
	return left
}
