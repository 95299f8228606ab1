package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/taskwire/taskwire/pkg/database/databasetest"
	"github.com/taskwire/taskwire/pkg/local"
	"github.com/taskwire/taskwire/test/suite"
)

// fastAPI is the row of fastapi/app.py.
const fastAPI = "FastAPI"

// startFastAPI starts the app with two workers and a Postgres of its own, and returns
// how its creates are measured. It has no sidecar, and nobody consumes its events.
func startFastAPI(ctx context.Context, up *started, root, python string) (creating, error) {
	progress("starting %s", fastAPI)
	dir, err := suite.NewDir("fastapi")
	if err != nil {
		return nil, err
	}
	up.add(func() error { return os.RemoveAll(dir) })
	postgres, database, err := startPostgres(ctx, up, dir)
	if err != nil {
		return nil, err
	}
	port, err := local.FreePort()
	if err != nil {
		return nil, err
	}
	nobody, err := local.FreePort()
	if err != nil {
		return nil, err
	}
	secret := uuid.NewString()
	run := func(args ...string) *exec.Cmd {
		cmd := exec.Command(python, args...)
		cmd.Dir = filepath.Join(root, "test", "bench", "fastapi")
		cmd.Env = append(os.Environ(), "DATABASE_URL=postgresql+asyncpg://postgres@"+database, "SECRET="+secret, "DAPR_HTTP_PORT="+strconv.Itoa(nobody), "PYTHONDONTWRITEBYTECODE=1")
		return cmd
	}
	if out, err := run("app.py").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("make the table of fastapi/app.py: %w: %s", err, out)
	}
	server := run("-m", "uvicorn", "app:app", "--port", strconv.Itoa(port), "--workers", "2", "--log-level", "warning")
	if err := startServer(up, server, syscall.SIGTERM, filepath.Join(dir, "uvicorn.log")); err != nil {
		return nil, err
	}
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"sub": uuid.NewString()}).SignedString([]byte(secret))
	if err != nil {
		return nil, fmt.Errorf("sign a token for fastapi/app.py: %w", err)
	}
	user := &suite.Client{Base: "http://" + local.Address(port), Token: token}
	for began := time.Now(); ; {
		_, err := createTask(ctx, user)
		if err == nil {
			break
		}
		if time.Since(began) > 30*time.Second {
			return nil, fmt.Errorf("fastapi/app.py is not ready: %w", err)
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return nil, err
		}
	}
	pids := func() (map[string]int, error) {
		return map[string]int{"postgres": postgres, "uvicorn": server.Process.Pid}, nil
	}
	return func(ctx context.Context, clients int, length time.Duration) (round, error) {
		return watched(pids, func() (round, int, error) {
			l, err := closed(ctx, []*suite.Client{user}, clients, during(length))
			return l.round(), len(l.times), err
		})
	}, nil
}

// findPython is one that has what the app imports; "" where there is none.
func findPython(ctx context.Context, root string) (string, error) {
	own := filepath.Join(root, ".local", "fastapi", "bin", "python")
	for _, name := range []string{*python, own, "python3"} {
		if name == "" {
			continue
		}
		cmd := exec.CommandContext(ctx, name, "-c", "import asyncpg, fastapi, greenlet, httpx, jwt, sqlmodel, uvicorn, uvloop")
		if cmd.Run() == nil {
			return filepath.Abs(cmd.Path)
		}
	}
	return "", nil
}

// startPostgres starts a Postgres with its default durability, and answers its process
// id and host:port/database, for the user postgres.
func startPostgres(ctx context.Context, up *started, dir string) (pid int, address string, err error) {
	as, err := local.PostgresAccount()
	if err != nil {
		return 0, "", err
	}
	home := filepath.Join(dir, "postgres")
	if err := errors.Join(os.Mkdir(home, 0o700), as.Give(home)); err != nil {
		return 0, "", err
	}
	run := func(program string, args ...string) (*exec.Cmd, error) {
		path, err := databasetest.Program(program)
		cmd := exec.Command(path, args...)
		cmd.Dir = home
		cmd.SysProcAttr = local.Child(syscall.SIGQUIT, as)
		return cmd, err
	}
	data := filepath.Join(home, "data")
	initdb, err := run("initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale", local.ClusterLocale)
	if err != nil {
		return 0, "", err
	}
	if out, err := initdb.CombinedOutput(); err != nil {
		return 0, "", fmt.Errorf("initdb: %w: %s", err, out)
	}
	port, err := local.FreePort()
	if err != nil {
		return 0, "", err
	}
	server, err := run("postgres", "-D", data, "-h", "127.0.0.1", "-p", strconv.Itoa(port), "-k", "", "-c", "max_connections=200")
	if err != nil {
		return 0, "", err
	}
	if err := startServer(up, server, syscall.SIGINT, filepath.Join(dir, "postgres.log")); err != nil {
		return 0, "", err
	}
	address = local.Address(port) + "/postgres"
	for began := time.Now(); ; {
		conn, err := pgx.Connect(ctx, "postgres://postgres@"+address)
		if err == nil {
			return server.Process.Pid, address, conn.Close(ctx)
		}
		if time.Since(began) > 30*time.Second {
			return 0, "", fmt.Errorf("a Postgres for fastapi/app.py: %w", err)
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return 0, "", err
		}
	}
}

// startServer starts a server with a log, and has it stopped by a signal.
func startServer(up *started, cmd *exec.Cmd, stop syscall.Signal, log string) error {
	file, err := os.Create(log)
	if err != nil {
		return fmt.Errorf("make a log: %w", err)
	}
	defer file.Close() // the server has it
	cmd.Stdout, cmd.Stderr = file, file
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = local.Child(stop, nil)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	up.add(func() error {
		_ = cmd.Process.Signal(stop)
		// What it ends with is the signal.
		_ = cmd.Wait()
		return nil
	})
	return nil
}
