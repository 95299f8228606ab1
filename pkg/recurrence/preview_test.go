package recurrence_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/recurrence"
)

// A case reads as a calendar: the rule, and what follows its anchor as
// "wall = instant", the instant in UTC, then " (note)" if there is one.
func TestPreview(t *testing.T) {
	type rule = recurrence.Rule
	for _, tc := range []struct {
		name string
		rule rule
		n    int
		want []string
	}{
		// Wall time and the clock changes.
		{"wall time is kept over the start of DST", rule{RRule: "FREQ=DAILY", Anchor: "2027-03-27T09:00:00", Timezone: "Europe/Berlin"}, 2, []string{
			"2027-03-28T09:00:00 = 2027-03-28T07:00:00Z",
			"2027-03-29T09:00:00 = 2027-03-29T07:00:00Z",
		}},
		{"wall time is kept over the end of DST", rule{RRule: "FREQ=WEEKLY", Anchor: "2027-10-26T09:00:00", Timezone: "Europe/Berlin"}, 1, []string{
			"2027-11-02T09:00:00 = 2027-11-02T08:00:00Z",
		}},
		{"a gap moves on by its length, once", rule{RRule: "FREQ=DAILY", Anchor: "2027-03-27T02:30:00", Timezone: "Europe/Berlin"}, 2, []string{
			"2027-03-28T02:30:00 = 2027-03-28T01:30:00Z (moved past a DST gap)",
			"2027-03-29T02:30:00 = 2027-03-29T00:30:00Z",
		}},
		{"a gap can be skipped", rule{RRule: "FREQ=DAILY", Anchor: "2027-03-27T02:30:00", Timezone: "Europe/Berlin", DSTGap: "skip"}, 1, []string{
			"2027-03-29T02:30:00 = 2027-03-29T00:30:00Z",
		}},
		{"the first second of a gap moves, the one before does not", rule{RRule: "FREQ=DAILY", Anchor: "2027-03-27T02:00:00", Timezone: "Europe/Berlin"}, 1, []string{
			"2027-03-28T02:00:00 = 2027-03-28T01:00:00Z (moved past a DST gap)",
		}},
		{"the end of a gap is no gap", rule{RRule: "FREQ=DAILY", Anchor: "2027-03-27T03:00:00", Timezone: "Europe/Berlin"}, 1, []string{
			"2027-03-28T03:00:00 = 2027-03-28T01:00:00Z",
		}},
		{"a repeated hour happens once, the first time", rule{RRule: "FREQ=DAILY", Anchor: "2027-10-30T02:30:00", Timezone: "Europe/Berlin"}, 2, []string{
			"2027-10-31T02:30:00 = 2027-10-31T00:30:00Z (the first of two such times that day)",
			"2027-11-01T02:30:00 = 2027-11-01T01:30:00Z",
		}},
		{"New York, gap", rule{RRule: "FREQ=DAILY", Anchor: "2027-03-13T02:30:00", Timezone: "America/New_York"}, 1, []string{
			"2027-03-14T02:30:00 = 2027-03-14T07:30:00Z (moved past a DST gap)",
		}},
		{"Sydney springs forward in October", rule{RRule: "FREQ=DAILY", Anchor: "2027-10-02T02:30:00", Timezone: "Australia/Sydney"}, 2, []string{
			"2027-10-03T02:30:00 = 2027-10-02T16:30:00Z (moved past a DST gap)",
			"2027-10-04T02:30:00 = 2027-10-03T15:30:00Z",
		}},
		{"Auckland falls back in April", rule{RRule: "FREQ=DAILY", Anchor: "2027-04-03T02:30:00", Timezone: "Pacific/Auckland"}, 1, []string{
			"2027-04-04T02:30:00 = 2027-04-03T13:30:00Z (the first of two such times that day)",
		}},
		{"Lord Howe goes forward by half an hour", rule{RRule: "FREQ=DAILY", Anchor: "2027-10-02T02:15:00", Timezone: "Australia/Lord_Howe"}, 2, []string{
			"2027-10-03T02:15:00 = 2027-10-02T15:45:00Z (moved past a DST gap)",
			"2027-10-04T02:15:00 = 2027-10-03T15:15:00Z",
		}},
		{"Lord Howe goes back by half an hour", rule{RRule: "FREQ=DAILY", Anchor: "2027-04-03T01:45:00", Timezone: "Australia/Lord_Howe"}, 1, []string{
			"2027-04-04T01:45:00 = 2027-04-03T14:45:00Z (the first of two such times that day)",
		}},
		{"Kathmandu has quarter hours and no DST", rule{RRule: "FREQ=DAILY", Anchor: "2027-03-27T09:00:00", Timezone: "Asia/Kathmandu"}, 1, []string{
			"2027-03-28T09:00:00 = 2027-03-28T03:15:00Z",
		}},
		{"Dublin has its standard time in summer", rule{RRule: "FREQ=DAILY", Anchor: "2027-03-27T01:30:00", Timezone: "Europe/Dublin"}, 1, []string{
			"2027-03-28T01:30:00 = 2027-03-28T01:30:00Z (moved past a DST gap)",
		}},
		{"Casablanca goes back for Ramadan", rule{RRule: "FREQ=DAILY", Anchor: "2026-02-14T09:00:00", Timezone: "Africa/Casablanca"}, 2, []string{
			"2026-02-15T09:00:00 = 2026-02-15T09:00:00Z",
			"2026-02-16T09:00:00 = 2026-02-16T09:00:00Z",
		}},

		// Days that begin late, or not at all.
		{"an all-day task in Santiago keeps its date", rule{RRule: "FREQ=DAILY", Anchor: "2027-09-04T00:00:00", Timezone: "America/Santiago", AllDay: true}, 2, []string{
			"2027-09-05T00:00:00 = 2027-09-05T04:00:00Z",
			"2027-09-06T00:00:00 = 2027-09-06T03:00:00Z",
		}},
		{"a timed task at midnight in Santiago", rule{RRule: "FREQ=DAILY", Anchor: "2027-09-04T00:00:00", Timezone: "America/Santiago"}, 1, []string{
			"2027-09-05T00:00:00 = 2027-09-05T04:00:00Z (moved past a DST gap)",
		}},
		{"an all-day task ignores the clock of its anchor", rule{RRule: "FREQ=DAILY", Anchor: "2027-09-04T23:59:59", Timezone: "America/Santiago", AllDay: true}, 1, []string{
			"2027-09-05T00:00:00 = 2027-09-05T04:00:00Z",
		}},
		{"an all-day task is not skipped for a gap at midnight", rule{RRule: "FREQ=DAILY", Anchor: "2027-04-29T00:00:00", Timezone: "Africa/Cairo", AllDay: true, DSTGap: "skip"}, 2, []string{
			"2027-04-30T00:00:00 = 2027-04-29T22:00:00Z",
			"2027-05-01T00:00:00 = 2027-04-30T21:00:00Z",
		}},
		{"Cairo at half past midnight", rule{RRule: "FREQ=DAILY", Anchor: "2027-04-29T00:30:00", Timezone: "Africa/Cairo"}, 1, []string{
			"2027-04-30T00:30:00 = 2027-04-29T22:30:00Z (moved past a DST gap)",
		}},
		{"Beirut, all day", rule{RRule: "FREQ=DAILY", Anchor: "2027-03-27T00:00:00", Timezone: "Asia/Beirut", AllDay: true}, 2, []string{
			"2027-03-28T00:00:00 = 2027-03-27T22:00:00Z",
			"2027-03-29T00:00:00 = 2027-03-28T21:00:00Z",
		}},
		{"Havana has its midnight twice in November", rule{RRule: "FREQ=DAILY", Anchor: "2027-11-06T00:00:00", Timezone: "America/Havana", AllDay: true}, 2, []string{
			"2027-11-07T00:00:00 = 2027-11-07T04:00:00Z",
			"2027-11-08T00:00:00 = 2027-11-08T05:00:00Z",
		}},
		{"Apia had no 30 December 2011: daily, it is left out", rule{RRule: "FREQ=DAILY", Anchor: "2011-12-29T09:00:00", Timezone: "Pacific/Apia"}, 2, []string{
			"2011-12-31T09:00:00 = 2011-12-30T19:00:00Z",
			"2012-01-01T09:00:00 = 2011-12-31T19:00:00Z",
		}},
		{"Apia had no 30 December 2011: weekly, it is moved", rule{RRule: "FREQ=WEEKLY", Anchor: "2011-12-23T09:00:00", Timezone: "Pacific/Apia"}, 2, []string{
			"2011-12-30T09:00:00 = 2011-12-30T19:00:00Z (moved past a day that does not exist in the zone)",
			"2012-01-06T09:00:00 = 2012-01-05T19:00:00Z",
		}},
		{"Apia had no 30 December 2011: weekly, skipped on demand", rule{RRule: "FREQ=WEEKLY", Anchor: "2011-12-23T09:00:00", Timezone: "Pacific/Apia", DSTGap: "skip"}, 1, []string{
			"2012-01-06T09:00:00 = 2012-01-05T19:00:00Z",
		}},
		{"Apia, all day and daily", rule{RRule: "FREQ=DAILY", Anchor: "2011-12-29T00:00:00", Timezone: "Pacific/Apia", AllDay: true}, 1, []string{
			"2011-12-31T00:00:00 = 2011-12-30T10:00:00Z",
		}},
		{"Apia, begun on the day that it had not: due on the 31st, once", rule{RRule: "FREQ=DAILY", Anchor: "2011-12-30T01:30:00", Timezone: "Pacific/Apia", MonthEnd: "skip", DSTGap: "forward"}, 2, []string{
			"2012-01-01T01:30:00 = 2011-12-31T11:30:00Z",
			"2012-01-02T01:30:00 = 2012-01-01T11:30:00Z",
		}},
		{"Apia, begun on the day that it had not, with gaps skipped: the anchor never is", rule{RRule: "FREQ=DAILY", Anchor: "2011-12-30T01:30:00", Timezone: "Pacific/Apia", DSTGap: "skip"}, 1, []string{
			"2012-01-01T01:30:00 = 2011-12-31T11:30:00Z",
		}},
		{"Apia, begun on the day that it had not, all day", rule{RRule: "FREQ=DAILY", Anchor: "2011-12-30T00:00:00", Timezone: "Pacific/Apia", AllDay: true}, 1, []string{
			"2012-01-01T00:00:00 = 2011-12-31T10:00:00Z",
		}},
		{"Apia, begun on the day that it had not: COUNT does not count what is left out", rule{RRule: "FREQ=DAILY;COUNT=2", Anchor: "2011-12-30T01:30:00", Timezone: "Pacific/Apia"}, 5, []string{
			"2012-01-01T01:30:00 = 2011-12-31T11:30:00Z",
		}},
		{"Nuuk goes forward onto midnight: moved past the gap, though to the next date", rule{RRule: "FREQ=DAILY", Anchor: "2027-03-26T23:30:00", Timezone: "America/Nuuk"}, 2, []string{
			"2027-03-27T23:30:00 = 2027-03-28T01:30:00Z (moved past a DST gap)",
			"2027-03-28T23:30:00 = 2027-03-29T00:30:00Z",
		}},
		{"after completion, what is done on the date it was moved to counts from there", rule{RRule: "FREQ=DAILY", Anchor: "2027-03-26T23:30:00", Timezone: "America/Nuuk", Basis: "completion"}, 2, []string{
			"2027-03-27T23:30:00 = 2027-03-28T01:30:00Z (moved past a DST gap)",
			"2027-03-29T23:30:00 = 2027-03-30T00:30:00Z",
		}},

		// The ends of months.
		{"monthly on the 31st, clamped, does not drift", rule{RRule: "FREQ=MONTHLY", Anchor: "2027-01-31T09:00:00", Timezone: "UTC"}, 5, []string{
			"2027-02-28T09:00:00 = 2027-02-28T09:00:00Z (clamped to the month's last day)",
			"2027-03-31T09:00:00 = 2027-03-31T09:00:00Z",
			"2027-04-30T09:00:00 = 2027-04-30T09:00:00Z (clamped to the month's last day)",
			"2027-05-31T09:00:00 = 2027-05-31T09:00:00Z",
			"2027-06-30T09:00:00 = 2027-06-30T09:00:00Z (clamped to the month's last day)",
		}},
		{"monthly on the 31st, skipped", rule{RRule: "FREQ=MONTHLY", Anchor: "2027-01-31T09:00:00", Timezone: "UTC", MonthEnd: "skip"}, 3, []string{
			"2027-03-31T09:00:00 = 2027-03-31T09:00:00Z",
			"2027-05-31T09:00:00 = 2027-05-31T09:00:00Z",
			"2027-07-31T09:00:00 = 2027-07-31T09:00:00Z",
		}},
		{"monthly on the 30th over a leap February", rule{RRule: "FREQ=MONTHLY", Anchor: "2028-01-30T09:00:00", Timezone: "UTC"}, 2, []string{
			"2028-02-29T09:00:00 = 2028-02-29T09:00:00Z (clamped to the month's last day)",
			"2028-03-30T09:00:00 = 2028-03-30T09:00:00Z",
		}},
		{"a clamp and a gap at once", rule{RRule: "FREQ=MONTHLY", Anchor: "2027-03-31T00:30:00", Timezone: "Africa/Cairo"}, 2, []string{
			"2027-04-30T00:30:00 = 2027-04-29T22:30:00Z (moved past a DST gap; clamped to the month's last day)",
			"2027-05-31T00:30:00 = 2027-05-30T21:30:00Z",
		}},
		{"an explicit BYMONTHDAY=31 follows the RFC", rule{RRule: "FREQ=MONTHLY;BYMONTHDAY=31", Anchor: "2027-01-31T09:00:00", Timezone: "UTC"}, 2, []string{
			"2027-03-31T09:00:00 = 2027-03-31T09:00:00Z",
			"2027-05-31T09:00:00 = 2027-05-31T09:00:00Z",
		}},
		{"BYMONTHDAY=-1 is the last day", rule{RRule: "FREQ=MONTHLY;BYMONTHDAY=-1", Anchor: "2027-01-31T09:00:00", Timezone: "UTC"}, 2, []string{
			"2027-02-28T09:00:00 = 2027-02-28T09:00:00Z",
			"2027-03-31T09:00:00 = 2027-03-31T09:00:00Z",
		}},
		{"every second month clamps too", rule{RRule: "FREQ=MONTHLY;INTERVAL=2", Anchor: "2027-08-31T09:00:00", Timezone: "UTC"}, 4, []string{
			"2027-10-31T09:00:00 = 2027-10-31T09:00:00Z",
			"2027-12-31T09:00:00 = 2027-12-31T09:00:00Z",
			"2028-02-29T09:00:00 = 2028-02-29T09:00:00Z (clamped to the month's last day)",
			"2028-04-30T09:00:00 = 2028-04-30T09:00:00Z (clamped to the month's last day)",
		}},
		{"monthly in some months only", rule{RRule: "FREQ=MONTHLY;BYMONTH=2,4", Anchor: "2027-01-31T09:00:00", Timezone: "UTC"}, 3, []string{
			"2027-02-28T09:00:00 = 2027-02-28T09:00:00Z (clamped to the month's last day)",
			"2027-04-30T09:00:00 = 2027-04-30T09:00:00Z (clamped to the month's last day)",
			"2028-02-29T09:00:00 = 2028-02-29T09:00:00Z (clamped to the month's last day)",
		}},
		{"yearly on 29 February, clamped", rule{RRule: "FREQ=YEARLY", Anchor: "2028-02-29T09:00:00", Timezone: "UTC"}, 4, []string{
			"2029-02-28T09:00:00 = 2029-02-28T09:00:00Z (clamped to the month's last day)",
			"2030-02-28T09:00:00 = 2030-02-28T09:00:00Z (clamped to the month's last day)",
			"2031-02-28T09:00:00 = 2031-02-28T09:00:00Z (clamped to the month's last day)",
			"2032-02-29T09:00:00 = 2032-02-29T09:00:00Z",
		}},
		{"yearly on 29 February, skipped, over 2100", rule{RRule: "FREQ=YEARLY", Anchor: "2092-02-29T09:00:00", Timezone: "UTC", MonthEnd: "skip"}, 2, []string{
			"2096-02-29T09:00:00 = 2096-02-29T09:00:00Z",
			"2104-02-29T09:00:00 = 2104-02-29T09:00:00Z",
		}},
		{"yearly, the anchor's day in other months", rule{RRule: "FREQ=YEARLY;BYMONTH=2,6", Anchor: "2027-01-31T09:00:00", Timezone: "UTC"}, 2, []string{
			"2027-02-28T09:00:00 = 2027-02-28T09:00:00Z (clamped to the month's last day)",
			"2027-06-30T09:00:00 = 2027-06-30T09:00:00Z (clamped to the month's last day)",
		}},

		// RFC 5545.
		{"the last Friday of the month", rule{RRule: "FREQ=MONTHLY;BYDAY=-1FR", Anchor: "2027-01-29T17:00:00", Timezone: "Europe/Berlin"}, 3, []string{
			"2027-02-26T17:00:00 = 2027-02-26T16:00:00Z",
			"2027-03-26T17:00:00 = 2027-03-26T16:00:00Z",
			"2027-04-30T17:00:00 = 2027-04-30T15:00:00Z",
		}},
		{"the fifth Monday, where there is one", rule{RRule: "FREQ=MONTHLY;BYDAY=5MO", Anchor: "2027-03-29T09:00:00", Timezone: "UTC"}, 2, []string{
			"2027-05-31T09:00:00 = 2027-05-31T09:00:00Z",
			"2027-08-30T09:00:00 = 2027-08-30T09:00:00Z",
		}},
		{"the last workday of the month", rule{RRule: "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", Anchor: "2027-01-29T09:00:00", Timezone: "UTC"}, 4, []string{
			"2027-02-26T09:00:00 = 2027-02-26T09:00:00Z",
			"2027-03-31T09:00:00 = 2027-03-31T09:00:00Z",
			"2027-04-30T09:00:00 = 2027-04-30T09:00:00Z",
			"2027-05-31T09:00:00 = 2027-05-31T09:00:00Z",
		}},
		{"Friday the 13th", rule{RRule: "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13", Anchor: "2026-11-13T09:00:00", Timezone: "UTC"}, 2, []string{
			"2027-08-13T09:00:00 = 2027-08-13T09:00:00Z",
			"2028-10-13T09:00:00 = 2028-10-13T09:00:00Z",
		}},
		{"plain and numbered weekdays together", rule{RRule: "FREQ=MONTHLY;BYDAY=1MO,-1FR", Anchor: "2027-01-04T09:00:00", Timezone: "UTC"}, 3, []string{
			"2027-01-29T09:00:00 = 2027-01-29T09:00:00Z",
			"2027-02-01T09:00:00 = 2027-02-01T09:00:00Z",
			"2027-02-26T09:00:00 = 2027-02-26T09:00:00Z",
		}},
		{"every other week on Monday and Thursday", rule{RRule: "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,TH", Anchor: "2027-01-04T09:00:00", Timezone: "UTC"}, 3, []string{
			"2027-01-07T09:00:00 = 2027-01-07T09:00:00Z",
			"2027-01-18T09:00:00 = 2027-01-18T09:00:00Z",
			"2027-01-21T09:00:00 = 2027-01-21T09:00:00Z",
		}},
		{"WKST=MO (the example of the RFC)", rule{RRule: "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO", Anchor: "1997-08-05T09:00:00", Timezone: "America/New_York"}, 9, []string{
			"1997-08-10T09:00:00 = 1997-08-10T13:00:00Z",
			"1997-08-19T09:00:00 = 1997-08-19T13:00:00Z",
			"1997-08-24T09:00:00 = 1997-08-24T13:00:00Z",
		}},
		{"WKST=SU (the example of the RFC)", rule{RRule: "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU", Anchor: "1997-08-05T09:00:00", Timezone: "America/New_York"}, 9, []string{
			"1997-08-17T09:00:00 = 1997-08-17T13:00:00Z",
			"1997-08-19T09:00:00 = 1997-08-19T13:00:00Z",
			"1997-08-31T09:00:00 = 1997-08-31T13:00:00Z",
		}},
		{"the 20th Monday of the year", rule{RRule: "FREQ=YEARLY;BYDAY=20MO", Anchor: "1997-05-19T09:00:00", Timezone: "UTC"}, 2, []string{
			"1998-05-18T09:00:00 = 1998-05-18T09:00:00Z",
			"1999-05-17T09:00:00 = 1999-05-17T09:00:00Z",
		}},
		{"Monday of week 20", rule{RRule: "FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO", Anchor: "1997-05-12T09:00:00", Timezone: "UTC"}, 2, []string{
			"1998-05-11T09:00:00 = 1998-05-11T09:00:00Z",
			"1999-05-17T09:00:00 = 1999-05-17T09:00:00Z",
		}},
		{"week 20 on the anchor's weekday", rule{RRule: "FREQ=YEARLY;BYWEEKNO=20", Anchor: "1997-05-12T09:00:00", Timezone: "UTC"}, 1, []string{
			"1998-05-11T09:00:00 = 1998-05-11T09:00:00Z",
		}},
		{"US presidential election day", rule{RRule: "FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8", Anchor: "1996-11-05T09:00:00", Timezone: "UTC"}, 2, []string{
			"2000-11-07T09:00:00 = 2000-11-07T09:00:00Z",
			"2004-11-02T09:00:00 = 2004-11-02T09:00:00Z",
		}},
		{"the 100th and the last day of the year", rule{RRule: "FREQ=YEARLY;BYYEARDAY=100,-1", Anchor: "2027-01-01T09:00:00", Timezone: "UTC"}, 3, []string{
			"2027-04-10T09:00:00 = 2027-04-10T09:00:00Z",
			"2027-12-31T09:00:00 = 2027-12-31T09:00:00Z",
			"2028-04-09T09:00:00 = 2028-04-09T09:00:00Z",
		}},
		{"every day in January", rule{RRule: "FREQ=DAILY;BYMONTH=1", Anchor: "2027-01-31T09:00:00", Timezone: "UTC"}, 2, []string{
			"2028-01-01T09:00:00 = 2028-01-01T09:00:00Z",
			"2028-01-02T09:00:00 = 2028-01-02T09:00:00Z",
		}},
		{"every ten days", rule{RRule: "FREQ=DAILY;INTERVAL=10", Anchor: "2027-02-25T09:00:00", Timezone: "UTC"}, 2, []string{
			"2027-03-07T09:00:00 = 2027-03-07T09:00:00Z",
			"2027-03-17T09:00:00 = 2027-03-17T09:00:00Z",
		}},
		{"letters of either case", rule{RRule: "freq=weekly;byday=mo", Anchor: "2027-01-04T09:00:00", Timezone: "UTC"}, 1, []string{
			"2027-01-11T09:00:00 = 2027-01-11T09:00:00Z",
		}},
		{"an anchor off the rule is its first occurrence", rule{RRule: "FREQ=WEEKLY;BYDAY=MO;COUNT=2", Anchor: "2027-01-06T09:00:00", Timezone: "UTC"}, 9, []string{
			"2027-01-11T09:00:00 = 2027-01-11T09:00:00Z",
		}},

		// The end of a series.
		{"COUNT includes the anchor", rule{RRule: "FREQ=DAILY;COUNT=3", Anchor: "2027-01-04T09:00:00", Timezone: "UTC"}, 9, []string{
			"2027-01-05T09:00:00 = 2027-01-05T09:00:00Z",
			"2027-01-06T09:00:00 = 2027-01-06T09:00:00Z",
		}},
		{"COUNT=1 is the anchor alone", rule{RRule: "FREQ=DAILY;COUNT=1", Anchor: "2027-01-04T09:00:00", Timezone: "UTC"}, 9, nil},
		{"what is skipped does not count", rule{RRule: "FREQ=DAILY;COUNT=3", Anchor: "2027-03-27T02:30:00", Timezone: "Europe/Berlin", DSTGap: "skip"}, 9, []string{
			"2027-03-29T02:30:00 = 2027-03-29T00:30:00Z",
			"2027-03-30T02:30:00 = 2027-03-30T00:30:00Z",
		}},
		{"UNTIL as a date includes that day", rule{RRule: "FREQ=DAILY;UNTIL=20270106", Anchor: "2027-01-04T23:00:00", Timezone: "America/New_York"}, 9, []string{
			"2027-01-05T23:00:00 = 2027-01-06T04:00:00Z",
			"2027-01-06T23:00:00 = 2027-01-07T04:00:00Z",
		}},
		{"UNTIL in UTC includes that instant", rule{RRule: "FREQ=DAILY;UNTIL=20270106T080000Z", Anchor: "2027-01-04T09:00:00", Timezone: "Europe/Berlin"}, 9, []string{
			"2027-01-05T09:00:00 = 2027-01-05T08:00:00Z",
			"2027-01-06T09:00:00 = 2027-01-06T08:00:00Z",
		}},
		{"UNTIL in UTC a second earlier does not", rule{RRule: "FREQ=DAILY;UNTIL=20270106T075959Z", Anchor: "2027-01-04T09:00:00", Timezone: "Europe/Berlin"}, 9, []string{
			"2027-01-05T09:00:00 = 2027-01-05T08:00:00Z",
		}},
		{"UNTIL without a zone is wall time", rule{RRule: "FREQ=DAILY;UNTIL=20270106T090000", Anchor: "2027-01-04T09:00:00", Timezone: "America/New_York"}, 9, []string{
			"2027-01-05T09:00:00 = 2027-01-05T14:00:00Z",
			"2027-01-06T09:00:00 = 2027-01-06T14:00:00Z",
		}},
		{"UNTIL of an all-day series is a date", rule{RRule: "FREQ=DAILY;UNTIL=20270105", Anchor: "2027-01-04T00:00:00", Timezone: "America/New_York", AllDay: true}, 9, []string{
			"2027-01-05T00:00:00 = 2027-01-05T05:00:00Z",
		}},
		{"UNTIL of an all-day series without a zone is a date", rule{RRule: "FREQ=DAILY;UNTIL=20270105T000000", Anchor: "2027-01-04T00:00:00", Timezone: "America/New_York", AllDay: true}, 9, []string{
			"2027-01-05T00:00:00 = 2027-01-05T05:00:00Z",
		}},
		{"UNTIL in UTC of an all-day series behind UTC is the date there", rule{RRule: "FREQ=DAILY;UNTIL=20270106T045959Z", Anchor: "2027-01-04T00:00:00", Timezone: "America/New_York", AllDay: true}, 9, []string{
			"2027-01-05T00:00:00 = 2027-01-05T05:00:00Z",
		}},
		{"UNTIL in UTC of an all-day series ahead of UTC is the date there", rule{RRule: "FREQ=DAILY;UNTIL=20270104T110000Z", Anchor: "2027-01-04T00:00:00", Timezone: "Pacific/Auckland", AllDay: true}, 9, []string{
			"2027-01-05T00:00:00 = 2027-01-04T11:00:00Z",
		}},
		{"UNTIL before the anchor: nothing follows", rule{RRule: "FREQ=DAILY;UNTIL=20260101", Anchor: "2027-01-04T09:00:00", Timezone: "UTC"}, 9, nil},

		// Counting from the completion: each taken to be done when due.
		{"after completion, with COUNT", rule{RRule: "FREQ=DAILY;INTERVAL=30;COUNT=3", Anchor: "2027-01-04T09:00:00", Timezone: "UTC", Basis: "completion"}, 9, []string{
			"2027-02-03T09:00:00 = 2027-02-03T09:00:00Z",
			"2027-03-05T09:00:00 = 2027-03-05T09:00:00Z",
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			list, err := tc.rule.Preview(tc.n)
			require.NoError(t, err)
			require.Equal(t, tc.want, lines(list))
		})
	}
}

func lines(list []recurrence.Occurrence) []string {
	var out []string
	for _, o := range list {
		s := o.Wall + " = " + o.At.Format(time.RFC3339)
		if o.Note != "" {
			s += " (" + o.Note + ")"
		}
		out = append(out, s)
	}
	return out
}
