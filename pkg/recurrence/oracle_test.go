package recurrence_test

import (
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/taskwire/taskwire/pkg/recurrence"
)

// The oracle is a second reading of RFC 5545, section 3.3.10, made to be
// obviously right and not fast: it asks of each day of the calendar whether the
// rule admits it. It shares no code with the package, and it can also read a
// rule as other implementations misread it, so that a difference from them is
// explained day by day and not waved through.

// misreading is a set of the ways in which another implementation departs from
// the RFC. differences_test.go says where each is wrong, with an example.
type misreading uint

const (
	mixedWeekdaysIntersect misreading = 1 << iota
	firstWeekCut
	wholeWeeks
	lastYearsWeeksMiscounted
	nextYearsWeekNotCountedBack
	countWithoutAnchor
	untilDateIsMidnight
)

// calendar lists the days from calendarBegin on. A date is its index.
var (
	calendarBegin = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)
	calendar      = func() []calendarDay {
		var list []calendarDay
		for d := calendarBegin; d.Year() <= 2400; d = d.AddDate(0, 0, 1) {
			list = append(list, calendarDay{
				year: d.Year(), month: int(d.Month()), day: d.Day(), yearDay: d.YearDay(), weekday: d.Weekday(),
				monthDays: time.Date(d.Year(), d.Month()+1, 0, 0, 0, 0, 0, time.UTC).Day(),
				yearDays:  time.Date(d.Year(), 12, 31, 0, 0, 0, 0, time.UTC).YearDay(),
			})
		}
		return list
	}()
)

type calendarDay struct {
	year, month, day, yearDay int
	weekday                   time.Weekday
	monthDays, yearDays       int
}

// indexOf is the date that t shows.
func indexOf(t time.Time) int {
	return int(time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC).Sub(calendarBegin) / (24 * time.Hour))
}

func dateAt(d int) time.Time { return calendarBegin.AddDate(0, 0, d) }

// reading is a rule as the oracle reads it. What is no rule it need not refuse.
type reading struct {
	freq              string
	interval, count   int
	until             string
	weekStart         time.Weekday
	month             []int
	monthDay, yearDay []int
	weekNo, setPos    []int
	plain             []time.Weekday
	numbered          []numberedWeekday
	clamp             bool
}

type numberedWeekday struct {
	n       int
	weekday time.Weekday
}

var weekdayNames = []string{"SU", "MO", "TU", "WE", "TH", "FR", "SA"} // in the order of time.Weekday

func read(rule string) reading {
	r := reading{interval: 1, weekStart: time.Monday}
	number := func(s string) int {
		n, err := strconv.Atoi(s)
		if err != nil {
			panic(err)
		}
		return n
	}
	numbers := func(s string) (list []int) {
		for item := range strings.SplitSeq(s, ",") {
			list = append(list, number(item))
		}
		return list
	}
	weekday := func(s string) time.Weekday { return time.Weekday(slices.Index(weekdayNames, s)) }
	for part := range strings.SplitSeq(rule, ";") {
		name, value, _ := strings.Cut(part, "=")
		switch name {
		case "FREQ":
			r.freq = value
		case "INTERVAL":
			r.interval = number(value)
		case "COUNT":
			r.count = number(value)
		case "UNTIL":
			r.until = value
		case "WKST":
			r.weekStart = weekday(value)
		case "BYMONTH":
			r.month = numbers(value)
		case "BYMONTHDAY":
			r.monthDay = numbers(value)
		case "BYYEARDAY":
			r.yearDay = numbers(value)
		case "BYWEEKNO":
			r.weekNo = numbers(value)
		case "BYSETPOS":
			r.setPos = numbers(value)
		case "BYDAY":
			for item := range strings.SplitSeq(value, ",") {
				n, day := item[:len(item)-2], weekday(item[len(item)-2:])
				if n == "" {
					r.plain = append(r.plain, day)
				} else {
					r.numbered = append(r.numbered, numberedWeekday{number(n), day})
				}
			}
		}
	}
	return r
}

// dates yields the days that the rule admits from the anchor on, that of the
// anchor only if the rule admits it, each within HorizonYears of the one before,
// without regard to COUNT and UNTIL.
func (r reading) dates(anchor int, m misreading) iter.Seq[int] {
	return func(yield func(int) bool) {
		begin, number := anchor, r.period(anchor)
		for r.period(begin-1) == number {
			begin--
		}
		if r.freq == "WEEKLY" && m&firstWeekCut != 0 {
			begin = anchor
		}
		const horizon = recurrence.HorizonYears*1461/4 + 1
		previous := anchor
		var set []int
		for d := begin; d <= previous+horizon && d < len(calendar)-400; {
			period := r.period(d)
			visited := (period-number)%r.interval == 0
			set = set[:0]
			for ; r.period(d) == period; d++ {
				if visited && r.admits(d, anchor, m) {
					set = append(set, d)
				}
			}
			for i, each := range set {
				if each < anchor || len(r.setPos) > 0 && !fromEitherEnd(r.setPos, i+1, len(set)) {
					continue
				}
				if each > previous+horizon || !yield(each) {
					return
				}
				previous = each
			}
		}
	}
}

