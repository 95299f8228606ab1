package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/taskwire/taskwire/test/figures"
	"github.com/taskwire/taskwire/test/suite"
)

// load is what became of requests.
type load struct {
	times  []time.Duration // of those that succeeded
	failed int
	took   time.Duration
}

func (l load) rate() float64 { return float64(len(l.times)) / l.took.Seconds() }

// taskBody is what is created everywhere: a title, 180 letters and a tag.
var taskBody = func() []byte {
	raw, err := json.Marshal(map[string]any{"title": "Write the figures down", "description": strings.Repeat("measured ", 20), "tags": []string{"bench"}, "priority": "low"})
	if err != nil {
		panic(err)
	}
	return bytes.Clone(raw)
}()

func createTask(ctx context.Context, u *suite.Client) (suite.Answer, error) {
	a, err := u.Do(ctx, http.MethodPost, "/api/tasks", taskBody)
	if err == nil && a.Status != http.StatusCreated {
		err = fmt.Errorf("create a task: %d %s", a.Status, a.Body)
	}
	return a, err
}

// register makes users: one alone has a share of the pool of connections.
func register(ctx context.Context, s *suite.Suite, n int) ([]*suite.Client, error) {
	users := make([]*suite.Client, n)
	registering, ctx := errgroup.WithContext(ctx)
	registering.SetLimit(4)
	for i := range users {
		registering.Go(func() (err error) {
			users[i], err = s.Register(ctx, fmt.Sprintf("client%d@example.org", i), "UTC")
			return err
		})
	}
	return users, registering.Wait()
}

// during is true for a time from its first call.
func during(length time.Duration) func() bool {
	start := sync.OnceValue(time.Now)
	return func() bool { return time.Since(start()) < length }
}

// times is true so many times.
func times(n int) func() bool {
	var done atomic.Int64
	return func() bool { return done.Add(1) <= int64(n) }
}

// closed has each client create one task after the other while there are more.
func closed(ctx context.Context, users []*suite.Client, clients int, more func() bool) (load, error) {
	var all load
	var mu sync.Mutex
	var working sync.WaitGroup
	start := time.Now()
	for i := range clients {
		u := users[i%len(users)]
		working.Go(func() {
			var mine load
			for ctx.Err() == nil && more() {
				began := time.Now()
				if _, err := createTask(ctx, u); err != nil {
					mine.failed++
					continue
				}
				mine.times = append(mine.times, time.Since(began))
			}
			mu.Lock()
			defer mu.Unlock()
			all.failed += mine.failed
			all.times = append(all.times, mine.times...)
		})
	}
	working.Wait()
	all.took = time.Since(start)
	return all, ctx.Err()
}

// atRate sends n requests, one in each interval, whether answers come or not, and waits for
// all answers. The time of each counts from when it should have been sent (due): one that a
// slow moment holds up is as late as its user sees it.
func atRate(ctx context.Context, n int, interval time.Duration, send func(i int, due time.Time)) error {
	var sending sync.WaitGroup
	defer sending.Wait()
	start := time.Now()
	for i := range n {
		due := start.Add(time.Duration(i) * interval)
		if err := pause(ctx, time.Until(due)); err != nil {
			return err
		}
		sending.Go(func() { send(i, due) })
	}
	return nil
}

// open creates tasks at a fixed rate.
func open(ctx context.Context, users []*suite.Client, rate int, length time.Duration, answered func(suite.Answer)) (load, error) {
	var all load
	var mu sync.Mutex
	start, interval := time.Now(), time.Second/time.Duration(rate)
	err := atRate(ctx, int(length/interval), interval, func(n int, due time.Time) {
		a, err := createTask(ctx, users[n%len(users)])
		took := time.Since(due)
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			all.failed++
			return
		}
		all.times = append(all.times, took)
		if answered != nil {
			answered(a)
		}
	})
	all.took = time.Since(start)
	return all, err
}

func quantile(times []time.Duration, q float64) string {
	if len(times) == 0 {
		return "–"
	}
	return figures.Milliseconds(figures.Quantile(times, q))
}
