package recurrence_test

import (
	_ "embed"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/teambition/rrule-go"

	"github.com/taskwire/taskwire/pkg/recurrence"
)

var differencesTo = flag.String("differences", "", "the file to which TestDifferences writes its table as Markdown")

// dateutilText is what python-dateutil says; testdata/ask_dateutil.py writes it.
//
//go:embed testdata/dateutil.txt
var dateutilText string

// saying is a line of dateutilText.
type saying struct {
	kind, rule string
	anchor     time.Time // a wall time
	zone       string
	answers    []string
}

var dateutilSays = sync.OnceValue(func() []saying {
	var list []saying
	for line := range strings.Lines(dateutilText) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		field := strings.Split(strings.TrimSpace(line), "|")
		anchor, err := time.Parse("20060102T150405", field[2])
		if err != nil {
			panic(err)
		}
		s := saying{kind: field[0], rule: field[1], anchor: anchor, zone: field[3]}
		if field[4] != "" {
			s.answers = strings.Split(field[4], ",")
		}
		list = append(list, s)
	}
	return list
})

// python-dateutil departs from the RFC in expanding a rule as rrule-go does,
// which was ported from it; so where the one misreads a rule the other is no
// help. On the clocks of a zone it is right where rrule-go is not.
func TestAgreesWithDateutil(t *testing.T) {
	var random, same, changes int
	for _, says := range dateutilSays() {
		r := recurrence.Rule{RRule: says.rule, Anchor: says.anchor.Format(recurrence.WallLayout), Timezone: "UTC", MonthEnd: "skip"}
		switch says.kind {
		case "random":
			random++
			last := indexOf(says.anchor.AddDate(recurrence.HorizonYears, 0, 0))
			reading := read(says.rule)
			right := compact(reading.listed(says.anchor, 0, 8, last))
			require.Equal(t, compact(reading.listed(says.anchor, reading.mayMatter(), 8, last)), says.answers, "%+v", says)
			if !slices.Equal(right, says.answers) {
				continue
			}
			same++
			list, err := r.Preview(8)
			if err != nil {
				require.ErrorContains(t, err, "yields no date")
				require.Empty(t, says.answers, "%+v", says)
				continue
			}
			var got []string
			for _, o := range list {
				if date := strings.ReplaceAll(o.Wall[:len(time.DateOnly)], "-", ""); date <= compact([]int{last})[0] {
					got = append(got, date)
				}
			}
			require.Equal(t, says.answers, got, "%+v", says)
		case "change":
			changes++
			r.Timezone = says.zone
			list, err := r.Preview(len(says.answers))
			require.NoError(t, err)
			var got []string
			for _, o := range list {
				got = append(got, o.At.Format("20060102T150405Z"))
			}
			require.Equal(t, says.answers, got, "%+v", says)
		}
	}
	t.Logf("%d random rules, of which dateutil reads %d right; %d daily rules over a clock change, all right", random, same, changes)
	require.Greater(t, same, 1000)
	require.Greater(t, changes, 200)
}

func compact(dates []int) []string {
	var list []string
	for _, d := range dates {
		list = append(list, dateAt(d).Format("20060102"))
	}
	return list
}

// The weeks of the oracle are those of ISO 8601, where they begin on a Monday.
func TestOracleCountsISOWeeks(t *testing.T) {
	r := read("FREQ=YEARLY")
	for d := indexOf(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)); d < indexOf(time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)); d++ {
		year, week := dateAt(d).ISOWeek()
		_, weeks := time.Date(year, 12, 28, 0, 0, 0, 0, time.UTC).ISOWeek()
		for _, number := range []int{week, week - weeks - 1} {
			r.weekNo = []int{number}
			require.True(t, r.inWeek(d, 0), "%s, week %d", dateAt(d), number)
		}
		r.weekNo = []int{week%53 + 1, -((weeks-week+1)%53 + 1)}
		require.False(t, r.inWeek(d, 0), "%s", dateAt(d))
	}
}

const refused = "refused"

