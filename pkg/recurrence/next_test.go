package recurrence_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/recurrence"
)

func TestNext(t *testing.T) {
	type rule = recurrence.Rule
	weekly := rule{RRule: "FREQ=WEEKLY", Anchor: "2027-01-04T09:00:00", Timezone: "Europe/Berlin"}
	weeklyAll := weekly
	weeklyAll.Missed = "all"
	every30 := rule{RRule: "FREQ=DAILY;INTERVAL=30", Anchor: "2027-01-04T09:00:00", Timezone: "Europe/Berlin", Basis: "completion"}
	counted := every30
	counted.RRule += ";COUNT=3"

	for _, tc := range []struct {
		name      string
		rule      rule
		from      string
		ordinal   int
		completed string
		due       string // where it was moved
		skipped   bool
		taken     []string // that an occurrence has stood for
		want      string   // "" when the series has ended
		missed    []string
	}{
		{name: "on time: the next of the schedule",
			rule: weekly, from: "2027-01-04T09:00:00", completed: "2027-01-04T08:30:00Z",
			want: "2027-01-11T09:00:00 = 2027-01-11T08:00:00Z"},
		{name: "early: the next of the schedule, not this one again",
			rule: weekly, from: "2027-01-11T09:00:00", completed: "2027-01-04T10:00:00Z",
			want: "2027-01-18T09:00:00 = 2027-01-18T08:00:00Z"},
		{name: "late by three weeks and two days: the next that lies ahead, the others missed",
			rule: weekly, from: "2027-01-04T09:00:00", completed: "2027-01-27T08:00:00Z",
			want:   "2027-02-01T09:00:00 = 2027-02-01T08:00:00Z",
			missed: []string{"2027-01-11T09:00:00 = 2027-01-11T08:00:00Z", "2027-01-18T09:00:00 = 2027-01-18T08:00:00Z", "2027-01-25T09:00:00 = 2027-01-25T08:00:00Z"}},
		{name: "late by three weeks and two days, one after another",
			rule: weeklyAll, from: "2027-01-04T09:00:00", completed: "2027-01-27T08:00:00Z",
			want: "2027-01-11T09:00:00 = 2027-01-11T08:00:00Z"},
		{name: "completed at the instant the next is due: that one is missed",
			rule: weekly, from: "2027-01-04T09:00:00", completed: "2027-01-11T08:00:00Z",
			want:   "2027-01-18T09:00:00 = 2027-01-18T08:00:00Z",
			missed: []string{"2027-01-11T09:00:00 = 2027-01-11T08:00:00Z"}},
		{name: "completed a second before the next is due",
			rule: weekly, from: "2027-01-04T09:00:00", completed: "2027-01-11T07:59:59Z",
			want: "2027-01-11T09:00:00 = 2027-01-11T08:00:00Z"},
		{name: "an occurrence that was moved off the schedule goes on from where it stood",
			rule: weekly, from: "2027-01-06T15:00:00", completed: "2027-01-06T14:00:00Z",
			want: "2027-01-11T09:00:00 = 2027-01-11T08:00:00Z"},
		{name: "an occurrence before the anchor: what follows the anchor",
			rule: weekly, from: "2026-12-01T09:00:00", completed: "2026-12-01T09:00:00Z",
			want: "2027-01-11T09:00:00 = 2027-01-11T08:00:00Z"},
		{name: "begun on a day that the zone left out, and done early: not the same moment again",
			rule: rule{RRule: "FREQ=DAILY", Anchor: "2011-12-30T01:30:00", Timezone: "Pacific/Apia"},
			from: "2011-12-30T01:30:00", completed: "2011-12-20T00:00:00Z",
			want: "2012-01-01T01:30:00 = 2011-12-31T11:30:00Z"},
		{name: "begun on a day that the zone left out, one after another",
			rule: rule{RRule: "FREQ=DAILY", Anchor: "2011-12-30T01:30:00", Timezone: "Pacific/Apia", Missed: "all"},
			from: "2011-12-30T01:30:00", completed: "2012-02-01T00:00:00Z",
			want: "2012-01-01T01:30:00 = 2011-12-31T11:30:00Z"},
		{name: "begun on a day that the zone left out: what has passed is not the same moment again",
			rule: rule{RRule: "FREQ=DAILY", Anchor: "2011-12-30T01:30:00", Timezone: "Pacific/Apia"},
			from: "2011-12-30T01:30:00", completed: "2012-01-01T12:00:00Z",
			want:   "2012-01-03T01:30:00 = 2012-01-02T11:30:00Z",
			missed: []string{"2012-01-01T01:30:00 = 2011-12-31T11:30:00Z", "2012-01-02T01:30:00 = 2012-01-01T11:30:00Z"}},
		{name: "all-day: that of the completion's date is missed, by the date in the zone",
			rule: rule{RRule: "FREQ=DAILY", Anchor: "2027-09-04T00:00:00", Timezone: "America/Santiago", AllDay: true},
			from: "2027-09-04T00:00:00", completed: "2027-09-06T02:59:00Z", // 23:59 on the 5th
			want:   "2027-09-06T00:00:00 = 2027-09-06T03:00:00Z",
			missed: []string{"2027-09-05T00:00:00 = 2027-09-05T04:00:00Z"}},
		{name: "all-day Santiago, done on its day",
			rule: rule{RRule: "FREQ=DAILY", Anchor: "2027-09-04T00:00:00", Timezone: "America/Santiago", AllDay: true},
			from: "2027-09-04T00:00:00", completed: "2027-09-04T15:00:00Z",
			want: "2027-09-05T00:00:00 = 2027-09-05T04:00:00Z"},

		{name: "COUNT: one left",
			rule: rule{RRule: "FREQ=DAILY;COUNT=3", Anchor: "2027-01-04T09:00:00", Timezone: "UTC"},
			from: "2027-01-05T09:00:00", completed: "2027-01-05T09:00:00Z",
			want: "2027-01-06T09:00:00 = 2027-01-06T09:00:00Z"},
		{name: "COUNT: none left",
			rule: rule{RRule: "FREQ=DAILY;COUNT=3", Anchor: "2027-01-04T09:00:00", Timezone: "UTC"},
			from: "2027-01-06T09:00:00", completed: "2027-01-06T09:00:00Z"},
		{name: "COUNT: those missed count, and may be the last",
			rule: rule{RRule: "FREQ=DAILY;COUNT=3", Anchor: "2027-01-04T09:00:00", Timezone: "UTC"},
			from: "2027-01-04T09:00:00", completed: "2027-02-01T09:00:00Z",
			missed: []string{"2027-01-05T09:00:00 = 2027-01-05T09:00:00Z", "2027-01-06T09:00:00 = 2027-01-06T09:00:00Z"}},
		{name: "UNTIL: passed",
			rule: rule{RRule: "FREQ=DAILY;UNTIL=20270106", Anchor: "2027-01-04T09:00:00", Timezone: "UTC"},
			from: "2027-01-06T09:00:00", completed: "2027-01-06T09:00:00Z"},

		{name: "completion: every 30 days from then, at the same wall time",
			rule: every30, from: "2027-01-04T09:00:00", completed: "2027-03-10T20:00:00Z",
			want: "2027-04-09T09:00:00 = 2027-04-09T07:00:00Z"},
		{name: "completion: the date is that of the zone",
			rule: every30, from: "2027-01-04T09:00:00", completed: "2027-03-10T23:30:00Z", // the 11th in Berlin
			want: "2027-04-10T09:00:00 = 2027-04-10T07:00:00Z"},
		{name: "completion: never the same day again",
			rule: rule{RRule: "FREQ=DAILY", Anchor: "2027-01-04T22:00:00", Timezone: "UTC", Basis: "completion"},
			from: "2027-01-04T22:00:00", completed: "2027-01-05T06:00:00Z",
			want: "2027-01-06T22:00:00 = 2027-01-06T22:00:00Z"},
		{name: "completion: done a day early, tomorrow's is the one just done",
			rule: rule{RRule: "FREQ=DAILY", Anchor: "2027-01-04T09:00:00", Timezone: "UTC", Basis: "completion"},
			from: "2027-01-05T09:00:00", completed: "2027-01-04T10:00:00Z",
			want: "2027-01-06T09:00:00 = 2027-01-06T09:00:00Z"},
		{name: "completion: done three weeks early, it counts from then",
			rule: rule{RRule: "FREQ=DAILY;INTERVAL=5", Anchor: "2027-01-25T09:00:00", Timezone: "UTC", Basis: "completion"},
			from: "2027-01-25T09:00:00", completed: "2027-01-04T10:00:00Z",
			want: "2027-01-09T09:00:00 = 2027-01-09T09:00:00Z"},
		{name: "completion: skipped three weeks early, it counts from its date",
			rule: rule{RRule: "FREQ=DAILY;INTERVAL=5", Anchor: "2027-01-25T09:00:00", Timezone: "UTC", Basis: "completion"},
			from: "2027-01-25T09:00:00", completed: "2027-01-04T10:00:00Z", skipped: true,
			want: "2027-01-30T09:00:00 = 2027-01-30T09:00:00Z"},
		{name: "completion: skipped, moved a day on, it counts from there",
			rule: rule{RRule: "FREQ=DAILY;INTERVAL=5", Anchor: "2027-01-25T09:00:00", Timezone: "UTC", Basis: "completion"},
			from: "2027-01-25T09:00:00", due: "2027-01-26T15:00:00Z", completed: "2027-01-04T10:00:00Z", skipped: true,
			want: "2027-01-31T09:00:00 = 2027-01-31T09:00:00Z"},
		{name: "completion: skipped late, it counts from then",
			rule: rule{RRule: "FREQ=DAILY;INTERVAL=5", Anchor: "2027-01-25T09:00:00", Timezone: "UTC", Basis: "completion"},
			from: "2027-01-25T09:00:00", completed: "2027-03-01T10:00:00Z", skipped: true,
			want: "2027-03-06T09:00:00 = 2027-03-06T09:00:00Z"},
		{name: "completion: a date that was done is not done again",
			rule: rule{RRule: "FREQ=DAILY;INTERVAL=5", Anchor: "2027-01-25T09:00:00", Timezone: "UTC", Basis: "completion"},
			from: "2027-01-15T09:00:00", completed: "2027-01-20T10:00:00Z", taken: []string{"2027-01-25T09:00:00"},
			want: "2027-01-30T09:00:00 = 2027-01-30T09:00:00Z"},
		{name: "a date that was skipped or deleted does not come again",
			rule: weekly, from: "2027-01-04T09:00:00", completed: "2027-01-04T08:30:00Z", taken: []string{"2027-01-11T09:00:00"},
			want:   "2027-01-18T09:00:00 = 2027-01-18T08:00:00Z",
			missed: []string{"2027-01-11T09:00:00 = 2027-01-11T08:00:00Z"}},
		{name: "moved ahead past dates of its schedule: the next is after it",
			rule: weekly, from: "2027-01-04T09:00:00", due: "2027-01-20T15:00:00Z", completed: "2027-01-05T08:30:00Z",
			want:   "2027-01-25T09:00:00 = 2027-01-25T08:00:00Z",
			missed: []string{"2027-01-11T09:00:00 = 2027-01-11T08:00:00Z", "2027-01-18T09:00:00 = 2027-01-18T08:00:00Z"}},
		{name: "moved to an earlier day: the next is after the date it stands for",
			rule: weekly, from: "2027-01-11T09:00:00", due: "2027-01-06T08:00:00Z", completed: "2027-01-06T08:30:00Z",
			want: "2027-01-18T09:00:00 = 2027-01-18T08:00:00Z"},
		{name: "COUNT goes on from a new anchor",
			rule: rule{RRule: "FREQ=DAILY;COUNT=4", Anchor: "2027-01-10T09:00:00", Timezone: "UTC", Ordinal: 3},
			from: "2027-01-10T09:00:00", completed: "2027-01-10T09:00:00Z",
			want: "2027-01-11T09:00:00 = 2027-01-11T09:00:00Z"},
		{name: "COUNT is reached from a new anchor",
			rule: rule{RRule: "FREQ=DAILY;COUNT=4", Anchor: "2027-01-10T09:00:00", Timezone: "UTC", Ordinal: 3},
			from: "2027-01-11T09:00:00", completed: "2027-01-11T09:00:00Z"},
		{name: "completion: monthly from a 31st",
			rule: rule{RRule: "FREQ=MONTHLY", Anchor: "2027-01-04T09:00:00", Timezone: "UTC", Basis: "completion"},
			from: "2027-01-04T09:00:00", completed: "2027-01-31T10:00:00Z",
			want: "2027-02-28T09:00:00 = 2027-02-28T09:00:00Z (clamped to the month's last day)"},
		{name: "completion: the next Monday",
			rule: rule{RRule: "FREQ=WEEKLY;BYDAY=MO", Anchor: "2027-01-04T09:00:00", Timezone: "UTC", Basis: "completion"},
			from: "2027-01-04T09:00:00", completed: "2027-01-20T10:00:00Z",
			want: "2027-01-25T09:00:00 = 2027-01-25T09:00:00Z"},
		{name: "completion, all-day: by dates",
			rule: rule{RRule: "FREQ=DAILY;INTERVAL=3", Anchor: "2027-01-04T00:00:00", Timezone: "America/Santiago", AllDay: true, Basis: "completion"},
			from: "2027-09-01T00:00:00", completed: "2027-09-02T23:00:00Z",
			want: "2027-09-05T00:00:00 = 2027-09-05T04:00:00Z"},
		{name: "completion: COUNT goes by the ordinal",
			rule: counted, from: "2027-03-01T09:00:00", ordinal: 2, completed: "2027-03-10T20:00:00Z",
			want: "2027-04-09T09:00:00 = 2027-04-09T07:00:00Z"},
		{name: "completion: COUNT reached",
			rule: counted, from: "2027-03-01T09:00:00", ordinal: 3, completed: "2027-03-10T20:00:00Z"},
		{name: "completion: UNTIL passed",
			rule: rule{RRule: "FREQ=DAILY;INTERVAL=30;UNTIL=20270401", Anchor: "2027-01-04T09:00:00", Timezone: "UTC", Basis: "completion"},
			from: "2027-03-01T09:00:00", completed: "2027-03-10T20:00:00Z"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			completed, err := time.Parse(time.RFC3339, tc.completed)
			require.NoError(t, err)
			current := recurrence.Position{Wall: tc.from, Ordinal: tc.ordinal, Skipped: tc.skipped, Taken: func(o recurrence.Occurrence) bool { return slices.Contains(tc.taken, o.Wall) }}
			if tc.due != "" {
				current.Due, err = time.Parse(time.RFC3339, tc.due)
				require.NoError(t, err)
			}
			next, err := tc.rule.Next(current, completed)
			require.NoError(t, err)
			until := completed
			if tc.want == "" {
				require.Nil(t, next)
			} else {
				require.NotNil(t, next)
				require.Equal(t, []string{tc.want}, lines([]recurrence.Occurrence{*next}))
				until = next.At.Add(-1)
			}
			passed, err := tc.rule.Passed(tc.from, until)
			require.NoError(t, err)
			require.Equal(t, tc.missed, lines(passed))
		})
	}
}

