// Package quickadd reads a task from one line of text, such as "Rent every 1st 9:00 #home
// !high". It is the one grammar for the page, the command line and chat; what it takes is
// written down in docs/quick-add.md, whose tables are its tests.
//
// It guesses nothing: a word is taken for a date only where the words around it leave no
// doubt, and what is not taken stays in the title.
package quickadd

import (
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/recurrence"
)

// MaxText is how long a text can be, in characters.
const MaxText = 1000

// Limits of what is taken of one text, as those of a task. What is beyond stays text.
const (
	maxTags      = 20
	maxTag       = 50 // characters
	maxReminders = 20
)

// Kind is what a part of the text was understood as.
type Kind string

// The kinds. Of tags and reminders there can be several, of the others one.
const (
	Date     Kind = "date"       // a day, such as 2027-05-05
	Time     Kind = "time"       // a time of day, such as 09:00
	Repeats  Kind = "recurrence" // an RRULE
	InList   Kind = "list"       // the list's id
	Tag      Kind = "tag"        // the tag
	Priority Kind = "priority"   // low, medium, high or urgent
	Reminder Kind = "reminder"   // how long before it is due, an ISO 8601 duration
)

// Kinds are all of them.
var Kinds = []Kind{Date, Time, Repeats, InList, Tag, Priority, Reminder}

// Span is a part of the text that was understood. Start and End count UTF-16 code units,
// as strings do in a browser; End is behind the last one.
type Span struct {
	Start int
	End   int
	Kind  Kind
	Value string // as the kind says
	Text  string // as it was written
}

// List is a list that a text can name.
type List struct {
	ID   uuid.UUID
	Name string
}

// Recurrence is a rule, as package recurrence has them.
type Recurrence struct {
	RRule string
	Basis string // recurrence.BasisDue or BasisCompletion
}

// Understood is the task that a text describes.
type Understood struct {
	Title      string
	DueAt      *time.Time // of an all-day task midnight UTC of its date
	AllDay     bool
	Recurrence *Recurrence // with a DueAt, its first date
	ListID     *uuid.UUID
	Tags       []string
	Priority   string   // "" for none
	Reminders  []string // how long before it is due, ISO 8601 durations
	Spans      []Span   // in the order of the text; they do not overlap
}

// Parse reads a text. Relative words count from now, in the time zone. Of lists with the
// same name none is meant. The error is a *recurrence.FieldError, on timezone or
// captured_at, which is now.
func Parse(text string, now time.Time, timezone string, lists []List) (Understood, error) {
	location, err := recurrence.Location(timezone)
	if err != nil {
		return Understood{}, err
	}
	if year := now.Year(); year < 1970 || year > maxYear {
		return Understood{}, &recurrence.FieldError{Field: "captured_at", Message: "must be in the years 1970 to 2199"}
	}
	p := &parser{words: split(text), now: now, lists: byName(lists)}
	year, month, day := now.In(location).Date()
	p.today = time.Date(year, month, day, 0, 0, 0, 0, time.UTC)

	found := p.choose(true)
	if !slices.ContainsFunc(found, func(f phrase) bool { return f.kind.dates() }) {
		found = p.choose(false) // there is no due time that a reminder could count from
	}
	u := Understood{Title: p.title(found)}
	if u.Title == "" { // nothing would be left of it
		u.Title = p.title(nil)
		return u, nil
	}
	u.Spans = p.spans(text, found)
	return u, p.fill(&u, found, timezone)
}

// dates says whether the kind gives a due time.
func (k Kind) dates() bool { return k == Date || k == Time || k == Repeats }

// parser reads one text.
type parser struct {
	words []word
	now   time.Time
	today time.Time              // the date of now in the zone, at midnight UTC
	lists map[string][]uuid.UUID // by name in small letters
}

func byName(lists []List) map[string][]uuid.UUID {
	named := make(map[string][]uuid.UUID, len(lists))
	for _, l := range lists {
		name := strings.ToLower(l.Name)
		named[name] = append(named[name], l.ID)
	}
	return named
}

// place is where in a text a phrase counts. Elsewhere its words stay text.
type place int

const (
	anywhere place = iota
	// atEnd: nothing but what is understood follows, or a date, time or rule follows at
	// once. A time counts also directly behind a date or a rule.
	atEnd
	atEnds     // as atEnd, or first in the text
	beforeTime // a time follows
	afterRule  // a rule stands before it
)

// phrase is some words with the meaning that they may have.
type phrase struct {
	kind     Kind
	from, to int // its words: from, and the one before to
	place    place
	value    string // as Span has it

	date   time.Time // of Date
	minute int       // of Time: of the day
	rule   rule      // of Repeats
	list   uuid.UUID // of InList
}

// choose finds what the text means: from its end to its beginning, the longest phrase
// first, so that of a kind that there is one of the last one counts. A phrase that comes
// too late for that stays text as a whole: its end is not something else.
func (p *parser) choose(reminders bool) []phrase {
	ending := make([][]phrase, len(p.words)+1) // by the word behind them, the longest first
	for i := range p.words {
		for _, f := range p.phrases(i) {
			ending[f.to] = append(ending[f.to], f)
		}
	}
	c := choice{ending: ending, last: len(p.words), taken: map[Kind]int{}, tags: map[string]bool{}}
	for to := len(p.words); to > 0; {
		next := to - 1
		for _, f := range ending[to] {
			if !c.counts(f) || f.kind == Reminder && !reminders {
				continue
			}
			if c.room(f) {
				c.take(f)
			}
			next = f.from
			break
		}
		to = next
	}
	slices.Reverse(c.found)
	return c.found
}

