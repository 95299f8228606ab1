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

// coalescer has deliveries that come in at the same time share their work: one round of it
// is under way at a time, and what comes meanwhile goes into the next one, in the order
// in which it came. The first delivery of a round does the work for all of it, and then
// passes the turn on; R is what the work comes to for each.
type coalescer[R any] struct {
	mu      sync.Mutex
	taken   bool
	waiting []*waiter[R]
}

// waiter is what a delivery brings into a round, and gets out of it.
type waiter[R any] struct {
	batch  []delivery
	result R
	err    error
	// turn gets true when it is the turn of the delivery to do the work, and false when the work is done.
	turn chan bool
}

// do has work done for a delivery, perhaps together with others. The error says that it
// was not done: ctx ended before its round began. A round does not end with ctx, since
// it is not this delivery's alone.
func (c *coalescer[R]) do(ctx context.Context, batch []delivery, work func(ctx context.Context, round []*waiter[R])) (R, error) {
	w := &waiter[R]{batch: batch, err: errDropped, turn: make(chan bool, 1)}
	if err := ctx.Err(); err != nil {
		return w.result, err
	}
	c.join(w)
	var first bool
	select {
	case first = <-w.turn:
	case <-ctx.Done():
		if c.leave(w) {
			return w.result, ctx.Err()
		}
		first = <-w.turn // it is in a round already, or has the next
	}
	if first {
		c.lead(ctx, w, work)
	}
	return w.result, w.err
}

func (c *coalescer[R]) join(w *waiter[R]) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.taken {
		c.waiting = append(c.waiting, w)
		return
	}
	c.taken = true
	w.turn <- true
}

// leave says whether w was still waiting.
func (c *coalescer[R]) leave(w *waiter[R]) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.Index(c.waiting, w)
	if i >= 0 {
		c.waiting = slices.Delete(c.waiting, i, i+1)
	}
	return i >= 0
}

func (c *coalescer[R]) lead(ctx context.Context, first *waiter[R], work func(context.Context, []*waiter[R])) {
	round := c.gather(first)
	defer c.pass(round)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), roundTime)
	defer cancel()
	work(ctx, round)
	for _, w := range round {
		w.err = nil
	}
}

// gather takes those that wait into the round of first, as many as fit.
func (c *coalescer[R]) gather(first *waiter[R]) []*waiter[R] {
	c.mu.Lock()
	defer c.mu.Unlock()
	round, events, bytes := []*waiter[R]{first}, len(first.batch), size(first.batch)
	for _, w := range c.waiting {
		events, bytes = events+len(w.batch), bytes+size(w.batch)
		if events > roundEvents || bytes > roundBytes {
			break
		}
		round = append(round, w)
	}
	c.waiting = slices.Delete(c.waiting, 0, len(round)-1)
	return round
}

// pass ends a round and gives the turn to the first that waits.
func (c *coalescer[R]) pass(round []*waiter[R]) {
	for _, w := range round[1:] {
		w.turn <- false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.taken = len(c.waiting) > 0; c.taken {
		c.waiting[0].turn <- true
		c.waiting = slices.Delete(c.waiting, 0, 1)
	}
}

func size(batch []delivery) int {
	n := 0
	for _, d := range batch {
		n += len(d.raw)
	}
	return n
}
