// Command postgres stands in for the official postgres image where there is no
// registry to get it from: with the programs of a Debian package beside it, it
// does with POSTGRES_USER, POSTGRES_PASSWORD, POSTGRES_DB and
// /docker-entrypoint-initdb.d what that image's entrypoint does.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

const (
	sockets = "/var/run/postgresql"
	scripts = "/docker-entrypoint-initdb.d"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "postgres:", err)
		os.Exit(1)
	}
}

// run makes a cluster where there is none, and becomes the server.
func run() error {
	data := os.Getenv("PGDATA")
	if data == "" {
		return errors.New("PGDATA is not set")
	}
	if _, err := os.Stat(filepath.Join(data, "PG_VERSION")); errors.Is(err, os.ErrNotExist) {
		if err := create(data); err != nil {
			return err
		}
	}
	server, err := exec.LookPath("postgres")
	if err != nil {
		return fmt.Errorf("find the server: %w", err)
	}
	args := append([]string{"postgres", "-D", data, "-c", "listen_addresses=*", "-c", "unix_socket_directories=" + sockets}, os.Args[1:]...)
	return syscall.Exec(server, args, os.Environ())
}

// create makes the cluster beside its place and moves it there last, so that a
// creation that is killed begins anew.
func create(data string) error {
	user, database, password := os.Getenv("POSTGRES_USER"), os.Getenv("POSTGRES_DB"), os.Getenv("POSTGRES_PASSWORD")
	if user == "" || database == "" || password == "" {
		return errors.New("POSTGRES_USER, POSTGRES_DB and POSTGRES_PASSWORD must be set")
	}
	fresh := data + ".new"
	if err := os.RemoveAll(fresh); err != nil {
		return fmt.Errorf("clear what was left: %w", err)
	}
	passwords := filepath.Join(os.TempDir(), "password")
	if err := os.WriteFile(passwords, []byte(password), 0o600); err != nil {
		return fmt.Errorf("write the password: %w", err)
	}
	defer os.Remove(passwords)
	initdb := append([]string{"-D", fresh, "-U", user, "--pwfile", passwords, "--auth-local=trust"}, strings.Fields(os.Getenv("POSTGRES_INITDB_ARGS"))...)
	if err := command("initdb", initdb...); err != nil {
		return err
	}
	// The file ends with a newline, and what comes later is asked later.
	access, err := os.OpenFile(filepath.Join(fresh, "pg_hba.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("open pg_hba.conf: %w", err)
	}
	_, err = access.WriteString("host all all all scram-sha-256\n")
	if err = errors.Join(err, access.Close()); err != nil {
		return fmt.Errorf("let others in: %w", err)
	}
	// Nobody else comes in while the scripts run.
	options := "-c listen_addresses= -c unix_socket_directories=" + sockets
	if err := command("pg_ctl", "-D", fresh, "-w", "-o", options, "start"); err != nil {
		return err
	}
	err = prepare(user, database)
	if err = errors.Join(err, command("pg_ctl", "-D", fresh, "-w", "-m", "fast", "stop")); err != nil {
		return err
	}
	return os.Rename(fresh, data)
}

// prepare makes the database and runs the scripts.
func prepare(user, database string) error {
	os.Setenv("PGHOST", sockets)
	if err := command("psql", "-U", user, "-d", "postgres", "-v", "ON_ERROR_STOP=1", "-c", `CREATE DATABASE "`+database+`"`); err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(scripts, "*"))
	if err != nil {
		return fmt.Errorf("list the scripts: %w", err)
	}
	for _, file := range files {
		switch filepath.Ext(file) {
		case ".sh":
			err = command("/bin/sh", file)
		case ".sql":
			err = command("psql", "-U", user, "-d", database, "-v", "ON_ERROR_STOP=1", "-f", file)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func command(name string, args ...string) error {
	c := exec.Command(name, args...)
	c.Stdout, c.Stderr = os.Stdout, os.Stderr
	if err := c.Run(); err != nil {
		return fmt.Errorf("run %s: %w", name, err)
	}
	return nil
}
