// Package systemd holds the units against systemd itself, the list of apps and
// the table of settings.
package systemd

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/taskwire/taskwire/test/manifests"
	"github.com/taskwire/taskwire/test/settings"
)

var folder = filepath.Join(manifests.Root, "systemd")

// app is one of dapr/dapr.yaml, with its ports.
type app struct {
	ID           string            `yaml:"appID"`
	Port         string            `yaml:"appPort"`
	HTTPPort     string            `yaml:"daprHTTPPort"`
	GRPCPort     string            `yaml:"daprGRPCPort"`
	InternalPort string            `yaml:"daprInternalGRPCPort"`
	MetricsPort  string            `yaml:"metricsPort"`
	Env          map[string]string `yaml:"env"`
}

func apps(t *testing.T) []app {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(manifests.Root, "dapr/dapr.yaml"))
	require.NoError(t, err)
	var file struct{ Apps []app }
	require.NoError(t, yaml.Unmarshal(text, &file))
	require.NotEmpty(t, file.Apps)
	return file.Apps
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, name))
	require.NoError(t, err)
	return string(text)
}

// environment is that of an EnvironmentFile, if there is one.
func environment(t *testing.T, name string) map[string]string {
	t.Helper()
	all := map[string]string{}
	text, err := os.ReadFile(filepath.Join(folder, name))
	if !errors.Is(err, fs.ErrNotExist) {
		require.NoError(t, err)
	}
	for line := range strings.Lines(string(text)) {
		if variable, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(line, "#") {
			all[variable] = value
		}
	}
	return all
}

// unit is a unit of a service with what its drop-in adds.
func unit(t *testing.T, kind, service string) string {
	t.Helper()
	whole := read(t, "taskwire-"+kind+"@.service")
	if more, err := os.ReadFile(filepath.Join(folder, "taskwire-"+kind+"@"+service+".service.d", "secrets.conf")); err == nil {
		whole += string(more)
	}
	return whole
}

var (
	variables   = regexp.MustCompile(`(?m)^Environment=(.*)$`)
	credentials = regexp.MustCompile(`(?m)^LoadCredential=(\w+):/etc/taskwire/secrets/(?:(?:%i|[a-z-]+)/)?(\w+)$`)
)

// A service is given what it needs and no setting that there is not; its secrets
// come in files that are loaded for it.
func TestEachServiceGetsItsSettings(t *testing.T) {
	for _, a := range apps(t) {
		known := settings.Of(t, a.ID)
		for kind, migrates := range map[string]bool{"service": false, "migrate": true} {
			text := unit(t, kind, a.ID)
			loaded := map[string]bool{}
			for _, c := range credentials.FindAllStringSubmatch(text, -1) {
				require.Equal(t, c[1], c[2], "a credential has the name of its file")
				loaded[c[1]] = true
			}
			given := environment(t, "etc/taskwire.env")
			// As a release writes them into etc/ports.
			maps.Copy(given, map[string]string{
				"PORT": a.Port, "METRICS_PORT": a.Env["METRICS_PORT"], "DAPR_HTTP_PORT": a.HTTPPort, "DAPR_GRPC_PORT": a.GRPCPort,
				"DAPR_INTERNAL_GRPC_PORT": a.InternalPort, "DAPR_METRICS_PORT": a.MetricsPort,
			})
			maps.Copy(given, environment(t, "etc/"+a.ID+".env"))
			for _, line := range variables.FindAllStringSubmatch(text, -1) {
				for _, pair := range strings.Fields(line[1]) {
					name, value, _ := strings.Cut(pair, "=")
					given[name] = value
				}
			}
			all := map[string]bool{}
			for name, value := range given {
				if credential, ok := strings.CutPrefix(value, "%d/"); ok {
					require.True(t, loaded[credential], "%s of %s: %s is not loaded", name, a.ID, value)
					require.Equal(t, credential+"_FILE", name)
					name = credential
				}
				all[name] = true
				if strings.HasPrefix(name, "DAPR_INTERNAL_GRPC_") || name == "DAPR_METRICS_PORT" || name == "KAFKA_BOOTSTRAP_SERVERS" {
					continue // the sidecar's
				}
				setting, ok := known[name]
				require.True(t, ok, "%s has no setting %s", a.ID, name)
				require.Equal(t, setting.Secret, loaded[name], "%s of %s", name, a.ID)
			}
			if migrates {
				require.False(t, all["JWT_PRIVATE_KEY"], "who serves signs, and nobody else")
				all["JWT_PRIVATE_KEY"] = true
			}
			require.Empty(t, settings.Missing(known, func(name string) bool { return all[strings.TrimSuffix(name, "_FILE")] }), a.ID)
			require.Equal(t, migrates, loaded["MIGRATE_DATABASE_URL"], "the owner's login is for migrations")
		}
	}
}

