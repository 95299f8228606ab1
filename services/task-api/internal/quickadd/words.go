package quickadd

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// word is a part of the text between spaces; #"two words" is one.
type word struct {
	start, end int    // bytes
	text       string // as it stays in a title
	// key is what it is compared by: in small letters, without a mark at its end. It is
	// "" where the word was escaped, and means nothing but itself.
	key string
	// stops says that there was such a mark: no phrase goes on over it.
	stops bool
	// completion says that it is "every!" or the like.
	completion bool
}

// split finds the words of a text.
func split(text string) []word {
	var words []word
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		if unicode.IsSpace(r) {
			i += size
			continue
		}
		start := i
		escaped := text[i] == '\\' && i+1 < len(text)
		if escaped {
			if next, _ := utf8.DecodeRuneInString(text[i+1:]); unicode.IsSpace(next) {
				escaped = false // a backslash that stands alone
			} else {
				i++
			}
		}
		if strings.HasPrefix(text[i:], `#"`) {
			if n := strings.IndexByte(text[i+2:], '"'); n >= 0 {
				i += n + 3
			}
		}
		if n := strings.IndexFunc(text[i:], unicode.IsSpace); n >= 0 {
			i += n
		} else {
			i = len(text)
		}
		w := word{start: start, end: i, text: text[start:i]}
		if escaped {
			w.text = w.text[1:]
		} else {
			w.read()
		}
		words = append(words, w)
	}
	return words
}

// read finds the key of a word.
func (w *word) read() {
	w.key = strings.ToLower(w.text)
	if bare, ok := strings.CutSuffix(w.key, "!"); ok && everyWords[bare] != nobody {
		w.key, w.completion = bare, true
		return
	}
	bare := strings.TrimRight(w.key, ",;")
	if !strings.ContainsFunc(bare, unicode.IsDigit) { // "5." and "5.5." are dates
		bare = strings.TrimRight(bare, ".!?,;")
	}
	if bare != "" && bare != w.key {
		w.key, w.stops = bare, true
	}
}

// language is that of a word; words of two languages do not go together.
type language int

const (
	nobody language = iota
	english
	german
)

// everyWords begin a rule. With "!" behind them it counts from the completion.
var everyWords = map[string]language{"every": english, "jeden": german, "jede": german, "jedes": german, "alle": german}

// dateWords may stand before a date, and are understood with it. Which is which matters for
// weekdays alone.
var dateWords = map[string]language{
	"on": english, "by": english, "due": english, "this": english, "next": english,
	"am": german, "bis": german, "fällig": german, "diesen": german, "nächsten": german, "kommenden": german,
}

// noDateAfter are words behind which a day is no due date, and stays text.
var noDateAfter = set("until", "till", "before", "after", "since", "from", "between", "than", "vor", "nach", "seit", "ab", "von", "zwischen", "als", "to", "through", "for", "für", "of", "and", "or", "und", "oder", "&", "-", "–", "every", "each", "jeden", "jede", "jedes")

// noNumberAfter are words behind which 1.2. is no date.
var noNumberAfter = set("version", "release", "v", "section", "chapter", "kapitel", "abschnitt", "punkt", "no", "nr", "§")

// noMorningAfter are words behind which "morgen" is the morning.
var noMorningAfter = set("am", "guten", "gute", "heute", "gestern", "jeden", "diesen", "den", "der", "dem", "einen", "eines")

// nearDays are days by how far from today they are.
var nearDays = map[string]int{"today": 0, "tomorrow": 1, "heute": 0, "morgen": 1, "übermorgen": 2}

type weekday struct {
	day      time.Weekday
	full     bool
	language language
}

