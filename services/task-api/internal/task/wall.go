package task

import (
	"strings"
	"time"

	"github.com/taskwire/taskwire/pkg/recurrence"
)

// A due time, and the moment of a fixed reminder, is meant as a time on the wall in the
// task's zone. Stored is the moment that the zone had for it when it was written, and
// beside that, as DueWall and AtWall, what the clock showed at that moment (RFC 9557).
// When the laws of the zone change, the two do not belong together any more, and Rezone
// finds the moment that was meant.

// clock is what a clock in location shows at a moment, as a time in UTC.
func clock(at time.Time, location *time.Location) time.Time {
	_, offset := at.In(location).Zone()
	return at.UTC().Add(time.Duration(offset) * time.Second)
}

// wallText says that the clock in a zone shows wall at a moment. It is "" where RFC 9557
// can not say it: no zone is that far from UTC, or off by seconds, in our time.
func wallText(wall, at time.Time, zone string) string {
	offset := int(wall.Sub(at) / time.Second)
	text := at.In(time.FixedZone("", offset)).Format(time.RFC3339Nano) + "[" + zone + "]"
	if _, ok := wallOf(text, at, zone); !ok {
		return ""
	}
	return text
}

// wallOf is the time on the wall, as a time in UTC, that text says a clock in the zone
// showed at a moment. It is not ok where text is of another moment, or another zone.
func wallOf(text string, at time.Time, zone string) (wall time.Time, ok bool) {
	moment, ok := strings.CutSuffix(text, "["+zone+"]")
	if !ok {
		return time.Time{}, false
	}
	t, err := time.Parse(time.RFC3339Nano, moment)
	if err != nil || !t.Equal(at) {
		return time.Time{}, false
	}
	_, offset := t.Zone()
	return t.UTC().Add(time.Duration(offset) * time.Second), true
}

// keepWalls writes down what the clock shows now at each moment that t was given, and
// keeps what it showed where the moment and the zone are those of before.
func (t *Task) keepWalls() {
	location, err := recurrence.Location(t.Timezone)
	keep := func(text string, at *time.Time) string {
		if at == nil || err != nil {
			return ""
		}
		if _, ok := wallOf(text, *at, t.Timezone); ok {
			return text
		}
		return wallText(clock(*at, location), *at, t.Timezone)
	}
	t.DueWall = keep(t.DueWall, t.DueAt)
	for i := range t.Reminders {
		t.Reminders[i].AtWall = keep(t.Reminders[i].AtWall, t.Reminders[i].At)
	}
}

// occurrenceWall says that an occurrence is due at a moment: what it stands for is meant,
// also where the clock leaves that out.
func occurrenceWall(occurrence string, due time.Time, zone string) string {
	wall, err := time.Parse(recurrence.WallLayout, occurrence)
	if err != nil {
		return ""
	}
	return wallText(wall, due, zone)
}

// wall is the time on the wall that t's due time is meant as; of an all-day task its date.
func (t *Task) wall() (string, error) {
	wall, ok := wallOf(t.DueWall, *t.DueAt, t.Timezone)
	switch {
	case !ok:
		return recurrence.WallOf(*t.DueAt, t.Timezone, t.AllDay)
	case t.AllDay:
		return wall.Format(time.DateOnly) + "T00:00:00", nil
	}
	return wall.Format(recurrence.WallLayout), nil
}
