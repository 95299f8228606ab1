package quickadd

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/taskwire/taskwire/pkg/recurrence"
)

// phrases are what begins with a word, such as "friday" and "friday 9:00" do.
func (p *parser) phrases(i int) []phrase {
	if p.words[i].key == "" {
		return nil
	}
	return slices.Concat(p.marked(i), p.reminds(i), p.times(i), p.dates(i), p.rules(i))
}

// key is that of a word; "" behind the end, and for what was escaped.
func (p *parser) key(i int) string {
	if i < 0 || i >= len(p.words) {
		return ""
	}
	return p.words[i].key
}

// joined says whether no mark, such as a comma, stands within the words.
func (p *parser) joined(from, to int) bool {
	for i := from; i < to-1; i++ {
		if p.words[i].stops {
			return false
		}
	}
	return true
}

// marked is what begins with a sign of its own: a list, a tag, a priority or a reminder.
func (p *parser) marked(i int) []phrase {
	one := func(kind Kind, value string) phrase {
		return phrase{kind: kind, from: i, to: i + 1, value: value}
	}
	text := p.words[i].text
	if priority := priorities[p.key(i)]; priority != "" {
		return []phrase{one(Priority, priority)}
	}
	if before := shortBefore(p.key(i)); before != "" {
		return []phrase{one(Reminder, before)}
	}
	name, ok := strings.CutPrefix(text, "#")
	if !ok {
		return nil
	}
	if quoted, ok := strings.CutPrefix(name, `"`); ok {
		var behind string
		if name, behind, ok = strings.Cut(quoted, `"`); !ok || strings.Trim(behind, ",;:.!?)") != "" {
			return nil
		}
		name = strings.TrimSpace(name)
	} else {
		name = strings.TrimRight(name, ",;:.!?)")
	}
	if lists := p.lists[strings.ToLower(name)]; name != "" && len(lists) == 1 {
		f := one(InList, lists[0].String())
		f.list = lists[0]
		return []phrase{f}
	}
	if !strings.ContainsFunc(name, unicode.IsLetter) || utf8.RuneCountInString(name) > maxTag {
		return nil // "fix #123"
	}
	return []phrase{one(Tag, name)}
}

var shortReminder = regexp.MustCompile(`^\*(\d{1,3})([mhdw])$`)

func shortBefore(key string) string {
	m := shortReminder.FindStringSubmatch(key)
	if m == nil {
		return ""
	}
	return before(m[1], m[2])
}

// before is a length of time as a reminder has it; "" where there is none such.
func before(number, unit string) string {
	n, err := strconv.Atoi(number)
	if err != nil {
		return ""
	}
	text := map[string]string{"m": "PT%dM", "h": "PT%dH", "d": "P%dD", "w": "P%dW"}[unit]
	text = fmt.Sprintf(text, n)
	if _, err := recurrence.ParseBefore(text); err != nil {
		return "" // longer than a year
	}
	return text
}

var (
	length      = regexp.MustCompile(`^(\d{1,3})([mhdw])$`)
	someNumber  = regexp.MustCompile(`^\d{1,3}$`)
	lengthWords = map[string]string{
		"minute": "m", "minutes": "m", "min": "m", "hour": "h", "hours": "h", "day": "d", "days": "d", "week": "w", "weeks": "w",
		"minuten": "m", "stunde": "h", "stunden": "h", "tag": "d", "tage": "d", "woche": "w", "wochen": "w",
	}
	// remindWords are who is reminded, and what ends it.
	remindWords = map[string][2]string{"remind": {"me", "before"}, "erinnere": {"mich", "vorher"}}
)

