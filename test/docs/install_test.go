package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// Dapr is installed as the suite is tested with it: in the pinned version, and
// with sidecars that a namespace of Pod Security "restricted" takes.
func TestDaprIsInstalledAsItIsTested(t *testing.T) {
	read := func(path ...string) string {
		text, err := os.ReadFile(filepath.Join(append([]string{root}, path...)...))
		require.NoError(t, err)
		return string(text)
	}
	pinned := regexp.MustCompile(`github.com/dapr/dapr v(\S+)`).FindStringSubmatch(read("dapr", "runtime", "go.mod"))
	require.NotNil(t, pinned)
	const dropped = "dapr_sidecar_injector.sidecarDropALLCapabilities=true"
	require.Contains(t, read("test", "kubernetes", "cluster", "dapr.sh"), dropped)
	install := regexp.MustCompile(`(?m)^(?:dapr init|helm upgrade)(?:.*\\\n)*.*$`)
	version := regexp.MustCompile(`--(?:runtime-)?version (\S+)`)
	for doc, ways := range map[string]int{"README.md": 1, "docs/operations.md": 2} {
		commands := install.FindAllString(read(doc), -1)
		require.Len(t, commands, ways, doc)
		for _, command := range commands {
			require.Contains(t, command, "--set "+dropped, doc)
			require.Equal(t, pinned[1], version.FindStringSubmatch(command)[1], doc)
		}
	}
}