func TestWhatHasPassedIsBounded(t *testing.T) {
	for rule, last := range map[string]string{
		"FREQ=DAILY": "9999-11-30T09:00:00", "FREQ=DAILY;INTERVAL=1000": "9997-06-05T09:00:00",
		"FREQ=DAILY;COUNT=10000": "2027-05-18T09:00:00", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29": "9996-02-29T09:00:00",
	} {
		t.Run(rule, func(t *testing.T) {
			r := recurrence.Rule{RRule: rule, Anchor: "2000-01-01T09:00:00", Timezone: "Europe/Berlin"}
			passed, err := r.Passed(r.Anchor, time.Date(9999, 11, 30, 23, 0, 0, 0, time.UTC))
			require.NoError(t, err)
			require.Len(t, passed, recurrence.MaxPassed)
			require.Equal(t, last, passed[recurrence.MaxPassed-1].Wall)
		})
	}
	r := recurrence.Rule{RRule: "FREQ=MONTHLY;INTERVAL=6", Anchor: "2000-01-01T09:00:00", Timezone: "Europe/Berlin"}
	passed, err := r.Passed(r.Anchor, time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC))
	require.NoError(t, err)
	require.Len(t, passed, 53)
}

func TestNextRefusesAWallTimeThatIsNone(t *testing.T) {
	r := recurrence.Rule{RRule: "FREQ=DAILY", Anchor: "2027-01-01T09:00:00", Timezone: "Europe/Berlin"}
	_, err := r.Next(recurrence.Position{Wall: "soon"}, time.Now())
	var field *recurrence.FieldError
	require.ErrorAs(t, err, &field)
	require.Equal(t, "occurrence", field.Field)
}

// Step by step is the same path as the preview: a month end never drifts.
func TestNextWalksThePreview(t *testing.T) {
	for _, rule := range []string{"FREQ=DAILY", "FREQ=MONTHLY", "FREQ=MONTHLY;COUNT=20", "FREQ=YEARLY", "FREQ=MONTHLY;BYDAY=-1SU", "FREQ=DAILY;INTERVAL=9;UNTIL=20280101"} {
		for _, zone := range []string{"Europe/Berlin", "America/Santiago", "Australia/Lord_Howe", "Africa/Cairo"} {
			t.Run(rule+" "+zone, func(t *testing.T) {
				r := recurrence.Rule{RRule: rule, Anchor: "2027-01-31T00:30:00", Timezone: zone}
				list, err := r.Preview(100)
				require.NoError(t, err)
				wall := r.Anchor
				completed, err := recurrence.Resolve(wall, zone, false)
				require.NoError(t, err)
				for _, want := range list {
					next, err := r.Next(recurrence.Position{Wall: wall}, completed)
					require.NoError(t, err)
					require.Equal(t, &want, next)
					wall, completed = want.Wall, want.At
				}
			})
		}
	}
}
