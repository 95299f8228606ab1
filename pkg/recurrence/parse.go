package recurrence

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

type frequency int

const (
	daily frequency = iota
	weekly
	monthly
	yearly
)

var frequencies = map[string]frequency{"DAILY": daily, "WEEKLY": weekly, "MONTHLY": monthly, "YEARLY": yearly}

// weekdays in the order of the week, Monday being 0.
var weekdays = []string{"MO", "TU", "WE", "TH", "FR", "SA", "SU"}

// nthWeekday is an element of BYDAY: "FR" (n is 0), "2FR", "-1FR".
type nthWeekday struct{ weekday, n int }

// rrule is a parsed, checked RRULE.
type rrule struct {
	freq       frequency
	interval   int
	count      int // 0: none
	until      until
	weekStart  int // 0 is Monday
	byMonth    []int
	byMonthDay []int
	byYearDay  []int
	byWeekNo   []int
	byDay      []nthWeekday
	bySetPos   []int

	clamp bool // what to do with a day that the anchor gives and a month lacks
}

// until is the UNTIL of a rule. A date includes that whole day; a time ending
// in Z is an instant; any other time is compared as wall time.
type until struct {
	set     bool
	day     day
	seconds int64 // since 1970, as an instant or as wall time
	kind    untilKind
}

type untilKind int

const (
	untilDate untilKind = iota
	untilInstant
	untilWall
)

// parse reads an RRULE value. It accepts what RFC 5545 allows for rules of a
// day or coarser, in either case of letters, and refuses the rest by name:
// the prefix "RRULE:", the parts of a time of day (the anchor gives it), and
// the combinations that the RFC forbids.
func parse(s string) (*rrule, error) {
	if s == "" {
		return nil, wrong("rrule", "must not be empty")
	}
	if len(s) > MaxRRuleBytes {
		return nil, wrong("rrule", "must not be longer than %d bytes", MaxRRuleBytes)
	}
	upper := strings.ToUpper(s)
	if strings.HasPrefix(upper, "RRULE:") {
		return nil, wrong("rrule", `must be the value alone, without "RRULE:"`)
	}
	r := &rrule{freq: -1, interval: 1}
	seen := map[string]bool{}
	for part := range strings.SplitSeq(upper, ";") {
		name, value, ok := strings.Cut(part, "=")
		if !ok {
			return nil, wrong("rrule", "%s is not of the form NAME=VALUE", quote(part))
		}
		if seen[name] {
			return nil, wrong("rrule", "%s is given twice", quote(name))
		}
		seen[name] = true
		if err := r.part(name, value); err != nil {
			return nil, err
		}
	}
	return r, r.consistent(seen)
}

func (r *rrule) part(name, value string) error {
	var err error
	switch name {
	case "FREQ":
		f, ok := frequencies[value]
		if !ok {
			return wrong("rrule", "FREQ must be DAILY, WEEKLY, MONTHLY or YEARLY")
		}
		r.freq = f
	case "INTERVAL":
		r.interval, err = number(name, value, 1, MaxInterval)
	case "COUNT":
		r.count, err = number(name, value, 1, MaxCount)
	case "UNTIL":
		r.until, err = parseUntil(value)
	case "WKST":
		r.weekStart = slices.Index(weekdays, value)
		if r.weekStart < 0 {
			return wrong("rrule", "WKST must be one of %s", strings.Join(weekdays, ", "))
		}
	case "BYMONTH":
		r.byMonth, err = numbers(name, value, 12, false)
	case "BYMONTHDAY":
		r.byMonthDay, err = numbers(name, value, 31, true)
	case "BYYEARDAY":
		r.byYearDay, err = numbers(name, value, 366, true)
	case "BYWEEKNO":
		r.byWeekNo, err = numbers(name, value, 53, true)
	case "BYSETPOS":
		r.bySetPos, err = numbers(name, value, 366, true)
	case "BYDAY":
		r.byDay, err = parseByDay(value)
	case "BYHOUR", "BYMINUTE", "BYSECOND":
		return wrong("rrule", "%s is not supported: the time of day is that of the due date", name)
	case "SKIP", "RSCALE":
		return wrong("rrule", "%s is not supported: see month_end", name)
	default:
		return wrong("rrule", "%s is not a part of a rule", quote(name))
	}
	return err
}