var weekdays = func() map[string]weekday {
	found := map[string]weekday{}
	for _, l := range []struct {
		language language
		names    [7][]string // the first in full
	}{
		{english, [7][]string{{"sunday", "sun"}, {"monday", "mon"}, {"tuesday", "tue", "tues"}, {"wednesday", "wed"}, {"thursday", "thu", "thur", "thurs"}, {"friday", "fri"}, {"saturday", "sat"}}},
		{german, [7][]string{{"sonntag", "so"}, {"montag", "mo"}, {"dienstag", "di"}, {"mittwoch", "mi"}, {"donnerstag", "do"}, {"freitag", "fr"}, {"samstag", "sa"}}},
	} {
		for day, names := range l.names {
			for i, name := range names {
				found[name] = weekday{time.Weekday(day), i == 0, l.language}
			}
		}
	}
	found["sonnabend"] = weekday{time.Saturday, true, german}
	return found
}()

// codes are the weekdays of an RRULE.
var codes = [7]string{"SU", "MO", "TU", "WE", "TH", "FR", "SA"}

type month struct {
	month time.Month
	full  bool
	// word says that it is another word, too, unless it is written with a capital.
	word    bool
	english bool
}

var months = func() map[string]month {
	found := map[string]month{}
	for i, names := range [12]string{
		"january jan januar jänner", "february feb februar", "march mar märz", "april apr", "may mai", "june jun juni", "july jul juli",
		"august aug", "september sep sept", "october oct oktober okt", "november nov", "december dec dezember dez",
	} {
		for j, name := range strings.Fields(names) {
			german := map[string]bool{"januar": true, "jänner": true, "februar": true, "märz": true, "mai": true, "juni": true, "juli": true, "oktober": true, "okt": true, "dezember": true, "dez": true}[name]
			found[name] = month{time.Month(i + 1), j == 0 || german && len(name) > 3 || name == "mai", name == "may" || name == "march" || name == "mar", !german}
		}
	}
	return found
}()

// unit is a length of time that is counted in.
type unit byte

const (
	dayUnit   unit = 'D'
	weekUnit  unit = 'W'
	monthUnit unit = 'M'
	yearUnit  unit = 'Y'
)

var units = map[string]unit{
	"day": dayUnit, "days": dayUnit, "week": weekUnit, "weeks": weekUnit, "month": monthUnit, "months": monthUnit, "year": yearUnit, "years": yearUnit,
	"tag": dayUnit, "tage": dayUnit, "tagen": dayUnit, "woche": weekUnit, "wochen": weekUnit, "monat": monthUnit, "monate": monthUnit, "monaten": monthUnit, "jahr": yearUnit, "jahre": yearUnit, "jahren": yearUnit,
}

var frequencies = map[unit]string{dayUnit: "DAILY", weekUnit: "WEEKLY", monthUnit: "MONTHLY", yearUnit: "YEARLY"}

// adverbs are rules in one word.
var adverbs = map[string]unit{
	"daily": dayUnit, "weekly": weekUnit, "monthly": monthUnit, "yearly": yearUnit,
	"täglich": dayUnit, "wöchentlich": weekUnit, "monatlich": monthUnit, "jährlich": yearUnit,
}

// ordinals count weekdays in a month; -1 is the last.
var ordinals = map[string]int{
	"first": 1, "1st": 1, "second": 2, "2nd": 2, "third": 3, "3rd": 3, "fourth": 4, "4th": 4, "last": -1,
	"ersten": 1, "1.": 1, "zweiten": 2, "2.": 2, "dritten": 3, "3.": 3, "vierten": 4, "4.": 4, "letzten": -1,
}

// numbers are those in words.
var numbers = map[string]int{
	"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "zwei": 2, "drei": 3, "vier": 4, "fünf": 5, "sechs": 6,
}

// others are "every other".
var others = set("other", "second", "2nd", "zweite", "zweiten", "zweites", "2.")

var priorities = map[string]string{
	"!low": "low", "!medium": "medium", "!high": "high", "!urgent": "urgent",
	"!niedrig": "low", "!mittel": "medium", "!hoch": "high", "!dringend": "urgent",
	"!1": "low", "!2": "medium", "!3": "high", "!4": "urgent",
}

func set(words ...string) map[string]bool {
	found := map[string]bool{}
	for _, w := range words {
		found[w] = true
	}
	return found
}
