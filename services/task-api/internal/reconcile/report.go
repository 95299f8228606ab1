package reconcile

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
)

// Print writes the results as a table, with the first gaps of each check.
func Print(w io.Writer, results []Result) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "CHECK\tLOOKED AT\tIN FLIGHT\tDEAD LETTERS\tMISSING")
	for _, r := range results {
		if r.Undone != "" {
			fmt.Fprintf(table, "%s\tnot made: %s\n", r.Check, r.Undone)
			continue
		}
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\n", r.Check, r.Looked, r.InFlight, r.Letters, r.Missing)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, r := range results {
		if r.Missing == 0 {
			continue
		}
		fmt.Fprintf(w, "\nnot true: %s\n", r.Check)
		for _, gap := range r.Gaps {
			fmt.Fprintf(w, "  %s\n", gap)
		}
		if more := r.Missing - int64(len(r.Gaps)); more > 0 {
			fmt.Fprintf(w, "  … and %d more\n", more)
		}
		fmt.Fprintf(w, "  what to do: %s\n", r.Remedy)
	}
	return nil
}

// Verdict is nil when every check was made and found no gap.
func Verdict(results []Result) error {
	var gaps, undone int64
	for _, r := range results {
		gaps += r.Missing
		if r.Undone != "" {
			undone++
		}
	}
	var errs []error
	if gaps > 0 {
		errs = append(errs, fmt.Errorf("gaps: %d", gaps))
	}
	if undone > 0 {
		errs = append(errs, fmt.Errorf("checks that could not be made: %d", undone))
	}
	return errors.Join(errs...)
}

// Events are those behind the gaps of all checks, in the order of the log, each once
// and once more for each consumer that has it for handled.
func Events(results []Result) []Event {
	var events []Event
	for _, r := range results {
		events = append(events, r.Events...)
	}
	slices.SortFunc(events, func(a, b Event) int {
		return cmp.Or(cmp.Compare(a.Seq, b.Seq), cmp.Compare(a.HandledBy, b.HandledBy))
	})
	return slices.Compact(events)
}
