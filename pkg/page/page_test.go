package page_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/page"
)

func TestCursors(t *testing.T) {
	type place struct{ A, B string }
	want := place{"ü\x00", `"`}
	text, err := page.EncodeCursor(want)
	require.NoError(t, err)
	var got place
	require.NoError(t, page.DecodeCursor(text, &got))
	require.Equal(t, want, got)
	for _, bad := range []string{"", "x", "%", "W10", "bnVsb", strings.Repeat("A", 4000), text + "A"} {
		require.ErrorIs(t, page.DecodeCursor(bad, &got), page.ErrCursor, "%q", bad)
	}
}
