package recurrence_test

import (
	_ "embed"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/teambition/rrule-go"

	"github.com/taskwire/taskwire/pkg/recurrence"
)

var (
	rulesToTry = flag.Uint64("rules", 2000, "how many random rules TestAgreesWithTheReference tries")
	seedToTry  = flag.Uint64("seed", 0, "the seed of TestAgreesWithTheReference; 0 takes a new one")
)

//go:embed testdata/zones.txt
var zonesText string

// allZones are the names of the IANA zones, links included.
var allZones = sync.OnceValue(func() []string {
	var list []string
	for line := range strings.Lines(zonesText) {
		if !strings.HasPrefix(line, "#") {
			list = append(list, strings.TrimSpace(line))
		}
	}
	return list
})

// zonesToTry have between them every kind of clock change: an hour, half an
// hour, two, at midnight, onto midnight, a date left out, none at all, both
// hemispheres.
var zonesToTry = []string{
	"UTC", "Europe/Berlin", "Europe/Dublin", "America/New_York", "America/Santiago", "America/Havana",
	"Australia/Lord_Howe", "Australia/Sydney", "Pacific/Auckland", "Pacific/Apia", "Pacific/Kwajalein",
	"Africa/Cairo", "Africa/Casablanca", "Asia/Beirut", "Asia/Kathmandu", "America/Nuuk", "Antarctica/Troll",
}

// randomRule makes an RRULE of any parts that the parser takes together, but
// for COUNT and UNTIL.
func randomRule(rnd *rand.Rand) string {
	oneIn := func(n int) bool { return rnd.IntN(n) == 0 }
	list := func(most int, of func() string) string {
		items := make([]string, 1+rnd.IntN(most))
		for i := range items {
			items[i] = of()
		}
		return strings.Join(items, ",")
	}
	// Either sign, and every third time one of the first or last two.
	signed := func(most int) func() string {
		return func() string {
			n := 1 + rnd.IntN(most)
			if oneIn(3) {
				n = []int{1, 2, most - 1, most}[rnd.IntN(4)]
			}
			switch rnd.IntN(9) {
			case 0, 1, 2:
				return fmt.Sprint(-n)
			case 3:
				return fmt.Sprintf("+%d", n)
			default:
				return fmt.Sprint(n)
			}
		}
	}
	weekday := func() string { return weekdayNames[rnd.IntN(7)] }

	freq := []string{"DAILY", "WEEKLY", "MONTHLY", "YEARLY"}[rnd.IntN(4)]
	parts := []string{"FREQ=" + freq}
	add := func(name, value string) { parts = append(parts, name+"="+value) }
	switch {
	case oneIn(40):
		add("INTERVAL", fmt.Sprint(1+rnd.IntN(recurrence.MaxInterval)))
	case oneIn(2):
		add("INTERVAL", fmt.Sprint(1+rnd.IntN(6)))
	}
	if oneIn(2) {
		add("WKST", weekday())
	}
	settings := len(parts)
	byMonth := oneIn(3)
	if byMonth {
		add("BYMONTH", list(4, func() string { return fmt.Sprint(1 + rnd.IntN(12)) }))
	}
	if freq != "WEEKLY" && oneIn(4) {
		add("BYMONTHDAY", list(4, signed(31)))
	}
	if freq == "YEARLY" && oneIn(6) {
		add("BYYEARDAY", list(5, signed(366)))
	}
	byWeekNo := freq == "YEARLY" && oneIn(3)
	if byWeekNo {
		add("BYWEEKNO", list(4, signed(53)))
	}
	numbers := (freq == "MONTHLY" || freq == "YEARLY") && !byWeekNo
	most := 5
	if freq == "YEARLY" && !byMonth {
		most = 53
	}
	numbered := func() string { return signed(most)() + weekday() }
	switch {
	case oneIn(2):
	case numbers && oneIn(4):
		add("BYDAY", weekday()+","+list(3, numbered))
	case numbers && oneIn(2):
		add("BYDAY", list(3, numbered))
	default:
		add("BYDAY", list(5, weekday))
	}
	if len(parts) > settings && oneIn(3) {
		add("BYSETPOS", list(3, signed([]int{2, 5, 5, 31, 366}[rnd.IntN(5)])))
	}
	rnd.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
	return strings.Join(parts, ";")
}