// A difference is a rule of which taskwire, rrule-go and python-dateutil do not
// say the same: the dates after the anchor, or, in a zone, the instants.
type difference struct {
	kind                        string
	rule                        recurrence.Rule // its options where they are not the defaults
	taskwire, rruleGo, dateutil string
	right                       string
	section                     string // of RFC 5545, and what it says
	asInRFC                     string // what taskwire says with month_end and dst_gap "skip", where that differs
	misreading                  misreading
	departure                   departure
}

var differences = []difference{
	// How a rule is expanded.
	{
		kind:     "plain and numbered weekdays mixed",
		rule:     recurrence.Rule{RRule: "FREQ=MONTHLY;BYDAY=MO,-1FR", Anchor: "2027-01-04T09:00:00"},
		taskwire: "2027-01-11, 2027-01-18, 2027-01-25, 2027-01-29", rruleGo: "none", dateutil: "none",
		right:      "taskwire",
		section:    "3.3.10, BYDAY: a list of days, each of which \"can also be preceded by\" a number; the others ask for days that are both",
		misreading: mixedWeekdaysIntersect,
	},
	{
		kind:     "BYSETPOS in a week that the anchor cuts",
		rule:     recurrence.Rule{RRule: "FREQ=WEEKLY;BYDAY=MO,WE,FR;BYSETPOS=2", Anchor: "2027-01-06T09:00:00"},
		taskwire: "2027-01-13, 2027-01-20, 2027-01-27", rruleGo: "2027-01-08, 2027-01-13, 2027-01-20", dateutil: "2027-01-08, 2027-01-13, 2027-01-20",
		right:      "taskwire",
		section:    "3.3.10, BYSETPOS: \"a set of recurrence instances starts at the beginning of the interval defined by the FREQ rule part\"",
		misreading: firstWeekCut,
	},
	{
		kind:     "BYWEEKNO without a day",
		rule:     recurrence.Rule{RRule: "FREQ=YEARLY;BYWEEKNO=20", Anchor: "2027-05-17T09:00:00"},
		taskwire: "2028-05-15, 2029-05-14, 2030-05-13", rruleGo: "2027-05-18, 2027-05-19, 2027-05-20", dateutil: "2027-05-18, 2027-05-19, 2027-05-20",
		right:      "taskwire",
		section:    "3.3.10: \"information, not contained in the rule\" comes from DTSTART, here the day of the week; the others take the whole week",
		misreading: wholeWeeks,
	},
	{
		kind:     "BYWEEKNO=52 or 53, in the first days of January",
		rule:     recurrence.Rule{RRule: "FREQ=YEARLY;BYWEEKNO=53;BYDAY=SA", Anchor: "2033-01-01T09:00:00"},
		taskwire: "2038-01-02, 2044-01-02", rruleGo: "2038-01-02, 2039-01-01", dateutil: "2038-01-02, 2039-01-01",
		right:      "taskwire",
		section:    "3.3.10, BYWEEKNO: \"week numbering as defined in [ISO.8601.2004]\"; 1 January 2039 is in week 52 of 2038",
		misreading: lastYearsWeeksMiscounted,
	},
	{
		kind:     "BYWEEKNO=-52 or -53, in the last days of December",
		rule:     recurrence.Rule{RRule: "FREQ=YEARLY;BYWEEKNO=-52;BYDAY=MO", Anchor: "2024-01-01T09:00:00"},
		taskwire: "2024-12-30, 2026-01-05", rruleGo: "2026-01-05, 2027-01-04", dateutil: "2026-01-05, 2027-01-04",
		right:      "taskwire, as far as the RFC says",
		section:    "3.3.10, BYWEEKNO: 30 December 2024 is in week 1 of 2025, the 52nd from its end; the RFC does not say which year a negative number counts in, but the others take the day for week 1 and not for -52",
		misreading: nextYearsWeekNotCountedBack,
	},

	// Where a series ends.
	{
		kind:     "COUNT, and an anchor that the rule does not yield",
		rule:     recurrence.Rule{RRule: "FREQ=DAILY;BYDAY=MO;COUNT=2", Anchor: "2027-01-06T09:00:00"},
		taskwire: "2027-01-11", rruleGo: "2027-01-11, 2027-01-18", dateutil: "2027-01-11, 2027-01-18",
		right:      "taskwire, as far as the RFC says",
		section:    "3.3.10, COUNT: \"the DTSTART property value always counts as the first occurrence\"; 3.8.5.3 leaves such a set undefined",
		misreading: countWithoutAnchor,
	},
	{
		kind:     "UNTIL as a date, for a time of day",
		rule:     recurrence.Rule{RRule: "FREQ=DAILY;UNTIL=20270106", Anchor: "2027-01-04T09:00:00"},
		taskwire: "2027-01-05, 2027-01-06", rruleGo: "2027-01-05", dateutil: "2027-01-05",
		right:      "nobody: not in the RFC",
		section:    "3.3.10, UNTIL: \"MUST have the same value type as the DTSTART property\"; taskwire means the whole day, as the user who wrote it",
		misreading: untilDateIsMidnight,
	},
	{
		kind:     "UNTIL as a wall time, in a zone",
		rule:     recurrence.Rule{RRule: "FREQ=DAILY;UNTIL=20270106T090000", Anchor: "2027-01-04T09:00:00", Timezone: "America/New_York"},
		taskwire: "2027-01-05T14:00:00Z, 2027-01-06T14:00:00Z", rruleGo: "2027-01-05T14:00:00Z, 2027-01-06T14:00:00Z", dateutil: refused,
		right:   "python-dateutil",
		section: "3.3.10, UNTIL: with a time zone reference it \"MUST be specified as a date with UTC time\"; taskwire takes the wall time of the zone besides",
	},

	// What a month or a zone lacks.
	{
		kind:     "a day that the month lacks",
		rule:     recurrence.Rule{RRule: "FREQ=MONTHLY", Anchor: "2027-01-31T09:00:00"},
		taskwire: "2027-02-28, 2027-03-31, 2027-04-30, 2027-05-31", rruleGo: "2027-03-31, 2027-05-31, 2027-07-31, 2027-08-31", dateutil: "2027-03-31, 2027-05-31, 2027-07-31, 2027-08-31",
		asInRFC: "2027-03-31, 2027-05-31, 2027-07-31, 2027-08-31",
		right:   "the others; taskwire with `month_end: skip`",
		section: "3.3.10: an invalid date \"MUST be ignored\"; `clamp` is SKIP=BACKWARD of RFC 7529",
	},
	{
		kind:     "29 February",
		rule:     recurrence.Rule{RRule: "FREQ=YEARLY", Anchor: "2028-02-29T09:00:00"},
		taskwire: "2029-02-28, 2030-02-28, 2031-02-28", rruleGo: "2032-02-29, 2036-02-29, 2040-02-29", dateutil: "2032-02-29, 2036-02-29, 2040-02-29",
		asInRFC: "2032-02-29, 2036-02-29, 2040-02-29",
		right:   "the others; taskwire with `month_end: skip`",
		section: "3.3.10, as above",
	},
	{
		kind:     "a time that does not exist, east of Greenwich",
		rule:     recurrence.Rule{RRule: "FREQ=DAILY", Anchor: "2027-03-27T02:30:00", Timezone: "Europe/Berlin"},
		taskwire: "2027-03-28T01:30:00Z, 2027-03-29T00:30:00Z", rruleGo: "2027-03-28T01:30:00Z, 2027-03-29T00:30:00Z", dateutil: "2027-03-28T01:30:00Z, 2027-03-29T00:30:00Z",
		asInRFC: "2027-03-29T00:30:00Z, 2027-03-30T00:30:00Z",
		right:   "taskwire with `dst_gap: skip`",
		section: "3.3.10: a nonexistent local time \"MUST be ignored\"; `forward` is how 3.3.5 reads such a time where it is written down",
	},
	{
		kind:     "a time that does not exist, west of Greenwich",
		rule:     recurrence.Rule{RRule: "FREQ=DAILY", Anchor: "2027-03-13T02:30:00", Timezone: "America/New_York"},
		taskwire: "2027-03-14T07:30:00Z, 2027-03-15T06:30:00Z", rruleGo: "2027-03-14T06:30:00Z, 2027-03-15T06:30:00Z", dateutil: "2027-03-14T07:30:00Z, 2027-03-15T06:30:00Z",
		asInRFC:   "2027-03-15T06:30:00Z, 2027-03-16T06:30:00Z",
		right:     "taskwire with `dst_gap: skip`; if it is to be moved, taskwire and python-dateutil",
		section:   "3.3.10, as above; 3.3.5: \"interpreted using the UTC offset before the gap\", so moved on and not back",
		departure: movedBack,
	},
	{
		kind:     "a date that has no midnight, west of Greenwich",
		rule:     recurrence.Rule{RRule: "FREQ=DAILY", Anchor: "2027-09-03T09:00:00", Timezone: "America/Santiago"},
		taskwire: "2027-09-04T13:00:00Z, 2027-09-05T12:00:00Z, 2027-09-06T12:00:00Z", rruleGo: "2027-09-04T13:00:00Z, 2027-09-04T13:00:00Z, 2027-09-06T12:00:00Z", dateutil: "2027-09-04T13:00:00Z, 2027-09-05T12:00:00Z, 2027-09-06T12:00:00Z",
		right:     "taskwire, python-dateutil",
		section:   "3.3.10, FREQ=DAILY: each day once; rrule-go has the 4th twice and not the 5th",
		departure: dayBefore,
	},
	{
		kind:     "a time that occurs twice, at Greenwich and east of it",
		rule:     recurrence.Rule{RRule: "FREQ=DAILY", Anchor: "2027-10-30T02:30:00", Timezone: "Europe/Berlin"},
		taskwire: "2027-10-31T00:30:00Z, 2027-11-01T01:30:00Z", rruleGo: "2027-10-31T01:30:00Z, 2027-11-01T01:30:00Z", dateutil: "2027-10-31T00:30:00Z, 2027-11-01T01:30:00Z",
		right:     "taskwire, python-dateutil",
		section:   "3.3.5: \"the DATE-TIME value refers to the first occurrence\"",
		departure: secondOfTwo,
	},

	// What is no rule.
	{
		kind:     "COUNT and UNTIL together",
		rule:     recurrence.Rule{RRule: "FREQ=DAILY;COUNT=3;UNTIL=20270106", Anchor: "2027-01-04T09:00:00"},
		taskwire: refused, rruleGo: "2027-01-05", dateutil: "2027-01-05",
		right: "taskwire", section: "3.3.10: they \"MUST NOT occur in the same 'recur'\"",
	},
	{
		kind:     "a number in BYDAY, weekly",
		rule:     recurrence.Rule{RRule: "FREQ=WEEKLY;BYDAY=2MO", Anchor: "2027-01-04T09:00:00"},
		taskwire: refused, rruleGo: "2027-01-11, 2027-01-18, 2027-01-25", dateutil: "2027-01-11, 2027-01-18, 2027-01-25",
		right: "taskwire", section: "3.3.10, BYDAY: \"MUST NOT be specified with a numeric value when the FREQ rule part is not set to MONTHLY or YEARLY\"",
	},
	{
		kind:     "a number in BYDAY, with BYWEEKNO",
		rule:     recurrence.Rule{RRule: "FREQ=YEARLY;BYWEEKNO=20;BYDAY=1MO", Anchor: "2027-01-04T09:00:00"},
		taskwire: refused, rruleGo: "none", dateutil: "none",
		right: "taskwire", section: "3.3.10, BYDAY: nor \"with the FREQ rule part set to YEARLY when the BYWEEKNO rule part is specified\"",
	},
	{
		kind:     "BYMONTHDAY, weekly",
		rule:     recurrence.Rule{RRule: "FREQ=WEEKLY;BYMONTHDAY=15", Anchor: "2027-01-04T09:00:00"},
		taskwire: refused, rruleGo: "2027-01-15, 2027-02-15, 2027-03-15", dateutil: "2027-01-15, 2027-02-15, 2027-03-15",
		right: "taskwire", section: "3.3.10, BYMONTHDAY: \"MUST NOT be specified when the FREQ rule part is set to WEEKLY\"",
	},
	{
		kind:     "BYWEEKNO, monthly",
		rule:     recurrence.Rule{RRule: "FREQ=MONTHLY;BYWEEKNO=20;BYDAY=MO", Anchor: "2027-01-04T09:00:00"},
		taskwire: refused, rruleGo: "2027-05-17, 2028-05-15, 2029-05-14", dateutil: "2027-05-17, 2028-05-15, 2029-05-14",
		right: "taskwire", section: "3.3.10, BYWEEKNO: \"MUST NOT be used when the FREQ rule part is set to anything other than YEARLY\"",
	},
	{
		kind:     "BYYEARDAY, monthly",
		rule:     recurrence.Rule{RRule: "FREQ=MONTHLY;BYYEARDAY=100", Anchor: "2027-01-04T09:00:00"},
		taskwire: refused, rruleGo: "2027-04-10, 2028-04-09, 2029-04-10", dateutil: "2027-04-10, 2028-04-09, 2029-04-10",
		right: "taskwire", section: "3.3.10, BYYEARDAY: \"MUST NOT be specified when the FREQ rule part is set to DAILY, WEEKLY, or MONTHLY\"",
	},
	{
		kind:     "BYSETPOS alone",
		rule:     recurrence.Rule{RRule: "FREQ=MONTHLY;BYSETPOS=1", Anchor: "2027-01-04T09:00:00"},
		taskwire: refused, rruleGo: "2027-02-04, 2027-03-04, 2027-04-04", dateutil: "2027-02-04, 2027-03-04, 2027-04-04",
		right: "taskwire", section: "3.3.10, BYSETPOS: \"MUST only be used in conjunction with another BYxxx rule part\"",
	},
	{
		kind:     "COUNT=0",
		rule:     recurrence.Rule{RRule: "FREQ=DAILY;COUNT=0", Anchor: "2027-01-04T09:00:00"},
		taskwire: refused, rruleGo: "2027-01-05, 2027-01-06, 2027-01-07", dateutil: "none",
		right: "taskwire, as far as the RFC says", section: "3.3.10, COUNT: \"the number of occurrences at which to range-bound the recurrence\", the first being DTSTART",
	},
	{
		kind:     "a number out of range",
		rule:     recurrence.Rule{RRule: "FREQ=DAILY;BYMONTHDAY=32", Anchor: "2027-01-04T09:00:00"},
		taskwire: refused, rruleGo: refused, dateutil: "none",
		right: "taskwire, rrule-go", section: "3.3.10, BYMONTHDAY: \"valid values are 1 to 31 or -31 to -1\"",
	},
	{
		kind:     "small letters",
		rule:     recurrence.Rule{RRule: "freq=weekly;byday=mo", Anchor: "2027-01-04T09:00:00"},
		taskwire: "2027-01-11, 2027-01-18", rruleGo: refused, dateutil: "2027-01-11, 2027-01-18",
		right: "taskwire, python-dateutil", section: "3.3.10: a grammar in ABNF, whose strings are case-insensitive (RFC 5234, 2.3)",
	},
}

