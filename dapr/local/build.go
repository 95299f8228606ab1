package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/mod/modfile"
)

const daprModule = "github.com/dapr/dapr"

// repositoryRoot is the folder of go.work, at or above the working directory.
func repositoryRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the repository: %w", err)
	}
	for at := dir; ; at = filepath.Dir(at) {
		if _, err := os.Stat(filepath.Join(at, "go.work")); err == nil {
			return at, nil
		}
		if at == filepath.Dir(at) {
			return "", fmt.Errorf("%s is not inside the taskwire repository (no go.work there or above)", dir)
		}
	}
}

// buildServices builds each app into bin. It builds beside it, in a folder that
// is kept, since Go links anew only what has changed; and then moves links into
// place: a suite that runs already keeps the binaries that it started.
func buildServices(ctx context.Context, root, bin string, apps []*app, say func(string, ...any)) error {
	beside := filepath.Join(bin, "build")
	if err := os.MkdirAll(beside, 0o755); err != nil {
		return fmt.Errorf("make a folder to build in: %w", err)
	}
	unlock, err := lock(ctx, filepath.Join(bin, ".build.lock"))
	if err != nil {
		return err
	}
	defer unlock()
	// task-api embeds the page for people.
	page := exec.CommandContext(ctx, "go", "run", "./web/build")
	page.Dir = root
	if err := runWithProgress(page, "building the page", say); err != nil {
		return err
	}
	args := []string{"build", "-o", beside + string(filepath.Separator)}
	for _, a := range apps {
		args = append(args, a.Dir)
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = root
	if err := runWithProgress(cmd, "building the services", say); err != nil {
		return err
	}
	for _, a := range apps {
		name := filepath.Base(a.Dir)
		place := filepath.Join(bin, a.ID)
		if err := removeIfThere(place + ".new"); err != nil {
			return err
		}
		if err := os.Link(filepath.Join(beside, name), place+".new"); err != nil {
			return fmt.Errorf("link %s: %w", name, err)
		}
		if err := os.Rename(place+".new", place); err != nil {
			return fmt.Errorf("move %s into place: %w", name, err)
		}
		// Of two links to one file rename does nothing, and leaves both.
		if err := removeIfThere(place + ".new"); err != nil {
			return err
		}
	}
	return nil
}

// findDaprd returns a stock daprd of the version that dapr/runtime pins: from
// PATH, from the Dapr CLI's folder, or built from Go modules once. DAPRD names
// another one.
func findDaprd(ctx context.Context, root, bin string, say func(string, ...any)) (string, error) {
	version, err := pinnedDapr(root)
	if err != nil {
		return "", err
	}
	if chosen := os.Getenv("DAPRD"); chosen != "" {
		found := daprdVersion(ctx, chosen)
		if found == "" {
			return "", fmt.Errorf("DAPRD is no daprd that runs: %s", chosen)
		}
		say("using DAPRD: %s, version %s (the suite is tested with %s)", chosen, found, version)
		return chosen, nil
	}
	built := filepath.Join(bin, "daprd")
	candidates := []string{built}
	if path, err := exec.LookPath("daprd"); err == nil {
		candidates = append(candidates, path)
	}
	if home, err := os.UserHomeDir(); err == nil {
		candidates = append(candidates, filepath.Join(home, ".dapr", "bin", "daprd"))
	}
	for _, path := range candidates {
		if daprdVersion(ctx, path) == version {
			return path, nil
		}
	}

	say("building daprd %s from its Go modules: about 4 minutes on 2 cores, this time only", version)
	there := func() bool { return daprdVersion(ctx, built) == version }
	return built, buildDapr(ctx, root, "daprd", version, built, say, there)
}

// findSentry returns the certificate authority of Dapr, of the version that
// dapr/runtime pins, built once. `make run` does without it: it is for the tests
// of what docker compose tells its image. Unlike daprd it says no version, so
// that its name has it.
func findSentry(ctx context.Context, root, bin string, say func(string, ...any)) (string, error) {
	version, err := pinnedDapr(root)
	if err != nil {
		return "", err
	}
	built := filepath.Join(bin, "sentry-"+version)
	there := func() bool { _, err := os.Stat(built); return err == nil }
	return built, buildDapr(ctx, root, "sentry", version, built, say, there)
}

// buildDapr builds a program of Dapr, unless it is there by the time that nobody
// else builds one: suites that start at the same time build it once.
func buildDapr(ctx context.Context, root, program, version, built string, say func(string, ...any), there func() bool) error {
	unlock, err := lock(ctx, filepath.Join(filepath.Dir(built), ".daprd.lock"))
	if err != nil {
		return err
	}
	defer unlock()
	if there() {
		return nil
	}
	// As Dapr's Makefile builds its releases.
	stamp := "-s -w -X " + daprModule + "/pkg/buildinfo.version=" + version + " -X github.com/dapr/kit/logger.DaprVersion=" + version
	cmd := exec.CommandContext(ctx, "go", "-C", filepath.Join(root, "dapr", "runtime"), "build", "-v", "-race=false", "-trimpath",
		"-tags", "stablecomponents", "-ldflags", stamp, "-o", built+".new", daprModule+"/cmd/"+program)
	cmd.Env = append(os.Environ(), "GOWORK=off", "CGO_ENABLED=0")
	if err := runWithProgress(cmd, "building "+program+" "+version, say); err != nil {
		return err
	}
	if err := os.Rename(built+".new", built); err != nil {
		return fmt.Errorf("move %s into place: %w", program, err)
	}
	return nil
}

// writePrograms is the command that says where daprd and sentry are, for tests
// that run them without a suite.
func writePrograms(ctx context.Context, _ []string) error {
	root, err := repositoryRoot()
	if err != nil {
		return err
	}
	bin := filepath.Join(root, ".local", "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return fmt.Errorf("make the folder of the programs: %w", err)
	}
	say := func(format string, args ...any) { fmt.Fprintf(os.Stderr, "taskwire: "+format+"\n", args...) }
	for _, find := range []func(context.Context, string, string, func(string, ...any)) (string, error){findDaprd, findSentry} {
		path, err := find(ctx, root, bin, say)
		if err != nil {
			return err
		}
		fmt.Println(path)
	}
	return nil
}

// pinnedDapr is the version in dapr/runtime/go.mod, without its "v".
func pinnedDapr(root string) (string, error) {
	path := filepath.Join(root, "dapr", "runtime", "go.mod")
	text, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read the version of Dapr: %w", err)
	}
	file, err := modfile.ParseLax(path, text, nil)
	if err != nil {
		return "", fmt.Errorf("read the version of Dapr: %w", err)
	}
	for _, r := range file.Require {
		if r.Mod.Path == daprModule {
			return strings.TrimPrefix(r.Mod.Version, "v"), nil
		}
	}
	return "", fmt.Errorf("%s requires no %s", path, daprModule)
}

