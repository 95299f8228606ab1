package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	embedded "github.com/fergusstrange/embedded-postgres"
	"github.com/jackc/pgx/v5"
)

const (
	superuser = "postgres"
	owner     = "taskwire" // owns the database; migrations run as this role
	database  = "taskwire"
)

// cluster is the private Postgres of the suite.
type cluster struct {
	port    int
	bin     string // folder of the server's binaries
	home    string // reachable by the account; holds data
	as      *syscall.Credential
	secrets secrets
}

// newCluster finds a server and makes the cluster on disk, unless it is there.
func newCluster(ctx context.Context, state string, port int, s secrets, say func(string, ...any)) (*cluster, error) {
	as, err := account()
	if err != nil {
		return nil, err
	}
	c := &cluster{port: port, as: as, secrets: s}
	if c.home, err = clusterHome(state, as != nil); err != nil {
		return nil, err
	}
	if as != nil {
		if err := os.Chown(c.home, int(as.Uid), int(as.Gid)); err != nil {
			return nil, fmt.Errorf("give %s to the account of Postgres: %w", c.home, err)
		}
	}
	if c.bin, err = serverBinaries(c.home, say); err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(c.data(), "PG_VERSION")); errors.Is(err, os.ErrNotExist) {
		say("making a Postgres cluster in %s", c.data())
		if err := c.initialise(ctx); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// clusterHome is the folder of the cluster: STATE_DIR/postgres, or one under
// /var/lib that the account of Postgres can enter where it cannot enter that.
func clusterHome(state string, otherAccount bool) (string, error) {
	home := filepath.Join(state, "postgres")
	if otherAccount && !reachable(state) {
		sum := sha256.Sum256([]byte(state))
		outside := filepath.Join("/var/lib/taskwire", fmt.Sprintf("%x", sum[:8]))
		if err := os.MkdirAll(outside, 0o755); err != nil {
			return "", fmt.Errorf("make a folder that the account of Postgres can enter: %w", err)
		}
		// The link shows where the data are.
		if err := os.Symlink(outside, home); err != nil && !errors.Is(err, os.ErrExist) {
			return "", fmt.Errorf("link to the cluster: %w", err)
		}
		return outside, nil
	}
	if err := os.MkdirAll(home, 0o755); err != nil {
		return "", fmt.Errorf("make the folder of Postgres: %w", err)
	}
	return home, nil
}

func (c *cluster) data() string { return filepath.Join(c.home, "data") }

// initialise makes the cluster beside its place and moves it there at the end:
// an interrupted start leaves no half cluster.
func (c *cluster) initialise(ctx context.Context) error {
	fresh := filepath.Join(c.home, "data.new")
	if err := os.RemoveAll(fresh); err != nil {
		return fmt.Errorf("clear an unfinished cluster: %w", err)
	}
	password, err := os.CreateTemp(c.home, "password-")
	if err != nil {
		return fmt.Errorf("write the password for initdb: %w", err)
	}
	defer os.Remove(password.Name())
	_, err = password.WriteString(c.secrets.Passwords[superuser])
	if err := errors.Join(err, password.Close()); err != nil {
		return fmt.Errorf("write the password for initdb: %w", err)
	}
	if c.as != nil {
		if err := os.Chown(password.Name(), int(c.as.Uid), int(c.as.Gid)); err != nil {
			return fmt.Errorf("give the password to initdb: %w", err)
		}
	}
	cmd := exec.CommandContext(ctx, filepath.Join(c.bin, "initdb"), "-D", fresh, "-U", superuser,
		"-A", "scram-sha-256", "--pwfile", password.Name(), "-E", "UTF8", "--locale=C")
	cmd.Dir = c.home
	cmd.SysProcAttr = childAttributes(syscall.SIGKILL, c.as)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	if err := os.Rename(fresh, c.data()); err != nil {
		return fmt.Errorf("move the cluster to its place: %w", err)
	}
	return nil
}

// process is the running server: durable, on loopback alone, without a socket
// in the file system (its path could be too long).
func (c *cluster) process() process {
	return process{
		name: "postgres", path: filepath.Join(c.bin, "postgres"),
		args: []string{
			"-D", c.data(), "-h", "127.0.0.1", "-p", strconv.Itoa(c.port), "-k", "",
			"-c", "max_connections=200", "-c", "fsync=on", "-c", "timezone=UTC", "-c", "log_timezone=UTC",
		},
		env: []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"}, dir: c.home, as: c.as,
		// Fast shutdown: open transactions are rolled back. When the suite is
		// killed: immediate shutdown, and recovery at the next start.
		stopSignal: syscall.SIGINT, dieSignal: syscall.SIGQUIT, stopWithin: 2500 * time.Millisecond,
	}
}

// url is the login of a role to a database.
func (c *cluster) url(role, name string) string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(role, c.secrets.Passwords[role]),
		Host: loopback(c.port), Path: "/" + name, RawQuery: "sslmode=disable",
	}
	return u.String()
}

