package main

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/database/databasetest"
	"github.com/taskwire/taskwire/pkg/local"
)

func TestMain(m *testing.M) { os.Exit(databasetest.Main(m)) }

func TestALockFileOfAnotherProgramIsForgotten(t *testing.T) {
	for name, c := range map[string]struct {
		pid  string
		kept bool
	}{
		"this test has the old server's process id": {strconv.Itoa(os.Getpid()), false},
		"nobody has it: Postgres sees to it":        {"4194305", true},
	} {
		t.Run(name, func(t *testing.T) {
			server := &cluster{home: t.TempDir()}
			require.NoError(t, os.Mkdir(server.data(), 0o700))
			path := filepath.Join(server.data(), "postmaster.pid")
			require.NoError(t, os.WriteFile(path, []byte(c.pid+"\n/data\n"), 0o600))
			require.NoError(t, server.forgetOldServer())
			if c.kept {
				require.FileExists(t, path)
			} else {
				require.NoFileExists(t, path)
			}
			require.NoError(t, os.RemoveAll(path))
			require.NoError(t, server.forgetOldServer(), "no lock file")
		})
	}
}

// A machine may have no C.UTF-8; and a cluster that is there is taken as it is.
func TestTheLocaleOfACluster(t *testing.T) {
	for _, c := range []struct{ name, knows, made string }{
		{"Linux", "*", local.ClusterLocale},
		{"a system without it", "C", "C"},
		{"another fault", "none", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			bin := t.TempDir()
			script := "#!/bin/sh\nwhile [ \"$1\" ]; do case $1 in -D) data=$2;; --locale) locale=$2;; esac; shift; done\n" +
				"case $locale in " + c.knows + ") mkdir \"$data\" && echo $locale > \"$data/locale\";; *) exit 1;; esac\n"
			require.NoError(t, os.WriteFile(filepath.Join(bin, "initdb"), []byte(script), 0o755))
			server := &cluster{bin: bin, home: t.TempDir()}
			err := server.initialise(t.Context())
			if c.made == "" {
				require.ErrorContains(t, err, local.ClusterLocale)
				require.NoDirExists(t, server.data())
				return
			}
			require.NoError(t, err)
			made, err := os.ReadFile(filepath.Join(server.data(), "locale"))
			require.NoError(t, err)
			require.Equal(t, c.made, strings.TrimSpace(string(made)))
		})
	}
}

func TestAnOutsideDatabaseGivesEachServiceARole(t *testing.T) {
	admin := databasetest.New(t)
	roles := []string{"first_service", "second_service"}
	s := secrets{Passwords: map[string]string{"first_service": newToken(), "second_service": newToken()}}
	t.Cleanup(func() {
		conn, err := pgx.Connect(context.Background(), admin)
		require.NoError(t, err)
		defer conn.Close(context.Background())
		for _, role := range roles { // a server of TEST_DATABASE_URL would keep them
			_, err := conn.Exec(context.Background(), "DROP OWNED BY "+role+"; DROP ROLE "+role)
			require.NoError(t, err)
		}
	})
	for range 2 { // the second start finds the roles of the first
		urls, err := outsideURLs(t.Context(), admin, roles, s)
		require.NoError(t, err)
		require.Len(t, urls, len(roles))
		for role, u := range urls {
			conn, err := pgx.Connect(t.Context(), u)
			require.NoError(t, err)
			var user string
			require.NoError(t, conn.QueryRow(t.Context(), "SELECT current_user").Scan(&user))
			require.Equal(t, role, user)
			require.NoError(t, conn.Close(t.Context()))
		}
	}

	plain, err := url.Parse(admin)
	require.NoError(t, err)
	plain.User = url.UserPassword(roles[0], s.Passwords[roles[0]])
	_, err = outsideURLs(t.Context(), plain.String(), roles, s)
	require.ErrorIs(t, err, errMayNot)
}
