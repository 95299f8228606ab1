package recurrence

import (
	"iter"
	"strings"
	"time"
)

// MaxMissed bounds the list of missed occurrences that Next returns.
const MaxMissed = 1000

// The notes that explain an occurrence. Two of them are joined by "; ".
const (
	NoteGap      = "moved past a DST gap"
	NoteNoDay    = "moved past a day that does not exist in the zone"
	NoteRepeated = "the first of two such times that day"
	NoteClamped  = "clamped to the month's last day"
)

// Occurrence is one date of a series. Wall is the wall time it stands for,
// which names it within the series; At is when it is due, which differs from
// Wall where the clocks skip it. Note says why a date is not the plain one.
type Occurrence struct {
	Wall string
	At   time.Time // in UTC
	Note string
}

// Position is the occurrence that a step goes on from.
type Position struct {
	Wall string // the wall time it stands for
	// Ordinal is its place in the series, the anchor being 1. It decides COUNT
	// with basis "completion" alone: there the past of a series does not follow
	// from its rule. Otherwise it is not looked at.
	Ordinal int
}

// Step is what follows an occurrence.
type Step struct {
	// Next is the following occurrence; nil when the series has ended.
	Next *Occurrence
	// Missed are the occurrences between, oldest first, which were due at or
	// before the completion: the last MaxMissed of them. MissedCount counts all.
	Missed      []Occurrence
	MissedCount int
}

// series is a rule ready to be asked.
type series struct {
	rule       *rrule
	loc        *time.Location
	anchor     day
	clock      int64 // time of day, in seconds
	allDay     bool
	skipGaps   bool
	collapse   bool
	completion bool
}

// Next says what follows the current occurrence, which was completed at
// completedAt. It depends on its arguments alone, so that asking again, however
// late, gives the same answer. The occurrence it returns is always of a later
// date than the current one, and due later.
//
// With basis "due" it is the next date of the schedule; with missed "collapse"
// the first of them due after completedAt (all-day: dated after the date of
// completedAt in the zone). With basis "completion" the rule counts from the
// date of completedAt in the zone, at the anchor's time of day.
//
// The error is a *FieldError: what Validate says, or current.Wall is no wall time.
func (r Rule) Next(current Position, completedAt time.Time) (Step, error) {
	s, err := r.compile()
	if err != nil {
		return Step{}, err
	}
	wall, err := time.Parse(WallLayout, current.Wall)
	if err != nil {
		return Step{}, wrong("occurrence", "must be a wall time like 2027-03-28T09:00:00")
	}
	return s.next(dayOfTime(wall), current.Ordinal, completedAt), nil
}

// Preview lists the n occurrences that follow the anchor, fewer when the series
// ends. With basis "completion" it takes each to be completed when it is due.
func (r Rule) Preview(n int) ([]Occurrence, error) {
	s, err := r.compile()
	if err != nil {
		return nil, err
	}
	list := []Occurrence{}
	if !s.completion {
		for o := range s.after(s.anchor) {
			if len(list) >= n {
				break
			}
			list = append(list, o.Occurrence)
		}
		return list, nil
	}
	on := s.anchor
	for len(list) < n {
		step := s.nextFrom(on, len(list)+1, on)
		if step == nil {
			break
		}
		list, on = append(list, step.Occurrence), step.day
	}
	return list, nil
}

func (s *series) next(current day, ordinal int, completedAt time.Time) Step {
	completed := dayOfTime(completedAt.In(s.loc))
	if s.completion {
		if o := s.nextFrom(completed, ordinal, current); o != nil {
			return Step{Next: &o.Occurrence}
		}
		return Step{}
	}
	var step Step
	for o := range s.after(current) {
		ahead := o.At.After(completedAt)
		if s.allDay {
			ahead = o.day > completed
		}
		if ahead || !s.collapse {
			step.Next = &o.Occurrence
			break
		}
		step.MissedCount++
		step.Missed = append(step.Missed, o.Occurrence)
		if len(step.Missed) >= 2*MaxMissed {
			step.Missed = append(step.Missed[:0], step.Missed[MaxMissed:]...)
		}
	}
	step.Missed = step.Missed[max(0, len(step.Missed)-MaxMissed):]
	return step
}