// consistent refuses the combinations that RFC 5545 forbids (section 3.3.10).
func (r *rrule) consistent(seen map[string]bool) error {
	switch {
	case r.freq < 0:
		return wrong("rrule", "FREQ is missing")
	case seen["COUNT"] && seen["UNTIL"]:
		return wrong("rrule", "COUNT and UNTIL must not be given together")
	case len(r.byWeekNo) > 0 && r.freq != yearly:
		return wrong("rrule", "BYWEEKNO needs FREQ=YEARLY")
	case len(r.byYearDay) > 0 && r.freq != yearly:
		return wrong("rrule", "BYYEARDAY needs FREQ=YEARLY")
	case len(r.byMonthDay) > 0 && r.freq == weekly:
		return wrong("rrule", "BYMONTHDAY must not be given with FREQ=WEEKLY")
	case len(r.bySetPos) > 0 && len(r.byMonth)+len(r.byMonthDay)+len(r.byYearDay)+len(r.byWeekNo)+len(r.byDay) == 0:
		return wrong("rrule", "BYSETPOS needs another BY part to choose from")
	}
	for _, d := range r.byDay {
		most := 5
		switch {
		case d.n == 0:
			continue
		case r.freq != monthly && r.freq != yearly:
			return wrong("rrule", "BYDAY may have a number with FREQ=MONTHLY or FREQ=YEARLY only")
		case len(r.byWeekNo) > 0:
			return wrong("rrule", "BYDAY must not have a number together with BYWEEKNO")
		case r.freq == yearly && len(r.byMonth) == 0:
			most = 53
		}
		if d.n > most || d.n < -most {
			return wrong("rrule", "the number in BYDAY must lie between 1 and %d or -%d and -1", most, most)
		}
	}
	return nil
}

func parseByDay(value string) ([]nthWeekday, error) {
	var days []nthWeekday
	for item := range strings.SplitSeq(value, ",") {
		name := item[max(0, len(item)-2):]
		weekday := slices.Index(weekdays, name)
		if weekday < 0 {
			return nil, wrong("rrule", "%s in BYDAY is not a day like MO or -1FR", quote(item))
		}
		d := nthWeekday{weekday: weekday}
		if digits := strings.TrimSuffix(item, name); digits != "" {
			n, err := signed("BYDAY", digits, 53, true)
			if err != nil {
				return nil, err
			}
			d.n = n
		}
		if !slices.Contains(days, d) {
			days = append(days, d)
		}
	}
	return days, nil
}

func parseUntil(value string) (until, error) {
	for _, f := range []struct {
		layout string
		kind   untilKind
	}{
		{"20060102", untilDate},
		{"20060102T150405Z", untilInstant},
		{"20060102T150405", untilWall},
	} {
		// time.Parse forgives a fraction of a second, so the length decides.
		if len(value) != len(f.layout) {
			continue
		}
		if t, err := time.Parse(f.layout, value); err == nil {
			return until{set: true, day: dayOfTime(t), seconds: t.Unix(), kind: f.kind}, nil
		}
	}
	return until{}, wrong("rrule", "UNTIL must be a date like 20271231, or a time like 20271231T080000Z")
}

func numbers(name, value string, most int, negative bool) ([]int, error) {
	var list []int
	for item := range strings.SplitSeq(value, ",") {
		n, err := signed(name, item, most, negative)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(list, n) { // each day of a rule is held against the list
			list = append(list, n)
		}
	}
	return list, nil
}

// signed reads a whole number from 1 to most, or, if negative may be, from
// -most to -1.
func signed(name, value string, most int, negative bool) (int, error) {
	digits, sign := value, 1
	switch {
	case negative && strings.HasPrefix(value, "-"):
		digits, sign = value[1:], -1
	case negative && strings.HasPrefix(value, "+"):
		digits = value[1:]
	}
	if n, ok := digitsOnly(digits); ok && n >= 1 && n <= most {
		return sign * n, nil
	}
	if negative {
		return 0, wrong("rrule", "%s: %s must lie between 1 and %d or -%d and -1", name, quote(value), most, most)
	}
	return 0, wrong("rrule", "%s: %s must lie between 1 and %d", name, quote(value), most)
}

func number(name, value string, least, most int) (int, error) {
	n, ok := digitsOnly(value)
	if !ok || n < least || n > most {
		return 0, wrong("rrule", "%s must be a number between %d and %d", name, least, most)
	}
	return n, nil
}

// digitsOnly reads a short number without a sign, which strconv would allow.
func digitsOnly(s string) (int, bool) {
	if s == "" || len(s) > 9 {
		return 0, false
	}
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return 0, false
		}
	}
	n, err := strconv.Atoi(s)
	return n, err == nil
}

// quote shows a piece of what the user sent, short and printable.
func quote(s string) string {
	if len(s) > 40 {
		s = strings.ToValidUTF8(s[:40], "") + "…"
	}
	return strconv.Quote(s)
}
