package limit

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Fair lets a few requests work at once. Of those that wait, the turns go to one of
// the client who most of all pauses before he asks, as people do, and to the one that
// waits for the longest, alternately. So somebody who asks now and then is served at
// once, however many send the next request as soon as the last is answered; and those
// get half of the turns whatever happens.
//
// To share the turns out evenly would not do: sixty clients who always have a
// request in line leave each so few that a person's are more.
type Fair struct {
	now func() time.Time

	mu      sync.Mutex
	free    int
	waiting []*turn // in the order in which they came
	longest bool    // whether the next turn goes to the first of them
	clients map[string]*client
	swept   time.Time
}

// turn is a request that works or waits to.
type turn struct {
	of     *client
	pauses float64       // the client's, when it came
	ready  chan struct{} // closed when it is its turn
}

// client is one who has asked of late.
type client struct {
	asked, answered time.Time // when a request of his last came, and was answered
	// pauses is the part of his requests, from 0 to 1, before which he has paused:
	// of the latest, mostly.
	pauses float64
}

const (
	// pause is how long a client waits after an answer, or a request, who pauses. A
	// program that does not is back within a few milliseconds of an answer. What is sent
	// together, as by a page that asks for six things, counts as its first.
	pause = 25 * time.Millisecond
	// habit is how much one request counts for what a client does as a rule. It is no
	// more than that: where answers are slow, a person's next request may come just
	// after one, and each of many programs pauses before its first.
	habit = 0.25
	// remembered is for how long clients are known.
	remembered = 10 * time.Minute
)

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
	if c == nil { // he may be either
		c = &client{pauses: 0.5}
		f.clients[key] = c
	} else {
		switch {
		case now.Sub(c.answered) < pause:
			c.pauses -= habit * c.pauses
		case now.Sub(c.asked) >= pause:
			c.pauses += habit * (1 - c.pauses)
		}
	}
	c.asked = now
	t := &turn{of: c, pauses: c.pauses, ready: make(chan struct{})}
	if f.free > 0 { // then nobody waits
		f.free--
		close(t.ready)
	} else {
		f.waiting = append(f.waiting, t)
	}
	return t
}

// leave takes a turn out of the line; false where it has begun.
func (f *Fair) leave(t *turn) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	at := slices.Index(f.waiting, t)
	if at < 0 {
		return false
	}
	f.waiting = slices.Delete(f.waiting, at, at+1)
	t.of.answered = f.now()
	return true
}

func (f *Fair) end(t *turn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	t.of.answered = f.now()
	if len(f.waiting) == 0 {
		f.free++
		return
	}
	next := 0
	if !f.longest {
		for i, t := range f.waiting {
			if t.pauses > f.waiting[next].pauses {
				next = i
			}
		}
	}
	f.longest = !f.longest
	close(f.waiting[next].ready)
	f.waiting = slices.Delete(f.waiting, next, next+1)
}

// sweep forgets, now and then, who has not asked for long.
func (f *Fair) sweep(now time.Time) {
	if now.Sub(f.swept) < remembered {
		return
	}
	f.swept = now
	for key, c := range f.clients {
		if now.Sub(c.asked) > remembered { // no request is there for that long
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