// period numbers the days, weeks, months or years that FREQ and INTERVAL go by.
func (r reading) period(d int) int {
	switch day := calendar[d]; r.freq {
	case "DAILY":
		return d
	case "WEEKLY":
		return r.weekBegin(d) / 7
	case "MONTHLY":
		return day.year*12 + day.month
	default:
		return day.year
	}
}

func (r reading) weekBegin(d int) int {
	for calendar[d].weekday != r.weekStart {
		d--
	}
	return d
}

// fromEitherEnd tells whether the list has place n of so many, counted from 1 on
// or back from -1.
func fromEitherEnd(list []int, n, of int) bool {
	return slices.Contains(list, n) || slices.Contains(list, n-of-1)
}

func (r reading) admits(d, anchor int, m misreading) bool {
	day, first := calendar[d], calendar[anchor]
	if len(r.month) > 0 && !slices.Contains(r.month, day.month) ||
		len(r.monthDay) > 0 && !fromEitherEnd(r.monthDay, day.day, day.monthDays) ||
		len(r.yearDay) > 0 && !fromEitherEnd(r.yearDay, day.yearDay, day.yearDays) ||
		len(r.weekNo) > 0 && !r.inWeek(d, m) ||
		len(r.plain)+len(r.numbered) > 0 && !r.onWeekday(day, m) {
		return false
	}
	// "Information, not contained in the rule, necessary to determine the various
	// recurrence instance start time and dates are derived from the Start Time."
	switch {
	case len(r.monthDay)+len(r.yearDay)+len(r.plain)+len(r.numbered) > 0, r.freq == "DAILY":
		return true
	case len(r.weekNo) > 0:
		return day.weekday == first.weekday || m&wholeWeeks != 0
	case r.freq == "WEEKLY":
		return day.weekday == first.weekday
	case r.freq == "YEARLY" && len(r.month) == 0 && day.month != first.month:
		return false
	case r.clamp:
		return day.day == min(first.day, day.monthDays)
	default:
		return day.day == first.day
	}
}

func (r reading) onWeekday(day calendarDay, m misreading) bool {
	plain := slices.Contains(r.plain, day.weekday)
	n, of := day.day, day.monthDays
	if r.freq == "YEARLY" && len(r.month) == 0 {
		n, of = day.yearDay, day.yearDays
	}
	numbered := slices.ContainsFunc(r.numbered, func(w numberedWeekday) bool {
		return w.weekday == day.weekday && (w.n == (n-1)/7+1 || w.n == -((of-n)/7+1))
	})
	if m&mixedWeekdaysIntersect != 0 && len(r.plain) > 0 && len(r.numbered) > 0 {
		return plain && numbered
	}
	return plain || numbered
}

// inWeek tells whether BYWEEKNO has the week of a day. "Week number one of the
// calendar year is the first week that contains at least four (4) days in that
// calendar year", so a week belongs to the year of its fourth day.
func (r reading) inWeek(d int, m misreading) bool {
	fourth := r.weekBegin(d) + 3
	day, of := calendar[d], calendar[fourth]
	number := (of.yearDay-1)/7 + 1
	lastFourth := r.weekBegin(fourth-of.yearDay+of.yearDays-3) + 3 // of the week of 28 December
	weeks := (calendar[lastFourth].yearDay-1)/7 + 1
	switch {
	case of.year > day.year && m&nextYearsWeekNotCountedBack != 0:
		return slices.Contains(r.weekNo, 1)
	case of.year < day.year && m&lastYearsWeeksMiscounted != 0:
		if slices.Contains(r.weekNo, -1) {
			return true
		}
		return slices.Contains(r.weekNo, r.miscountedWeeks(d-day.yearDay, day.yearDays))
	default:
		return fromEitherEnd(r.weekNo, number, weeks)
	}
}

// miscountedWeeks is how many weeks the year of the given 31 December has for
// rrule-go and python-dateutil, when they ask which week the first days of the
// year after are in: where that year began with days of the week before, they
// take the length of the wrong year, and add to 52 what is to be added to 51.
func (r reading) miscountedWeeks(lastDay, yearDays int) int {
	// Days before the first whole week of a year, of which four make a week 1.
	before := func(newYear int) int { return (7 - (newYear - r.weekBegin(newYear))) % 7 }
	days := calendar[lastDay].yearDays
	newYear := lastDay - days + 1
	if rest := before(newYear); rest >= 4 {
		return 52 + (days+newYear-r.weekBegin(newYear))%7/4
	}
	return 52 + (yearDays-before(lastDay+1))%7/4
}

