package recurrence

import (
	"iter"
	"strings"
	"time"
)

// MaxPassed bounds the list of occurrences that Passed returns.
const MaxPassed = 1000

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
	// Due is when its task was due, where that was moved; zero where it was not.
	Due time.Time
	// Ordinal is the place in the series of its last occurrence, the first being 1. It
	// decides COUNT with basis "completion" alone: there the past of a series does
	// not follow from its rule. Otherwise it is not looked at.
	Ordinal int
	// Skipped tells that it was not done: what counts from the completion counts from
	// its due date where that is later, so that a skip never brings the next nearer.
	Skipped bool
	// Taken says which occurrences the series has had already: none comes twice. Nil is
	// none but Wall.
	Taken func(Occurrence) bool
}

func (p Position) taken(o Occurrence) bool {
	return o.Wall == p.Wall || p.Taken != nil && p.Taken(o)
}

// series is a rule ready to be asked.
type series struct {
	rule       *rrule
	loc        *time.Location
	anchor     day
	ordinal    int   // of the anchor
	clock      int64 // time of day, in seconds
	allDay     bool
	skipGaps   bool
	collapse   bool
	completion bool
}

// Next says what follows the current occurrence, which was completed (or skipped) at
// completedAt; nil when the series has ended. It depends on its arguments alone, so
// that asking again, however late, gives the same answer.
//
// With basis "due" it is the next date of the schedule; with missed "collapse"
// the first of them due after completedAt and after the current one's own due time
// (all-day: dated after the date of both in the zone). With basis "completion" the
// rule counts from the date of completedAt in the zone, at the anchor's time of day:
// what is done early comes earlier, too.
//
// The error is a *FieldError: what Validate says, or current.Wall is no wall time.
func (r Rule) Next(current Position, completedAt time.Time) (*Occurrence, error) {
	s, err := r.compile()
	if err != nil {
		return nil, err
	}
	on, err := dayOfWall(current.Wall)
	if err != nil {
		return nil, err
	}
	var next *dated
	if s.completion {
		next = s.nextFrom(s.countFrom(current, on, completedAt), current.Ordinal, current.taken)
	} else {
		next = s.next(current, on, completedAt)
	}
	if next == nil {
		return nil, nil
	}
	return &next.Occurrence, nil
}

// Passed are the occurrences after one that were due at or before until, oldest
// first, and the last MaxPassed of them where there are more. With basis "completion"
// there are none: nothing is due before the last one is done.
//
// The error is a *FieldError: what Validate says, or after is no wall time.
func (r Rule) Passed(after string, until time.Time) ([]Occurrence, error) {
	s, err := r.compile()
	if err != nil {
		return nil, err
	}
	on, err := dayOfWall(after)
	if err != nil || s.completion {
		return nil, err
	}
	last := dayOfTime(until.In(s.loc))
	// As far back as MaxPassed days, then as far as it takes: a due time of the year
	// 9999 is not a reason to walk through 8,000 years.
	for back := day(MaxPassed); ; back *= 8 {
		from := max(on, last-back)
		if s.rule.count > 0 {
			from = on
		}
		var list []Occurrence
		for o := range s.after(from) {
			if o.At.After(until) {
				break
			}
			list = append(list, o.Occurrence)
		}
		if len(list) >= MaxPassed || from == on {
			return list[max(0, len(list)-MaxPassed):], nil
		}
	}
}

// dayOfWall is the date of an occurrence's wall time.
func dayOfWall(text string) (day, error) {
	wall, err := time.Parse(WallLayout, text)
	if err != nil {
		return 0, wrong("occurrence", "must be a wall time like 2027-03-28T09:00:00")
	}
	return dayOfTime(wall), nil
}

// Preview lists the n occurrences that follow the anchor, fewer when the series
// ends. With basis "completion" it takes each to be completed when it is due.
func (r Rule) Preview(n int) ([]Occurrence, error) { return r.PreviewAfter(r.Anchor, n) }

// PreviewAfter is Preview of a series that goes on: it lists the n occurrences that
// follow the current one.
//
// The error is a *FieldError: what Validate says, or current is no wall time of the years
// that an anchor may have.
func (r Rule) PreviewAfter(current string, n int) ([]Occurrence, error) {
	s, err := r.compile()
	if err != nil {
		return nil, err
	}
	on, err := dayOfWall(current)
	if err != nil {
		return nil, err
	}
	if year, _, _ := on.date(); year < minYear || year > maxYear {
		return nil, wrong("occurrence", "the year must lie between %d and %d", minYear, maxYear)
	}
	list := []Occurrence{}
	if !s.completion {
		for o := range s.after(on) {
			if len(list) >= n {
				break
			}
			list = append(list, o.Occurrence)
		}
		return list, nil
	}
	last, _, _ := s.occurrence(on)
	for len(list) < n {
		done := last.Wall
		next := s.nextFrom(dayOfTime(last.At.In(s.loc)), s.ordinal+len(list), func(o Occurrence) bool { return o.Wall == done })
		if next == nil {
			break
		}
		list, last = append(list, next.Occurrence), *next
	}
	return list, nil
}

func (s *series) next(current Position, on day, completedAt time.Time) *dated {
	passed := completedAt
	if current.Due.After(passed) {
		passed = current.Due // moved ahead, past dates of its schedule
	}
	date := dayOfTime(passed.In(s.loc))
	if s.collapse && s.rule.count == 0 {
		on = max(on, date-2) // no zone is further from UTC
	}
	for o := range s.after(on) {
		ahead := o.At.After(passed)
		if s.allDay {
			ahead = o.day > date
		}
		if (ahead || !s.collapse) && !current.taken(o.Occurrence) {
			return &o
		}
	}
	return nil
}

// countFrom is the date that a rule with basis "completion" counts from.
func (s *series) countFrom(current Position, on day, completedAt time.Time) day {
	date := dayOfTime(completedAt.In(s.loc))
	if !current.Skipped {
		return date
	}
	if !current.Due.IsZero() {
		on = max(on, dayOfTime(current.Due.In(s.loc)))
	}
	return max(date, on)
}

// nextFrom is the second occurrence of the schedule that begins on the given day, or
// the first after it that is not taken; nil when COUNT or UNTIL forbids it.
func (s *series) nextFrom(begin day, ordinal int, taken func(Occurrence) bool) *dated {
	if s.rule.count > 0 && ordinal >= s.rule.count {
		return nil
	}
	moved := *s
	moved.anchor = begin
	for o := range moved.occurrences(begin) {
		if s.beyondUntil(o) {
			return nil
		}
		if !taken(o.Occurrence) {
			return &o
		}
	}
	return nil
}

// after yields the occurrences dated after the given day, to the series' end.
func (s *series) after(current day) iter.Seq[dated] {
	return func(yield func(dated) bool) {
		from, ordinal := current, s.ordinal
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
// The anchor never is: where it is such a date, the one that it falls on is.
func (s *series) occurrences(after day) iter.Seq[dated] {
	return func(yield func(dated) bool) {
		first, firstMoved, _ := s.occurrence(s.anchor)
		var held *dated // moved to another date, perhaps onto the next occurrence
		for d := range s.rule.dates(s.anchor, after) {
			o, otherDate, ok := s.occurrence(d)
			if !ok || firstMoved && !o.At.After(first.At) {
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
		case !p.gapEnd.IsZero():
			otherDate = dayOfTime(p.at) != d
			note := NoteGap
			if _, exists := firstInstant(d, s.loc); !exists {
				note = NoteNoDay
			}
			notes = append(notes, note)
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

// beyondUntil reports whether the series ends before o.
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
