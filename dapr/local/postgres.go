package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/taskwire/taskwire/pkg/local"
)

const (
	superuser = "postgres"
	owner     = "taskwire" // owns the database; migrations run as this role
	database  = "taskwire"

	invalidPassword = "28P01" // SQLSTATE
)

// cluster is the private Postgres of the suite.
type cluster struct {
	port    int
	bin     string // folder of the server's binaries
	home    string // reachable by the account; holds data
	as      *local.Account
	secrets secrets
}

// newCluster finds a server and makes the cluster on disk, unless it is there.
func newCluster(ctx context.Context, state string, port int, s secrets, say func(string, ...any)) (*cluster, error) {
	as, err := local.PostgresAccount()
	if err != nil {
		return nil, err
	}
	c := &cluster{port: port, as: as, secrets: s}
	if c.home, err = clusterHome(state, as != nil); err != nil {
		return nil, err
	}
	if err := as.Give(c.home); err != nil {
		return nil, err
	}
	version, err := os.ReadFile(filepath.Join(c.data(), "PG_VERSION"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("read the version of the cluster: %w", err)
	}
	if c.bin, err = serverBinaries(ctx, c.home, strings.TrimSpace(string(version)), say); err != nil {
		return nil, err
	}
	if version == nil {
		say("making a Postgres cluster in %s", c.data())
		if err := c.initialise(ctx); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// clusterHome is the folder of the cluster: STATE_DIR/postgres, which is a link
// to a folder under /var/lib where the account of Postgres cannot enter
// STATE_DIR. Without the link the cluster is a new one, as without the folder.
func clusterHome(state string, otherAccount bool) (string, error) {
	home := filepath.Join(state, "postgres")
	if real, err := filepath.EvalSymlinks(home); err == nil {
		return real, nil
	}
	if err := removeIfThere(home); err != nil { // a link to nowhere
		return "", err
	}
	if otherAccount && !reachable(state) {
		const outside = "/var/lib/taskwire"
		if err := os.MkdirAll(outside, 0o755); err != nil {
			return "", fmt.Errorf("make a folder that the account of Postgres can enter: %w", err)
		}
		real, err := os.MkdirTemp(outside, "postgres-")
		if err != nil {
			return "", fmt.Errorf("make a folder that the account of Postgres can enter: %w", err)
		}
		if err := os.Symlink(real, home); err != nil {
			return "", fmt.Errorf("link to the cluster: %w", err)
		}
		return real, nil
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
	if err := c.as.Give(password.Name()); err != nil {
		return err
	}
	initdb := func(locale string) error {
		cmd := exec.CommandContext(ctx, filepath.Join(c.bin, "initdb"), "-D", fresh, "-U", superuser,
			"-A", "scram-sha-256", "--pwfile", password.Name(), "-E", "UTF8", "--locale", locale)
		cmd.Dir = c.home
		cmd.SysProcAttr = local.Child(syscall.SIGKILL, c.as)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("initdb with the locale %s: %w: %s", locale, err, out)
		}
		return nil
	}
	if err := initdb(local.ClusterLocale); err != nil {
		// Systems without it, such as macOS, have C, where everything works but that what is
		// compared without case is so for ASCII alone.
		if initdb("C") != nil {
			return err
		}
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
			// A failing statement is not logged with its values: they are what users wrote.
			"-c", "log_min_error_statement=panic", "-c", "log_error_verbosity=terse",
		},
		env: []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"}, dir: c.home, as: c.as,
		// Fast shutdown: open transactions are rolled back. When the suite is
		// killed: immediate shutdown, and recovery at the next start.
		stopSignal: syscall.SIGINT, dieSignal: syscall.SIGQUIT, stopWithin: 2500 * time.Millisecond,
		before: c.forgetOldServer,
	}
}

// forgetOldServer removes the lock file of a server that is gone while its
// process id has been given to another program, as after a reboot: Postgres
// would take that program for the old server, and not start.
func (c *cluster) forgetOldServer() error {
	path := filepath.Join(c.data(), "postmaster.pid")
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the lock file of Postgres: %w", err)
	}
	pid, _, _ := strings.Cut(string(text), "\n")
	// Without /proc, or with a process that is gone, Postgres judges by itself.
	program, err := os.ReadFile(filepath.Join("/proc", strings.TrimSpace(pid), "comm"))
	if err != nil || strings.HasPrefix(string(program), "postgres") {
		return nil
	}
	return removeIfThere(path)
}

// url is the login of a role to a database.
func (c *cluster) url(role, name string) string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(role, c.secrets.Passwords[role]),
		Host: local.Address(c.port), Path: "/" + name, RawQuery: "sslmode=disable",
	}
	return u.String()
}

// prepare waits for the server and brings its roles and the database up to
// the secrets. Each service has a role of its own that owns nothing.
func (c *cluster) prepare(ctx context.Context, roles []string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var conn *pgx.Conn
	var refused *pgconn.PgError
	if err := poll(ctx, func(ctx context.Context) (err error) {
		conn, err = pgx.Connect(ctx, c.url(superuser, "postgres"))
		if errors.As(err, &refused) && refused.Code == invalidPassword {
			return nil // and it will not be valid later
		}
		return err
	}); err != nil {
		return fmt.Errorf("wait for Postgres: %w", err)
	}
	if conn == nil {
		return fmt.Errorf("the passwords in run/secrets.json are not those of the cluster in %s: bring back the file, or remove the cluster: %w", c.home, refused)
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
