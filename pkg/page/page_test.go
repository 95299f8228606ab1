package page_test

import (
	"encoding/json"
	"slices"
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

// A page ends before it is larger than that, whatever its limit, and
// the next one begins where it ended.
func TestAPageEndsWhereItIsFull(t *testing.T) {
	for name, text := range map[string]string{"emoji": strings.Repeat("💥", 20_000), "escaped to six bytes": strings.Repeat("\x01", 20_000), "as large as a page": strings.Repeat("x", page.Bytes)} {
		t.Run(name, func(t *testing.T) {
			left, pages := slices.Repeat([]string{text}, 60), 0
			for {
				pages++
				items, next, err := page.Cut(left, 200, func(last int) any { return last })
				require.NoError(t, err)
				require.NotEmpty(t, items)
				raw, err := json.Marshal(items)
				require.NoError(t, err)
				require.True(t, len(raw) < page.Bytes+100 || len(items) == 1)
				if next == nil {
					require.Len(t, items, len(left))
					break
				}
				var last int
				require.NoError(t, page.DecodeCursor(*next, &last))
				require.Equal(t, len(items)-1, last)
				left = left[last+1:]
			}
			require.Greater(t, pages, 2)
		})
	}
}
