package main

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// fault is something that is done to the suite.
type fault struct {
	kind, target string
	length       time.Duration // 0: it is over at once
}

func (f fault) String() string { return f.kind + " " + f.target }

// faults happen one or two at a time, every few seconds.
type faults struct {
	rng       *rand.Rand
	processes *processes
	detours   *detours
	log       *journal
	down      []string    // connections that are refused half of the time
	killed    string      // a process that is killed again and again, besides
	ended     func(fault) // told of each fault that is over

	mu     sync.Mutex
	busy   map[string]bool
	counts map[string]int
}

// run disturbs the suite until ctx ends, and returns when no fault lasts.
func (f *faults) run(ctx context.Context) {
	var lasting sync.WaitGroup
	defer lasting.Wait()
	for _, target := range f.down {
		f.busy[target] = true // for all of the time
		lasting.Go(func() { f.keepDown(ctx, target) })
	}
	if f.killed != "" {
		lasting.Go(func() { f.keepKilling(ctx, f.killed) })
	}
	for {
		pause := 2*time.Second + time.Duration(f.rng.Int64N(int64(4*time.Second)))
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		number := 1
		if f.rng.IntN(4) == 0 {
			number = 2
		}
		for range number {
			if chosen, ok := f.choose(); ok {
				lasting.Go(func() { f.do(ctx, chosen) })
			}
		}
	}
}

// half is how long a connection that is refused half of the time is, and is not.
const half = 10 * time.Second

// keepDown refuses a connection half of the time, until ctx ends.
func (f *faults) keepDown(ctx context.Context, target string) {
	what := fault{kind: "refused", target: target, length: half}
	for ctx.Err() == nil {
		end, err := f.detours.trouble(target, what.kind)
		if err != nil {
			f.log.note("no fault: %s: %v", what, err)
			return
		}
		f.mu.Lock()
		f.counts[what.String()]++
		f.mu.Unlock()
		f.log.note("fault: %s for %s", what, what.length)
		sleep(ctx, half)
		if err := end(); err != nil {
			f.log.note("the fault %s could not be ended: %v", what, err)
		}
		f.log.note("over: %s", what)
		sleep(ctx, half)
	}
}

// keepKilling kills a process again and again, until ctx ends.
func (f *faults) keepKilling(ctx context.Context, target string) {
	for sleep(ctx, 2*half); ctx.Err() == nil; sleep(ctx, 2*half) {
		if f.take(target) {
			f.do(ctx, fault{kind: "kill", target: target})
		}
	}
}

// take has one fault at a time with a target.
func (f *faults) take(target string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.busy[target] {
		return false
	}
	f.busy[target] = true
	return true
}

// choose takes as many random numbers each time, so that a seed gives the same
// faults whatever became of those before.
func (f *faults) choose() (fault, bool) {
	kind, length, which, trouble := f.rng.IntN(100), f.rng.Int64N(int64(7*time.Second)), f.rng.IntN(1<<16), f.rng.IntN(len(troubles))
	names, err := f.processes.names()
	if err != nil || len(names) == 0 {
		f.log.note("no fault: %v", err)
		return fault{}, false
	}
	chosen := fault{length: time.Second + time.Duration(length)}
	switch {
	case kind < 40:
		chosen = fault{kind: "kill", target: names[which%len(names)]}
	case kind < 65:
		chosen.kind, chosen.target = "stop", names[which%len(names)]
	default:
		ways := f.detours.names()
		chosen.kind, chosen.target = troubles[trouble], ways[which%len(ways)]
	}
	return chosen, f.take(chosen.target)
}

func (f *faults) do(ctx context.Context, what fault) {
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.busy, what.target)
	}()
	var end func() error
	var err error
	switch what.kind {
	case "kill":
		err = f.processes.kill(what.target)
	case "stop":
		end, err = f.processes.halt(what.target)
	default:
		end, err = f.detours.trouble(what.target, what.kind)
	}
	if err != nil {
		// It was down already, from a fault before.
		f.log.note("no fault: %s: %v", what, err)
		return
	}
	f.mu.Lock()
	f.counts[what.String()]++
	f.mu.Unlock()
	f.log.note("fault: %s for %s", what, what.length.Round(time.Millisecond))
	if end != nil {
		select {
		case <-ctx.Done():
		case <-time.After(what.length):
		}
		if err := end(); err != nil {
			f.log.note("the fault %s could not be ended: %v", what, err)
		}
		f.log.note("over: %s", what)
	}
	f.ended(what)
}