// Each kind of difference stands here with a rule of which all three are asked.
func TestDifferences(t *testing.T) {
	var table strings.Builder
	table.WriteString("| Kind | Example | taskwire | rrule-go | python-dateutil | Right by RFC 5545 | Section |\n|---|---|---|---|---|---|---|\n")
	var named misreading
	departures := map[departure]bool{}
	for _, d := range differences {
		t.Run(d.kind, func(t *testing.T) {
			says := dateutilSays()
			i := slices.IndexFunc(says, func(s saying) bool {
				return s.kind == "example" && s.rule == d.rule.RRule && s.anchor.Format(recurrence.WallLayout) == d.rule.Anchor && s.zone == d.rule.Timezone
			})
			require.GreaterOrEqual(t, i, 0, "testdata/ask_dateutil.py does not ask for this rule")
			require.Equal(t, d.dateutil, joined(says[i].answers), "python-dateutil")
			require.Equal(t, d.rruleGo, rruleGoSays(d.rule, toAsk(d.rule, d.rruleGo)), "rrule-go")
			require.Equal(t, d.taskwire, taskwireSays(d.rule, toAsk(d.rule, d.taskwire)), "taskwire")
			if d.asInRFC != "" {
				asInRFC := d.rule
				asInRFC.MonthEnd, asInRFC.DSTGap = "skip", "skip"
				require.Equal(t, d.asInRFC, taskwireSays(asInRFC, toAsk(asInRFC, d.asInRFC)), "taskwire as in the RFC")
			}
			require.False(t, d.taskwire == d.rruleGo && d.taskwire == d.dateutil && d.asInRFC == "", "no difference")
		})
		named |= d.misreading
		departures[d.departure] = true
		from := d.rule.Anchor
		if d.rule.Timezone != "" {
			from += " " + d.rule.Timezone
		}
		fmt.Fprintf(&table, "| %s | `%s` from %s | %s | %s | %s | %s | %s |\n",
			d.kind, d.rule.RRule, from, d.taskwire, d.rruleGo, d.dateutil, d.right, d.section)
	}
	require.Equal(t, misreading(1<<len(misreadings)-1), named, "each misreading has its example")
	require.Len(t, departures, int(secondOfTwo)+1, "so has each departure on the clocks")
	if *differencesTo != "" {
		require.NoError(t, os.WriteFile(*differencesTo, []byte(table.String()), 0o600))
	}
}