// reminds is "remind me 15 minutes before", and the like.
func (p *parser) reminds(i int) []phrase {
	words := remindWords[p.key(i)]
	if words[0] == "" {
		return nil
	}
	j := i + 1
	if p.key(j) == words[0] {
		j++
	}
	var value string
	if m := length.FindStringSubmatch(p.key(j)); m != nil {
		value, j = before(m[1], m[2]), j+1
	} else if unit := lengthWords[p.key(j+1)]; unit != "" && someNumber.MatchString(p.key(j)) {
		value, j = before(p.key(j), unit), j+2
	}
	if value == "" || p.key(j) != words[1] || !p.joined(i, j+1) {
		return nil
	}
	return []phrase{{kind: Reminder, from: i, to: j + 1, value: value}}
}

var (
	clock24  = regexp.MustCompile(`^(\d{1,2}):(\d{2})$`)
	clock12  = regexp.MustCompile(`^(\d{1,2})(?::(\d{2}))?(am|pm)$`)
	clockUhr = regexp.MustCompile(`^(\d{1,2})(?:[:.](\d{2}))?(?:uhr)?$`)
	hour     = regexp.MustCompile(`^\d{1,2}$`)
)

// times are "9:00", "9am", "17 Uhr", "at 9".
func (p *parser) times(i int) []phrase {
	var found []phrase
	at := i
	called := p.key(i) == "at" || p.key(i) == "um"
	if called {
		at++
	}
	add := func(to int, where place, hour, minute string, half string) {
		h, err := strconv.Atoi(hour)
		if err != nil {
			return
		}
		m := 0
		if minute != "" {
			if m, err = strconv.Atoi(minute); err != nil {
				return
			}
		}
		switch {
		case half != "" && (h < 1 || h > 12), h > 23, m > 59, !p.joined(i, to):
			return
		case half != "":
			if h %= 12; half == "pm" {
				h += 12
			}
		}
		found = append(found, phrase{kind: Time, from: i, to: to, place: where, value: fmt.Sprintf("%02d:%02d", h, m), minute: 60*h + m})
	}
	placeOr := func(where place) place { // a word before it leaves no doubt
		if called {
			return anywhere
		}
		return where
	}
	key, next := p.key(at), p.key(at+1)
	if m := clock24.FindStringSubmatch(key); m != nil {
		add(at+1, placeOr(atEnds), m[1], m[2], "")
		if next == "am" || next == "pm" {
			add(at+2, placeOr(atEnd), m[1], m[2], next)
		}
	}
	if m := clock12.FindStringSubmatch(key); m != nil {
		add(at+1, anywhere, m[1], m[2], m[3])
	}
	if m := clockUhr.FindStringSubmatch(key); m != nil {
		if strings.HasSuffix(key, "uhr") {
			add(at+1, anywhere, m[1], m[2], "")
		} else if next == "uhr" {
			add(at+2, anywhere, m[1], m[2], "")
			if minutes := p.key(at + 2); m[2] == "" && len(minutes) == 2 && hour.MatchString(minutes) {
				add(at+3, atEnd, m[1], minutes, "")
			}
		}
	}
	if hour.MatchString(key) {
		if called {
			add(at+1, atEnd, key, "", "")
		}
		if next == "am" || next == "pm" {
			add(at+2, placeOr(atEnd), key, "", next)
		}
	}
	return found
}

// maxYear bounds the years that are understood.
const maxYear = 2199

var (
	dayNumber = regexp.MustCompile(`^(\d{1,2})(st|nd|rd|th|\.)?$`)
	yearWord  = regexp.MustCompile(`^\d{4}$`)
	isoDate   = regexp.MustCompile(`^(\d{4})-(\d{2})-(\d{2})$`)
	dotDate   = regexp.MustCompile(`^(\d{1,2})\.(\d{1,2})\.(\d{4})?$`)
	slashDate = regexp.MustCompile(`^(\d{1,2})/(\d{1,2})/(\d{4})$`)
	count     = regexp.MustCompile(`^\d{1,4}$`)
)

