package main

import (
	"fmt"
	"time"

	"github.com/taskwire/taskwire/test/figures"
)

// What is promised, whatever others do.
const (
	longest    = 250 * time.Millisecond // p99 of creates and of lists, on two cores
	mostMemory = 256 << 20              // of task-api
	gone       = 5 * time.Second        // after it nothing is left of an attack
)

// What may be more than before an attack without being left of it: the pools
// of connections to the sidecar and the database fill and drain as they like.
const (
	spareConnections = 16
	spareGoroutines  = 100
	spareCores       = 0.5
	// So many events are on their way in a normal load.
	spareEvents = 50
)

// outcome is what came of one attack by a number of clients.
type outcome struct {
	attack  *attack
	clients int

	users     *noticed       // during the attack
	later     *noticed       // in the seconds after it
	peak      int            // of task-api's memory, in bytes
	died      []string       // services that ended
	got       map[string]int // what the attackers were answered
	saw       string         // what else there was to see
	cleanIn   time.Duration  // until nothing was left
	left      []string       // after the last look
	memory    int            // then
	attackers []string       // promises that the attack itself saw broken
}

// broken lists the promises that were not kept.
func (o *outcome) broken() []string {
	var b []string
	say := func(format string, args ...any) { b = append(b, fmt.Sprintf(format, args...)) }
	for what, name := range []string{create: "create", list: "list"} {
		if len(o.users.times[what]) == 0 {
			say("no user could %s", name)
		}
		if p99 := figures.Quantile(o.users.times[what], .99); p99 > longest {
			say("p99 of %s is %s", name, figures.Milliseconds(p99))
		}
	}
	for _, answers := range o.users.wrong() {
		say("users got %s", answers)
	}
	for _, answers := range o.later.wrong() {
		say("users got %s after it", answers)
	}
	if o.peak > mostMemory {
		say("task-api took %d MiB", o.peak>>20)
	}
	for _, name := range o.died {
		say("%s died", name)
	}
	for _, what := range o.left {
		say("left of it: %s", what)
	}
	return append(b, o.attackers...)
}

// remains lists what there is more than before.
func remains(now, before state) []string {
	var left []string
	say := func(format string, args ...any) { left = append(left, fmt.Sprintf(format, args...)) }
	if n := now.connections - before.connections; n > spareConnections {
		say("%d connections", n)
	}
	if n := now.goroutines - before.goroutines; n > spareGoroutines {
		say("%d goroutines", n)
	}
	if n := now.statements - before.statements; n > 0 {
		say("%d statements", n)
	}
	// Accepted changes are published and consumed beside the requests, and take
	// the cores that they find. Where they do not get on, something else has them.
	if more := now.cores - before.cores; more > spareCores && (now.accepted <= spareEvents || !now.falling) {
		say("%.1f cores at work", more)
	}
	if now.memory > mostMemory {
		say("%d MiB of memory", now.memory>>20)
	}
	return left
}
