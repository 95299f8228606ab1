package subscribe

import (
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

func TestTheIdsInARecord(t *testing.T) {
	a, b := uuid.New(), uuid.New()
	for name, c := range map[string]struct {
		raw  string
		want []uuid.UUID
	}{
		"none":             {`{}`, nil},
		"dashes":           {strings.Repeat("-", 100), nil},
		"two":              {`{"a":"` + a.String() + `","b":["task/` + strings.ToUpper(b.String()) + `"]}`, []uuid.UUID{a, b}},
		"alone":            {a.String(), []uuid.UUID{a}},
		"after a dash":     {"x-" + a.String() + "-y", []uuid.UUID{a}},
		"one beside one":   {a.String() + b.String(), []uuid.UUID{a, b}},
		"cut off":          {a.String()[:35], nil},
		"with other signs": {strings.Replace(a.String(), a.String()[:1], "g", 1), nil},
	} {
		found := idsIn([]byte(c.raw))
		require.Len(t, found, len(c.want), name)
		for _, id := range c.want {
			require.True(t, found[id], name)
		}
	}
	var many strings.Builder
	for range 2 * mostIDs {
		many.WriteString(uuid.NewString() + " ")
	}
	require.Len(t, idsIn([]byte(many.String())), mostIDs)
}
