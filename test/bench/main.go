// Command bench measures what the suite costs and gives, in one run on one
// machine, so that its figures can be set against each other: `make bench`.
// It asserts nothing.
//
//	bench                    everything; about an hour
//	bench api relay          only these
//	bench -base dbbc305 api  another commit too, by turns with this tree
//	bench -keep 0 relay      the relay without a large log beside it
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/taskwire/taskwire/test/figures"
)

var (
	length   = flag.Duration("length", 5*time.Second, "how long each measurement of api lasts in a round, and those of retention")
	base     = flag.String("base", "", "a commit that api and start measure too, by turns with this tree")
	python   = flag.String("python", "", "a Python with what fastapi/requirements.txt says")
	waiting  = flag.Int("waiting", 4_000, "how many creates of api wait for the broker")
	starts   = flag.Int("starts", 5, "how often start starts the suite and each service")
	events   = flag.Int("events", 60_000, "how many events relay publishes in a round")
	rounds   = flag.Int("rounds", 3, "rounds of api and of relay")
	keep     = flag.Int("keep", 10_000_000, "how many published events relay keeps in the log")
	backlog  = flag.Int("backlog", 5_000_000, "how many unpublished events wait while relay looks at the memory")
	outage   = flag.Duration("outage", 5*time.Minute, "how long outage stops the broker")
	pending  = flag.Int("pending", 1_000_000, "how many reminders wait for their time")
	busy     = flag.Int("busy", 100_000, "how many tasks a user creates in a loop beside another's reminders")
	own      = flag.Int("own", 100_000, "how many tasks the user of lists and of feed has")
	others   = flag.Int("others", 1_000_000, "how many tasks others have meanwhile")
	watchers = flag.Int("watchers", 1_000, "how many streams of the feed are open")
	day      = flag.Int("day", 20_000_000, "how many events the day has that retention drops")
	together = flag.Int("together", 10_000, "how many reminders are due in one second")
)

// clients are how many requests of api are under way at once, in one measurement after the other.
var clients = numbers{1, 16, 64}

func init() {
	flag.Var(&clients, "clients", "how many requests of api are under way at once, in one measurement after the other")
}

// numbers is a flag: numbers with commas between them.
type numbers []int

func (n *numbers) String() string {
	return strings.ReplaceAll(strings.Trim(fmt.Sprint(*n), "[]"), " ", ",")
}

func (n *numbers) Set(text string) error {
	*n = nil
	for _, one := range strings.Split(text, ",") {
		x, err := strconv.Atoi(one)
		if err != nil || x < 1 {
			return fmt.Errorf("%q is no number of clients", one)
		}
		*n = append(*n, x)
	}
	return nil
}

// measurements are what can be asked for by name, in the order of a whole run.
var measurements = []struct {
	name string
	run  func(context.Context) error
}{
	{"api", api}, {"start", start}, {"relay", relay}, {"lists", lists}, {"placing", placing}, {"feed", feed}, {"sign-ins", signIns}, {"retention", retention}, {"reminders", reminders}, {"outage", brokerOutage},
}

func main() {
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, flag.Args())
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, wanted []string) error {
	var known []string
	for _, m := range measurements {
		known = append(known, m.name)
	}
	for _, w := range wanted {
		if !slices.Contains(known, w) {
			return fmt.Errorf("unknown measurement %q; there are: %s", w, strings.Join(known, ", "))
		}
	}
	fmt.Printf("%s, at %s\n", figures.Machine(), figures.Commit(ctx))
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

func progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%s  %s …\n", time.Now().Format("15:04:05"), fmt.Sprintf(format, args...))
}
