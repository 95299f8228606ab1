package recurrence_test

import (
	"flag"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/teambition/rrule-go"

	"github.com/taskwire/taskwire/pkg/recurrence"
)

var allTransitions = flag.Bool("transitions", false,
	"TestEveryClockChange tries every change of every zone, instead of some of the zones that differ")

// clockChange is an instant at which a zone's clocks are put forward or back.
type clockChange struct {
	at            int64
	before, after int64 // the offset, in seconds
}

// changesBetween finds a zone's clock changes by looking at each day, and then
// at the hours, minutes and seconds of a day over which the offset has changed.
func changesBetween(from, to time.Time, loc *time.Location) []clockChange {
	var list []clockChange
	at, before := from.Unix(), offsetAt(from.Unix(), loc)
	for at < to.Unix() {
		for _, step := range []int64{24 * 3600, 3600, 60, 1} {
			for at < to.Unix() && offsetAt(at+step, loc) == before {
				at += step
			}
		}
		if at++; at < to.Unix() {
			after := offsetAt(at, loc)
			list = append(list, clockChange{at, before, after})
			before = after
		}
	}
	return list
}

// TestEveryClockChange holds the instants of series that meet a clock change
// against an independent resolver: daily, weekly and monthly rules, timed and
// all-day, with both values of dst_gap, whose occurrence falls before, at the
// begin of, inside, at the end of and after what the clocks leave out or repeat,
// and around the midnights beside. Every zone and change from 2026 to 2040:
//
//	go test ./recurrence -run TestEveryClockChange -v -timeout 1h -transitions
func TestEveryClockChange(t *testing.T) {
	from, to := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2041, 1, 1, 0, 0, 0, 0, time.UTC)
	var (
		zones    = make(chan string)
		seen     sync.Map
		workers  sync.WaitGroup
		failures atomic.Int64
		counted  struct {
			zones, with, changes, series atomic.Int64
			departures                   [secondOfTwo + 1]atomic.Int64
		}
	)
	try := func(zone string) {
		loc, err := recurrence.Location(zone)
		if err != nil {
			failures.Add(1)
			t.Error(err)
			return
		}
		changes := changesBetween(from, to, loc)
		counted.zones.Add(1)
		if !*allTransitions {
			// Zones with the same changes differ in nothing here.
			if _, known := seen.LoadOrStore(fmt.Sprint(changes), true); known {
				return
			}
			if len(changes) > 4 {
				// The first year, and the last: from 2038 on zones go by a rule.
				changes = append(changes[:2:2], changes[len(changes)-2:]...)
			}
		}
		if len(changes) > 0 {
			counted.with.Add(1)
		}
		for _, change := range changes {
			counted.changes.Add(1)
			for _, r := range seriesAround(change, zone) {
				if failures.Load() >= 5 {
					return
				}
				counted.series.Add(1)
				want, ok := expected(r, 3, indexOf(to)+100*366)
				list, err := r.Preview(3)
				switch {
				case err != nil || !ok || !slices.Equal(list, want):
					failures.Add(1)
					t.Errorf("%+v: %v\n  preview  %q\n  expected %q", r, err, lines(list), lines(want))
				default:
					if err := walk(r, list, 3); err != nil {
						failures.Add(1)
						t.Errorf("%+v: %v", r, err)
					}
				}
			}
			begin, end := change.at+min(change.before, change.after), change.at+max(change.before, change.after)
			for _, wall := range []int64{begin - 1, begin, end - 1, end, begin - begin%(24*3600) + 12*3600} {
				found, err := departureOfReference(wall, change, loc)
				if err != nil {
					failures.Add(1)
					t.Errorf("%s: %v", zone, err)
				}
				counted.departures[found].Add(1)
			}
		}
	}
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for zone := range zones {
				try(zone)
			}
		})
	}
	for _, zone := range allZones() {
		zones <- zone
	}
	close(zones)
	workers.Wait()
	require.False(t, t.Failed())
	t.Logf("%d zones, %d changes in %d of them: %d series",
		counted.zones.Load(), counted.changes.Load(), counted.with.Load(), counted.series.Load())
	t.Logf("rrule-go: %d times moved back, %d on the day before, %d the second of two",
		counted.departures[movedBack].Load(), counted.departures[dayBefore].Load(), counted.departures[secondOfTwo].Load())
	require.GreaterOrEqual(t, counted.with.Load(), int64(20))
	for _, each := range []departure{movedBack, dayBefore, secondOfTwo} {
		require.Positive(t, counted.departures[each].Load())
	}
}