// dates are "tomorrow", "on monday", "5 May", "2027-05-05", "in 3 days".
func (p *parser) dates(i int) []phrase {
	var found []phrase
	add := func(from, to int, where place, date time.Time) {
		if noDateAfter[p.key(from-1)] && !p.remindedBy(from) {
			return
		}
		found = append(found, phrase{kind: Date, from: from, to: to, place: where, value: date.Format(time.DateOnly), date: date})
	}
	key := p.key(i)
	if key == "in" {
		if d := p.in(i); d.to > 0 && p.joined(i, d.to) {
			add(i, d.to, d.place, d.date)
		}
		return found
	}
	if to, date := p.nextUnit(i); to > 0 && p.joined(i, to) {
		add(i, to, anywhere, date)
	}
	for _, d := range p.days(i, "") {
		add(i, d.to, d.place, d.date)
	}
	// With a word before it.
	j := i + 1
	word := key
	switch {
	case key == "bis" && p.key(j) == "zum":
		j++
	case (key == "due" || key == "on" || key == "by") && dateWords[p.key(j)] == english && units[p.key(j+1)] == 0: // "due on"
		word = p.key(j)
		j++
	case key == "due" && p.key(j) == "in":
		if d := p.in(j); d.to > 0 && p.joined(i, d.to) {
			add(i, d.to, anywhere, d.date)
		}
		return found
	case dateWords[key] != nobody, key == "from", key == "starting", key == "ab":
	default:
		return found
	}
	if j >= len(p.words) || !p.joined(i, j+1) {
		return found
	}
	days := p.days(j, word)
	if to, date := p.nextUnit(j); to > 0 && p.joined(j, to) && word != "am" { // "9 am next week"
		days = append(days, day{to: to, date: date})
	}
	for _, d := range days {
		if dateWords[word] == nobody {
			d.place = afterRule
		}
		add(i, d.to, d.place, d.date)
	}
	return found
}

// remindedBy says whether "remind me 15 minutes before", or the like, ends at a word.
func (p *parser) remindedBy(i int) bool {
	const longest = 5 // words
	for from := max(0, i-longest); from < i; from++ {
		if slices.ContainsFunc(p.reminds(from), func(f phrase) bool { return f.to == i }) {
			return true
		}
	}
	return false
}

// day is a date, and where its words count as one.
type day struct {
	to    int
	place place
	date  time.Time
}

// in is "in 3 days". Behind "in a week" there must be nothing: "in a week old paper".
func (p *parser) in(i int) day {
	n, unit := number(p.key(i+1)), units[p.key(i+2)]
	d := day{to: i + 3}
	switch p.key(i + 1) {
	case "a", "an", "einem", "einer":
		n, d.place = 1, atEnd
	}
	if unit == 0 || n < 1 || n > 1000 || unit == yearUnit && n > 100 {
		return day{}
	}
	switch unit {
	case dayUnit:
		d.date = p.today.AddDate(0, 0, n)
	case weekUnit:
		d.date = p.today.AddDate(0, 0, 7*n)
	case monthUnit:
		d.date = p.monthsOn(n)
	default:
		d.date = p.monthsOn(12 * n)
	}
	return d
}

// number is one of at most four digits, or a small one in words; else 0.
func number(key string) int {
	if !count.MatchString(key) {
		return numbers[key]
	}
	n, _ := strconv.Atoi(key) // they are digits
	return n
}

// monthsOn is today's day so many months on, or the last of a month that lacks it.
func (p *parser) monthsOn(n int) time.Time {
	year, month, day := p.today.Date()
	return time.Date(year, month+time.Month(n), min(day, lastOf(year, month+time.Month(n))), 0, 0, 0, 0, time.UTC)
}

