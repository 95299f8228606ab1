package recurrence_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/recurrence"
)

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
