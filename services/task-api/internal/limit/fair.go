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
// the client who has worked least of late: somebody who asks now and then is
// served at once, however many others send all that they can.
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
	key   string
	begun time.Time
	ready chan struct{} // closed when it is its turn
}

// client is how long a client's requests have worked, in seconds, of which half
// is forgotten each halfLife.
type client struct {
	worked float64
	at     time.Time
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
	t := &turn{key: key, ready: make(chan struct{})}
	if f.free > 0 { // then nobody waits
		f.free--
		f.begin(t)
	} else {
		f.waiting = append(f.waiting, t)
	}
	return t
}

func (f *Fair) begin(t *turn) {
	t.begun = f.now()
	close(t.ready)
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
	return true
}

func (f *Fair) end(t *turn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	f.sweep(now)
	c := f.clients[t.key]
	if c == nil {
		c = &client{at: now}
		f.clients[t.key] = c
	}
	c.worked, c.at = c.of(now)+now.Sub(t.begun).Seconds(), now
	if len(f.waiting) == 0 {
		f.free++
		return
	}
	// The first of several that have worked as little.
	next, least := 0, math.Inf(1)
	for i, w := range f.waiting {
		if worked := f.clients[w.key].of(now); worked < least {
			next, least = i, worked
		}
	}
	begins := f.waiting[next]
	f.waiting = slices.Delete(f.waiting, next, next+1)
	f.begin(begins)
}

// of is how long the client has worked, as it counts now. One that is not known
// has not worked of late.
func (c *client) of(now time.Time) float64 {
	if c == nil {
		return 0
	}
	return c.worked * math.Exp2(-now.Sub(c.at).Seconds()/halfLife.Seconds())
}

// sweep forgets, now and then, who has not worked for so long that it counts for
// nothing.
func (f *Fair) sweep(now time.Time) {
	const interval = 30 * halfLife
	if now.Sub(f.swept) < interval {
		return
	}
	f.swept = now
	for key, c := range f.clients {
		if now.Sub(c.at) > interval {
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
