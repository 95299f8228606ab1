package erasure

import (
	"sync"

	"github.com/google/uuid"
)

// fences are which transactions each erasure waits for: those that were there when this
// process saw it first. One that looked who was erased before that, and takes its time, for
// a lock perhaps, would write of him behind the erasure's back; one that begins later knows
// of it. A process that is started anew looks anew.
type fences struct {
	mu sync.Mutex
	of map[uuid.UUID]int64
}

// passed says whether all those have ended: oldest is the first transaction that has not,
// next the one that will be the next to begin, both at a moment at which the erasure of id is
// to be seen.
func (f *fences) passed(id uuid.UUID, oldest, next int64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	fence, seen := f.of[id]
	if !seen {
		if f.of == nil {
			f.of = map[uuid.UUID]int64{}
		}
		fence = next
	}
	if oldest < fence {
		f.of[id] = fence
		return false
	}
	f.of[id] = 0 // also for the steps that follow
	return true
}

// forget forgets all erasures: there is none to be seen.
func (f *fences) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.of = nil
}
