package manifests

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/test/services"
)

// The entrypoint of the postgres image sources a script that is not executable,
// as a ConfigMap mounts it, and runs one that is. It works with `set -Eeo
// pipefail`, and with variables that may be unset.
func TestTheEntrypointOfPostgresIsLeftAsItWas(t *testing.T) {
	roles, err := filepath.Abs(filepath.Join(Root, "k8s", "components", "postgres", "roles.sh"))
	require.NoError(t, err)
	for name, c := range map[string]struct {
		script, psql string
		works        bool
	}{
		"sourced":           {script: `before=$-; . "$ROLES"; [ "$-" = "$before" ] && echo "on it goes${UNSET}"`, psql: "cat >/dev/null", works: true},
		"sourced in vain":   {script: `. "$ROLES"; echo "on it goes"`, psql: "exit 3"},
		"without a setting": {script: `unset POSTGRES_USER; . "$ROLES"; echo "on it goes"`, psql: "cat >/dev/null"},
		"run":               {script: `sh "$ROLES"; echo "on it goes"`, psql: "cat >/dev/null", works: true},
		"run in vain":       {script: `sh "$ROLES"; echo "on it goes"`, psql: "exit 3"},
	} {
		t.Run(name, func(t *testing.T) {
			bin := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(bin, "psql"), []byte("#!/bin/sh\n"+c.psql+"\n"), 0o700))
			entrypoint := exec.CommandContext(t.Context(), "bash", "-c", "set -Eeo pipefail\n"+c.script)
			entrypoint.Env = []string{"PATH=" + bin + ":" + os.Getenv("PATH"), "ROLES=" + roles, "POSTGRES_USER=taskwire", "POSTGRES_DB=taskwire"}
			out, err := entrypoint.CombinedOutput()
			require.Equal(t, c.works, err == nil, "%s", out)
			if c.works {
				require.Equal(t, "on it goes\n", string(out))
			} else {
				require.NotContains(t, string(out), "on it goes")
			}
		})
	}
}

// Each service has a login, by the password that k8s/secrets.sh has made for it.
func TestEachServiceHasALogin(t *testing.T) {
	bin := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(bin, "psql"), []byte("#!/bin/sh\ncat\n"), 0o700))
	secrets, err := Secrets("local")
	require.NoError(t, err)
	all, err := services.Read(Root)
	require.NoError(t, err)
	for _, shell := range []string{"sh", "bash"} {
		roles := exec.CommandContext(t.Context(), shell, filepath.Join(Root, "k8s", "components", "postgres", "roles.sh"))
		roles.Env = []string{"PATH=" + bin + ":" + os.Getenv("PATH"), "POSTGRES_USER=taskwire", "POSTGRES_DB=taskwire"}
		for name := range dict(find(secrets, "Secret", "postgres")["data"]) {
			roles.Env = append(roles.Env, name+"="+Password)
		}
		out, err := roles.CombinedOutput()
		require.NoError(t, err, "%s", out)
		for _, s := range all {
			login := strings.ToUpper(strings.ReplaceAll(s.ID, "-", "_"))
			require.Contains(t, string(out), "\\getenv password "+login+"_PASSWORD\nCREATE ROLE "+login+" LOGIN PASSWORD :'password';\n")
		}
		require.Equal(t, len(all), strings.Count(string(out), "CREATE ROLE"), "and nobody else")
		require.NotContains(t, string(out), Password)
	}
}
