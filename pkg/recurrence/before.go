package recurrence

import (
	"regexp"
	"time"
)

// maxBefore bounds how long before its due date a task can remind.
const maxBefore = 366 * 24 * time.Hour

// beforeDue is an ISO 8601 duration of weeks or of days, hours, minutes and
// seconds. Years and months have no fixed length and are not offered.
var beforeDue = regexp.MustCompile(`^P(?:(\d{1,3})W)?(?:(\d{1,3})D)?(?:T(?:(\d{1,5})H)?(?:(\d{1,6})M)?(?:(\d{1,8})S)?)?$`)

// Before is a time span before a due date, as people mean it: whole days by the
// calendar, the rest by the clock.
type Before struct {
	Days  int
	Exact time.Duration
}

// ParseBefore reads an ISO 8601 duration like "PT15M", "P1D", "P1W" or
// "P1DT12H", from nothing up to 366 days. The error is a *FieldError on
// before_due.
func ParseBefore(s string) (Before, error) {
	malformed := wrong("before_due", `%s is not a duration like "PT15M", "P1D" or "P1W"`, quote(s))
	if s == "" || len(s) > 40 || s[len(s)-1] == 'P' || s[len(s)-1] == 'T' {
		return Before{}, malformed
	}
	m := beforeDue.FindStringSubmatch(s)
	if m == nil {
		return Before{}, malformed
	}
	var n [6]int
	for i := 1; i < len(m); i++ {
		n[i], _ = digitsOnly(m[i]) // absent: 0; the pattern admits digits only
	}
	b := Before{
		Days:  7*n[1] + n[2],
		Exact: time.Duration(n[3])*time.Hour + time.Duration(n[4])*time.Minute + time.Duration(n[5])*time.Second,
	}
	if time.Duration(b.Days)*24*time.Hour+b.Exact > maxBefore {
		return Before{}, wrong("before_due", "must not be longer than 366 days")
	}
	return b, nil
}

// RemindAt is the instant that lies before (an ISO 8601 duration) ahead of due.
// Days go by the calendar of the zone: a day before 09:00 is 09:00 the day
// before, though 23 or 25 hours lie between. Hours, minutes and seconds are
// exact: "PT24H" is 24 hours. A wall time that a clock change leaves out is
// moved on by the gap, as a due date is.
func RemindAt(due time.Time, timezone, before string) (time.Time, error) {
	loc, err := Location(timezone)
	if err != nil {
		return time.Time{}, err
	}
	b, err := ParseBefore(before)
	if err != nil {
		return time.Time{}, err
	}
	at := due
	if b.Days > 0 {
		local := due.In(loc)
		wall := int64(dayOfTime(local)-day(b.Days))*86400 +
			int64(local.Hour()*3600+local.Minute()*60+local.Second())
		at = locate(wall, loc).at.Add(time.Duration(local.Nanosecond()))
	}
	return at.Add(-b.Exact).UTC(), nil
}
