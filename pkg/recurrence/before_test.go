package recurrence_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/recurrence"
)

func TestRemindAt(t *testing.T) {
	for _, tc := range []struct{ name, due, zone, before, want string }{
		{"minutes", "2027-03-28T07:00:00Z", "Europe/Berlin", "PT15M", "2027-03-28T06:45:00Z"},
		{"at the due time", "2027-03-28T07:00:00Z", "Europe/Berlin", "PT0S", "2027-03-28T07:00:00Z"},
		{"a day over the start of DST is the same wall time", "2027-03-28T07:00:00Z", "Europe/Berlin", "P1D", "2027-03-27T08:00:00Z"},
		{"24 hours over the start of DST are 24 hours", "2027-03-28T07:00:00Z", "Europe/Berlin", "PT24H", "2027-03-27T07:00:00Z"},
		{"a day over the end of DST", "2027-10-31T08:00:00Z", "Europe/Berlin", "P1D", "2027-10-30T07:00:00Z"},
		{"a week", "2027-04-01T07:00:00Z", "Europe/Berlin", "P1W", "2027-03-25T08:00:00Z"},
		{"a day, then twelve hours", "2027-03-29T07:00:00Z", "Europe/Berlin", "P1DT12H", "2027-03-27T19:00:00Z"},
		{"all parts", "2027-06-15T12:00:00Z", "UTC", "P1W2DT3H4M5S", "2027-06-06T08:55:55Z"},
		{"into a gap: moved on", "2027-03-29T00:30:00Z", "Europe/Berlin", "P1D", "2027-03-28T01:30:00Z"},
		{"into a repeated hour: the first", "2027-11-01T01:30:00Z", "Europe/Berlin", "P1D", "2027-10-31T00:30:00Z"},
		{"no days: due in the second pass of an hour stays there", "2027-10-31T01:30:00Z", "Europe/Berlin", "PT1M", "2027-10-31T01:29:00Z"},
		{"a fraction of a second is kept", "2027-03-28T07:00:00.25Z", "Europe/Berlin", "P1D", "2027-03-27T08:00:00.25Z"},
		{"all day in Santiago, the day before", "2027-09-05T04:00:00Z", "America/Santiago", "P1D", "2027-09-04T05:00:00Z"},
		{"the longest", "2027-06-15T12:00:00Z", "UTC", "P366D", "2026-06-14T12:00:00Z"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			due, err := time.Parse(time.RFC3339, tc.due)
			require.NoError(t, err)
			at, err := recurrence.RemindAt(due, tc.zone, tc.before)
			require.NoError(t, err)
			require.Equal(t, tc.want, at.Format(time.RFC3339Nano))
		})
	}
}

func TestParseBeforeRefuses(t *testing.T) {
	for _, s := range []string{
		"", "P", "PT", "P1DT", "15M", "PT15", "P1Y", "P1M", "-PT15M", "PT-15M", "+PT15M", "PT1.5H", "pt15m", " PT15M",
		"P1D1W", "PT1M1H", "P367D", "P52W3D", "PT8785H", "P366DT1S", "PT9999999999S", "PT15M\n", strings.Repeat("P1D", 5000), "PT١٥M",
	} {
		t.Run(s[:min(len(s), 20)], func(t *testing.T) {
			_, err := recurrence.ParseBefore(s)
			var field *recurrence.FieldError
			require.ErrorAs(t, err, &field)
			require.Equal(t, "before_due", field.Field)
		})
	}
}