// randomAnchor prefers the ends of months and years, leap days, and the days
// around which weeks change their year.
func randomAnchor(rnd *rand.Rand) time.Time {
	year := 2000 + rnd.IntN(80)
	date := time.Date(year, 1, 1+rnd.IntN(365), 0, 0, 0, 0, time.UTC)
	switch rnd.IntN(8) {
	case 0:
		date = time.Date(year, time.Month(1+rnd.IntN(12)), 0, 0, 0, 0, 0, time.UTC) // a month's last day
	case 1:
		date = time.Date(year/4*4, 2, 29, 0, 0, 0, 0, time.UTC)
	case 2:
		date = time.Date(year, 12, 25+rnd.IntN(16), 0, 0, 0, 0, time.UTC) // weeks 52, 53 and 1
	case 3:
		date = time.Date(year, time.Month(1+rnd.IntN(12)), 29+rnd.IntN(3), 0, 0, 0, 0, time.UTC)
	case 4:
		date = time.Date([]int{1993, 2011}[rnd.IntN(2)], 6+time.Month(rnd.IntN(7)), 30, 0, 0, 0, 0, time.UTC) // Kwajalein, Apia
	}
	clock := time.Duration(rnd.IntN(24*60*60)) * time.Second
	if rnd.IntN(4) > 0 {
		clock = []time.Duration{
			0, 30 * time.Minute, 90 * time.Minute, 2 * time.Hour, 150 * time.Minute, 3 * time.Hour,
			9 * time.Hour, 23*time.Hour + 30*time.Minute, 24*time.Hour - time.Second,
		}[rnd.IntN(9)]
	}
	return date.Add(clock)
}

// randomEnd adds COUNT or UNTIL to some rules, UNTIL in each of its three forms and
// often at, or a second beside, a date of the rule.
func randomEnd(rnd *rand.Rand, rule string, anchor time.Time) string {
	switch rnd.IntN(4) {
	case 0:
		return fmt.Sprintf("%s;COUNT=%d", rule, 1+rnd.IntN(15))
	case 1:
		until := anchor.Add(time.Duration(rnd.IntN(5*365*24)) * time.Hour)
		listed := read(rule).listed(anchor, 0, 10, indexOf(anchor)+20*366)
		if len(listed) > 0 && rnd.IntN(4) > 0 {
			until = dateAt(listed[rnd.IntN(len(listed))]).Add(anchor.Sub(dateAt(indexOf(anchor))))
			until = until.Add(time.Duration(rnd.IntN(3)-1) * time.Second)
		}
		return rule + ";UNTIL=" + until.Format([]string{"20060102", "20060102T150405", "20060102T150405Z"}[rnd.IntN(3)])
	default:
		return rule
	}
}

func randomSeries(rnd *rand.Rand) (recurrence.Rule, time.Time) {
	anchor := randomAnchor(rnd)
	zones := zonesToTry
	if rnd.IntN(2) == 0 {
		zones = allZones()
	}
	return recurrence.Rule{
		RRule:    randomEnd(rnd, randomRule(rnd), anchor),
		Anchor:   anchor.Format(recurrence.WallLayout),
		Timezone: zones[rnd.IntN(len(zones))],
		AllDay:   rnd.IntN(3) == 0,
		Basis:    []string{"", "due", "completion"}[rnd.IntN(3)],
		MonthEnd: []string{"", "clamp", "skip"}[rnd.IntN(3)],
		DSTGap:   []string{"", "forward", "skip"}[rnd.IntN(3)],
		Missed:   []string{"", "collapse", "all"}[rnd.IntN(3)],
	}, anchor
}