// seriesAround are the series that meet a clock change, each at its first or
// second occurrence after the anchor.
func seriesAround(change clockChange, zone string) []recurrence.Rule {
	begin := change.at + min(change.before, change.after) // of the wall times left out or repeated
	end := change.at + max(change.before, change.after)
	midnight := begin - begin%(24*3600)
	walls := []int64{
		begin - 1, begin, begin + 1, begin + (end-begin)/2, end - 1, end, end + 1,
		midnight - 1, midnight, midnight + 1, midnight + 24*3600 - 1, midnight + 24*3600, midnight + 12*3600,
	}
	slices.Sort(walls)
	var list []recurrence.Rule
	add := func(wall int64, allDay bool) {
		on := time.Unix(wall, 0).UTC()
		month := on
		for k := 1; k == 1 || month.Day() != on.Day(); k++ { // the last month that has the day
			month = time.Date(on.Year(), on.Month()-time.Month(k), on.Day(), on.Hour(), on.Minute(), on.Second(), 0, time.UTC)
		}
		for _, each := range []struct {
			rule   string
			anchor time.Time
		}{{"FREQ=DAILY", on.AddDate(0, 0, -1)}, {"FREQ=WEEKLY", on.AddDate(0, 0, -7)}, {"FREQ=MONTHLY", month}} {
			for _, gap := range []string{"forward", "skip"} {
				list = append(list, recurrence.Rule{
					RRule: each.rule, Anchor: each.anchor.Format(recurrence.WallLayout), Timezone: zone, DSTGap: gap, AllDay: allDay,
				})
			}
		}
	}
	for _, wall := range slices.Compact(walls) {
		add(wall, false)
	}
	for _, noon := range []int64{-12, 12, 36} {
		add(midnight+noon*3600, true)
	}
	return list
}

// departure is a way in which rrule-go resolves a wall time differently. It takes
// the answer of time.Date, which promises none where the clocks change.
type departure int

const (
	none departure = iota
	// West of Greenwich a time that does not exist is moved back.
	movedBack
	// West of Greenwich a date that has no midnight is taken for the one before.
	dayBefore
	// At Greenwich and east of it a time that occurs twice is the second.
	secondOfTwo
)

// departureOfReference holds rrule-go to just that, for a daily rule that comes
// to the wall time as its second date.
func departureOfReference(wall int64, change clockChange, loc *time.Location) (departure, error) {
	on := time.Unix(wall, 0).UTC()
	r, err := rrule.NewRRule(rrule.ROption{
		Freq:    rrule.DAILY,
		Dtstart: time.Date(on.Year(), on.Month(), on.Day()-1, on.Hour(), on.Minute(), on.Second(), 0, loc),
	})
	if err != nil {
		return none, err
	}
	next := r.Iterator()
	next()
	got, _ := next()
	want, gap, twice := resolveByTrying(wall, loc)
	_, noMidnight, _ := resolveByTrying(wall-wall%(24*3600), loc)
	found := none
	switch {
	case noMidnight && change.before < 0:
		found = dayBefore
		want, _, _ = resolveByTrying(wall-24*3600, loc)
	case gap && change.before < 0:
		found, want = movedBack, want-(change.after-change.before)
	case twice && change.after >= 0:
		found, want = secondOfTwo, want+(change.before-change.after)
	}
	if got.Unix() != want {
		return none, fmt.Errorf("rrule-go takes %s for %s, not for %s", on.Format(recurrence.WallLayout), got.UTC(), time.Unix(want, 0).UTC())
	}
	return found, nil
}
