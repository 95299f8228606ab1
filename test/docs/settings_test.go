// Package docs holds the documentation to the code.
package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const root = "../.."

// documented is what docs/settings.md says of a setting in its columns.
type documented struct {
	Default string
	Secret  bool
}

// Every environment variable of a settings struct is in docs/settings.md with
// its default, and whether it is a secret; and nothing else is. Two services may each
// have one of a name.
func TestSettingsAreDocumented(t *testing.T) {
	inCode := map[string]map[documented]bool{}
	for _, pattern := range []string{"pkg/*/*.go", "services/*/*.go", "services/*/internal/*/*.go"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		require.NoError(t, err)
		require.NotEmpty(t, files)
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			readSettings(t, file, inCode)
		}
	}

	text, err := os.ReadFile(filepath.Join(root, "docs", "settings.md"))
	require.NoError(t, err)
	ours, _, ok := strings.Cut(string(text), "\n## Read by libraries\n")
	require.True(t, ok)
	inDocs := map[string]map[documented]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([A-Z_]+)` \\| (.*?) ?\\| (.*) \\|$").FindAllStringSubmatch(ours, -1) {
		note(inDocs, row[1], documented{strings.Trim(row[2], "`"), strings.Contains(row[3], "🔑")})
	}
	require.Equal(t, inCode, inDocs)
}

func note(found map[string]map[documented]bool, name string, as documented) {
	if found[name] == nil {
		found[name] = map[documented]bool{}
	}
	found[name][as] = true
}

// readSettings adds the variables of the structs of a file with their defaults.
func readSettings(t *testing.T, file string, found map[string]map[documented]bool) {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	require.NoError(t, err)
	ast.Inspect(parsed, func(n ast.Node) bool {
		field, ok := n.(*ast.Field)
		if !ok || field.Tag == nil {
			return true
		}
		raw, err := strconv.Unquote(field.Tag.Value)
		require.NoError(t, err)
		tag := reflect.StructTag(raw)
		if variable, ok := tag.Lookup("env"); ok {
			options := strings.Split(variable, ",")
			set := documented{Default: tag.Get("envDefault"), Secret: tag.Get("secret") != ""}
			if slices.Contains(options, "required") {
				set.Default = "required"
			}
			if command := tag.Get("neededBy"); command != "" {
				set.Default = "required to " + command
			}
			note(found, options[0], set)
		}
		return true
	})
}
