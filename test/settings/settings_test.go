package settings

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// `make run` and `dapr run` give each service what it needs, and nothing that
// it does not know. test/manifests and test/compose ask the same of the others.
func TestTheLocalSuiteGivesEachServiceItsSettings(t *testing.T) {
	file, err := os.ReadFile(filepath.Join("..", "..", "dapr", "dapr.yaml"))
	require.NoError(t, err)
	var run struct {
		Common struct{ Env map[string]string }
		Apps   []struct {
			AppID string `yaml:"appID"`
			Env   map[string]string
		}
	}
	require.NoError(t, yaml.Unmarshal(file, &run))
	// What the runner makes itself: logins, tokens, the signing key, addresses.
	var runner strings.Builder
	sources, err := filepath.Glob(filepath.Join("..", "..", "dapr", "local", "*.go"))
	require.NoError(t, err)
	for _, source := range sources {
		text, err := os.ReadFile(source)
		require.NoError(t, err)
		runner.Write(text)
	}
	require.NotEmpty(t, run.Apps)
	for _, app := range run.Apps {
		known := Of(t, app.AppID)
		given := map[string]bool{}
		for _, env := range []map[string]string{run.Common.Env, app.Env} {
			for name := range env {
				require.Contains(t, known, name, "%s has no such setting", app.AppID)
				given[name] = true
			}
		}
		require.Empty(t, Missing(known, func(name string) bool {
			return given[name] || strings.Contains(runner.String(), `"`+name+`"`)
		}), "nobody gives it to %s", app.AppID)
		require.Empty(t, Missing(known, func(name string) bool {
			return given[name] || strings.Contains(string(file), name)
		}), "`dapr run` does not say that %s needs it", app.AppID)
	}
}

// Of a secret and its file one is needed.
func TestOneOfTwoIsNeeded(t *testing.T) {
	known := Of(t, "task-api")
	for name, c := range map[string]struct {
		without []string
		missing []string
	}{
		"both":              {},
		"the key":           {without: []string{"JWT_PRIVATE_KEY_FILE"}},
		"its file":          {without: []string{"JWT_PRIVATE_KEY"}},
		"none":              {without: []string{"JWT_PRIVATE_KEY", "JWT_PRIVATE_KEY_FILE"}, missing: []string{"JWT_PRIVATE_KEY"}},
		"not even a URL":    {without: []string{"DATABASE_URL", "DATABASE_URL_FILE"}, missing: []string{"DATABASE_URL"}},
		"what is no secret": {without: []string{"PORT"}, missing: []string{"PORT"}},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.missing, Missing(known, func(name string) bool { return !slices.Contains(c.without, name) }))
		})
	}
}
