// Package recurrence is the calendar of recurring tasks: which date comes
// after this one, and at which instant it is due.
//
// A series lives in wall time. Its anchor is the wall-clock time of the first
// due date in the task's zone, its rule (an RFC 5545 RRULE) yields dates, and
// each date is due at the anchor's time of day. Only the last step turns a
// wall time into an instant, by rules that the user can choose and read:
//
//   - A wall time that a clock change leaves out is moved on by the length of
//     the gap (dst_gap "forward"), or the occurrence is left out ("skip").
//   - A wall time that occurs twice is taken the first time.
//   - An all-day occurrence is a date. Its instant is the first of that day in
//     the zone, whether or not midnight exists, so the date never shifts.
//   - A day of month that comes from the anchor and that a month lacks is the
//     month's last day (month_end "clamp") or left out ("skip"). It is worked
//     out from the anchor each time, so it never drifts. An explicit BYMONTHDAY
//     follows the RFC: a month without that day has no occurrence.
//
// The anchor is always the first occurrence and counts towards COUNT, also
// when the rule itself would not yield it (due on a Wednesday, BYDAY=MO): the
// task that the user wrote exists.
//
// # Why the dates are computed here
//
// Rules come from strangers. An iterator that hunts for its next date until
// the year 9999 cannot be stopped from outside, so the expansion is our own:
// it starts at the period wanted, looks at most [HorizonYears] ahead, and has
// no input that makes it panic. The tests hold it against rrule-go, date by date.
package recurrence
