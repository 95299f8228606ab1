package recurrence

import (
	"iter"
	"slices"
	"time"
)

// day is a date of the Gregorian calendar, as the number of days since
// 1970-01-01. It has no zone and no clock.
type day int

func dayOf(year int, month time.Month, d int) day {
	return day(time.Date(year, month, d, 0, 0, 0, 0, time.UTC).Unix() / 86400)
}

// dayOfTime is the date that t shows, whatever its zone.
func dayOfTime(t time.Time) day { return dayOf(t.Date()) }

func (d day) date() (int, time.Month, int) { return d.midnight().Date() }

// midnight is the wall time 00:00 of the day, as if the zone were UTC.
func (d day) midnight() time.Time { return time.Unix(int64(d)*86400, 0).UTC() }

// weekday counts from Monday, which is 0. (1970-01-01 was a Thursday.)
func (d day) weekday() int { return int(((d+3)%7 + 7) % 7) }

// weekBegin is the last day on or before d that the week begins on.
func (d day) weekBegin(weekStart int) day { return d - day((d.weekday()-weekStart+7)%7) }

func daysIn(year int, month time.Month) int {
	return time.Date(year, month+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// dates yields the days of the rule after the given one, in order, for a
// series that begins at anchor. It begins at the period that holds after, not
// at the anchor, and gives up HorizonYears after the last day it has found.
func (r *rrule) dates(anchor, after day) iter.Seq[day] {
	const horizon = HorizonYears*1461/4 + 1
	after = max(after, anchor)
	return func(yield func(day) bool) {
		p := r.periods(anchor)
		limit := after + horizon
		var found []day
		for k := p.holding(after); ; k++ {
			begin, end := p.bounds(k)
			if begin > limit {
				return
			}
			if r.freq == daily && len(r.byMonth) > 0 {
				// Day by day, 100 dates on a 29 February that is a Monday took 60 ms.
				if year, month, _ := begin.date(); !slices.Contains(r.byMonth, int(month)) {
					k = p.holding(dayOf(year, month, daysIn(year, month)))
					continue
				}
			}
			found = r.expand(found[:0], anchor, begin, end)
			for _, d := range r.choose(found) {
				if d <= after {
					continue
				}
				if d > limit {
					return
				}
				limit = d + horizon
				if !yield(d) {
					return
				}
			}
		}
	}
}

// periods are the days, weeks, months or years that a rule with an interval
// visits. Number 0 holds the anchor.
type periods struct {
	freq     frequency
	interval int
	first    int // number of the day, week begin (as a day), month or year
}

func (r *rrule) periods(anchor day) periods {
	p := periods{freq: r.freq, interval: r.interval}
	year, month, _ := anchor.date()
	switch r.freq {
	case daily:
		p.first = int(anchor)
	case weekly:
		p.first, p.interval = int(anchor.weekBegin(r.weekStart)), 7*r.interval
	case monthly:
		p.first = year*12 + int(month) - 1
	case yearly:
		p.first = year
	}
	return p
}

// holding is the number of the last period that begins on or before d.
func (p periods) holding(d day) int {
	year, month, _ := d.date()
	switch p.freq {
	case daily, weekly:
		return (int(d) - p.first) / p.interval
	case monthly:
		return (year*12 + int(month) - 1 - p.first) / p.interval
	default:
		return (year - p.first) / p.interval
	}
}

// bounds are the first and the last day of period k.
func (p periods) bounds(k int) (begin, end day) {
	n := p.first + k*p.interval
	switch p.freq {
	case daily:
		return day(n), day(n)
	case weekly:
		return day(n), day(n) + 6
	case monthly:
		begin = dayOf(n/12, time.Month(n%12+1), 1)
		return begin, begin + day(daysIn(n/12, time.Month(n%12+1))) - 1
	default:
		return dayOf(n, 1, 1), dayOf(n, 12, 31)
	}
}

// expand appends the days from begin to end that the BY parts admit. What the
// rule does not say comes from the anchor: the day of the week, or the day of
// the month and the month.
func (r *rrule) expand(to []day, anchor, begin, end day) []day {
	if r.anchored() {
		return r.expandAnchored(to, anchor, begin, end)
	}
	anchorWeekday := -1
	if (r.freq == weekly || len(r.byWeekNo) > 0) && len(r.byDay)+len(r.byMonthDay)+len(r.byYearDay) == 0 {
		anchorWeekday = anchor.weekday()
	}
	var weeks weekYear
	if len(r.byWeekNo) > 0 {
		weeks = r.weeksAround(begin)
	}
	for m := range months(begin, end) {
		if len(r.byMonth) > 0 && !slices.Contains(r.byMonth, int(m.month)) {
			continue
		}
		// The number in BYDAY counts within the year, unless BYMONTH or the
		// frequency makes it count within the month.
		first, last := begin, end
		if r.freq == yearly && len(r.byMonth) > 0 {
			first, last = m.begin, m.end
		}
		for d := max(m.begin, begin); d <= min(m.end, end); d++ {
			switch {
			case anchorWeekday >= 0 && d.weekday() != anchorWeekday:
			case len(r.byDay) > 0 && !r.onWeekday(d, first, last):
			case len(r.byMonthDay) > 0 && !fromEitherEnd(r.byMonthDay, d, m.begin, m.end):
			case len(r.byYearDay) > 0 && !fromEitherEnd(r.byYearDay, d, begin, end):
			case len(r.byWeekNo) > 0 && !weeks.admit(r.byWeekNo, d):
			default:
				to = append(to, d)
			}
		}
	}
	return to
}

// anchored reports whether the day of the month comes from the anchor, as in
// "every month" and "every year".
func (r *rrule) anchored() bool {
	return (r.freq == monthly || r.freq == yearly) &&
		len(r.byDay)+len(r.byMonthDay)+len(r.byYearDay)+len(r.byWeekNo) == 0
}

// clamped reports whether d stands in for a day that its month lacks.
func (r *rrule) clamped(anchor, d day) bool {
	if !r.anchored() {
		return false
	}
	_, _, want := anchor.date()
	_, _, is := d.date()
	return is < want
}

// expandAnchored is expand for an anchored rule.
func (r *rrule) expandAnchored(to []day, anchor, begin, end day) []day {
	_, anchorMonth, dayOfMonth := anchor.date()
	for m := range months(begin, end) {
		switch {
		case len(r.byMonth) > 0 && !slices.Contains(r.byMonth, int(m.month)):
			continue
		case len(r.byMonth) == 0 && r.freq == yearly && m.month != anchorMonth:
			continue
		}
		d := m.begin + day(dayOfMonth) - 1
		if d > m.end {
			if !r.clamp {
				continue
			}
			d = m.end
		}
		to = append(to, d)
	}
	return to
}

// choose applies BYSETPOS to the days of one period.
func (r *rrule) choose(found []day) []day {
	if len(r.bySetPos) == 0 {
		return found
	}
	var chosen []day
	for _, pos := range r.bySetPos {
		if pos < 0 {
			pos += len(found) + 1
		}
		if pos >= 1 && pos <= len(found) {
			chosen = append(chosen, found[pos-1])
		}
	}
	slices.Sort(chosen)
	return slices.Compact(chosen)
}

// onWeekday reports whether BYDAY admits d, numbers counting from first or last.
func (r *rrule) onWeekday(d, first, last day) bool {
	weekday := d.weekday()
	for _, w := range r.byDay {
		if w.weekday == weekday && (w.n == 0 || w.n == int(d-first)/7+1 || w.n == -(int(last-d)/7+1)) {
			return true
		}
	}
	return false
}

// fromEitherEnd reports whether list has d's place between first and last: from
// 1 on, or back from -1.
func fromEitherEnd(list []int, d, first, last day) bool {
	return slices.Contains(list, int(d-first)+1) || slices.Contains(list, -(int(last-d)+1))
}

// weekYear is where the numbered weeks begin of a year, the one before, the one
// after, and the one after that. Week 1 is the first with at least four days in
// its year, so a day near New Year may be in a week of another year.
type weekYear [4]day

func (r *rrule) weeksAround(d day) weekYear {
	var w weekYear
	year, _, _ := d.date()
	for i := range w {
		w[i] = dayOf(year-1+i, 1, 4).weekBegin(r.weekStart)
	}
	return w
}

// admit reports whether list has the number of d's week, from 1 on or back from -1.
func (w weekYear) admit(list []int, d day) bool {
	i := 0
	for d >= w[i+1] {
		i++
	}
	number, weeks := int(d-w[i])/7+1, int(w[i+1]-w[i])/7
	return slices.Contains(list, number) || slices.Contains(list, number-weeks-1)
}

// monthSpan is one month: its first and last day.
type monthSpan struct {
	year       int
	month      time.Month
	begin, end day
}

// months yields the months that the days from begin to end touch.
func months(begin, end day) iter.Seq[monthSpan] {
	return func(yield func(monthSpan) bool) {
		year, month, d := begin.date()
		for first := begin - day(d) + 1; first <= end; {
			m := monthSpan{year: year, month: month, begin: first, end: first + day(daysIn(year, month)) - 1}
			if !yield(m) {
				return
			}
			first = m.end + 1
			if month++; month > 12 {
				year, month = year+1, 1
			}
		}
	}
}
