package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// tests are the names of all tests that there are.
func tests(t *testing.T) map[string]bool {
	t.Helper()
	there := map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	require.NoError(t, fs.WalkDir(os.DirFS(root), ".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == ".local" || d.Name() == ".git" || d.Name() == "node_modules"):
			return fs.SkipDir
		case !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(filepath.Join(root, path))
		for _, found := range declared.FindAllSubmatch(text, -1) {
			there[string(found[1])] = true
		}
		return err
	}))
	return there
}

var aTest = regexp.MustCompile("`(Test\\w+)`")

// names says whether a cell of a line names tests; all of them are among those that there are.
func names(t *testing.T, there map[string]bool, cell, line string) bool {
	t.Helper()
	named := aTest.FindAllStringSubmatch(cell, -1)
	for _, name := range named {
		require.True(t, there[name[1]], "there is no %s: %s", name[1], line)
	}
	return len(named) > 0
}

// What docs/reliability.md says may not happen names a test that there is.
func TestWhatMayNotHappenIsTested(t *testing.T) {
	there := tests(t)
	text, err := os.ReadFile(filepath.Join(root, "docs/reliability.md"))
	require.NoError(t, err)
	_, section, found := strings.Cut(string(text), "\n## What no client may do, and the tests that hold it\n")
	require.True(t, found)
	section, _, _ = strings.Cut(section, "\n## ")
	rows := 0
	for line := range strings.Lines(section) {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| What may not happen ") {
			continue
		}
		rows++
		cells := strings.Split(line, "|")
		require.Len(t, cells, 4, line)
		require.True(t, names(t, there, cells[2], line), "it names no test: %s", line)
	}
	require.Greater(t, rows, 30)
}

// A requirement that docs/security.md says is met names a test that there is.
func TestWhatSecurityNamesIsTested(t *testing.T) {
	there := tests(t)
	text, err := os.ReadFile(filepath.Join(root, "docs/security.md"))
	require.NoError(t, err)
	rows := 0
	for line := range strings.Lines(string(text)) {
		if !regexp.MustCompile(`^\| \d+\.\d+\.\d+ \|`).MatchString(line) {
			continue
		}
		rows++
		cells := strings.Split(line, "|")
		require.Len(t, cells, 5, line)
		answer := strings.TrimSpace(cells[3])
		require.True(t, names(t, there, answer, line) || strings.HasPrefix(answer, "No") || strings.HasPrefix(answer, "Here") || strings.HasPrefix(answer, "Not ours"),
			"it names no test, and does not say where it is or why not: %s", line)
	}
	require.Greater(t, rows, 50)
}