// joined writes python-dateutil's answers as the table has them.
func joined(answers []string) string {
	var list []string
	for _, a := range answers {
		if strings.HasPrefix(a, "!") {
			return refused
		}
		if at, err := time.Parse("20060102T150405Z", a); err == nil {
			list = append(list, at.Format(time.RFC3339))
		} else {
			list = append(list, a[:4]+"-"+a[4:6]+"-"+a[6:])
		}
	}
	return orNone(list)
}

func orNone(list []string) string {
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, ", ")
}

// toAsk is for how many dates to ask, to compare with what is expected: for all
// of a series that ends.
func toAsk(r recurrence.Rule, expected string) int {
	reading := read(strings.ToUpper(r.RRule))
	if reading.count > 0 || reading.until != "" {
		return 100
	}
	return len(strings.Split(expected, ", "))
}

func taskwireSays(r recurrence.Rule, n int) string {
	zone := r.Timezone
	if zone == "" {
		r.Timezone = "UTC"
	}
	list, err := r.Preview(n)
	if err != nil {
		return refused
	}
	var out []string
	for _, o := range list {
		if zone == "" {
			out = append(out, o.Wall[:len(time.DateOnly)])
		} else {
			out = append(out, o.At.Format(time.RFC3339))
		}
	}
	return orNone(out)
}

func rruleGoSays(rule recurrence.Rule, n int) string {
	loc, err := time.LoadLocation(rule.Timezone) // "" is UTC
	if err != nil {
		panic(err)
	}
	option, err := rrule.StrToROptionInLocation(rule.RRule, loc)
	if err != nil {
		return refused
	}
	if option.Dtstart, err = time.ParseInLocation(recurrence.WallLayout, rule.Anchor, loc); err != nil {
		panic(err)
	}
	r, err := rrule.NewRRule(*option)
	if err != nil {
		return refused
	}
	var out []string
	next := r.Iterator()
	for len(out) < n {
		at, ok := next()
		switch {
		case !ok:
			return orNone(out)
		case !at.After(option.Dtstart):
		case rule.Timezone == "":
			out = append(out, at.Format(time.DateOnly))
		default:
			out = append(out, at.UTC().Format(time.RFC3339))
		}
	}
	return orNone(out)
}
