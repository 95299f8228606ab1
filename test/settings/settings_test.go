package settings

import (
	"os"
	"path/filepath"
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
	require.Len(t, run.Apps, 4)
	for _, app := range run.Apps {
		known := Of(t, app.AppID)
		given := map[string]bool{}
		for _, env := range []map[string]string{run.Common.Env, app.Env} {
			for name := range env {
				require.Contains(t, known, name, "%s has no such setting", app.AppID)
				given[name] = true
			}
		}
		for name, setting := range known {
			if setting.Required && !given[name] {
				require.Contains(t, runner.String(), `"`+name+`"`, "nobody gives it to %s", app.AppID)
				require.Contains(t, string(file), name, "`dapr run` does not say that %s needs it", app.AppID)
			}
		}
	}
}
