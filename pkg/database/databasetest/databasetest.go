// Package databasetest gives each test a fresh database on a real Postgres.
package databasetest

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/taskwire/taskwire/pkg/local"
)

var (
	once   sync.Once
	server string
	failed error
)

// Main runs the tests of a package and stops the private Postgres that they
// used, if any. It fails where a goroutine has outlived its test. Call it from
// TestMain: os.Exit(databasetest.Main(m)).
func Main(m *testing.M) int {
	code := m.Run()
	if err := templates.drop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	if stop != nil {
		stop()
	}
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return code
}

var stop func()

// New returns the URL of an empty database that is dropped when the test ends.
// The server is the one that TEST_DATABASE_URL names, or a private one that is
// started for this test binary. Without either the test fails: it never skips.
func New(t testing.TB) string {
	t.Helper()
	requireServer(t)
	return create(t, "template1")
}

// InLocale is New of a database of a locale, such as C.
func InLocale(t testing.TB, locale string) string {
	t.Helper()
	requireServer(t)
	return create(t, "template0 LOCALE '"+locale+"'")
}

// Copy returns the URL of a copy of a test database, to which nobody may be connected
// meanwhile. It is dropped when the test ends.
func Copy(t testing.TB, of string) string {
	t.Helper()
	u, err := url.Parse(of)
	if err != nil {
		t.Fatalf("parse the URL of the test database: %v", err)
	}
	return create(t, strings.TrimPrefix(u.Path, "/"))
}

// requireServer has the server run.
func requireServer(t testing.TB) {
	t.Helper()
	once.Do(func() {
		if server = os.Getenv("TEST_DATABASE_URL"); server == "" {
			server, failed = start()
		}
	})
	if failed != nil {
		t.Fatalf("these tests need a Postgres server (Debian: apt-get install postgresql) or TEST_DATABASE_URL: %v", failed)
	}
}

// create copies a database, for as long as the test takes. More options of CREATE DATABASE
// can stand behind the template.
func create(t testing.TB, template string) string {
	t.Helper()
	name := newName("test_")
	if err := execute("CREATE DATABASE " + name + " TEMPLATE " + template); err != nil {
		t.Fatalf("create a test database: %v", err)
	}
	t.Cleanup(func() {
		if err := remove(name); err != nil {
			t.Errorf("drop the test database: %v", err)
		}
	})
	return urlOf(t, name)
}

func newName(prefix string) string {
	return prefix + strings.ReplaceAll(uuid.NewString(), "-", "")
}

func urlOf(t testing.TB, name string) string {
	t.Helper()
	u, err := url.Parse(server)
	if err != nil {
		t.Fatalf("TEST_DATABASE_URL: %v", err)
	}
	u.Path = "/" + name
	return u.String()
}

// remove drops a database, whoever is connected to it.
func remove(name string) error { return execute("DROP DATABASE IF EXISTS " + name + " WITH (FORCE)") }

// execute runs a statement beside the databases of the tests.
func execute(sql string) error {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, sql)
	return err
}

// immediate is Postgres' immediate shutdown.
const immediate = syscall.SIGQUIT

// start runs a private Postgres in a temporary directory. Durability is off:
// nothing here outlives the test binary.
func start() (string, error) {
	initdb, err := Program("initdb")
	if err != nil {
		return "", err
	}
	postgres, err := Program("postgres")
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "taskwire-postgres-")
	if err != nil {
		return "", err
	}
	as, err := local.PostgresAccount()
	if err != nil {
		return "", err
	}
	if err := as.Give(dir); err != nil {
		return "", err
	}
	run := func(name string, args ...string) *exec.Cmd {
		cmd := exec.Command(name, args...)
		cmd.Dir = dir
		cmd.SysProcAttr = local.Child(immediate, as)
		return cmd
	}
	data := filepath.Join(dir, "data")
	if out, err := run(initdb, "-D", data, "-U", "taskwire", "-A", "trust", "-E", "UTF8", "--locale", local.ClusterLocale, "--no-sync").CombinedOutput(); err != nil {
		return "", fmt.Errorf("initdb: %w: %s", err, out)
	}
	port, err := local.FreePort()
	if err != nil {
		return "", err
	}
	// A service may take fifteen connections, and tests run side by side: one for each processor.
	// synchronous_commit stays on, which costs nothing without fsync: Postgres would not know until
	// dozens of transactions later that what one wrote is visible to all.
	cmd := run(postgres, "-D", data, "-h", "127.0.0.1", "-p", strconv.Itoa(port), "-k", dir,
		"-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=500")
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return "", err
	}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return "", fmt.Errorf("start postgres: %w", err)
	}
	exited := make(chan struct{})
	go func() {
		// Its exit shows as a connection that fails; the log says why.
		_ = cmd.Wait()
		close(exited)
	}()
	stop = func() {
		if cmd.Process.Signal(immediate) != nil {
			_ = cmd.Process.Kill() // there are no such signals on Windows
		}
		<-exited
		_ = os.RemoveAll(dir)
	}
	u := fmt.Sprintf("postgres://taskwire@127.0.0.1:%d/postgres?sslmode=disable", port)
	deadline := time.Now().Add(30 * time.Second)
	for {
		conn, err := pgx.Connect(context.Background(), u)
		if err == nil {
			_ = conn.Close(context.Background())
			return u, nil
		}
		select {
		case <-exited:
			text, _ := os.ReadFile(log.Name())
			return "", fmt.Errorf("postgres ended: %s", text)
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return "", fmt.Errorf("postgres does not answer: %w", err)
		}
	}
}

// Program finds a program of Postgres, such as pg_dump, on this machine.
func Program(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil && name != "postgres" {
		return path, nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if err != nil {
		return "", err
	}
	if len(found) > 0 {
		return found[len(found)-1], nil
	}
	if out, err := exec.Command("pg_config", "--bindir").Output(); err == nil {
		path := filepath.Join(strings.TrimSpace(string(out)), name)
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return exec.LookPath(name)
}
