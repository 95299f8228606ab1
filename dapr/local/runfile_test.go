package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"text/template"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/taskwire/taskwire/pkg/local"
)

func read(t *testing.T) *runFile {
	t.Helper()
	file, err := readRunFile(filepath.Join("..", "dapr.yaml"))
	require.NoError(t, err)
	return file
}

func TestRunFileDescribesEveryService(t *testing.T) {
	file := read(t)
	dirs, err := filepath.Glob(filepath.Join("..", "..", "services", "*", "main.go"))
	require.NoError(t, err)
	require.Len(t, file.Apps, len(dirs))
	for _, a := range file.Apps {
		require.FileExists(t, filepath.Join(a.Dir, "main.go"))
		require.Equal(t, "127.0.0.1", a.Env["HOST"], "the common environment reaches %s", a.ID)
		require.NotZero(t, a.MetricsPort)
	}
	require.Equal(t, "API", file.Apps[0].prefix())
	require.Equal(t, "AUDIT_LOG", file.Apps[1].prefix())
}

// config.yaml repeats the internal ports of dapr.yaml for the Dapr CLI.
func TestConfigResolvesTheAppsOfTheRunFile(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "config.yaml"))
	require.NoError(t, err)
	var config struct {
		Spec struct {
			NameResolution struct {
				Configuration struct{ Template string }
			} `yaml:"nameResolution"`
		}
	}
	require.NoError(t, yaml.Unmarshal(text, &config))
	file := read(t)
	for name, source := range map[string]string{
		"config.yaml": config.Spec.NameResolution.Configuration.Template,
		"make run":    resolveTemplate(file.Apps),
	} {
		t.Run(name, func(t *testing.T) {
			parsed, err := template.New("").Parse(source)
			require.NoError(t, err)
			for _, a := range file.Apps {
				var b strings.Builder
				require.NoError(t, parsed.Execute(&b, struct{ ID string }{a.ID}))
				require.Equal(t, local.Address(a.InternalPort), b.String())
			}
		})
	}
}

func TestAssembleTakesTheChosenBrokerAlone(t *testing.T) {
	for _, kind := range []string{"kafka", "redis"} {
		t.Run(kind, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "resources")
			require.NoError(t, assemble(filepath.Join("..", "components"), dir, kind))
			files, err := filepath.Glob(filepath.Join(dir, "*"))
			require.NoError(t, err)
			var names []string
			for _, path := range files {
				names = append(names, filepath.Base(path))
			}
			require.Equal(t, []string{"pubsub.yaml", "resiliency.yaml"}, names)
			text, err := os.ReadFile(filepath.Join(dir, "pubsub.yaml"))
			require.NoError(t, err)
			require.Contains(t, string(text), "type: pubsub."+kind+"\n")
		})
	}
}

func TestConfigIsWrittenWithThePortsOfTheRun(t *testing.T) {
	to := filepath.Join(t.TempDir(), "config.yaml")
	apps := []*app{{ID: "task-api", InternalPort: 12345}}
	require.NoError(t, writeConfig(filepath.Join("..", "config.yaml"), to, apps))
	text, err := os.ReadFile(to)
	require.NoError(t, err)
	require.Contains(t, string(text), "127.0.0.1:12345")
	require.NotContains(t, string(text), "3701")
}
