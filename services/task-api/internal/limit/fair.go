package limit

import (
	"context"
	"math"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Fair lets a few requests work at once. When more come than can, the next is of
// the client who has asked least of late: somebody who asks now and then is
// served at once, however many others always have a request in line. What counts
// is for how long a client's requests were there, waiting or working: by the work
// that is done for them, those who wait most would seem the most modest.
type Fair struct {
	now func() time.Time

	mu      sync.Mutex
	free    int
	waiting []*turn
	clients map[string]*client
	swept   time.Time
}

// turn is a request that works or waits to.
type turn struct {
	of    *client
	ready chan struct{} // closed when it is its turn
}

// client is what a client has asked for.
type client struct {
	requests int       // that are there
	asked    float64   // request-seconds, of which half is forgotten each halfLife
	at       time.Time // when that was so
}

const halfLife = 2 * time.Second

// NewFair lets n requests work at once.
func NewFair(n int, now func() time.Time) *Fair {
	return &Fair{now: now, free: n, clients: map[string]*client{}}
}

// Take waits for a turn of the client that key names, and returns what ends it;
// that may be called again, for nothing. The error is the context's.
func (f *Fair) Take(ctx context.Context, key string) (done func(), err error) {
	t := f.enter(key)
	select {
	case <-t.ready:
	case <-ctx.Done():
		if f.leave(t) {
			return nil, ctx.Err()
		}
		// Its turn has come at the same moment.
	}
	return sync.OnceFunc(func() { f.end(t) }), nil
}

func (f *Fair) enter(key string) *turn {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	f.sweep(now)
	c := f.clients[key]
	if c == nil {
		c = &client{at: now}
		f.clients[key] = c
	}
	c.count(now, 1)
	t := &turn{of: c, ready: make(chan struct{})}
	if f.free > 0 { // then nobody waits
		f.free--
		close(t.ready)
	} else {
		f.waiting = append(f.waiting, t)
	}
	return t
}

// leave takes a turn out of those that wait; false where it has begun.
func (f *Fair) leave(t *turn) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	at := slices.Index(f.waiting, t)
	if at < 0 {
		return false
	}
	f.waiting = slices.Delete(f.waiting, at, at+1)
	t.of.count(f.now(), -1)
	return true
}

func (f *Fair) end(t *turn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	t.of.count(now, -1)
	if len(f.waiting) == 0 {
		f.free++
		return
	}
	// The first of several that have asked as little.
	next, least := 0, math.Inf(1)
	for i, w := range f.waiting {
		if asked := w.of.until(now); asked < least {
			next, least = i, asked
		}
	}
	close(f.waiting[next].ready)
	f.waiting = slices.Delete(f.waiting, next, next+1)
}

// count notes that a request came or went.
func (c *client) count(now time.Time, requests int) {
	c.asked, c.at = c.until(now), now
	c.requests += requests
}

// until is what a client has asked for, as it counts now.
func (c *client) until(now time.Time) float64 {
	gone := now.Sub(c.at).Seconds()
	return c.asked*math.Exp2(-gone/halfLife.Seconds()) + float64(c.requests)*gone
}

// sweep forgets, now and then, who has not asked for so long that it counts for
// nothing.
func (f *Fair) sweep(now time.Time) {
	const interval = 30 * halfLife
	if now.Sub(f.swept) < interval {
		return
	}
	f.swept = now
	for key, c := range f.clients {
		if c.requests == 0 && now.Sub(c.at) > interval {
			delete(f.clients, key)
		}
	}
}

// answering ends a turn with the first byte of the answer: a client that does not
// read it keeps nobody waiting.
type answering struct {
	http.ResponseWriter
	done func()
}

func (a *answering) Write(b []byte) (int, error) {
	a.done()
	return a.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (a *answering) Unwrap() http.ResponseWriter { return a.ResponseWriter }