// mayMatter are those misreadings that can make a difference to the rule.
func (r reading) mayMatter() misreading {
	var m misreading
	for _, each := range []struct {
		misreading
		when bool
	}{
		{mixedWeekdaysIntersect, len(r.plain) > 0 && len(r.numbered) > 0},
		{firstWeekCut, r.freq == "WEEKLY" && len(r.setPos) > 0},
		{wholeWeeks | lastYearsWeeksMiscounted | nextYearsWeekNotCountedBack, len(r.weekNo) > 0},
		{countWithoutAnchor, r.count > 0},
		{untilDateIsMidnight, len(r.until) == len("20060102")},
	} {
		if each.when {
			m |= each.misreading
		}
	}
	return m
}

// listed are the dates after the anchor that another implementation lists which
// misreads the rule so, COUNT and UNTIL applied to the clock as if the zone
// were UTC: the first n of them, no later than last.
func (r reading) listed(anchor time.Time, m misreading, n, last int) []int {
	begin := indexOf(anchor)
	var until time.Time
	if r.until != "" {
		date, clock, _ := strings.Cut(strings.TrimSuffix(r.until, "Z"), "T")
		if clock == "" && m&untilDateIsMidnight != 0 {
			clock = "000000"
		} else if clock == "" {
			clock = "235959"
		}
		var err error
		if until, err = time.Parse("20060102150405", date+clock); err != nil {
			panic(err)
		}
	}
	total := 1
	if m&countWithoutAnchor != 0 {
		total = 0
	}
	clock := anchor.Sub(dateAt(begin))
	var list []int
	for d := range r.dates(begin, m) {
		if d > last || r.until != "" && dateAt(d).Add(clock).After(until) {
			break
		}
		if d == begin {
			total = 1
			continue
		}
		total++
		if len(list) == n || r.count > 0 && total > r.count {
			break
		}
		list = append(list, d)
	}
	return list
}

// expected lists what a rule comes to by the words of its documentation: the
// first n occurrences after the anchor, no later than last. ok is false for a
// rule without any date in HorizonYears.
func expected(rule recurrence.Rule, n, last int) (list []recurrence.Occurrence, ok bool) {
	r := read(rule.RRule)
	r.clamp = rule.MonthEnd != "skip"
	loc, err := time.LoadLocation(rule.Timezone)
	if err != nil {
		panic(err)
	}
	anchor, err := time.Parse(recurrence.WallLayout, rule.Anchor)
	if err != nil {
		panic(err)
	}
	s := wallSeries{reading: r, rule: rule, loc: loc, clock: anchor.Sub(dateAt(indexOf(anchor)))}
	if rule.AllDay {
		s.clock = 0
	}
	begin := indexOf(anchor)
	ok = false
	for d := range s.dates(begin, 0) {
		if ok = d > begin; ok {
			break
		}
	}
	if !ok {
		return nil, false
	}
	if rule.Basis != "completion" {
		for o := range s.occurrences(begin) {
			if len(list) == n || o.date > last || s.ended(o, len(list)+2) {
				break
			}
			list = append(list, o.Occurrence)
		}
		return list, true
	}
	done := s.at(begin).At
	for len(list) < n {
		o, found := first(s.occurrences(indexOf(done.In(loc))))
		if !found || o.date > last || s.ended(o, len(list)+2) {
			break
		}
		list, done = append(list, o.Occurrence), o.At
	}
	return list, true
}

func first[T any](seq iter.Seq[T]) (T, bool) {
	for each := range seq {
		return each, true
	}
	var none T
	return none, false
}

// wallSeries is a reading on the clocks of a zone.
type wallSeries struct {
	reading
	rule  recurrence.Rule
	loc   *time.Location
	clock time.Duration
}

type wallOccurrence struct {
	recurrence.Occurrence
	date         int
	gap          bool // left out with dst_gap "skip"
	onAnotherDay bool
}

// occurrences are those of the schedule that begins on the given date: what
// dst_gap leaves out is left out, and of two that would fall on one instant the
// one which was moved there, unless it is the anchor: that one exists, and the other
// is left out.
func (s wallSeries) occurrences(begin int) iter.Seq[wallOccurrence] {
	return func(yield func(wallOccurrence) bool) {
		anchor := s.at(begin)
		var previous *wallOccurrence
		for d := range s.dates(begin, 0) {
			if d == begin {
				continue
			}
			o := s.at(d)
			if s.clamp && s.fromAnchor() && calendar[d].day < calendar[begin].day {
				o.Note = strings.TrimPrefix(o.Note+"; "+recurrence.NoteClamped, "; ")
			}
			if o.gap && s.rule.DSTGap == "skip" || anchor.onAnotherDay && o.At.Equal(anchor.At) {
				continue
			}
			if previous != nil && (!previous.onAnotherDay || previous.At.Before(o.At)) && !yield(*previous) {
				return
			}
			previous = &o
		}
		if previous != nil {
			yield(*previous)
		}
	}
}