// nextFrom is the first occurrence after the current one of the schedule that
// begins on the given day; nil when COUNT or UNTIL forbids it.
func (s *series) nextFrom(begin day, ordinal int, current day) *dated {
	if s.rule.count > 0 && ordinal >= s.rule.count {
		return nil
	}
	moved := *s
	moved.anchor = begin
	for o := range moved.occurrences(current) {
		if s.beyondUntil(o) {
			return nil
		}
		return &o
	}
	return nil
}

// after yields the occurrences dated after the given day, to the series' end.
func (s *series) after(current day) iter.Seq[dated] {
	return func(yield func(dated) bool) {
		from, ordinal := current, 1
		if s.rule.count > 0 {
			from = s.anchor // COUNT counts from there
		}
		for o := range s.occurrences(from) {
			ordinal++
			if s.beyondUntil(o) || s.rule.count > 0 && ordinal > s.rule.count {
				return
			}
			if o.day > current && !yield(o) {
				return
			}
		}
	}
}

// dated is an occurrence with the date of its wall time.
type dated struct {
	Occurrence
	day day
}

// occurrences yields the occurrences dated after the given day, without regard
// to COUNT and UNTIL. No two fall on one instant: where a date that does not
// exist in the zone would be moved onto the next occurrence, it is left out.
func (s *series) occurrences(after day) iter.Seq[dated] {
	return func(yield func(dated) bool) {
		var held *dated // moved to another date, perhaps onto the next occurrence
		for d := range s.rule.dates(s.anchor, after) {
			o, otherDate, ok := s.occurrence(d)
			if !ok {
				continue
			}
			if held != nil && held.At.Before(o.At) && !yield(*held) {
				return
			}
			held = nil
			if otherDate {
				held = &o
			} else if !yield(o) {
				return
			}
		}
		if held != nil {
			yield(*held)
		}
	}
}

// occurrence is the occurrence of a date. otherDate tells that it had to be
// moved to another one; ok is false when it is to be left out.
func (s *series) occurrence(d day) (o dated, otherDate, ok bool) {
	var notes []string
	wall := int64(d)*86400 + s.clock
	if s.allDay {
		at, exists := firstInstant(d, s.loc)
		if !exists {
			otherDate, notes = true, append(notes, NoteNoDay)
		}
		o.At, ok = at, exists || !s.skipGaps
	} else {
		p := locate(wall, s.loc)
		o.At, ok = p.at, p.gapEnd.IsZero() || !s.skipGaps
		switch {
		case p.repeated:
			notes = append(notes, NoteRepeated)
		case p.gapEnd.IsZero():
		case dayOfTime(p.at) != d:
			otherDate, notes = true, append(notes, NoteNoDay)
		default:
			notes = append(notes, NoteGap)
		}
	}
	if s.rule.clamped(s.anchor, d) {
		notes = append(notes, NoteClamped)
	}
	o.day, o.At = d, o.At.UTC()
	o.Wall = time.Unix(wall, 0).UTC().Format(WallLayout)
	o.Note = strings.Join(notes, "; ")
	return o, otherDate, ok
}

// untilDay is the date of UNTIL. That of an instant is the one it falls on in the
// zone: clients write the last moment of an all-day series' last day so.
func (s *series) untilDay() day {
	if u := s.rule.until; u.kind == untilInstant {
		return dayOfTime(time.Unix(u.seconds, 0).In(s.loc))
	}
	return s.rule.until.day
}

// beyondUntil tells whether the series ends before o.
func (s *series) beyondUntil(o dated) bool {
	u := s.rule.until
	switch {
	case !u.set:
		return false
	case u.kind == untilDate || s.allDay:
		return o.day > s.untilDay()
	case u.kind == untilInstant:
		return o.At.Unix() > u.seconds
	default:
		return int64(o.day)*86400+s.clock > u.seconds
	}
}