// choice is what was chosen so far, the last first.
type choice struct {
	ending [][]phrase
	found  []phrase
	last   int // from this word on all is understood
	taken  map[Kind]int
	tags   map[string]bool
}

// counts says whether a phrase is where it has to be.
func (c *choice) counts(f phrase) bool {
	var next phrase // the one that follows at once
	if len(c.found) > 0 && c.found[len(c.found)-1].from == f.to {
		next = c.found[len(c.found)-1]
	}
	behind := func(kinds ...Kind) bool {
		return slices.ContainsFunc(c.ending[f.from], func(b phrase) bool { return slices.Contains(kinds, b.kind) })
	}
	switch f.place {
	case atEnds:
		if f.from == 0 {
			return true
		}
		fallthrough
	case atEnd:
		return c.last == f.to || next.kind.dates() || f.kind == Time && behind(Date, Repeats)
	case beforeTime:
		return next.kind == Time
	case afterRule:
		return behind(Repeats)
	}
	return true
}

// room says whether there is room for another one of the kind.
func (c *choice) room(f phrase) bool {
	switch f.kind {
	case Tag:
		return len(c.tags) < maxTags || c.tags[f.value]
	case Reminder:
		return c.taken[Reminder] < maxReminders
	}
	return c.taken[f.kind] == 0
}

func (c *choice) take(f phrase) {
	c.found = append(c.found, f)
	c.taken[f.kind]++
	if f.kind == Tag {
		c.tags[f.value] = true
	}
	if c.last == f.to {
		c.last = f.from
	}
}

// title is what is left of the text.
func (p *parser) title(found []phrase) string {
	var left []string
	for i, w := range p.words {
		if len(found) > 0 && i == found[0].to {
			found = found[1:]
		}
		if len(found) == 0 || i < found[0].from {
			left = append(left, w.text)
		}
	}
	return strings.Join(left, " ")
}

func (p *parser) spans(text string, found []phrase) []Span {
	var spans []Span
	units, at := 0, 0
	to := func(end int) int {
		for _, r := range text[at:end] {
			units++
			if r > 0xFFFF { // a surrogate pair
				units++
			}
		}
		at = end
		return units
	}
	for _, f := range found {
		from, end := p.words[f.from].start, p.words[f.to-1].end
		spans = append(spans, Span{Start: to(from), End: to(end), Kind: f.kind, Value: f.value, Text: text[from:end]})
	}
	return spans
}

// fill makes a task of what was found.
func (p *parser) fill(u *Understood, found []phrase, timezone string) error {
	var date, clock, repeats *phrase
	for i, f := range found {
		switch f.kind {
		case Date:
			date = &found[i]
		case Time:
			clock = &found[i]
		case Repeats:
			repeats = &found[i]
			u.Recurrence = &Recurrence{RRule: f.value, Basis: f.rule.basis}
		case InList:
			u.ListID = &found[i].list
		case Tag:
			if !slices.Contains(u.Tags, f.value) {
				u.Tags = append(u.Tags, f.value)
			}
		case Priority:
			u.Priority = f.value
		case Reminder:
			if !slices.Contains(u.Reminders, f.value) {
				u.Reminders = append(u.Reminders, f.value)
			}
		}
	}
	if date == nil && clock == nil && repeats == nil {
		return nil
	}
	day, matches := p.today, func(time.Time) bool { return true }
	if date != nil {
		day = date.date
	}
	if repeats != nil {
		matches = repeats.rule.matches
	}
	if clock == nil {
		day = first(day, matches)
		u.DueAt, u.AllDay = &day, true
		return nil
	}
	at, err := p.moment(day, clock.minute, timezone, date == nil, repeats != nil, matches)
	u.DueAt = &at
	return err
}

// horizon is how far ahead the first date of a rule is looked for, in days: 29 February
// is up to eight years away.
const horizon = 8*366 + 1

// first is the first day that matches, from one on.
func first(day time.Time, matches func(time.Time) bool) time.Time {
	for d, n := day, 0; n < horizon; d, n = d.AddDate(0, 0, 1), n+1 {
		if matches(d) {
			return d
		}
	}
	return day
}

// moment is the first moment at a time of day, from a day on: not before now where no day
// is named, and, for a rule, on a day that has this time, since all its dates would
// else be at the time that the clock was moved on to.
func (p *parser) moment(day time.Time, minute int, timezone string, ahead, repeats bool, matches func(time.Time) bool) (time.Time, error) {
	for {
		day = first(day, matches)
		wall := day.Add(time.Duration(minute) * time.Minute).Format(recurrence.WallLayout)
		at, err := recurrence.Resolve(wall, timezone, false)
		if err != nil {
			return time.Time{}, err
		}
		shown, err := recurrence.WallOf(at, timezone, false)
		if err != nil {
			return time.Time{}, err
		}
		if (!ahead || !at.Before(p.now)) && (!repeats || shown == wall) {
			return at, nil
		}
		day = day.AddDate(0, 0, 1)
	}
}