// fromAnchor tells whether the day of the month is that of the anchor.
func (s wallSeries) fromAnchor() bool {
	return (s.freq == "MONTHLY" || s.freq == "YEARLY") &&
		len(s.monthDay)+len(s.yearDay)+len(s.weekNo)+len(s.plain)+len(s.numbered) == 0
}

func (s wallSeries) at(d int) wallOccurrence {
	wall := dateAt(d).Add(s.clock)
	o := wallOccurrence{date: d}
	o.Wall = wall.Format(recurrence.WallLayout)
	if s.rule.AllDay {
		begin, exists := firstInstantByStepping(dateAt(d).Unix(), s.loc)
		o.At, o.gap = time.Unix(begin, 0).UTC(), !exists
	} else {
		at, gap, twice := resolveByTrying(wall.Unix(), s.loc)
		o.At, o.gap = time.Unix(at, 0).UTC(), gap
		if twice {
			o.Note = recurrence.NoteRepeated
		}
	}
	if o.gap {
		o.Note = recurrence.NoteGap
		if _, exists := firstInstantByStepping(dateAt(d).Unix(), s.loc); !exists {
			o.Note = recurrence.NoteNoDay
		}
	}
	o.onAnotherDay = indexOf(o.At.In(s.loc)) != d
	return o
}

// ended tells whether COUNT or UNTIL ends the series before o, its ordinal-th.
func (s wallSeries) ended(o wallOccurrence, ordinal int) bool {
	if s.count > 0 && ordinal > s.count {
		return true
	}
	if s.until == "" {
		return false
	}
	for _, layout := range []string{"20060102T150405Z", "20060102T150405", "20060102"} {
		until, err := time.Parse(layout, s.until)
		switch {
		case err != nil:
			continue
		case strings.HasSuffix(layout, "Z") && s.rule.AllDay:
			return o.date > indexOf(until.In(s.loc))
		case strings.HasSuffix(layout, "Z"):
			return o.At.After(until)
		case layout == "20060102" || s.rule.AllDay:
			return o.date > indexOf(until)
		default:
			return dateAt(o.date).Add(s.clock).After(until)
		}
	}
	panic(s.until)
}

// offsetAt is how far the zone's clocks are ahead of UTC, in seconds.
func offsetAt(at int64, loc *time.Location) int64 {
	_, seconds := time.Unix(at, 0).In(loc).Zone()
	return int64(seconds)
}

const dayAndAHalf = 36 * 3600

// resolveByTrying is the instant of a wall time (in seconds since 1970, as if
// the zone were UTC), found by trying each offset that the zone has within a
// day and a half around: those that are the offset at the instant which they
// give are right, and the first is meant. Where none is right the clocks were
// put forward over the wall time; it is moved on by as much.
func resolveByTrying(wall int64, loc *time.Location) (at int64, gap, twice bool) {
	var right, tried []int64
	for around := wall - dayAndAHalf; around <= wall+dayAndAHalf; around += 6 * 3600 {
		offset := offsetAt(around, loc)
		if slices.Contains(tried, offset) {
			continue
		}
		tried = append(tried, offset)
		if offsetAt(wall-offset, loc) == offset {
			right = append(right, wall-offset)
		}
	}
	if len(right) > 0 {
		return slices.Min(right), false, len(right) > 1
	}
	change := stepTo(wall-dayAndAHalf, func(at int64) bool { return at+offsetAt(at, loc) > wall })
	forward := offsetAt(change, loc) - offsetAt(change-1, loc)
	return wall + forward - offsetAt(change, loc), true, false
}

// firstInstantByStepping is the first instant that the zone dates on the day of
// a midnight (in seconds since 1970, as if the zone were UTC), or later, if it
// has no such day.
func firstInstantByStepping(midnight int64, loc *time.Location) (at int64, exists bool) {
	at = stepTo(midnight-dayAndAHalf, func(at int64) bool { return at+offsetAt(at, loc) >= midnight })
	return at, at+offsetAt(at, loc) < midnight+24*3600
}

// stepTo is the first instant from the given one on of which reached is true,
// found in steps of a quarter of an hour, a minute and a second.
func stepTo(from int64, reached func(int64) bool) int64 {
	for _, step := range []int64{900, 60, 1} {
		for !reached(from) {
			from += step
		}
		from -= step
	}
	return from + 1
}
