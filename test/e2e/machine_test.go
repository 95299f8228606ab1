package e2e

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// processes are those of the suite, by name.
func (s world) processes(t *testing.T) map[string]int {
	t.Helper()
	if _, err := os.Stat("/proc/self/environ"); err != nil {
		t.Skip("what a process has is read from /proc")
	}
	files, err := filepath.Glob(filepath.Join(s.RunDir, "*.pid"))
	require.NoError(t, err)
	all := map[string]int{}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".pid")
		all[name], err = s.PID(name)
		require.NoError(t, err)
	}
	for name := range s.Services {
		require.Contains(t, all, name)
		require.Contains(t, all, name+"-daprd")
	}
	return all
}

// A service that is broken into gives away its own login, and no other's.
func TestEachProcessHoldsItsOwnSecretsAlone(t *testing.T) {
	leaveOut(t)
	secret := func(raw string) string {
		u, err := url.Parse(raw)
		require.NoError(t, err)
		password, _ := u.User.Password()
		require.NotEmpty(t, password)
		return password
	}
	holders := map[string]string{secret(s.Database.OwnerURL): "nobody"}
	for id, own := range s.Database.URLs {
		holders[secret(own)] = id
	}
	require.Len(t, holders, 1+len(s.Database.URLs), "a database of the suite's own")
	for name, pid := range s.processes(t) {
		raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		require.NoError(t, err, name)
		for password, holder := range holders {
			require.Equal(t, holder == name, strings.Contains(string(raw), password), "%s has the login of %s", name, holder)
		}
		for _, variable := range []string{"JWT_PRIVATE_KEY", "JWT_PRIVATE_KEY_FILE"} {
			require.True(t, name == "task-api" || !strings.Contains(string(raw), "\x00"+variable+"="), "%s has %s", name, variable)
		}
		require.NotContains(t, string(raw), "MIGRATE_DATABASE_URL=", name)
	}
}

// What listens under `make run` is for this machine. SECURITY.md says what its
// other accounts can do with it.
func TestTheSuiteListensOnLoopbackAlone(t *testing.T) {
	leaveOut(t)
	listening := map[string]string{} // address, by inode
	for _, file := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		raw, err := os.ReadFile(file)
		if os.IsNotExist(err) {
			continue // no IPv6 here
		}
		require.NoError(t, err)
		for line := range strings.Lines(string(raw)) {
			if f := strings.Fields(line); len(f) > 9 && f[3] == "0A" { // LISTEN
				listening[f[9]] = f[1]
			}
		}
	}
	for name, pid := range s.processes(t) {
		sockets, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
		require.NoError(t, err)
		found := 0
		for _, fd := range sockets {
			target, err := os.Readlink(fd)
			if err != nil {
				continue // closed meanwhile
			}
			address, ok := listening[strings.TrimSuffix(strings.TrimPrefix(target, "socket:["), "]")]
			if !ok {
				continue
			}
			found++
			host, port, _ := strings.Cut(address, ":")
			// 127.0.0.1 as the kernel writes it, and as an IPv6 socket has it.
			require.Contains(t, []string{"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}, host,
				"%s listens on port %s (hexadecimal) of more than loopback", name, port)
		}
		require.Positive(t, found, "%s listens", name)
	}
}