// reference lists what rrule-go yields after the anchor, in UTC: the first n
// dates within HorizonYears. It looks for dates until the year 9999, so it is
// asked 7600 years later: the calendar repeats every 400, and there it gives up
// sooner.
func reference(rule string, anchor time.Time, n int) ([]int, error) {
	const later = 19 * 400
	option, err := rrule.StrToROption(rule)
	if err != nil {
		return nil, err
	}
	option.Dtstart = anchor.AddDate(later, 0, 0)
	horizon := option.Dtstart.AddDate(recurrence.HorizonYears, 0, 0)
	if option.Until = option.Until.AddDate(later, 0, 0); !strings.Contains(rule, "UNTIL=") || option.Until.After(horizon) {
		option.Until = horizon
	}
	r, err := rrule.NewRRule(*option)
	if err != nil {
		return nil, err
	}
	var list []int
	next := r.Iterator()
	for len(list) < n {
		at, ok := next()
		if !ok {
			break
		}
		if at.After(option.Dtstart) {
			list = append(list, indexOf(at.AddDate(-later, 0, 0)))
		}
	}
	return list, nil
}

// occurrencesCompared is how many dates of a rule are compared.
const occurrencesCompared = 30

// tally counts what was compared, and how often which misreading matters.
type tally struct {
	rules                                        atomic.Uint64
	dates, instants, without, completion, differ atomic.Int64
	misread                                      [len(misreadings)]atomic.Int64
}

// compare holds one rule against rrule-go, the oracle, and its own steps. What
// it returns is the first thing that is not so.
func compare(r recurrence.Rule, anchor time.Time, counted *tally) error {
	// The reference, which knows neither clamp nor zones, against the oracle.
	reading := read(r.RRule)
	last := indexOf(anchor.AddDate(recurrence.HorizonYears, 0, 0))
	right := reading.listed(anchor, 0, occurrencesCompared, last)
	misread, mayMatter := right, reading.mayMatter()
	if mayMatter != 0 {
		misread = reading.listed(anchor, mayMatter, occurrencesCompared, last)
	}
	listed, err := reference(r.RRule, anchor, occurrencesCompared)
	if err != nil {
		return fmt.Errorf("rrule-go: %w", err)
	}
	if !slices.Equal(listed, misread) {
		return fmt.Errorf("rrule-go departs from RFC 5545 in a way that is not listed:\n  rrule-go %v\n  expected %v\n  right    %v", written(listed), written(misread), written(right))
	}
	counted.dates.Add(int64(len(listed)))
	if !slices.Equal(right, misread) {
		counted.differ.Add(1)
		for i := range misreadings {
			if m := misreading(1 << i); mayMatter&m != 0 && !slices.Equal(right, reading.listed(anchor, m, occurrencesCompared, last)) {
				counted.misread[i].Add(1)
			}
		}
	}

	// The package against the oracle, in its zone and with its options.
	last = indexOf(anchor.AddDate(150, 0, 0))
	list, err := r.Preview(occurrencesCompared)
	want, ok := expected(r, occurrencesCompared, last)
	if !ok {
		counted.without.Add(1)
		if err == nil {
			return fmt.Errorf("a rule that yields no date is answered with %q", lines(list))
		}
		if !strings.Contains(err.Error(), "yields no date") {
			return err
		}
		return nil
	}
	if err != nil {
		return err
	}
	near := list
	for len(near) > 0 && near[len(near)-1].Wall[:len(time.DateOnly)] > dateAt(last).Format(time.DateOnly) {
		near = near[:len(near)-1]
	}
	if !slices.Equal(near, want) {
		return fmt.Errorf("the preview is not as expected:\n  preview  %q\n  expected %q", lines(near), lines(want))
	}
	counted.instants.Add(int64(len(near)))
	if r.Basis == "completion" {
		counted.completion.Add(1)
	}
	return walk(r, list, occurrencesCompared)
}

