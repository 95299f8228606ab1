package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/taskwire/taskwire/test/figures"
)

// report is what a run came to.
type report struct {
	config     config
	commit     string
	load       string // of the machine before the suite began: by others
	calm       *noticed
	calmMemory int
	outcomes   []*outcome
}

func newReport(ctx context.Context, c config) *report {
	r := &report{config: c, commit: figures.Commit(ctx), load: "unknown"}
	if raw, err := os.ReadFile("/proc/loadavg"); err == nil {
		r.load, _, _ = strings.Cut(string(raw), " ")
	}
	return r
}

// ok says that every promise was kept; not before an attack has been made.
func (r *report) ok() bool { return len(r.outcomes) > 0 && len(r.broken()) == 0 }

// broken lists what was not kept, with the attack that did it.
func (r *report) broken() []string {
	var all []string
	for _, o := range r.outcomes {
		for _, what := range o.broken() {
			all = append(all, fmt.Sprintf("%s by %s: %s", o.attack.name, crowd(o.clients), what))
		}
	}
	return all
}

func (r *report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "\nSeed %d, %s for each attack, %d users with %.0f requests/s together; commit %s; %s; load average of the machine before it %s.\n\n",
		r.config.seed, r.config.duration, users, users*perUser, r.commit, figures.Machine(), r.load)
	if r.calm == nil {
		return b.String() + "It ended before there was anything to see.\n"
	}
	b.WriteString("| Attack | by | create p50 / p99 | list p50 / p99 | p99 to no attack | 5xx, 429, none | task-api | left after | the attackers got |\n|---|---|---|---|---|---|---|---|---|\n")
	row := func(name, by, ratio, peak, left, got string, n *noticed) {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %d, %d, %d | %s | %s | %s |\n", name, by,
			quantiles(n.times[create]), quantiles(n.times[list]), ratio, n.failed, n.limited, n.unanswered, peak, left, got)
	}
	row("none", "–", "1", mebibytes(r.calmMemory), "–", "–", r.calm)
	for _, o := range r.outcomes {
		left := fmt.Sprintf("%.1f s", o.cleanIn.Seconds())
		if len(o.left) > 0 {
			left = "**" + strings.Join(o.left, ", ") + "**"
		}
		got := figures.Listed(o.got)
		if o.saw != "" {
			got += "; " + o.saw
		}
		row(o.attack.name, fmt.Sprint(o.clients), r.ratio(o.users, create)+", "+r.ratio(o.users, list), mebibytes(o.peak), left, got, o.users)
	}
	b.WriteString("\n")
	broken := r.broken()
	switch {
	case len(r.outcomes) == 0:
		return b.String() + "It ended before an attack was over.\n"
	case len(broken) == 0:
		return b.String() + "Every promise was kept.\n"
	}
	b.WriteString("Broken promises:\n\n")
	for _, what := range broken {
		fmt.Fprintf(&b, "- %s\n", what)
	}
	return b.String()
}

func (r *report) ratio(n *noticed, what kind) string {
	without := figures.Quantile(r.calm.times[what], .99)
	if without == 0 {
		return "–"
	}
	return fmt.Sprintf("%.1f", figures.Quantile(n.times[what], .99).Seconds()/without.Seconds())
}

func quantiles(times []time.Duration) string {
	return figures.Milliseconds(figures.Quantile(times, .5)) + " / " + figures.Milliseconds(figures.Quantile(times, .99))
}

func mebibytes(n int) string { return fmt.Sprintf("%d MiB", n>>20) }

func crowd(clients int) string {
	return cmp.Or(map[int]string{1: "one client"}[clients], fmt.Sprint(clients, " clients"))
}
