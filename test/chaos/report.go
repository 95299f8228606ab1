package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/taskwire/taskwire/test/figures"
	"github.com/taskwire/taskwire/test/suite"
)

// report is what a run came to.
type report struct {
	config        config
	commit        string
	faults        map[string]int // by kind and target
	load          loaded
	recovery      [2]recovered
	settledIn     time.Duration
	left          suite.Left
	published     int
	repeated      int
	mailsRepeated int
	clients       int
	anew, broken  int // how often a client's place was not known, and a request of one failed
	checks        []*check
}

func newReport(ctx context.Context, c config) *report {
	return &report{config: c, commit: figures.Commit(ctx)}
}

// ok says that all was as promised; not before it has been compared.
func (r *report) ok() bool {
	return len(r.checks) > 0 && r.left.Total() == 0 && !r.recovery[alone].never && !r.recovery[disturbed].never &&
		!slices.ContainsFunc(r.checks, func(c *check) bool { return c.wrong() > 0 })
}

// total adds one figure of all comparisons.
func (r *report) total(of func(*check) int) int {
	n := 0
	for _, c := range r.checks {
		n += of(c)
	}
	return n
}

func (r *report) String() string {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "| %s | %s |\n", name, fmt.Sprintf(format, args...))
	}
	b.WriteString("\n| Chaos | |\n|---|---|\n")
	line("seed, duration, rate", "%d, %s, %d requests/s of %d users", r.config.seed, r.config.duration, r.config.rate, r.config.users)
	if r.config.breakage != "" {
		line("broken on purpose", "%s", r.config.breakage)
	}
	if r.config.down != "" || r.config.kill != "" {
		line("besides", "%s", r.config.besides())
	}
	line("broker, transport", "%s, %s", r.config.broker, cmp.Or(os.Getenv("EVENT_TRANSPORT"), "dapr"))
	line("commit", "%s", r.commit)
	line("machine", "%s", figures.Machine())
	line("faults", "%s", r.faultsByKind())
	line("requests", "%d, %d changes acknowledged, %d requests undone", r.load.requests, len(r.load.acknowledged), r.load.undone)
	line("refused", "%s", figures.Listed(r.load.refused))
	line("events", "%d published, %d of them came to the broker more than once", r.published, r.repeated)
	line("slowest recovery", "%s; while other faults went on: %s", r.recovery[alone], r.recovery[disturbed])
	line("all has arrived", "%s after the last recovery%s", r.settledIn.Round(100*time.Millisecond), r.missing())
	line("mails sent twice because the server's answer was lost", "%d", r.mailsRepeated)
	line("clients of the feed", "%d, which came back %d times after an error, and began anew %d times because their place was not known", r.clients, r.broken, r.anew)
	b.WriteString("\n| Compared | number | lost | doubled | invented | out of order |\n|---|---|---|---|---|---|\n")
	row := func(name string, compared any, c check) {
		fmt.Fprintf(&b, "| %s | %v | %d | %d | %d | %d |\n", name, compared, c.lost, c.doubled, c.invented, c.disorder)
	}
	for _, c := range r.checks {
		row(c.name, c.compared, *c)
	}
	row("**all**", "", check{
		lost:     r.total(func(c *check) int { return c.lost }),
		doubled:  r.total(func(c *check) int { return c.doubled }),
		invented: r.total(func(c *check) int { return c.invented }),
		disorder: r.total(func(c *check) int { return c.disorder }),
	})
	return b.String()
}

// besides says what was asked for besides the faults that come of the seed.
func (c config) besides() string {
	var parts []string
	if c.down != "" {
		parts = append(parts, c.down+" refused half of the time")
	}
	if c.kill != "" {
		parts = append(parts, fmt.Sprintf("%s killed every %s", c.kill, 2*half))
	}
	return strings.Join(parts, ", ")
}

func (r *report) missing() string {
	if r.left.Total() == 0 {
		return ""
	}
	return ", without " + r.left.String()
}

func (r *report) faultsByKind() string {
	kinds := map[string]int{}
	targets := map[string]map[string]int{}
	for name, n := range r.faults {
		kind, target, _ := strings.Cut(name, " ")
		kinds[kind] += n
		if targets[kind] == nil {
			targets[kind] = map[string]int{}
		}
		targets[kind][target] += n
	}
	if len(kinds) == 0 {
		return "none"
	}
	var parts []string
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		parts = append(parts, fmt.Sprintf("%d %s (%s)", kinds[kind], kind, figures.Listed(targets[kind])))
	}
	return strings.Join(parts, "; ")
}

func (r recovered) String() string {
	switch {
	case r.took == 0:
		return "–"
	case r.never:
		return fmt.Sprintf("**never** in %s (%s)", r.took.Round(time.Second), r.after)
	}
	return fmt.Sprintf("%.1f s (%s)", r.took.Seconds(), r.after)
}
