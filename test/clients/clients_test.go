// Package clients proves the description of the API to be one that tools believe: the
// clients that they generate of it tour a suite as the README does, and those that
// look for faults find none.
package clients

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/test/suite"
	"github.com/taskwire/taskwire/test/suite/suitetest"
)

var s *suite.Suite

func TestMain(m *testing.M) {
	os.Exit(suitetest.Main(m, func(started *suite.Suite) { s = started }, suite.WithoutLimits()...))
}

// workshop is a folder with a copy of what lies in one of this package's, and with the
// suite's descriptions.
func workshop(t *testing.T, from string) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS(from)))
	for _, name := range []string{"openapi.json", "openapi-3.0.json", "asyncapi.json"} {
		a, err := (&suite.Client{Base: s.API}).Do(t.Context(), http.MethodGet, "/"+name, nil)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, a.Status)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), a.Body, 0o644))
	}
	return dir
}

// run runs a command in a folder, with the address of the suite's API, and returns
// what it says.
func run(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	out, err := try(t, dir, name, args...)
	require.NoError(t, err, "%s %s: %s", name, strings.Join(args, " "), out)
	return out
}

func try(t *testing.T, dir, name string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "API="+s.API, "GOWORK=off", "GOFLAGS=-mod=mod", "NO_COLOR=1")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestGo(t *testing.T) {
	dir := workshop(t, "golang")
	run(t, dir, "go", "run", "github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@v2.8.2",
		"-generate", "types,client", "-package", "main", "-o", "api.go", "openapi-3.0.json")
	run(t, dir, "go", "vet", ".")
	require.Contains(t, run(t, dir, "go", "run", "."), "toured")
}

// node is a workshop with what package.json names.
func node(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("npm"); err != nil {
		t.Skip("npm is not there, which has the TypeScript compiler and the linters: apt-get install nodejs npm")
	}
	dir := workshop(t, "typescript")
	run(t, dir, "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
	return dir
}

func TestTypeScript(t *testing.T) {
	dir := node(t)
	bin := filepath.Join(dir, "node_modules", ".bin") + "/"
	// A member with a default may be left out of a request.
	run(t, dir, bin+"openapi-typescript", "openapi.json", "--default-non-nullable=false", "-o", "api.ts")
	run(t, dir, bin+"tsc", "--strict", "--project", ".")
	require.Contains(t, run(t, dir, "node", "tour.js"), "toured")

	t.Run("redocly", func(t *testing.T) { run(t, dir, bin+"redocly", "lint", "openapi.json", "openapi-3.0.json") })
	t.Run("spectral", func(t *testing.T) {
		run(t, dir, bin+"spectral", "lint", "--fail-severity=hint", "openapi.json", "openapi-3.0.json")
	})
	t.Run("asyncapi", func(t *testing.T) { run(t, dir, "node", "asyncapi.js") })
}

// python is a workshop whose virtual environment has packages of PyPI.
func python(t *testing.T, packages ...string) (dir, bin string) {
	t.Helper()
	dir = workshop(t, "python")
	if out, err := try(t, dir, "python3", "-m", "venv", "venv"); err != nil {
		t.Skipf("there is no Python with venv: %s", out)
	}
	bin = filepath.Join(dir, "venv", "bin") + "/"
	if out, err := try(t, dir, bin+"pip", append([]string{"install", "--quiet", "--disable-pip-version-check", "--retries=0", "--timeout=20"}, packages...)...); err != nil {
		if os.Getenv("GITHUB_ACTIONS") != "" {
			t.Fatalf("there is PyPI, and this can not be had of it: %s", out)
		}
		t.Skipf("PyPI, or a package of it, can not be had: %s", out)
	}
	return dir, bin
}

func TestPython(t *testing.T) {
	dir, bin := python(t, "openapi-python-client==0.29.1")
	t.Setenv("PATH", bin+":"+os.Getenv("PATH")) // for ruff, which it formats with
	out := run(t, dir, bin+"openapi-python-client", "generate", "--path", "openapi.json", "--meta", "none", "--output-path", "client", "--fail-on-warning", "--config", "openapi-python-client.yaml")
	require.NotContains(t, out, "Warning")
	require.Contains(t, run(t, dir, bin+"python", "tour.py"), "toured")
}

// Schemathesis sends what the description allows and what it does not, and holds the
// answers against it.
func TestSchemathesis(t *testing.T) {
	dir, bin := python(t, "schemathesis==4.32.5")
	c, err := s.Register(t.Context(), "schemathesis@example.org", "UTC")
	require.NoError(t, err)
	out, err := try(t, dir, bin+"schemathesis", "run", s.API+"/openapi.json", "--header", "Authorization: Bearer "+c.Token,
		"--seed", "1", "--max-examples", "20", "--workers", "2")
	require.NoError(t, err, "%s", out)
	t.Log(out)
}
