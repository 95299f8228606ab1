package recurrence_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/teambition/rrule-go"

	"github.com/taskwire/taskwire/pkg/recurrence"
)

// zonesToTry have between them every kind of clock change: an hour, half an
// hour, at midnight, a date left out, none at all, both hemispheres.
var zonesToTry = []string{
	"UTC", "Europe/Berlin", "Europe/Dublin", "America/New_York", "America/Santiago", "America/Havana",
	"Australia/Lord_Howe", "Australia/Sydney", "Pacific/Auckland", "Pacific/Apia", "Pacific/Kwajalein",
	"Africa/Cairo", "Africa/Casablanca", "Asia/Beirut", "Asia/Kathmandu", "America/Nuuk", "Antarctica/Troll",
}

// randomRule makes a valid-looking RRULE of the kind that the reference reads
// as RFC 5545 does. Left out are the cases in which rrule-go differs from the
// RFC: plain and numbered weekdays mixed, BYSETPOS in the (cut) first week,
// BYWEEKNO without BYDAY, and numbers of weeks counted back from -52.
func randomRule(rnd *rand.Rand) string {
	pick := func(n int, of func() string) string {
		list := make([]string, 1+rnd.IntN(n))
		for i := range list {
			list[i] = of()
		}
		return strings.Join(list, ",")
	}
	either := func(most int) func() string {
		return func() string {
			n := 1 + rnd.IntN(most)
			if rnd.IntN(3) == 0 {
				n = -n
			}
			return fmt.Sprint(n)
		}
	}
	weekday := func() string { return []string{"MO", "TU", "WE", "TH", "FR", "SA", "SU"}[rnd.IntN(7)] }
	maybe := func(oneIn int) bool { return rnd.IntN(oneIn) == 0 }

	freq := []string{"DAILY", "WEEKLY", "MONTHLY", "YEARLY"}[rnd.IntN(4)]
	parts := []string{"FREQ=" + freq}
	add := func(name, value string) { parts = append(parts, name+"="+value) }
	if maybe(2) {
		add("INTERVAL", fmt.Sprint(1+rnd.IntN(6)))
	}
	if maybe(3) {
		add("WKST", weekday())
	}
	by := false
	if maybe(3) {
		by = true
		add("BYMONTH", pick(3, func() string { return fmt.Sprint(1 + rnd.IntN(12)) }))
	}
	byMonth := by
	if freq != "WEEKLY" && maybe(3) {
		by = true
		add("BYMONTHDAY", pick(3, either(31)))
	}
	if freq == "YEARLY" && maybe(5) {
		by = true
		add("BYYEARDAY", pick(4, either(366)))
	}
	switch {
	case freq == "YEARLY" && maybe(4):
		by = true
		add("BYWEEKNO", pick(4, either(51)))
		add("BYDAY", pick(3, weekday))
	case (freq == "MONTHLY" || freq == "YEARLY") && maybe(3):
		by = true
		most := 5
		if freq == "YEARLY" && !byMonth {
			most = 53
		}
		add("BYDAY", pick(3, func() string { return either(most)() + weekday() }))
	case maybe(3):
		by = true
		add("BYDAY", pick(4, weekday))
	}
	if by && freq != "WEEKLY" && maybe(3) {
		add("BYSETPOS", pick(3, either(4)))
	}
	return strings.Join(parts, ";")
}

// reference lists what rrule-go yields after the anchor, for a century. It
// looks for dates until the year 9999, so it is asked 7600 years later: the
// calendar repeats every 400, and there it gives up sooner.
func reference(t *testing.T, rule string, anchor time.Time, n int) []string {
	const later = 19 * 400
	option, err := rrule.StrToROption(rule)
	require.NoError(t, err)
	option.Dtstart = anchor.AddDate(later, 0, 0)
	option.Until = option.Dtstart.AddDate(recurrence.HorizonYears, 0, 0)
	r, err := rrule.NewRRule(*option)
	require.NoError(t, err)
	var list []string
	next := r.Iterator()
	for len(list) < n {
		at, ok := next()
		if !ok {
			break
		}
		if at.After(option.Dtstart) {
			list = append(list, at.AddDate(-later, 0, 0).Format(recurrence.WallLayout))
		}
	}
	return list
}