// The target starts the services that are enabled.
func TestAServiceIsEnabled(t *testing.T) {
	systemctl, err := exec.LookPath("systemctl")
	if err != nil {
		t.Skip("no systemctl: it is in the package systemd")
	}
	root := t.TempDir()
	units := filepath.Join(root, "etc/systemd/system")
	require.NoError(t, os.MkdirAll(units, 0o750))
	require.NoError(t, os.CopyFS(units, os.DirFS(folder)))
	out, err := exec.CommandContext(t.Context(), systemctl, "--root="+root, "enable", "taskwire-service@task-api", "taskwire.target").CombinedOutput()
	require.NoError(t, err, "%s", out)
	for _, link := range []string{"taskwire.target.wants/taskwire-service@task-api.service", "multi-user.target.wants/taskwire.target"} {
		_, err := os.Lstat(filepath.Join(units, link))
		require.NoError(t, err)
	}
}

// What systemd says of the units, and of what they can do to the machine.
func TestSystemdTakesTheUnits(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("no systemd-analyze: it is in the package systemd")
	}
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS(folder)))
	bin := filepath.Join(dir, "bin")
	require.NoError(t, os.Mkdir(bin, 0o750))
	// The programs are looked for: here they are empty ones.
	programs := []string{"daprd"}
	units := []string{"taskwire.target", "taskwire-reconcile.timer", "taskwire-reconcile.service"}
	var services []string
	for _, a := range apps(t) {
		programs = append(programs, a.ID)
		for _, kind := range []string{"service", "migrate", "daprd"} {
			services = append(services, "taskwire-"+kind+"@"+a.ID+".service")
		}
	}
	for _, p := range programs {
		require.NoError(t, os.WriteFile(filepath.Join(bin, p), []byte("#!/bin/sh\n"), 0o700))
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.service"))
	require.NoError(t, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		here := strings.NewReplacer("/opt/taskwire/bin/", bin+"/", "/usr/local/bin/", bin+"/").Replace(string(text))
		require.NotEqual(t, string(text), here, file)
		require.NoError(t, os.WriteFile(file, []byte(here), 0o600))
	}
	ask := func(args ...string) {
		cmd := exec.CommandContext(t.Context(), analyze, args...)
		cmd.Env = append(os.Environ(), "SYSTEMD_UNIT_PATH="+dir+":")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "systemd-analyze %s: %s", strings.Join(args, " "), out)
		if args[0] == "verify" {
			require.NotContains(t, string(out), dir, "a line about a unit of ours")
		}
	}
	for _, line := range []string{"DynamicUser=yes", "ProtectSystem=strict", "NoNewPrivileges=yes", "CapabilityBoundingSet="} {
		require.Contains(t, read(t, "taskwire-.service.d/hardening.conf"), "\n"+line+"\n")
	}
	ask(append([]string{"verify", "--man=no", "--recursive-errors=no"}, append(units, services...)...)...)
	for _, s := range append(services, "taskwire-reconcile.service") {
		ask("security", "--offline=true", "--no-pager", "--threshold=20", s)
	}
}
