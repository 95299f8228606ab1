package recurrence_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/recurrence"
)

func TestAnotherAnchor(t *testing.T) {
	type rule = recurrence.Rule
	for _, tc := range []struct {
		name        string
		rule        rule
		current, to string
		anchor      string
		ordinal     int
		shifted     string
	}{
		{"another day of the week", rule{RRule: "FREQ=WEEKLY;COUNT=5", Anchor: "2027-01-04T09:00:00", Timezone: "UTC"},
			"2027-01-18T09:00:00", "2027-01-20T10:00:00", "2027-01-20T10:00:00", 3, "2027-01-06T10:00:00"},
		{"the first of them", rule{RRule: "FREQ=WEEKLY;COUNT=5", Anchor: "2027-01-04T09:00:00", Timezone: "UTC"},
			"2027-01-04T09:00:00", "2027-01-05T09:00:00", "2027-01-05T09:00:00", 1, "2027-01-05T09:00:00"},
		{"an anchor that was moved before", rule{RRule: "FREQ=WEEKLY;COUNT=5", Anchor: "2027-01-04T09:00:00", Timezone: "UTC", Ordinal: 3},
			"2027-01-11T09:00:00", "2027-01-12T09:00:00", "2027-01-12T09:00:00", 4, "2027-01-05T09:00:00"},
		{"a month's end at another time keeps its day", rule{RRule: "FREQ=MONTHLY;COUNT=9", Anchor: "2027-01-31T09:00:00", Timezone: "UTC"},
			"2027-02-28T09:00:00", "2027-02-28T10:00:00", "2027-01-31T10:00:00", 1, "2027-01-31T10:00:00"},
		{"a month's end on another date is that date", rule{RRule: "FREQ=MONTHLY;COUNT=9", Anchor: "2027-01-31T09:00:00", Timezone: "UTC"},
			"2027-02-28T09:00:00", "2027-03-01T09:00:00", "2027-03-01T09:00:00", 2, "2027-02-01T09:00:00"},
		{"without COUNT no place is counted", rule{RRule: "FREQ=DAILY", Anchor: "2027-01-31T09:00:00", Timezone: "UTC"},
			"2060-02-28T09:00:00", "2060-03-01T09:00:00", "2060-03-01T09:00:00", 1, "2027-02-02T09:00:00"},
		{"with basis completion the ordinal is that of the current one", rule{RRule: "FREQ=DAILY;COUNT=3", Anchor: "2027-01-31T09:00:00", Timezone: "UTC", Basis: "completion", Ordinal: 2},
			"2027-01-31T09:00:00", "2027-02-03T09:00:00", "2027-02-03T09:00:00", 2, "2027-02-03T09:00:00"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			anchor, ordinal, err := tc.rule.AnchorAt(tc.current, tc.to)
			require.NoError(t, err)
			require.Equal(t, tc.anchor, anchor)
			require.Equal(t, tc.ordinal, ordinal)
			shifted, err := tc.rule.Shift(tc.current, tc.to)
			require.NoError(t, err)
			require.Equal(t, tc.shifted, shifted)
		})
	}
	_, _, err := recurrence.Rule{}.AnchorAt("", "")
	require.Error(t, err)
	_, err = recurrence.Rule{RRule: "FREQ=DAILY", Anchor: "2027-01-31T09:00:00", Timezone: "UTC"}.Shift("2027-01-31T09:00:00", "soon")
	require.ErrorContains(t, err, "occurrence")
}
