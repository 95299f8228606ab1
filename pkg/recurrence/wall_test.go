package recurrence_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/recurrence"
)

func TestResolveAndWallOf(t *testing.T) {
	for _, tc := range []struct {
		name   string
		wall   string
		zone   string
		allDay bool
		at     string
		back   string // what WallOf makes of it, when that is not wall
	}{
		{name: "plain", wall: "2027-03-27T09:00:00", zone: "Europe/Berlin", at: "2027-03-27T08:00:00Z"},
		{name: "in a gap", wall: "2027-03-28T02:30:00", zone: "Europe/Berlin", at: "2027-03-28T01:30:00Z", back: "2027-03-28T03:30:00"},
		{name: "repeated", wall: "2027-10-31T02:30:00", zone: "Europe/Berlin", at: "2027-10-31T00:30:00Z"},
		{name: "all day without a midnight", wall: "2027-09-05T00:00:00", zone: "America/Santiago", allDay: true, at: "2027-09-05T04:00:00Z"},
		{name: "all day with a time of day", wall: "2027-09-05T17:00:00", zone: "America/Santiago", allDay: true, at: "2027-09-05T04:00:00Z", back: "2027-09-05T00:00:00"},
		{name: "all day with two midnights", wall: "2027-11-07T00:00:00", zone: "America/Havana", allDay: true, at: "2027-11-07T04:00:00Z"},
		{name: "a day that does not exist", wall: "2011-12-30T00:00:00", zone: "Pacific/Apia", allDay: true, at: "2011-12-30T10:00:00Z", back: "2011-12-31T00:00:00"},
		{name: "a wall time on a day that does not exist", wall: "2011-12-30T09:00:00", zone: "Pacific/Apia", at: "2011-12-30T19:00:00Z", back: "2011-12-31T09:00:00"},
		{name: "the last second before the date line moved", wall: "2011-12-29T23:59:59", zone: "Pacific/Apia", at: "2011-12-30T09:59:59Z"},
		{name: "a day that came twice", wall: "1892-07-04T12:00:00", zone: "Pacific/Apia", at: "1892-07-03T23:26:56Z"},
		{name: "furthest east", wall: "2027-01-01T00:00:00", zone: "Pacific/Kiritimati", at: "2026-12-31T10:00:00Z"},
		{name: "furthest west", wall: "2027-01-01T00:00:00", zone: "Etc/GMT+12", at: "2027-01-01T12:00:00Z"},
		{name: "local mean time, to the second", wall: "1880-01-01T00:00:00", zone: "Europe/Paris", at: "1879-12-31T23:50:39Z"},
		{name: "far ahead, by the zone's last rule", wall: "2490-07-01T09:00:00", zone: "Europe/Berlin", at: "2490-07-01T07:00:00Z"},
		{name: "New Year's Eve of a leap year beyond the listed changes", wall: "2052-12-31T18:00:00", zone: "Europe/Berlin", at: "2052-12-31T17:00:00Z"},
		{name: "a gap beyond the listed changes", wall: "2052-03-31T02:30:00", zone: "Europe/Berlin", at: "2052-03-31T01:30:00Z", back: "2052-03-31T03:30:00"},
		{name: "UTC", wall: "2027-03-28T02:30:00", zone: "UTC", at: "2027-03-28T02:30:00Z"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			at, err := recurrence.Resolve(tc.wall, tc.zone, tc.allDay)
			require.NoError(t, err)
			require.Equal(t, tc.at, at.Format(time.RFC3339))
			back, err := recurrence.WallOf(at, tc.zone, tc.allDay)
			require.NoError(t, err)
			if tc.back == "" {
				tc.back = tc.wall
			}
			require.Equal(t, tc.back, back)
		})
	}
}

func TestResolveRefuses(t *testing.T) {
	_, err := recurrence.Resolve("2027-02-30T09:00:00", "UTC", false)
	require.ErrorContains(t, err, "wall time")
	_, err = recurrence.Resolve("2027-02-28T09:00:00", "Local", false)
	require.ErrorContains(t, err, "timezone")
	_, err = recurrence.WallOf(time.Now(), "", false)
	require.ErrorContains(t, err, "timezone")
}