// lastOf is the last day of a month.
func lastOf(year int, month time.Month) int {
	return time.Date(year, month+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// nextUnit is "next week": its first day.
func (p *parser) nextUnit(i int) (to int, date time.Time) {
	switch p.key(i) {
	case "next", "nächste", "nächsten", "nächstes", "kommende", "kommenden":
	default:
		return 0, date
	}
	year, month, _ := p.today.Date()
	switch p.key(i + 1) {
	case "week", "woche":
		return i + 2, p.monday().AddDate(0, 0, 7)
	case "month", "monat":
		return i + 2, time.Date(year, month+1, 1, 0, 0, 0, 0, time.UTC)
	case "year", "jahr":
		return i + 2, time.Date(year+1, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	return 0, date
}

// monday is that of this week.
func (p *parser) monday() time.Time {
	return p.today.AddDate(0, 0, -(int(p.today.Weekday())+6)%7)
}

// days are the dates that begin with a word, behind another that tells of a date, or "".
func (p *parser) days(i int, marker string) []day {
	var found []day
	key := p.key(i)
	if marker == "" || marker == "by" || marker == "due" || marker == "bis" || dateWords[marker] == nobody {
		if n, ok := nearDays[key]; ok && (marker != "" || p.plainly(i)) {
			found = append(found, day{to: i + 1, date: p.today.AddDate(0, 0, n)})
		}
	}
	if w, ok := weekdays[key]; ok && (marker != "" || ordinals[p.key(i-1)] == 0 && !others[p.key(i-1)]) {
		same := dateWords[marker] == nobody || dateWords[marker] == w.language
		switch {
		case w.full && marker == "":
			found = append(found, day{i + 1, atEnd, p.weekday(w.day, marker)})
		case !same && marker != "": // "5 am Friday"
		case w.full:
			found = append(found, day{i + 1, anywhere, p.weekday(w.day, marker)})
		case marker != "":
			found = append(found, day{i + 1, atEnd, p.weekday(w.day, marker)})
		case w.language == english:
			found = append(found, day{i + 1, beforeTime, p.weekday(w.day, marker)})
		}
	}
	if marker == "this" || marker == "next" || marker == "diesen" || marker == "nächsten" || marker == "kommenden" {
		return found
	}
	if (marker == "on" || marker == "by" || marker == "due") && key == "the" && p.joined(i, i+2) {
		if n := p.ordinalDay(i + 1); n > 0 {
			found = append(found, day{i + 2, atEnd, first(p.today, func(d time.Time) bool { return d.Day() == n })})
		}
	}
	if marker == "am" && strings.HasSuffix(key, ".") {
		if n := p.ordinalDay(i); n > 0 {
			found = append(found, day{i + 1, atEnd, first(p.today, func(d time.Time) bool { return d.Day() == n })})
		}
	}
	for _, d := range p.monthDays(i) {
		if marker == "am" && !strings.HasSuffix(key, ".") { // "5 am 5 May"
			continue
		}
		if marker != "" {
			d.place = anywhere
		}
		found = append(found, day{d.to, d.place, p.dated(d.year, d.month, d.day)})
	}
	return append(found, p.numbers(i, marker)...)
}

// plainly says whether a word is written as in a sentence: "USA Today" is a name.
func (p *parser) plainly(i int) bool {
	r, _ := utf8.DecodeRuneInString(p.words[i].text)
	text := p.words[i].text
	if p.key(i) == "morgen" && noMorningAfter[p.key(i-1)] {
		return false
	}
	return i == 0 || !unicode.IsUpper(r) || strings.ToUpper(text) == text
}

// weekday is the first such day after today; with "this" today counts, and "next" is that
// of the next week, which begins on Monday.
func (p *parser) weekday(day time.Weekday, marker string) time.Time {
	switch marker {
	case "this", "diesen":
		return first(p.today, func(d time.Time) bool { return d.Weekday() == day })
	case "next", "nächsten":
		return first(p.monday().AddDate(0, 0, 7), func(d time.Time) bool { return d.Weekday() == day })
	}
	return first(p.today.AddDate(0, 0, 1), func(d time.Time) bool { return d.Weekday() == day })
}

// ordinalDay is a day of the month such as 1st or 1., or 0.
func (p *parser) ordinalDay(i int) int {
	m := dayNumber.FindStringSubmatch(p.key(i))
	if m == nil || m[2] == "" {
		return 0
	}
	return dayOf(m[1])
}

// dayOf is a number from 1 to 31, or 0.
func dayOf(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil || n > 31 {
		return 0
	}
	return n
}

// monthDay is a day of a month; a year of 0 is none.
type monthDay struct {
	to    int
	place place
	year  int
	month time.Month
	day   int
}

// monthDays are "5 May", "5th of May 2027", "May 5, 2027", "5. Mai".
func (p *parser) monthDays(i int) []monthDay {
	var found []monthDay
	add := func(name string, day, to int, behind bool, written string) {
		m := months[name]
		if day == 0 || day > lastOf(2028, m.month) { // a leap year
			return
		}
		d := monthDay{to: to, month: m.month, day: day}
		r, _ := utf8.DecodeRuneInString(written)
		if m.word && (behind || !unicode.IsUpper(r)) || behind && !m.full {
			d.place = atEnd
		}
		if p.joined(i, to) {
			found = append(found, d)
		}
		// A comma may stand before the year.
		if p.joined(i, to-1) && to < len(p.words) && yearWord.MatchString(p.key(to)) {
			year, _ := strconv.Atoi(p.key(to)) // four digits
			if year >= 1970 && year <= maxYear && day <= lastOf(year, m.month) {
				d.to, d.place, d.year = to+1, anywhere, year
				found = append(found, d)
			}
		}
	}
	if m := dayNumber.FindStringSubmatch(p.key(i)); m != nil {
		j := i + 1
		if p.key(j) == "of" {
			j++
		}
		if name := p.key(j); months[name].month != 0 {
			add(name, dayOf(m[1]), j+1, false, p.words[j].text)
		}
	}
	if months[p.key(i)].english {
		if m := dayNumber.FindStringSubmatch(p.key(i + 1)); m != nil && m[2] != "." {
			add(p.key(i), dayOf(m[1]), i+2, true, p.words[i].text)
		}
	}
	return found
}

// dated is a date; without a year (0) the first that is not over.
func (p *parser) dated(year int, month time.Month, day int) time.Time {
	if year != 0 {
		return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
	}
	for year = p.today.Year(); ; year++ { // at most eight, to 29 February
		d := time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
		if day <= lastOf(year, month) && !d.Before(p.today) {
			return d
		}
	}
}

// numbers are dates in digits.
func (p *parser) numbers(i int, marker string) []day {
	one := func(year, month, of string) []day {
		y, m, d := 0, dayOf(month), dayOf(of)
		where := anywhere
		if year == "" && marker == "" { // "2.5. litres"
			where = atEnd
		}
		if year != "" {
			y, _ = strconv.Atoi(year) // four digits
			if y < 1970 || y > maxYear {
				return nil
			}
		}
		if m < 1 || m > 12 || d < 1 || y == 0 && d > lastOf(2028, time.Month(m)) || y != 0 && d > lastOf(y, time.Month(m)) {
			return nil
		}
		return []day{{i + 1, where, p.dated(y, time.Month(m), d)}}
	}
	key := p.key(i)
	if m := dotDate.FindStringSubmatch(key); m != nil && !noNumberAfter[p.key(i-1)] {
		return one(m[3], m[2], m[1])
	}
	if marker == "am" { // "5 am 2027-05-05"
		return nil
	}
	if m := isoDate.FindStringSubmatch(key); m != nil {
		return one(m[1], m[2], m[3])
	}
	if m := slashDate.FindStringSubmatch(key); m != nil {
		// The day first, or the month: where both can be, and differ, it is text.
		a, b := one(m[3], m[2], m[1]), one(m[3], m[1], m[2])
		switch {
		case a == nil:
			return b
		case b == nil || a[0].date.Equal(b[0].date):
			return a
		}
	}
	return nil
}
