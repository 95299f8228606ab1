package quickadd

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/taskwire/taskwire/pkg/recurrence"
)

// rule is how often a task comes back.
type rule struct {
	unit     unit
	interval int
	days     []time.Weekday // on these, by weeks
	nth      int            // on the only one of days, by months: the first is 1, the last -1
	monthDay int            // by months; -1 is the last
	month    time.Month     // with monthDay: each year
	basis    string
}

// String is the RRULE.
func (r rule) String() string {
	parts := []string{"FREQ=" + frequencies[r.unit]}
	if r.interval > 1 {
		parts = append(parts, fmt.Sprintf("INTERVAL=%d", r.interval))
	}
	if len(r.days) > 0 {
		var names []string
		for _, d := range r.days {
			name := codes[d]
			if r.nth != 0 {
				name = strconv.Itoa(r.nth) + name
			}
			names = append(names, name)
		}
		parts = append(parts, "BYDAY="+strings.Join(names, ","))
	}
	if r.monthDay != 0 && r.month == 0 { // with a month the first date says it
		parts = append(parts, fmt.Sprintf("BYMONTHDAY=%d", r.monthDay))
	}
	return strings.Join(parts, ";")
}

// matches says whether a series of the rule can begin on a date.
func (r rule) matches(d time.Time) bool {
	last := lastOf(d.Year(), d.Month())
	switch {
	case r.month != 0 && d.Month() != r.month:
		return false
	case r.monthDay < 0:
		return d.Day() == last
	case r.monthDay > 0:
		return d.Day() == r.monthDay
	case len(r.days) > 0 && !slices.Contains(r.days, d.Weekday()):
		return false
	case r.nth > 0:
		return (d.Day()-1)/7+1 == r.nth
	case r.nth < 0:
		return d.Day()+7 > last
	}
	return true
}

// maxInterval bounds the intervals that are understood, so that a rule has a next date.
var maxInterval = map[unit]int{dayUnit: 1000, weekUnit: 500, monthUnit: 120, yearUnit: 50}

// rules are "every 3 days", "every month on the last friday", "jeden Montag".
func (p *parser) rules(i int) []phrase {
	var found []phrase
	basis := recurrence.BasisDue
	if p.words[i].completion {
		basis = recurrence.BasisCompletion
	}
	add := func(to int, where place, r rule) {
		if r.interval = max(r.interval, 1); r.interval > maxInterval[r.unit] {
			return
		}
		r.basis = basis
		found = append(found, phrase{kind: Repeats, from: i, to: to, place: where, value: r.String(), rule: r})
	}
	key := p.key(i)
	if unit, ok := adverbs[key]; ok {
		add(i+1, atEnd, rule{unit: unit})
	}
	if name, ok := strings.CutSuffix(key, "s"); ok && weekdays[name].full && weekdays[name].language == german {
		add(i+1, anywhere, rule{unit: weekUnit, days: []time.Weekday{weekdays[name].day}})
	}
	language := everyWords[key]
	if language == nobody || p.words[i].stops {
		return found
	}
	j := i + 1
	n := number(p.key(j))
	switch {
	case n > 0:
		j++
	case key == "alle" || count.MatchString(p.key(j)): // "every 0 days"
		return found
	default:
		n = 1
	}
	if every := p.key(j); j == i+1 {
		if every == "weekday" || every == "workday" || every == "arbeitstag" {
			add(j+1, anywhere, rule{unit: weekUnit, days: []time.Weekday{time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday}})
		}
		switch nth, unit := ordinals[every], units[p.key(j+1)]; {
		case every == "other", others[every] && unit != 0:
			n, j = 2, j+1
		case nth > 2 && unit != 0:
			n, j = nth, j+1
		}
	}
	if unit := units[p.key(j)]; unit != 0 && p.joined(i, j+1) && p.key(j+1) != "end" { // "every month end"
		add(j+1, anywhere, rule{unit: unit, interval: n})
		if on := p.key(j + 1); (on == "on" || on == "am") && p.joined(i, j+2) {
			p.ruleOn(j+2, unit, language, func(to int, where place, r rule) {
				r.unit, r.interval = unit, n
				add(to, where, r)
			})
		}
		return found
	}
	if j == i+1 || n == 2 && p.key(i+1) == "other" {
		to, where, days := p.weekdays(j, language)
		if to > 0 && p.joined(i, j) && (p.key(to) != "the" || p.ordinalDay(to+1) == 0) { // "every friday the 13th"
			add(to, where, rule{unit: weekUnit, interval: n, days: days})
		}
	}
	if j == i+1 {
		p.monthly(j, add)
	}
	for _, d := range p.monthDays(i + 1) { // "every 5 May"
		if d.year == 0 && p.joined(i, d.to) {
			add(d.to, d.place, rule{unit: yearUnit, month: d.month, monthDay: d.day})
		}
	}
	return found
}

