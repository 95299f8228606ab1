package limit

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// ErrBusy says that there are too many in line, or that the line is too slow.
var ErrBusy = errors.New("there is no turn soon")

const (
	// inLine is how many wait for each turn that is given at once: at 30 to 60 ms
	// for a hash, one to two seconds.
	inLine = 32
	// longestWait is when who waits is told to come back instead.
	longestWait = 2 * time.Second
)

// Turns admits to something that few may do at once: hashing a password, which
// takes a core and 19 MiB. Who waits is served in turns, one of each key, so
// that who sends one request is not behind all of who sends hundreds. Those who
// are known have a line of their own, which gets every second turn.
type Turns struct {
	mu    sync.Mutex
	free  int
	lines [2]line // of strangers, and of those who are known
	last  int     // the line that was served last
}

// line is one queue for each key, in the order in which they are served.
type line struct {
	most, waiting int
	queues        []*queue
}

type queue struct {
	key     string
	waiters []*waiter
}

type waiter struct {
	called chan error // nil: it is your turn
}

// NewTurns lets n in at once.
func NewTurns(n int) *Turns {
	return &Turns{free: n, lines: [2]line{{most: n * inLine}, {most: n * inLine}}}
}

// Take waits for a turn, and returns what ends it. The error is ErrBusy, or the
// context's.
func (t *Turns) Take(ctx context.Context, known bool, key string) (done func(), err error) {
	end := sync.OnceFunc(t.next)
	w := t.enter(known, key)
	if w == nil {
		return end, nil
	}
	impatient := time.NewTimer(longestWait)
	defer impatient.Stop()
	select {
	case err = <-w.called:
	case <-ctx.Done():
		err = t.leave(w, ctx.Err())
	case <-impatient.C:
		err = t.leave(w, ErrBusy)
	}
	if err != nil {
		if errors.Is(err, ErrBusy) {
			refusals.WithLabelValues(hashing).Inc()
		}
		return nil, err
	}
	return end, nil
}

// enter takes a turn that is free (nil), or a place in line.
func (t *Turns) enter(known bool, key string) *waiter {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.free > 0 { // then nobody waits
		t.free--
		return nil
	}
	l := &t.lines[0]
	if known {
		l = &t.lines[1]
	}
	w := &waiter{called: make(chan error, 1)}
	l.add(key, w)
	return w
}

// add puts w in line, or sends somebody away: the last of the longest queue, so
// that who floods the line loses his own places, and nobody else's.
func (l *line) add(key string, w *waiter) {
	i := slices.IndexFunc(l.queues, func(q *queue) bool { return q.key == key })
	if l.waiting == l.most {
		longest := slices.MaxFunc(l.queues, func(a, b *queue) int { return len(a.waiters) - len(b.waiters) })
		own := 0
		if i >= 0 {
			own = len(l.queues[i].waiters)
		}
		if len(longest.waiters) <= own+1 {
			w.called <- ErrBusy
			return
		}
		last := len(longest.waiters) - 1
		longest.waiters[last].called <- ErrBusy
		longest.waiters = longest.waiters[:last]
		l.waiting--
	}
	if i < 0 {
		l.queues = append(l.queues, &queue{key: key})
		i = len(l.queues) - 1
	}
	l.queues[i].waiters = append(l.queues[i].waiters, w)
	l.waiting++
}

// next ends a turn: it goes to the first of the queue that is next in the line
// that was not served last, if somebody waits there.
func (t *Turns) next() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, i := range []int{1 - t.last, t.last} {
		if l := &t.lines[i]; l.waiting > 0 {
			t.last = i
			l.serve().called <- nil
			return
		}
	}
	t.free++
}

func (l *line) serve() *waiter {
	q := l.queues[0]
	l.queues = l.queues[1:]
	w := q.waiters[0]
	if q.waiters = q.waiters[1:]; len(q.waiters) > 0 {
		l.queues = append(l.queues, q)
	}
	l.waiting--
	return w
}

// leave gives up a place in line because of err. A turn that came at the same
// moment is passed on.
func (t *Turns) leave(w *waiter, err error) error {
	t.mu.Lock()
	left := t.lines[0].remove(w) || t.lines[1].remove(w)
	t.mu.Unlock()
	if !left && <-w.called == nil {
		t.next()
	}
	return err
}

func (l *line) remove(w *waiter) bool {
	for i, q := range l.queues {
		if at := slices.Index(q.waiters, w); at >= 0 {
			if q.waiters = slices.Delete(q.waiters, at, at+1); len(q.waiters) == 0 {
				l.queues = slices.Delete(l.queues, i, i+1)
			}
			l.waiting--
			return true
		}
	}
	return false
}
