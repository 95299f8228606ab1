// Package settings reads the table of settings in docs/settings.md: the one
// list that compose, Kubernetes and `make run` are held against. A test of
// test/docs holds it against the code.
package settings

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/test/services"
)

// Setting is a row of the table.
type Setting struct {
	Name, Default    string
	Required, Secret bool
	Unless           string // another one that does as well where this is required: its file
}

// Missing are those that a service needs and is not given.
func Missing(known map[string]Setting, given func(name string) bool) []string {
	var missing []string
	for name, s := range known {
		if s.Required && !given(name) && (s.Unless == "" || !given(s.Unless)) {
			missing = append(missing, name)
		}
	}
	slices.Sort(missing)
	return missing
}

var rowPattern = regexp.MustCompile("(?m)^\\| ((?:`[A-Z_]+`(?:, )?)+) \\| (.*?) ?\\| (.*) \\|$")

// Of are the settings of a service, by name: those of all services and its own.
func Of(t testing.TB, service string) map[string]Setting {
	t.Helper()
	file, err := os.ReadFile(filepath.Join("..", "..", "docs", "settings.md"))
	require.NoError(t, err)
	code, err := services.Source(services.Root, "services", service)
	require.NoError(t, err)
	found := map[string]Setting{}
	for _, title := range []string{"## All services", "### Whose tokens are accepted", "## " + service} {
		if title == "### Whose tokens are accepted" && !strings.Contains(code, "auth.Settings") {
			continue // a service without an API
		}
		_, section, ok := strings.Cut(string(file), "\n"+title+"\n")
		if !ok {
			continue // a service without settings of its own
		}
		section, _, _ = strings.Cut(section, "\n#")
		for _, row := range rowPattern.FindAllStringSubmatch(section, -1) {
			name := strings.Trim(row[1], "`")
			s := Setting{
				Name: name, Default: strings.Trim(row[2], "`"),
				Required: row[2] == "required" || row[2] == "required to serve", Secret: strings.Contains(row[3], "🔑"),
			}
			if s.Secret { // each may be in a file
				s.Unless = name + "_FILE"
				found[s.Unless] = Setting{Name: s.Unless}
			}
			found[name] = s
		}
	}
	require.NotEmpty(t, found)
	return found
}
