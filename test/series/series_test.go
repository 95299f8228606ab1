// Package series is the model test of recurring tasks. It runs the real task-api
// and recurring-task on a real Postgres, stands between them in the place of the
// sidecars and the broker, and does to many tasks at once what users do in random
// order, while it delivers their events late, twice and out of order, loses answers
// and kills the services. A small model says after each step what has to have
// happened.
//
//	go test ./series                                  a bounded number of sequences
//	go test ./series -args -sequences 10000 -seed 7   more; make model does this
//	go test ./series -args -steps found.txt           the steps of a finding again
package series

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/taskwire/taskwire/pkg/database/databasetest"
)

var (
	sequences = flag.Int("sequences", 80, "how many random sequences")
	seed      = flag.Uint64("seed", rand.Uint64()>>32, "repeats the choices")
	from      = flag.Int("from", 0, "the first sequence of the seed")
	atOnce    = flag.Int("at-once", 8, "how many sequences run at once")
	stepsFile = flag.String("steps", "", "a file with the steps of one sequence, to be run instead of random ones")
)

func TestMain(m *testing.M) { os.Exit(databasetest.Main(m)) }

// most findings are told; more of them tell no more.
const mostFindings = 10

func TestSeries(t *testing.T) {
	p := startPair(t)
	if *stepsFile != "" {
		raw, err := os.ReadFile(*stepsFile)
		if err != nil {
			t.Fatal(err)
		}
		report(t, replay(t, p, strings.Split(string(raw), "\n")))
		return
	}
	for _, c := range found {
		t.Run(c.name, func(t *testing.T) { report(t, replay(t, p, c.steps)) })
	}
	t.Run("random", func(t *testing.T) { random(t, p) })
	letters(t, p)
}

// random runs sequences of a seed.
func random(t *testing.T, p *pair) {
	fmt.Fprintf(os.Stderr, "series: seed %d, %d sequences\n", *seed, *sequences)
	var next, findings, steps, deliveries atomic.Int64
	next.Store(int64(*from))
	begun := time.Now()
	stop := make(chan struct{})
	var telling, running sync.WaitGroup
	telling.Go(func() {
		tick := time.NewTicker(30 * time.Second)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				fmt.Fprintf(os.Stderr, "series: %s  %d sequences, %d steps, %d findings\n", time.Since(begun).Round(time.Second), next.Load()-int64(*from), steps.Load(), findings.Load())
			}
		}
	})
	for range *atOnce {
		running.Go(func() {
			for findings.Load() < mostFindings {
				n := next.Add(1) - 1
				if n >= int64(*from+*sequences) {
					return
				}
				q := generate(t, p, uint64(n))
				steps.Add(int64(len(q.steps)))
				deliveries.Add(int64(len(q.handled)))
				if !q.failed() {
					continue
				}
				findings.Add(1)
				// At once: what a test logs is shown at its end.
				fmt.Fprintf(os.Stderr, "series: sequence %d of seed %d: %s\n", n, *seed, q)
				if small := shrink(t, p, q); small != nil {
					fmt.Fprintf(os.Stderr, "series: what is left of it when it is made smaller: %s\n", small)
				}
				t.Errorf("sequence %d of seed %d", n, *seed)
			}
		})
	}
	running.Wait()
	close(stop)
	telling.Wait()
	fmt.Fprintf(os.Stderr, "series: %d sequences with %d steps, %d events delivered, %d findings, in %s\n",
		next.Load()-int64(*from)-int64(*atOnce), steps.Load(), deliveries.Load(), findings.Load(), time.Since(begun).Round(time.Second))
}

// generate runs the random sequence of a number.
func generate(t *testing.T, p *pair, n uint64) *sequence {
	r := rand.New(rand.NewPCG(*seed, n))
	q, err := newSequence(p)
	if err != nil {
		t.Fatal(err)
	}
	defer q.close()
	q.step(first(r))
	for _, line := range subtasks(r) {
		q.step(line)
	}
	for changes := 5 + r.IntN(16); changes > 0 && !q.failed(); {
		line := q.propose(r)
		q.step(line)
		if !strings.HasPrefix(line, "deliver") && !strings.HasPrefix(line, "twice") {
			changes--
		}
	}
	finish(q)
	return q
}

// finish delivers what is left, and looks at what has come of all.
func finish(q *sequence) {
	q.ending = true
	if !q.failed() {
		q.sync(q.drain(), false)
	}
	if !q.failed() {
		q.check()
	}
}

// replay runs steps that are given. Those that have nothing to be done to are left out.
func replay(t *testing.T, p *pair, steps []string) *sequence {
	q, err := newSequence(p)
	if err != nil {
		t.Fatal(err)
	}
	defer q.close()
	for _, line := range steps {
		if line = strings.TrimSpace(line); line != "" && !q.failed() {
			q.step(line)
		}
	}
	finish(q)
	return q
}

// shrink leaves steps of a sequence out as long as something is found. nil: it
// is not found again.
func shrink(t *testing.T, p *pair, q *sequence) *sequence {
	var small *sequence
	try := func(steps []string) bool {
		again := replay(t, p, steps)
		if !again.failed() {
			return false
		}
		small = again
		return true
	}
	if !try(q.steps) {
		return nil
	}
	for size := len(small.steps) / 2; size > 0; {
		reduced := false
		for i := 1; i < len(small.steps); i += size {
			steps := append(append([]string{}, small.steps[:i]...), small.steps[min(i+size, len(small.steps)):]...)
			if len(steps) < len(small.steps) && try(steps) {
				reduced = true
				i -= size
			}
		}
		if !reduced || size > 1 {
			size /= 2
		}
	}
	return small
}

// report fails a test in which something was found.
func report(t *testing.T, q *sequence) {
	t.Helper()
	if q.failed() {
		t.Error(q)
	}
}

// String says what was found, and how to see it again.
func (q *sequence) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "user %s, on %s\n", q.user, q.today.Format(time.DateOnly))
	for _, f := range q.findings {
		fmt.Fprintf(&b, "  - %s\n", f)
	}
	b.WriteString("steps, for -steps or for the named cases:\n")
	for _, s := range q.steps {
		fmt.Fprintf(&b, "%s\n", s)
	}
	b.WriteString("tasks at the end:\n")
	for _, task := range q.model.all() {
		fmt.Fprintf(&b, "  %s\n", task.describe())
	}
	for _, a := range q.answered {
		fmt.Fprintf(&b, "  %s\n", a)
	}
	return b.String()
}

func (t *task) describe() string {
	text := t.name
	if t.Occurrence != nil {
		text += " of " + *t.Occurrence
	}
	if t.DueAt != nil {
		text += " due " + t.DueAt.Format(time.RFC3339) + " in " + t.Timezone
	}
	if t.Recurrence != nil {
		text += fmt.Sprintf(" %+v", *t.Recurrence)
	}
	if t.follows != nil {
		text += " follows " + t.follows.name
	}
	if t.parent != nil {
		text += " under " + t.parent.name
	}
	switch {
	case t.deleted:
		text += " deleted " + t.how
	case t.IsComplete:
		text += " complete"
	default:
		text += " open"
	}
	if t.AllDay {
		text += ", all-day"
	}
	return text
}

// letters are what nobody could handle: there are none.
func letters(t *testing.T, p *pair) {
	rows, err := p.db.Query(t.Context(), "SELECT reason FROM recurring.dead_letters LIMIT 10")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var reason string
		if err := rows.Scan(&reason); err != nil {
			t.Fatal(err)
		}
		t.Errorf("a dead letter: %s", reason)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
}
