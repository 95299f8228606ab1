package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/taskwire/taskwire/test/suite"
)

const (
	users = 4
	// perUser is how many requests a second each user makes, whether answers
	// come or not: far below every limit.
	perUser = 7.5
	// patience is how long a user waits for an answer.
	patience = 10 * time.Second
)

type kind int

const (
	create kind = iota
	list
	change
	kinds
)

// day is what a user does, over and over.
var day = []kind{create, list, create, list, change}

// noticed is what the users noticed in a stretch of time. What a request came
// to counts for the stretch that it was due in.
type noticed struct {
	pending sync.WaitGroup

	mu         sync.Mutex
	times      [kinds][]time.Duration // from when a request was due to its answer
	failed     int                    // 5xx
	limited    int                    // 429
	unanswered int
	surprising int // neither as it should be nor one of those
}

func (n *noticed) count(what kind, took time.Duration, status int, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.times[what] = append(n.times[what], took)
	switch wanted := map[kind]int{create: http.StatusCreated}[what]; {
	case err != nil:
		n.unanswered++
	case status >= 500:
		n.failed++
	case status == http.StatusTooManyRequests:
		n.limited++
	case wanted == status, wanted == 0 && status == http.StatusOK:
	default:
		n.surprising++
	}
}

// wrong lists the answers that a user must not get.
func (n *noticed) wrong() []string {
	var found []string
	for _, c := range []struct {
		n    int
		what string
	}{{n.failed, "5xx"}, {n.limited, "429"}, {n.unanswered, "no answer"}, {n.surprising, "an unexpected answer"}} {
		if c.n > 0 {
			found = append(found, fmt.Sprintf("%d × %s", c.n, c.what))
		}
	}
	return found
}

// load is the normal load: users who create, list and change their tasks at a
// constant rate, each from a network of his own.
type load struct {
	users []*user
	rng   *rand.Rand

	mu      sync.Mutex
	current *noticed
}

type user struct {
	*suite.Client

	mu   sync.Mutex
	last string // id of the task that he created last
}

// run makes requests until ctx ends, and waits for the answers.
func (l *load) run(ctx context.Context) {
	every := time.Second * 10 / (10 * perUser)
	var living, asking sync.WaitGroup
	for i, u := range l.users {
		step := l.rng.IntN(len(day))
		// The users do not act at the same moment.
		due := time.Now().Add(every * time.Duration(i) / time.Duration(len(l.users)))
		living.Go(func() {
			for n := step; sleep(ctx, time.Until(due)); n++ {
				l.send(ctx, &asking, u, day[n%len(day)], due)
				due = due.Add(every)
			}
		})
	}
	living.Wait()
	asking.Wait()
}

// send begins a request that was due at a time: that the machine was late to
// send it is what a user would wait for, too.
func (l *load) send(ctx context.Context, asking *sync.WaitGroup, u *user, what kind, due time.Time) {
	l.mu.Lock()
	n := l.current
	n.pending.Add(1)
	l.mu.Unlock()
	asking.Go(func() {
		defer n.pending.Done()
		asked, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		status, err := u.do(asked, what)
		if ctx.Err() == nil {
			n.count(what, time.Since(due), status, err)
		}
	})
}

// next begins a stretch, and returns the one before. Requests of that one may
// be under way still.
func (l *load) next() *noticed {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := l.current
	l.current = &noticed{}
	return before
}

func (u *user) do(ctx context.Context, what kind) (status int, err error) {
	u.mu.Lock()
	last := u.last
	u.mu.Unlock()
	method, path, body := http.MethodPost, "/api/tasks", `{"title":"Water the plants","tags":["home"],"priority":"low"}`
	switch {
	case what == list, what == change && last == "": // there is nothing to change yet
		method, path, body = http.MethodGet, "/api/tasks?limit=20", ""
	case what == change:
		method, path, body = http.MethodPatch, "/api/tasks/"+last, fmt.Sprintf(`{"title":"Water the plants at %s"}`, time.Now().Format(time.TimeOnly))
	}
	var sent any
	if body != "" {
		sent = body
	}
	a, err := u.Do(ctx, method, path, sent)
	if err != nil || what != create || a.Status != http.StatusCreated {
		return a.Status, err
	}
	var task struct{ ID string }
	if err := a.JSON(&task); err != nil {
		return a.Status, err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.last = task.ID
	return a.Status, nil
}

// sleep waits, and says whether ctx goes on.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