// In UTC and with month ends skipped, this package is RFC 5545 and nothing
// more: it must agree with another implementation of it, date by date.
func TestAgreesWithTheReference(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5545, 7529))
	anchors := []time.Time{
		time.Date(2027, 1, 31, 9, 0, 0, 0, time.UTC), time.Date(2028, 2, 29, 23, 59, 59, 0, time.UTC),
		time.Date(2026, 12, 31, 0, 0, 0, 0, time.UTC), time.Date(2027, 3, 17, 12, 0, 0, 0, time.UTC),
	}
	compared := 0
	for range 3000 {
		rule, anchor := randomRule(rnd), anchors[rnd.IntN(len(anchors))]
		r := recurrence.Rule{RRule: rule, Anchor: anchor.Format(recurrence.WallLayout), Timezone: "UTC", MonthEnd: "skip"}
		list, err := r.Preview(40)
		want := reference(t, rule, anchor, 40)
		if err != nil {
			require.ErrorContains(t, err, "yields no date", rule)
			require.Empty(t, want, "%s from %s", rule, anchor)
			continue
		}
		var got []string
		for _, o := range list {
			got = append(got, o.Wall)
		}
		// The reference stops a century after the anchor, we a century after the
		// last date found.
		require.GreaterOrEqual(t, len(got), len(want), "%s from %s", rule, anchor)
		require.Equal(t, want, got[:len(want)], "%s from %s", rule, anchor)
		compared += len(want)
	}
	require.Greater(t, compared, 80_000)
}

// check holds one rule against what is true of every series.
func check(t *testing.T, r recurrence.Rule, completedAt time.Time) {
	list, err := r.Preview(30)
	if err != nil {
		var field *recurrence.FieldError
		require.ErrorAs(t, err, &field)
		return
	}
	loc, err := recurrence.Location(r.Timezone)
	require.NoError(t, err)
	anchor, err := time.Parse(recurrence.WallLayout, r.Anchor)
	require.NoError(t, err)
	clock := anchor.Format(time.TimeOnly)
	if r.AllDay {
		clock = "00:00:00"
	}

	previous, err := recurrence.Resolve(r.Anchor, r.Timezone, r.AllDay)
	require.NoError(t, err)
	seen := []string{r.Anchor[:len(time.DateOnly)]}
	for _, o := range list {
		date, timeOfDay, _ := strings.Cut(o.Wall, "T")
		require.Equal(t, clock, timeOfDay, "the wall time is the anchor's")
		require.Greater(t, date, seen[len(seen)-1], "dates increase")
		require.True(t, o.At.After(previous), "instants increase: %s after %s", o.At, previous)
		require.Equal(t, time.UTC, o.At.Location())
		local := o.At.In(loc)
		switch {
		case strings.Contains(o.Note, recurrence.NoteNoDay):
			require.NotEqual(t, date, local.Format(time.DateOnly))
		case r.AllDay:
			require.Equal(t, date, local.Format(time.DateOnly), "an all-day date never shifts")
			require.NotEqual(t, date, local.Add(-time.Second).Format(time.DateOnly), "due at the first instant of the day")
		case strings.Contains(o.Note, recurrence.NoteGap):
			require.Greater(t, local.Format(recurrence.WallLayout), o.Wall, "moved forward")
			require.NotEqual(t, "skip", r.DSTGap)
		default:
			require.Equal(t, o.Wall, local.Format(recurrence.WallLayout), "the wall time is kept")
		}
		previous, seen = o.At, append(seen, date)
	}

	from := r.Anchor
	if len(list) > 0 {
		from = list[len(list)/2].Wall
	}
	position := recurrence.Position{Wall: from, Ordinal: 2}
	next, err := r.Next(position, completedAt)
	require.NoError(t, err)
	again, err := r.Next(position, completedAt)
	require.NoError(t, err)
	require.Equal(t, next, again, "the same question has the same answer")
	if next == nil || r.Basis == "completion" {
		return
	}
	if r.Missed != "all" {
		require.True(t, next.At.After(completedAt), "collapsed to what lies ahead")
	}
	passed, err := r.Passed(from, next.At.Add(-1))
	require.NoError(t, err)
	require.LessOrEqual(t, len(passed), recurrence.MaxPassed)
	last := from
	for _, o := range append(passed, *next) {
		require.Greater(t, o.Wall[:len(time.DateOnly)], last[:len(time.DateOnly)])
		last = o.Wall
	}
}

