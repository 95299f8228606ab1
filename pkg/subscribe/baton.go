package subscribe

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

const (
	// roundEvents and roundBytes bound what goes into a round beside the first of its
	// deliveries: how much is undone when one event of it fails.
	roundEvents = 500
	roundBytes  = 4 << 20
	// roundTime is how long a round may take. The sidecar waits for twice as long.
	roundTime = 30 * time.Second
)

// errDropped is what the deliveries of a round get whose work panicked.
var errDropped = errors.New("the work that was shared with other deliveries has broken off")

// baton has deliveries that come in at the same time share their work: one round of it
// is under way at a time, and what comes meanwhile goes into the next one, in the order
// in which it came. The first delivery of a round does the work for all of it, and then
// passes the baton on; R is what the work comes to for each.
type baton[R any] struct {
	mu      sync.Mutex
	taken   bool
	waiting []*share[R]
}

// share is what a delivery brings into a round, and gets out of it.
type share[R any] struct {
	batch  []delivery
	result R
	err    error
	// turn gets true when the delivery has the baton, and false when the work is done.
	turn chan bool
}

// do has work done for a delivery, perhaps together with others. The error says that it
// was not done: ctx ended before its round began. A round does not end with ctx, since
// it is not this delivery's alone.
func (b *baton[R]) do(ctx context.Context, batch []delivery, work func(ctx context.Context, round []*share[R])) (R, error) {
	s := &share[R]{batch: batch, err: errDropped, turn: make(chan bool, 1)}
	if err := ctx.Err(); err != nil {
		return s.result, err
	}
	b.join(s)
	var first bool
	select {
	case first = <-s.turn:
	case <-ctx.Done():
		if b.leave(s) {
			return s.result, ctx.Err()
		}
		first = <-s.turn // it is in a round already, or has the next
	}
	if first {
		b.lead(ctx, s, work)
	}
	return s.result, s.err
}

func (b *baton[R]) join(s *share[R]) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.taken {
		b.waiting = append(b.waiting, s)
		return
	}
	b.taken = true
	s.turn <- true
}

// leave says whether s was still waiting.
func (b *baton[R]) leave(s *share[R]) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := slices.Index(b.waiting, s)
	if i >= 0 {
		b.waiting = slices.Delete(b.waiting, i, i+1)
	}
	return i >= 0
}

func (b *baton[R]) lead(ctx context.Context, first *share[R], work func(context.Context, []*share[R])) {
	round := b.gather(first)
	defer b.pass(round)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), roundTime)
	defer cancel()
	work(ctx, round)
	for _, s := range round {
		s.err = nil
	}
}

// gather takes those that wait into the round of first, as many as fit.
func (b *baton[R]) gather(first *share[R]) []*share[R] {
	b.mu.Lock()
	defer b.mu.Unlock()
	round, events, bytes := []*share[R]{first}, len(first.batch), size(first.batch)
	for _, s := range b.waiting {
		events, bytes = events+len(s.batch), bytes+size(s.batch)
		if events > roundEvents || bytes > roundBytes {
			break
		}
		round = append(round, s)
	}
	b.waiting = slices.Delete(b.waiting, 0, len(round)-1)
	return round
}

// pass ends a round and gives the baton to the first that waits.
func (b *baton[R]) pass(round []*share[R]) {
	for _, s := range round[1:] {
		s.turn <- false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.taken = len(b.waiting) > 0; b.taken {
		b.waiting[0].turn <- true
		b.waiting = slices.Delete(b.waiting, 0, 1)
	}
}

func size(batch []delivery) int {
	n := 0
	for _, d := range batch {
		n += len(d.raw)
	}
	return n
}