// prepare waits for the server and brings its roles and the database up to
// the secrets. Each service has a role of its own that owns nothing.
func (c *cluster) prepare(ctx context.Context, roles []string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var conn *pgx.Conn
	if err := poll(ctx, func(ctx context.Context) (err error) {
		conn, err = pgx.Connect(ctx, c.url(superuser, "postgres"))
		return err
	}); err != nil {
		return fmt.Errorf("wait for Postgres: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	for _, role := range append([]string{owner}, roles...) {
		var exists bool
		if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", role).Scan(&exists); err != nil {
			return fmt.Errorf("look for the role %s: %w", role, err)
		}
		verb := "ALTER"
		if !exists {
			verb = "CREATE"
		}
		// The names and passwords are ours: letters, digits, "-" and "_".
		if _, err := conn.Exec(ctx, fmt.Sprintf("%s ROLE %s LOGIN PASSWORD '%s'", verb, role, c.secrets.Passwords[role])); err != nil {
			return fmt.Errorf("make the role %s: %w", role, err)
		}
	}
	var exists bool
	if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", database).Scan(&exists); err != nil {
		return fmt.Errorf("look for the database: %w", err)
	}
	if !exists {
		if _, err := conn.Exec(ctx, "CREATE DATABASE "+database+" OWNER "+owner); err != nil {
			return fmt.Errorf("make the database: %w", err)
		}
	}
	for _, sql := range []string{
		"REVOKE ALL ON DATABASE " + database + " FROM PUBLIC",
		"GRANT CONNECT ON DATABASE " + database + " TO " + strings.Join(roles, ", "),
	} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return fmt.Errorf("grant the database: %w", err)
		}
	}
	return nil
}

// serverBinaries is the folder of initdb and postgres: found on the machine,
// else downloaded into home.
func serverBinaries(home string, say func(string, ...any)) (string, error) {
	var folders []string
	if path, err := exec.LookPath("postgres"); err == nil {
		// A link in PATH would hide the rest of the installation.
		if real, err := filepath.EvalSymlinks(path); err == nil {
			folders = append(folders, filepath.Dir(real))
		}
	}
	if out, err := exec.Command("pg_config", "--bindir").Output(); err == nil {
		folders = append(folders, strings.TrimSpace(string(out)))
	}
	installed, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil {
		return "", fmt.Errorf("look for Postgres: %w", err)
	}
	slices.SortFunc(installed, func(a, b string) int { return majorVersion(b) - majorVersion(a) })
	downloaded := filepath.Join(home, "server")
	for _, folder := range append(append(folders, installed...), filepath.Join(downloaded, "bin")) {
		if executable(filepath.Join(folder, "postgres")) && executable(filepath.Join(folder, "initdb")) {
			return folder, nil
		}
	}
	say("downloading a Postgres server, since this machine has none")
	if err := download(downloaded); err != nil {
		return "", fmt.Errorf("there is no Postgres server on this machine and none could be downloaded: install one (Debian: apt-get install postgresql) or set DATABASE_URL: %w", err)
	}
	return filepath.Join(downloaded, "bin"), nil
}

// majorVersion is 15 for /usr/lib/postgresql/15/bin.
func majorVersion(bin string) int {
	n, err := strconv.Atoi(filepath.Base(filepath.Dir(bin)))
	if err != nil {
		return 0
	}
	return n
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0
}

// download unpacks a server into dir. The library can only start what it
// downloads, so it does, as a cluster that is thrown away.
func download(dir string) error {
	if os.Geteuid() == 0 {
		return errors.New("a downloaded server cannot be unpacked as root")
	}
	scratch, err := os.MkdirTemp("", "taskwire-postgres-")
	if err != nil {
		return fmt.Errorf("make a folder: %w", err)
	}
	defer os.RemoveAll(scratch)
	l, err := listen(0)
	if err != nil {
		return fmt.Errorf("choose a port: %w", err)
	}
	_, port, _ := strings.Cut(l.Addr().String(), ":")
	_ = l.Close()
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return fmt.Errorf("choose a port: %w", err)
	}
	server := embedded.NewDatabase(embedded.DefaultConfig().Port(uint32(number)).BinariesPath(dir).
		RuntimePath(filepath.Join(scratch, "run")).DataPath(filepath.Join(scratch, "data")).Logger(io.Discard))
	if err := server.Start(); err != nil {
		return err
	}
	return server.Stop()
}
