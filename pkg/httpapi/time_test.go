package httpapi

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTimestamps(t *testing.T) {
	for text, is := range map[string]bool{
		"2027-05-10T09:00:00Z": true, "2027-05-10T09:00:00.5Z": true, "2027-05-10T09:00:00+14:00": true, "2027-05-10T09:00:00.123456789-23:59": true,
		"2027-05-10T9:00:00Z": false, "2027-05-10T09:00:00+24:00": false, "2027-05-10T09:00:00-00:60": false, "2027-05-10T12:00:00,5Z": false,
		"2027-05-10": false, "2027-05-10 09:00:00Z": false, "2027-05-10T09:00Z": false, "2027-02-30T09:00:00Z": false, "": false, "x": false,
	} {
		at, err := Time("query.at", text)
		require.Equal(t, is, err == nil && at != nil, "%q", text)
		raw, err := json.Marshal(text)
		require.NoError(t, err)
		var b Timestamp
		err = b.UnmarshalJSON(raw)
		require.Equal(t, is, err == nil && !b.loose, "%q in a body", text)
		if is {
			require.True(t, b.Equal(*at))
		}
	}
}