func daprdVersion(ctx context.Context, path string) string {
	out, err := exec.CommandContext(ctx, path, "--version").Output()
	if err != nil {
		return ""
	}
	return strings.TrimPrefix(strings.TrimSpace(string(out)), "v")
}

// runWithProgress says every now and then that a slow command still runs, and
// shows the end of its output when it fails.
func runWithProgress(cmd *exec.Cmd, what string, say func(string, ...any)) error {
	var out output
	cmd.Stdout, cmd.Stderr = &out, &out
	// A build that is interrupted takes its compilers with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 2 * time.Second
	started := time.Now()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	tick := time.NewTicker(15 * time.Second)
	defer tick.Stop()
	for {
		select {
		case err := <-ended:
			if err != nil {
				return fmt.Errorf("%s: %w\n%s", what, err, out.end())
			}
			return nil
		case <-tick.C:
			say("%s: %s so far%s", what, time.Since(started).Round(time.Second), out.progress())
		}
	}
}

// output is what a Go command writes while it runs.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

// progress counts the lines of `go build -v`: one for each module that is
// downloaded, one for each package that is compiled.
func (o *output) progress() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	lines := bytes.Count(o.text.Bytes(), []byte("\n"))
	if lines == 0 {
		return ""
	}
	downloads := bytes.Count(o.text.Bytes(), []byte("go: downloading "))
	return fmt.Sprintf(", %d modules downloaded, %d packages compiled", downloads, lines-downloads)
}

// end is the part that tells why a command failed.
func (o *output) end() []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	lines := bytes.SplitAfter(o.text.Bytes(), []byte("\n"))
	return bytes.Join(lines[max(0, len(lines)-40):], nil)
}

// lock takes an advisory lock on a file, which the kernel gives back when the
// process ends, however it ends.
func lock(ctx context.Context, path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open the lock: %w", err)
	}
	if err := poll(ctx, func(context.Context) error {
		return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	}); err != nil {
		return nil, errors.Join(fmt.Errorf("wait for the lock %s: %w", path, err), f.Close())
	}
	return func() { _ = f.Close() }, nil
}

// poll tries until it succeeds or ctx ends; the error is then the last one.
func poll(ctx context.Context, try func(context.Context) error) error {
	for {
		err := try(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
