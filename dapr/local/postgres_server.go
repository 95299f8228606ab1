package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	embedded "github.com/fergusstrange/embedded-postgres"

	"github.com/taskwire/taskwire/pkg/local"
)

// serverBinaries is the folder of initdb and postgres: found on the machine,
// else downloaded into home. An existing cluster needs its own major version;
// a new one ("") takes the newest that is installed.
func serverBinaries(ctx context.Context, home, major string, say func(string, ...any)) (string, error) {
	var folders []string
	if path, err := exec.LookPath("postgres"); err == nil {
		// A link in PATH would hide the rest of the installation.
		if real, err := filepath.EvalSymlinks(path); err == nil {
			folders = append(folders, filepath.Dir(real))
		}
	}
	if out, err := exec.CommandContext(ctx, "pg_config", "--bindir").Output(); err == nil {
		folders = append(folders, strings.TrimSpace(string(out)))
	}
	installed, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil {
		return "", fmt.Errorf("look for Postgres: %w", err)
	}
	slices.SortFunc(installed, func(a, b string) int { return folderVersion(b) - folderVersion(a) })
	downloaded := filepath.Join(home, "server")
	var others []string
	for _, folder := range append(append(folders, installed...), filepath.Join(downloaded, "bin")) {
		if !executable(filepath.Join(folder, "postgres")) || !executable(filepath.Join(folder, "initdb")) {
			continue
		}
		if major == "" || serverMajor(ctx, folder) == major {
			return folder, nil
		}
		others = append(others, folder)
	}
	if major != "" {
		return "", fmt.Errorf("the cluster in %s was made by Postgres %s, which is not on this machine (there is: %s): install it, or set STATE_DIR to begin anew", home, major, strings.Join(others, ", "))
	}
	say("downloading a Postgres server, since this machine has none")
	if err := download(downloaded); err != nil {
		return "", fmt.Errorf("there is no Postgres server on this machine and none could be downloaded: install one (Debian: apt-get install postgresql) or set DATABASE_URL: %w", err)
	}
	return filepath.Join(downloaded, "bin"), nil
}

// folderVersion is 15 for /usr/lib/postgresql/15/bin.
func folderVersion(bin string) int {
	n, err := strconv.Atoi(filepath.Base(filepath.Dir(bin)))
	if err != nil {
		return 0
	}
	return n
}

// serverMajor asks the server: "postgres (PostgreSQL) 15.14 (Debian …)" is 15.
func serverMajor(ctx context.Context, bin string) string {
	out, err := exec.CommandContext(ctx, filepath.Join(bin, "postgres"), "--version").Output()
	if err != nil {
		return ""
	}
	_, version, _ := strings.Cut(string(out), ") ")
	end := strings.IndexFunc(version, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		return version
	}
	return version[:end]
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0
}

// download unpacks a server into dir. The library can only start what it
// downloads, so it does, as a cluster that is thrown away; for root it fails
// at that, with the server in its place.
func download(dir string) error {
	scratch, err := os.MkdirTemp("", "taskwire-postgres-")
	if err != nil {
		return fmt.Errorf("make a folder: %w", err)
	}
	defer os.RemoveAll(scratch)
	port, err := local.FreePort()
	if err != nil {
		return fmt.Errorf("choose a port: %w", err)
	}
	server := embedded.NewDatabase(embedded.DefaultConfig().Port(uint32(port)).BinariesPath(dir).
		RuntimePath(filepath.Join(scratch, "run")).DataPath(filepath.Join(scratch, "data")).Logger(io.Discard))
	err = server.Start()
	if err == nil {
		err = server.Stop()
	}
	if bin := filepath.Join(dir, "bin"); executable(filepath.Join(bin, "postgres")) && executable(filepath.Join(bin, "initdb")) {
		return nil
	}
	if err == nil {
		err = errors.New("what was downloaded holds no server")
	}
	return err
}
