package docs

import (
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A requirement that docs/security.md says is met names a test that there is.
func TestWhatSecurityNamesIsTested(t *testing.T) {
	root := os.DirFS("../..")
	there := map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	require.NoError(t, fs.WalkDir(root, ".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == ".local" || d.Name() == ".git" || d.Name() == "node_modules"):
			return fs.SkipDir
		case !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		text, err := fs.ReadFile(root, path)
		for _, found := range declared.FindAllSubmatch(text, -1) {
			there[string(found[1])] = true
		}
		return err
	}))
	text, err := fs.ReadFile(root, "docs/security.md")
	require.NoError(t, err)
	rows := 0
	for line := range strings.Lines(string(text)) {
		if !regexp.MustCompile(`^\| \d+\.\d+\.\d+ \|`).MatchString(line) {
			continue
		}
		rows++
		cells := strings.Split(line, "|")
		require.Len(t, cells, 5, line)
		named := regexp.MustCompile("`(Test\\w+)`").FindAllStringSubmatch(cells[3], -1)
		answer := strings.TrimSpace(cells[3])
		require.True(t, len(named) > 0 || strings.HasPrefix(answer, "No") || strings.HasPrefix(answer, "Here") || strings.HasPrefix(answer, "Not ours"),
			"it names no test, and does not say where it is or why not: %s", line)
		for _, name := range named {
			require.True(t, there[name[1]], "there is no %s: %s", name[1], line)
		}
	}
	require.Greater(t, rows, 50)
}
