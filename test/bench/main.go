// Command bench measures what the suite costs and gives, in one run on one
// machine, so that its figures can be set against each other: `make bench`.
// It asserts nothing.
//
//	bench                    everything; about 35 minutes
//	bench api relay          only these
//	bench -base HEAD~5 api   this tree and another commit, in turn
//	bench -keep 0 relay      the relay without a large log beside it
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"

	"github.com/taskwire/taskwire/test/figures"
	"github.com/taskwire/taskwire/test/suite"
)

var (
	base     = flag.String("base", "", "another commit, which api measures in turn with this tree")
	length   = flag.Duration("length", 5*time.Second, "how long each measurement of api lasts, in each round")
	events   = flag.Int("events", 60_000, "how many events relay publishes in a round")
	rounds   = flag.Int("rounds", 3, "rounds of api and relay")
	keep     = flag.Int("keep", 10_000_000, "how many published events relay keeps in the log")
	backlog  = flag.Int("backlog", 5_000_000, "how many unpublished events wait while relay looks at the memory")
	outage   = flag.Duration("outage", 5*time.Minute, "how long outage stops the broker")
	pending  = flag.Int("pending", 1_000_000, "how many reminders wait for their time")
	busy     = flag.Int("busy", 100_000, "how many tasks a user creates in a loop beside another's reminders")
	own      = flag.Int("own", 100_000, "how many tasks the user of lists has")
	others   = flag.Int("others", 1_000_000, "how many tasks others have meanwhile")
	day      = flag.Int("day", 20_000_000, "how many events the day has that retention drops")
	together = flag.Int("together", 10_000, "how many reminders are due in one second")
)

// measurements are what can be asked for by name, in the order of a whole run.
var measurements = []struct {
	name string
	run  func(context.Context) error
}{
	{"api", api}, {"relay", relay}, {"lists", lists}, {"retention", retention}, {"reminders", reminders}, {"outage", brokerOutage},
}

func main() {
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, flag.Args())
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, wanted []string) error {
	for _, w := range wanted {
		if !slices.ContainsFunc(measurements, func(m struct {
			name string
			run  func(context.Context) error
		}) bool {
			return m.name == w
		}) {
			return fmt.Errorf("unknown measurement %q", w)
		}
	}
	fmt.Println(figures.Machine())
	for _, m := range measurements {
		if len(wanted) > 0 && !slices.Contains(wanted, m.name) {
			continue
		}
		if err := m.run(ctx); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}
	return nil
}

func quantile(times []time.Duration, q float64) string {
	if len(times) == 0 {
		return "–"
	}
	return figures.Milliseconds(figures.Quantile(times, q))
}

func median(values []float64) float64 {
	values = slices.Sorted(slices.Values(values))
	return values[len(values)/2]
}

func progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%s  %s …\n", time.Now().Format("15:04:05"), fmt.Sprintf(format, args...))
}

// with runs f on a suite of its own.
func with(ctx context.Context, env []string, f func(*suite.Suite, *suite.Client) error) (err error) {
	progress("starting a suite %s", strings.Join(env, " "))
	dir, err := suite.NewDir("bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s, err := suite.Start(ctx, dir, append(suite.WithoutLimits(), env...)...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Stop()) }()
	u, err := s.Register(ctx, "bench@example.org", "UTC")
	if err != nil {
		return err
	}
	return f(s, u)
}
