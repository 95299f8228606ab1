package recurrence

import (
	"fmt"
	"time"
)

// What a rule can be told. The first of each pair is the default, which an
// empty field means too.
const (
	BasisDue        = "due"        // the schedule goes on from the anchor
	BasisCompletion = "completion" // the interval counts from the completion

	MonthEndClamp = "clamp" // 31 January monthly: 28 February
	MonthEndSkip  = "skip"  // 31 January monthly: 31 March

	DSTGapForward = "forward" // a wall time that does not exist moves on by the gap
	DSTGapSkip    = "skip"    // … is left out

	MissedCollapse = "collapse" // next is the first that still lies ahead
	MissedAll      = "all"      // next is the very next, however late
)

// Bounds on what a rule may say. They are wide for people and keep every
// computation cheap.
const (
	MaxRRuleBytes = 500
	MaxInterval   = 1000
	MaxCount      = 10_000
	// HorizonYears is how far ahead the next date of a rule is looked for. A
	// rule with no date that near is refused; a series whose next date lies
	// further off has ended.
	HorizonYears = 100
	minYear      = 1900
	maxYear      = 2500
)

// Rule is one series: the RRULE, what it counts from, and how it treats the
// cases the calendar leaves open. Its zero-valued options are the defaults.
type Rule struct {
	RRule    string // an RRULE value, without "RRULE:"
	Anchor   string // wall time of the first due date, "2006-01-02T15:04:05"
	Timezone string // IANA name
	AllDay   bool   // the anchor's time of day is ignored
	Basis    string // "due" (default) or "completion"
	MonthEnd string // "clamp" (default) or "skip"
	DSTGap   string // "forward" (default) or "skip"
	Missed   string // "collapse" (default) or "all"
	// Ordinal is the anchor's place in the series, from 1 (0 is 1, too): COUNT counts
	// from there. It is more where a series goes on from a new anchor.
	Ordinal int
}

// FieldError says which field of a rule is wrong, and how. Field is the JSON
// name: rrule, anchor, timezone, basis, month_end, dst_gap, missed, before_due.
type FieldError struct {
	Field   string
	Message string
}

func (e *FieldError) Error() string { return e.Field + ": " + e.Message }

func wrong(field, format string, args ...any) *FieldError {
	return &FieldError{Field: field, Message: fmt.Sprintf(format, args...)}
}

// Validate reports what is wrong with the rule as a *FieldError, or nil. It
// refuses whatever the other methods could not answer, a rule that never
// yields a date after its anchor included. COUNT and UNTIL may end a series at
// its anchor: that is how one is ended.
func (r Rule) Validate() error {
	s, err := r.compile()
	if err != nil {
		return err
	}
	if s.rule.until.set && s.untilDay() < s.anchor {
		return wrong("rrule", "UNTIL lies before the first due date")
	}
	return nil
}

// compile checks the rule and makes it ready to be asked.
func (r Rule) compile() (*series, error) {
	for _, o := range []struct{ field, value, first, second string }{
		{"basis", r.Basis, BasisDue, BasisCompletion},
		{"month_end", r.MonthEnd, MonthEndClamp, MonthEndSkip},
		{"dst_gap", r.DSTGap, DSTGapForward, DSTGapSkip},
		{"missed", r.Missed, MissedCollapse, MissedAll},
	} {
		if o.value != "" && o.value != o.first && o.value != o.second {
			return nil, wrong(o.field, "must be %q or %q", o.first, o.second)
		}
	}
	loc, err := Location(r.Timezone)
	if err != nil {
		return nil, err
	}
	anchor, err := time.Parse(WallLayout, r.Anchor)
	if err != nil {
		return nil, wrong("anchor", "must be a wall time like 2027-03-28T09:00:00")
	}
	if anchor.Year() < minYear || anchor.Year() > maxYear {
		return nil, wrong("anchor", "the year must lie between %d and %d", minYear, maxYear)
	}
	rule, err := parse(r.RRule)
	if err != nil {
		return nil, err
	}
	rule.clamp = r.MonthEnd != MonthEndSkip
	s := &series{
		rule:       rule,
		loc:        loc,
		anchor:     dayOfTime(anchor),
		ordinal:    max(1, r.Ordinal),
		clock:      int64(anchor.Hour()*3600 + anchor.Minute()*60 + anchor.Second()),
		allDay:     r.AllDay,
		skipGaps:   r.DSTGap == DSTGapSkip,
		collapse:   r.Missed != MissedAll,
		completion: r.Basis == BasisCompletion,
	}
	if s.allDay {
		s.clock = 0
	}
	for range rule.dates(s.anchor, s.anchor) {
		return s, nil
	}
	return nil, wrong("rrule", "yields no date in the %d years after %s", HorizonYears, r.Anchor[:len(time.DateOnly)])
}