// walk holds a preview against what completing does, each occurrence at the
// instant it is due, and the end of one that is shorter than asked for.
func walk(r recurrence.Rule, list []recurrence.Occurrence, asked int) error {
	wall := r.Anchor
	at, err := recurrence.Resolve(r.Anchor, r.Timezone, r.AllDay)
	if err != nil {
		return err
	}
	for i := range list {
		next, err := r.Next(recurrence.Position{Wall: wall, Ordinal: i + 1}, at)
		if err != nil {
			return err
		}
		if next == nil || *next != list[i] {
			return fmt.Errorf("completing occurrence %d on time is followed by %v; the preview says %v", i+1, next, list[i])
		}
		passed, err := r.Passed(wall, next.At.Add(-1))
		if err != nil || len(passed) > 0 {
			return fmt.Errorf("between occurrence %d and the next, %d are passed: %w", i+1, len(passed), err)
		}
		wall, at = list[i].Wall, list[i].At
	}
	if len(list) < asked {
		next, err := r.Next(recurrence.Position{Wall: wall, Ordinal: len(list) + 1}, at)
		if err != nil {
			return err
		}
		if next != nil {
			return fmt.Errorf("the preview ends with occurrence %d, completing goes on with %v", len(list)+1, next)
		}
	}
	return nil
}

func written(dates []int) []string {
	list := make([]string, len(dates))
	for i, d := range dates {
		list[i] = dateAt(d).Format(time.DateOnly)
	}
	return list
}

// Random rules, anchors, zones and options, dates against rrule-go wherever it
// reads the RFC right, instants against an independent resolver, and the
// preview against what completing does. To run the hundred thousand:
//
//	go test ./recurrence -run TestAgreesWithTheReference -v -timeout 1h -rules 100000
func TestAgreesWithTheReference(t *testing.T) {
	seed := *seedToTry
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("repeat with -rules %d -seed %d", *rulesToTry, seed)
	var (
		counted  tally
		failures atomic.Int64
		workers  sync.WaitGroup
		began    = time.Now()
		told     atomic.Int64
	)
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for failures.Load() < 5 {
				i := counted.rules.Add(1)
				if i > *rulesToTry {
					return
				}
				r, anchor := randomSeries(rand.New(rand.NewPCG(seed, i)))
				if err := compare(r, anchor, &counted); err != nil {
					failures.Add(1)
					t.Errorf("rule %d of seed %d, %+v: %v", i, seed, r, err)
				}
				if passed := int64(time.Since(began) / (10 * time.Second)); passed > told.Load() && told.Swap(passed) < passed {
					fmt.Fprintf(os.Stderr, "%d of %d rules after %s\n", i, *rulesToTry, time.Since(began).Round(time.Second))
				}
			}
		})
	}
	workers.Wait()
	if t.Failed() {
		return
	}
	t.Logf("%d rules (%d of them yield no date, %d count from the completion): %d dates as rrule-go has them, %d instants; %d rules that it misreads",
		*rulesToTry, counted.without.Load(), counted.completion.Load(), counted.dates.Load(), counted.instants.Load(), counted.differ.Load())
	for i, name := range misreadings {
		t.Logf("%6d differ: %s", counted.misread[i].Load(), name)
	}
	require.Greater(t, float64(counted.instants.Load()), 5*float64(*rulesToTry))
}

// misreadings names each, in the order of the constants.
var misreadings = [...]string{
	"plain and numbered weekdays intersect",
	"BYSETPOS in the first week from the anchor on",
	"BYWEEKNO alone is the whole week",
	"the last week of the year before is miscounted",
	"the first week of the year after is not counted back",
	"COUNT does not count an anchor off the rule",
	"UNTIL as a date is its midnight",
}
