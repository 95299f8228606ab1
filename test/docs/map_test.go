package docs

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// place is a file, and what it is said to declare: functions, methods as Type.Method,
// types, variables and constants.
type place struct {
	file  string
	names []string
}

var (
	linked = regexp.MustCompile("\\]\\(([^)]+\\.go)\\)(?:: ((?:`[\\w.]+`(?:, )?)+))?")
	quoted = regexp.MustCompile("`([\\w.]+)`")
)

// places are those that the rows of a table lead to, by row.
func places(table string) map[string][]place {
	found := map[string][]place{}
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) != 4 || strings.HasPrefix(cells[1], "---") || strings.TrimSpace(cells[1]) == "Question" {
			continue
		}
		question := strings.TrimSpace(cells[1])
		found[question] = nil
		for _, link := range linked.FindAllStringSubmatch(cells[2], -1) {
			p := place{file: link[1]}
			for _, name := range quoted.FindAllStringSubmatch(link[2], -1) {
				p.names = append(p.names, name[1])
			}
			found[question] = append(found[question], p)
		}
	}
	return found
}

// declared are the names that a Go file declares.
func declared(file string) ([]string, error) {
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		return nil, fmt.Errorf("read what a file declares: %w", err)
	}
	var names []string
	for _, d := range parsed.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			names = append(names, nameOf(d))
		case *ast.GenDecl:
			for _, s := range d.Specs {
				switch s := s.(type) {
				case *ast.TypeSpec:
					names = append(names, s.Name.Name)
				case *ast.ValueSpec:
					for _, n := range s.Names {
						names = append(names, n.Name)
					}
				}
			}
		}
	}
	return names, nil
}

// nameOf is what a function is called; a method Type.Method.
func nameOf(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return f.Name.Name
	}
	return typeName(f.Recv.List[0].Type) + "." + f.Name.Name
}

// typeName is the name of a receiver's type.
func typeName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return typeName(e.X)
	case *ast.IndexExpr:
		return typeName(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}

// wrong is what a table of places says that is not so, below a root.
func wrong(root, table string) (found []string) {
	for question, to := range places(table) {
		named := 0
		for _, p := range to {
			named += len(p.names)
			names, err := declared(filepath.Join(root, p.file))
			if err != nil {
				found = append(found, fmt.Sprintf("%s: %s", question, err))
				continue
			}
			for _, name := range p.names {
				if !slices.Contains(names, name) {
					found = append(found, fmt.Sprintf("%s: %s declares no %s", question, p.file, name))
				}
			}
		}
		if named == 0 {
			found = append(found, question+": it leads to no function")
		}
	}
	slices.Sort(found)
	return found
}

// Each answer of README's table "Where is what" names files that there are, and functions
// that are in them; so do the lists of the packages that say what an addition needs.
func TestWhatIsWhereItIsSaidToBe(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	require.NoError(t, err)
	_, table, ok := strings.Cut(string(text), "\n### Where is what\n")
	require.True(t, ok)
	table, _, ok = strings.Cut(table, "\n```")
	require.True(t, ok)
	require.Greater(t, len(places(table)), 10)
	require.Empty(t, wrong(root, table))

	listed := regexp.MustCompile(`(?m)^//   - (\w+\.go):`)
	for _, of := range []string{"services/notification/internal/delivery"} {
		text, err := os.ReadFile(filepath.Join(root, of, "doc.go"))
		require.NoError(t, err)
		files := listed.FindAllStringSubmatch(string(text), -1)
		require.NotEmpty(t, files, of)
		for _, file := range files {
			require.FileExists(t, filepath.Join(root, of, file[1]))
		}
	}
}

func TestAPlaceThatIsNotThereIsNoticed(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a.go"), []byte("package a\ntype T[X any] struct{}\nfunc (t *T[X]) M() {}\nfunc F() {}\nvar V, W int\n"), 0o600))
	for name, c := range map[string]struct{ answer, wrong string }{
		"all there":              {"[a.go](a.go): `F`, `T.M`, `T`, `W`; and [a.go](a.go)", ""},
		"no such file":           {"[a.go](a.go): `F`, [b.go](b.go)", "b.go: no such file"},
		"no such function":       {"[a.go](a.go): `F`, `G`", "a.go declares no G"},
		"a method for a func":    {"[a.go](a.go): `M`", "a.go declares no M"},
		"of the second file":     {"[a.go](a.go): `F`. Then [a.go](a.go): `T.N`", "a.go declares no T.N"},
		"no function of any":     {"[a.go](a.go)", "it leads to no function"},
		"no file":                {"somewhere, in `F`", "it leads to no function"},
		"a name of another text": {"[a.go](a.go) of `G`", "it leads to no function"},
	} {
		t.Run(name, func(t *testing.T) {
			found := strings.Join(wrong(dir, "| Question | Answer |\n|---|---|\n| Where? | "+c.answer+" |\n"), "\n")
			if c.wrong == "" {
				require.Empty(t, found)
				return
			}
			require.Contains(t, found, c.wrong)
		})
	}
}
