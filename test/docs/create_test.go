package docs

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// step is a function on the way of a request, as a numbered line tells it.
type step struct {
	file, name string
	line       int      // where it is declared
	calls      []string // what its body names
}

// stepsOf are the steps that a text tells of, below a root.
func stepsOf(root, text string) (found []step, err error) {
	for _, link := range linked.FindAllStringSubmatch(text, -1) {
		for _, name := range quoted.FindAllStringSubmatch(link[2], -1) {
			s := step{file: link[1], name: name[1]}
			if err := s.read(filepath.Join(root, s.file)); err != nil {
				return nil, err
			}
			found = append(found, s)
		}
	}
	return found, nil
}

// read reads the function out of its file.
func (s *step) read(file string) error {
	files := token.NewFileSet()
	parsed, err := parser.ParseFile(files, file, nil, parser.SkipObjectResolution)
	if err != nil {
		return fmt.Errorf("read a step: %w", err)
	}
	for _, d := range parsed.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || nameOf(f) != s.name {
			continue
		}
		s.line = files.Position(f.Pos()).Line
		ast.Inspect(f.Body, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok {
				s.calls = append(s.calls, id.Name)
			}
			return true
		})
		return nil
	}
	return fmt.Errorf("%s declares no %s", s.file, s.name)
}

// wrongIn says what is wrong with a way: a step that none before it calls, or one that is
// above one before it in the same file.
func wrongIn(way []step) (wrong []string) {
	for i, s := range way {
		_, method, is := strings.Cut(s.name, ".")
		if !is {
			method = s.name
		}
		if i > 0 && !slices.ContainsFunc(way[:i], func(before step) bool { return slices.Contains(before.calls, method) }) {
			wrong = append(wrong, s.name+" is called by none before it")
		}
		if slices.ContainsFunc(way[:i], func(before step) bool { return before.file == s.file && before.line > s.line }) {
			wrong = append(wrong, s.name+" is above one before it")
		}
	}
	return wrong
}

// The way of a create that docs/architecture.md tells is that of the code, is read
// downward, and stays short.
func TestACreateIsReadDownward(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "docs", "architecture.md"))
	require.NoError(t, err)
	_, told, ok := strings.Cut(string(text), "\n### A create, from the route to the commit\n")
	require.True(t, ok)
	told, _, _ = strings.Cut(told, "\n## ")
	way, err := stepsOf(filepath.Join(root, "docs"), told)
	require.NoError(t, err)
	require.Empty(t, wrongIn(way))
	require.Len(t, way, 8)
	files := map[string]bool{}
	for _, s := range way {
		files[s.file] = true
	}
	require.Len(t, files, 5)
}

func TestAWayThatIsNotThatOfTheCodeIsNoticed(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a.go"), []byte("package a\nfunc A() { T{}.B(); C() }\nfunc (T) B() { C() }\nfunc C() {}\nfunc D() {}\n"), 0o600))
	for name, c := range map[string]struct{ told, wrong string }{
		"as it is":       {"[a](a.go): `A`, then [a](a.go): `T.B`, then [a](a.go): `C`", ""},
		"called by none": {"[a](a.go): `A`, then [a](a.go): `D`", "D is called by none before it"},
		"upward":         {"[a](a.go): `A`, then [a](a.go): `C`, then [a](a.go): `T.B`", "T.B is above one before it"},
		"not there":      {"[a](a.go): `A`, then [a](a.go): `B`", "a.go declares no B"},
	} {
		t.Run(name, func(t *testing.T) {
			way, err := stepsOf(dir, c.told)
			if err != nil {
				require.EqualError(t, err, c.wrong)
				return
			}
			require.Equal(t, c.wrong, strings.Join(wrongIn(way), "\n"))
		})
	}
}
