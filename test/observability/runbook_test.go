package observability

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/test/manifests"
)

// Who is woken by an alert is one click away from what to do.
func TestEachAlertNamesItsRunbook(t *testing.T) {
	const guide = "docs/operations.md"
	text, err := os.ReadFile(filepath.Join(manifests.Root, guide))
	require.NoError(t, err)
	for _, g := range alerts(t).Groups {
		for _, r := range g.Rules {
			if r.Alert == "" {
				continue
			}
			// The anchor of a heading of one word is that word in lower case.
			require.Equal(t, "https://github.com/taskwire/taskwire/blob/main/"+guide+"#"+strings.ToLower(r.Alert), r.Annotations["runbook_url"], r.Alert)
			_, section, ok := strings.Cut(string(text), "\n### "+r.Alert+"\n")
			require.True(t, ok, "%s has no section of %s", guide, r.Alert)
			section = regexp.MustCompile(`(?m)^#`).Split(section, 2)[0]
			require.Regexp(t, `(?s)^\n\*\*Means\*\*: \S.*\n\n\*\*Look at\*\*: \S.*\n\n\*\*Do\*\*: \S.*\n$`, section, r.Alert)
		}
	}
}