func TestPropertiesOfEverySeries(t *testing.T) {
	rnd := rand.New(rand.NewPCG(2027, 3))
	for range 2000 {
		// Around the date line changes of Apia and Kwajalein, and in our time.
		year := []int{1993, 2011, 2026, 2027, 2028}[rnd.IntN(5)]
		anchor := time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(rnd.IntN(365*24*4)) * 15 * time.Minute)
		r := recurrence.Rule{
			RRule:    randomRule(rnd),
			Anchor:   anchor.Format(recurrence.WallLayout),
			Timezone: zonesToTry[rnd.IntN(len(zonesToTry))],
			AllDay:   rnd.IntN(3) == 0,
			Basis:    []string{"", "due", "completion"}[rnd.IntN(3)],
			MonthEnd: []string{"", "clamp", "skip"}[rnd.IntN(3)],
			DSTGap:   []string{"", "forward", "skip"}[rnd.IntN(3)],
			Missed:   []string{"", "collapse", "all"}[rnd.IntN(3)],
		}
		if !t.Run("", func(t *testing.T) {
			t.Logf("%+v", r)
			check(t, r, anchor.Add(time.Duration(rnd.IntN(1000))*time.Hour))
		}) {
			return
		}
	}
}

// FuzzRule looks for a rule that panics, takes long, or breaks a property.
func FuzzRule(f *testing.F) {
	for _, seed := range []struct {
		rrule, zone string
		options     uint8
	}{
		{"FREQ=DAILY", "Europe/Berlin", 0},
		{"FREQ=MONTHLY", "America/Santiago", 1},
		{"FREQ=MONTHLY;BYDAY=-1FR;COUNT=5", "Australia/Lord_Howe", 2},
		{"FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;UNTIL=20600101", "Pacific/Apia", 4},
		{"FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU;WKST=SU", "Africa/Cairo", 8},
		{"FREQ=YEARLY;BYWEEKNO=53,-1;BYDAY=MO;BYSETPOS=-1", "UTC", 31},
		{"FREQ=YEARLY;BYYEARDAY=366,-1", "Asia/Beirut", 16},
	} {
		f.Add(seed.rrule, int64(1806224400), int64(1806310800), seed.zone, seed.options)
	}
	f.Fuzz(func(t *testing.T, rrule string, anchor, completed int64, zone string, options uint8) {
		pick := func(bit int, name string) string {
			if options>>bit&1 == 1 {
				return name
			}
			return ""
		}
		r := recurrence.Rule{
			RRule: rrule, Timezone: zone,
			Anchor:   time.Unix(anchor%(1<<34), 0).UTC().Format(recurrence.WallLayout),
			AllDay:   options&1 == 1,
			Basis:    pick(1, "completion"),
			MonthEnd: pick(2, "skip"),
			DSTGap:   pick(3, "skip"),
			Missed:   pick(4, "all"),
		}
		began := time.Now()
		_ = r.Validate()
		// Validating costs milliseconds; the bound allows for a machine that
		// fuzzes on all its cores.
		require.Less(t, time.Since(began), time.Second)
		check(t, r, time.Unix(completed%(1<<34), 0))
	})
}
