package limit

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Fair lets a few requests work at once. Further ones wait in two lines, which are
// served in turn: that of clients who had paused before they asked, as people do,
// and that of all others. So somebody who asks now and then is served at once,
// however many send the next request as soon as the last is answered; and those
// get half of the turns whatever happens.
//
// To share the turns out evenly would not do: sixty clients who always have a
// request in line leave each so few that a person's are more.
type Fair struct {
	now func() time.Time

	mu      sync.Mutex
	free    int
	lines   [2][]*turn // of those who had paused, and of the others
	next    int        // the line whose turn it is
	clients map[string]*client
	swept   time.Time
}

// turn is a request that works or waits to.
type turn struct {
	of    *client
	ready chan struct{} // closed when it is its turn
}

// client is one who has asked of late.
type client struct {
	requests int       // that are there
	last     time.Time // when a request of his last came or was answered
}

const (
	// pause is how long a client has to wait after a request or an answer to be one
	// who pauses. A program that does not is back within a few milliseconds, or tens
	// where its machine is busy. One whose requests overlap may pause as well: nobody
	// falls behind for good by one slow answer.
	pause = 50 * time.Millisecond
	// remembered is for how long clients are known. One who is not known, as each
	// of many that have just registered, waits with those who do not pause.
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
	line := 1
	c := f.clients[key]
	if c == nil {
		c = &client{}
		f.clients[key] = c
	} else if now.Sub(c.last) >= pause {
		line = 0
	}
	c.requests++
	c.last = now
	t := &turn{of: c, ready: make(chan struct{})}
	if f.free > 0 { // then nobody waits
		f.free--
		close(t.ready)
	} else {
		f.lines[line] = append(f.lines[line], t)
	}
	return t
}

// leave takes a turn out of its line; false where it has begun.
func (f *Fair) leave(t *turn) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, line := range f.lines {
		if at := slices.Index(line, t); at >= 0 {
			f.lines[i] = slices.Delete(line, at, at+1)
			f.gone(t)
			return true
		}
	}
	return false
}

func (f *Fair) end(t *turn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.gone(t)
	for _, i := range []int{f.next, 1 - f.next} {
		if line := f.lines[i]; len(line) > 0 {
			close(line[0].ready)
			f.lines[i] = slices.Delete(line, 0, 1)
			f.next = 1 - i
			return
		}
	}
	f.free++
}

func (f *Fair) gone(t *turn) {
	t.of.requests--
	t.of.last = f.now()
}

// sweep forgets, now and then, who has not asked for long.
func (f *Fair) sweep(now time.Time) {
	if now.Sub(f.swept) < remembered {
		return
	}
	f.swept = now
	for key, c := range f.clients {
		if c.requests == 0 && now.Sub(c.last) > remembered {
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