// ruleOn is what stands behind "every 2 weeks on" and "every month on".
func (p *parser) ruleOn(i int, by unit, language language, add func(int, place, rule)) {
	switch by {
	case weekUnit:
		if to, where, days := p.weekdays(i, language); to > 0 {
			add(to, where, rule{days: days})
		}
	case monthUnit:
		if p.key(i) == "the" {
			i++
		}
		if n := p.ordinalDay(i); n > 0 {
			add(i+1, anywhere, rule{monthDay: n})
		}
		p.nth(i, func(to int, where place, r rule, _ bool) { add(to, where, r) })
	}
}

// monthly is "every 1st", "every last friday", "every 2nd tuesday of the month".
func (p *parser) monthly(i int, add func(int, place, rule)) {
	if n := p.ordinalDay(i); n > 0 {
		add(i+1, atEnd, rule{unit: monthUnit, monthDay: n})
		if to := p.ofTheMonth(i + 1); to > 0 && p.joined(i, to) {
			add(to, anywhere, rule{unit: monthUnit, monthDay: n})
		}
	}
	p.nth(i, func(to int, where place, r rule, clear bool) {
		r.unit = monthUnit
		if clear {
			add(to, where, r)
		}
		if end := p.ofTheMonth(to); end > 0 && p.joined(i, end) {
			add(end, anywhere, r)
		}
	})
}

// nth is "last day" and "first monday". It is clear that those count in a month; "second
// friday" can also be every other one.
func (p *parser) nth(i int, add func(to int, where place, r rule, clear bool)) {
	n := ordinals[p.key(i)]
	if n == 0 || !p.joined(i, i+2) {
		return
	}
	next := p.key(i + 1)
	if n < 0 && units[next] == dayUnit {
		add(i+2, anywhere, rule{monthDay: -1}, true)
	}
	if w, ok := weekdays[next]; ok {
		where := anywhere
		if !w.full {
			where = atEnd
		}
		add(i+2, where, rule{nth: n, days: []time.Weekday{w.day}}, n == 1 || n == -1)
	}
}

// ofTheMonth is the word behind "of the month", or 0.
func (p *parser) ofTheMonth(i int) int {
	switch {
	case p.key(i) == "of" && (p.key(i+1) == "the" || p.key(i+1) == "each" || p.key(i+1) == "every") && p.key(i+2) == "month":
		return i + 3
	case p.key(i) == "im" && p.key(i+1) == "monat", p.key(i) == "des" && p.key(i+1) == "monats":
		return i + 2
	}
	return 0
}

// weekdays are one or more days of the week, with commas or "and" between them; to is 0
// where there are none.
func (p *parser) weekdays(i int, language language) (to int, where place, days []time.Weekday) {
	for {
		w, ok := weekdays[p.key(i)]
		if !ok || !w.full && w.language != language || slices.Contains(days, w.day) {
			return to, where, inWeek(days)
		}
		days, to, where = append(days, w.day), i+1, anywhere
		if !w.full {
			where = atEnd
		}
		switch next := p.key(i + 1); {
		case next == "and", next == "und", next == "&":
			i += 2
		case p.words[i].stops && strings.HasSuffix(p.words[i].text, ","):
			i++
		default:
			return to, where, inWeek(days)
		}
	}
}

// inWeek sorts days from Monday on.
func inWeek(days []time.Weekday) []time.Weekday {
	slices.SortFunc(days, func(a, b time.Weekday) int { return int(a+6)%7 - int(b+6)%7 })
	return days
}
