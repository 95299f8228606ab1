package rest

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPreconditions(t *testing.T) {
	for header, allows := range map[string]bool{
		"": true, "*": true, `"3"`: true, `"1", "3"`: true, ` "3" `: true,
		`"2"`: false, `3`: false, `W/"3"`: false, `""`: false, ",": false, `"3`: false,
	} {
		require.Equal(t, allows, versions(header).Allow(3), "If-Match: %s", header)
	}
	for header, is := range map[string]bool{
		"": false, "W/": false, " ": false, "*": true, `"3"`: true, `W/"3"`: true, `"1", W/"3"`: true, `"2"`: false,
	} {
		require.Equal(t, is, notModified(header, 3), "If-None-Match: %s", header)
	}
}
