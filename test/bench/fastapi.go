package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/taskwire/taskwire/pkg/local"
	"github.com/taskwire/taskwire/test/suite"
)

//go:embed fastapi/stack.py
var stack []byte

// packages are what the other stack needs of PyPI.
var packages = []string{"fastapi", "uvicorn[standard]", "sqlmodel", "asyncpg", "greenlet", "pyjwt", "httpx"}

// fastAPI is another stack, on the Postgres of a suite: what a create costs there,
// without a log, an audit trail or a consumer.
type fastAPI struct {
	dir     string
	server  *exec.Cmd
	clients []*suite.Client
}

// errNoPython says that the other stack can not be had on this machine.
var errNoPython = errors.New("the other stack is left out: it needs python3 with venv, and PyPI")

// startFastAPI starts it with two workers. Its events go to a sidecar that does not take
// them, as the stack does not notice.
func startFastAPI(ctx context.Context, beside *suite.Suite) (_ *fastAPI, err error) {
	f := new(fastAPI)
	if f.dir, err = suite.NewDir("fastapi"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.stop())
		}
	}()
	bin := filepath.Join(f.dir, "venv", "bin")
	for _, args := range [][]string{
		{"python3", "-m", "venv", filepath.Join(f.dir, "venv")},
		append([]string{filepath.Join(bin, "pip"), "install", "--quiet", "--disable-pip-version-check", "--retries=0", "--timeout=20"}, packages...),
	} {
		if out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("%w: %s: %s", errNoPython, args, out)
		}
	}
	config, err := pgx.ParseConfig(beside.Database.OwnerURL)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(f.dir, "stack.py"), stack, 0o600); err != nil {
		return nil, err
	}
	port, err := local.FreePort()
	if err != nil {
		return nil, err
	}
	env := append(os.Environ(),
		fmt.Sprintf("DATABASE_URL=postgresql+asyncpg://%s:%s@%s:%d/%s", config.User, config.Password, config.Host, config.Port, config.Database),
		"PUBLISH_URL=http://127.0.0.1:9/v1.0/publish/pubsub/task-events")
	tables := exec.CommandContext(ctx, filepath.Join(bin, "python"), "stack.py")
	tables.Dir, tables.Env, tables.Stderr = f.dir, env, os.Stderr
	token, err := tables.Output()
	if err != nil {
		return nil, fmt.Errorf("make the tables of the other stack: %w", err)
	}
	f.server = exec.Command(filepath.Join(bin, "uvicorn"), "stack:app", "--port", fmt.Sprint(port), "--workers", "2", "--log-level", "warning")
	f.server.Dir, f.server.Env = f.dir, env
	f.server.SysProcAttr = local.Child(syscall.SIGTERM, nil)
	if err := f.server.Start(); err != nil {
		return nil, err
	}
	for range crowds[len(crowds)-1] {
		f.clients = append(f.clients, &suite.Client{Base: fmt.Sprint("http://127.0.0.1:", port), Token: strings.TrimSpace(string(token))})
	}
	for tries := 0; ; tries++ {
		a, err := f.clients[0].Do(ctx, http.MethodPost, "/api/tasks", body())
		if err == nil && a.Status == http.StatusCreated {
			return f, nil
		}
		if tries == 100 {
			return nil, fmt.Errorf("the other stack does not answer: %s: %w", a.Body, err)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (f *fastAPI) stop() error {
	if f.server != nil && f.server.Process != nil {
		// It ends with its workers; what it says of being told to is no error.
		_ = f.server.Process.Signal(syscall.SIGTERM)
		_ = f.server.Wait()
	}
	return os.RemoveAll(f.dir)
}
