package recurrence

import (
	"regexp"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // the same zones on a machine or image that has none
)

// WallLayout is how a wall-clock time is written: a date and a time of day
// without a zone.
const WallLayout = "2006-01-02T15:04:05"

var (
	zoneName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}$`)
	// zones keeps what has been loaded: the number of names that exist bounds
	// it, and loading reads files.
	zones sync.Map
)

// Location loads an IANA time zone by name. It refuses what time.LoadLocation
// takes besides: "" and "Local", which mean another zone on another machine,
// paths, and the variants that systems keep beside the zones ("right/…" counts
// leap seconds). The error is a *FieldError on timezone.
func Location(name string) (*time.Location, error) {
	if loc, ok := zones.Load(name); ok {
		return loc.(*time.Location), nil
	}
	switch {
	case name == "":
		return nil, wrong("timezone", "must not be empty")
	case len(name) > 64, !zoneName.MatchString(name),
		strings.EqualFold(name, "Local"), strings.EqualFold(name, "localtime"),
		name == "posixrules", name == "Factory",
		strings.HasPrefix(name, "posix/"), strings.HasPrefix(name, "right/"):
		return nil, wrong("timezone", "%s is not an IANA time zone", quote(name))
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil, wrong("timezone", "%s is not an IANA time zone", quote(name))
	}
	zones.Store(name, loc)
	return loc, nil
}

// WallOf is the wall time that t shows in the zone, to the second. For an
// all-day task it is midnight of the date that t falls on there, also on a day
// that has no midnight.
func WallOf(t time.Time, timezone string, allDay bool) (string, error) {
	loc, err := Location(timezone)
	if err != nil {
		return "", err
	}
	t = t.In(loc)
	if allDay {
		return dayOfTime(t).midnight().Format(WallLayout), nil
	}
	return t.Format(WallLayout), nil
}

// Written is the wall time that a due time means as it was written, t's offset
// included. An all-day task has a date: a time that is written as midnight names its
// date, in whatever offset; any other is the date it falls on in the zone.
func Written(t time.Time, timezone string, allDay bool) (string, error) {
	if h, m, s := t.Clock(); allDay && h == 0 && m == 0 && s == 0 {
		if _, err := Location(timezone); err != nil {
			return "", err
		}
		return t.Format(time.DateOnly) + "T00:00:00", nil
	}
	return WallOf(t, timezone, allDay)
}

// Resolve is the instant of a wall time in the zone. A wall time that a clock
// change leaves out is moved on by the length of the gap; of one that occurs
// twice it is the first. For an all-day task it is the first instant of the
// wall time's date. It undoes WallOf, but for the second pass of a repeated hour.
func Resolve(wall, timezone string, allDay bool) (time.Time, error) {
	loc, err := Location(timezone)
	if err != nil {
		return time.Time{}, err
	}
	t, err := time.Parse(WallLayout, wall)
	if err != nil {
		return time.Time{}, wrong("wall", "must be a wall time like 2027-03-28T09:00:00")
	}
	if allDay {
		at, _ := firstInstant(dayOfTime(t), loc)
		return at.UTC(), nil
	}
	return locate(t.Unix(), loc).at.UTC(), nil
}

// place is where a wall time lies on the time line.
type place struct {
	at time.Time // the instant; in a gap, moved on by the gap's length
	// gapEnd is the instant at which the clocks went forward over the wall
	// time; zero when it exists.
	gapEnd   time.Time
	repeated bool // it occurs twice, and at is the first
}

// locate finds the instant that a wall time (as seconds since 1970, as if the
// zone were UTC) stands for. time.Date would do, but for gaps and repeated
// hours it promises either answer. Time.ZoneBounds would tell where the clocks
// change, but not beyond the zone's last listed change (2037): there it also
// gives ends of years, and on 31 December of a leap year one that has passed.
//
// It counts on no zone changing its clocks twice within the hours looked at.
func locate(wall int64, loc *time.Location) place {
	const widest = 16 * 3600 // no zone is or was further from UTC
	offset := func(at int64) int64 {
		_, seconds := time.Unix(at, 0).In(loc).Zone()
		return int64(seconds)
	}
	last, first := wall-widest, wall+widest // the last instant before the change, the first after
	before, after := offset(last), offset(first)
	early, late := wall-before, wall-after
	if before == after {
		return place{at: time.Unix(early, 0).In(loc)}
	}
	for first-last > 1 {
		if middle := last + (first-last)/2; offset(middle) == before {
			last = middle
		} else {
			first = middle
		}
	}
	switch {
	case early < first:
		return place{at: time.Unix(early, 0).In(loc), repeated: late >= first}
	case late >= first:
		return place{at: time.Unix(late, 0).In(loc)}
	default: // by the clock of before, which moves it on by the gap
		return place{at: time.Unix(early, 0).In(loc), gapEnd: time.Unix(first, 0).In(loc)}
	}
}

// firstInstant is when a date begins in the zone. ok is false for a date that
// the zone left out (Apia had no 30 December 2011): then it is the first
// instant of the date after.
func firstInstant(d day, loc *time.Location) (at time.Time, ok bool) {
	p := locate(int64(d)*86400, loc)
	if p.gapEnd.IsZero() {
		return p.at, true
	}
	return p.gapEnd, dayOfTime(p.gapEnd) == d
}
