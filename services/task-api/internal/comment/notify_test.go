package comment

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWhoIsMentioned(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"nobody":               {"Water the ferns", nil},
		"one":                  {"@grace@example.org look", []string{"grace@example.org"}},
		"alone":                {"@grace@example.org", []string{"grace@example.org"}},
		"behind a line":        {"Look:\n@grace@example.org", []string{"grace@example.org"}},
		"two":                  {"@grace@example.org @ada@example.org", []string{"grace@example.org", "ada@example.org"}},
		"two with a comma":     {"@grace@example.org,@ada@example.org", []string{"grace@example.org", "ada@example.org"}},
		"twice":                {"@a@b.c, @a@b.c", []string{"a@b.c", "a@b.c"}},
		"at the end":           {"Ask @grace@example.org.", []string{"grace@example.org"}},
		"of a question":        {"And @grace@example.org?!", []string{"grace@example.org"}},
		"in brackets":          {"(@grace@example.org)", []string{"grace@example.org"}},
		"what is hers":         {"@grace@example.org's ferns", []string{"grace@example.org"}},
		"a longer domain":      {"@grace@example.org.uk", []string{"grace@example.org.uk"}},
		"a hyphen":             {"@grace@my-host.example - see", []string{"grace@my-host.example"}},
		"a tag":                {"@grace+tasks@example.org", []string{"grace+tasks@example.org"}},
		"a host":               {"@grace@localhost", []string{"grace@localhost"}},
		"letters of all kinds": {"@grâce@bücher.example", []string{"grâce@bücher.example"}},
		"an address alone":     {"grace@example.org", nil},
		"a name alone":         {"@grace", nil},
		"within a word":        {"x@grace@example.org", nil},
		"too many of them":     {"@@grace@example.org", nil},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, append([]string{}, c.want...), mentions(c.text))
		})
	}
}
