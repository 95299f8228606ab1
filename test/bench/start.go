package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/procfs"

	"github.com/taskwire/taskwire/pkg/local"
	"github.com/taskwire/taskwire/test/suite"
)

// idleBefore is how long a suite has done nothing before its memory is read.
const idleBefore = 10 * time.Second

// starting is what start measures of a side.
type starting struct {
	side

	suite                   *suite.Suite
	later                   sample            // of the suite, in seconds
	ready, readyAfterSchema map[string]sample // of each service, in milliseconds
	memory                  map[string]memory // of each process
}

// start measures how soon the suite and each of its services are ready, where the
// schemas are up to date, and how much memory they have while nothing goes on.
func start(ctx context.Context) (err error) {
	var up started
	defer func() { err = errors.Join(err, up.stop()) }()
	all, err := chosenSides(ctx, &up)
	if err != nil {
		return err
	}
	var measured []*starting
	for _, s := range all {
		m := &starting{side: s, ready: map[string]sample{}, readyAfterSchema: map[string]sample{}, memory: map[string]memory{}}
		measured = append(measured, m)
	}
	if err := startSuites(ctx, &up, measured); err != nil {
		return err
	}
	progress("leaving them alone for %s", idleBefore)
	if err := pause(ctx, idleBefore); err != nil {
		return err
	}
	for _, m := range measured {
		pids, err := m.suite.PIDs()
		if err != nil {
			return err
		}
		for name := range pids {
			if m.memory[name], err = readMemory(m.suite, name); err != nil {
				return err
			}
		}
	}
	services := []string{"task-api", "audit-log", "recurring-task", "notification"}
	for n := range *starts {
		progress("start %d of %d of each service", n+1, *starts)
		for _, name := range services {
			for _, m := range measured {
				took, err := startService(ctx, m.suite, name)
				if err != nil {
					return err
				}
				m.ready[name] = append(m.ready[name], milliseconds(took))
				took, err = startService(ctx, m.suite, name, "MIGRATE_AT_START=true", "MIGRATE_DATABASE_URL="+m.suite.Database.OwnerURL)
				if err != nil {
					return err
				}
				m.readyAfterSchema[name] = append(m.readyAfterSchema[name], milliseconds(took))
			}
		}
	}
	fmt.Printf("\n| start, median of %d | ready | ready after a look at its schema | idle memory (its own) | that of its sidecar |\n|---|---|---|---|---|\n", *starts)
	for _, name := range services {
		for _, m := range measured {
			fmt.Printf("| %s%s | %s | %s | %s | %s |\n", name, m.label, m.ready[name].in(" ms"), m.readyAfterSchema[name].in(" ms"), m.memory[name], m.memory[name+"-daprd"])
		}
	}
	fmt.Print("\nThe rest of the memory is pages of its program's file. The system has them once, and can drop them.\n\n")
	for _, m := range measured {
		fmt.Printf("`make run`%s, later: %s.\n", m.label, m.later.in(" s"))
	}
	return nil
}

// startSuites starts a suite of each side again and again in the same folder, and
// leaves the last one up.
func startSuites(ctx context.Context, up *started, measured []*starting) error {
	dirs := make([]string, len(measured))
	for i := range measured {
		dir, err := suite.NewDir("bench")
		if err != nil {
			return err
		}
		up.add(func() error { return os.RemoveAll(dir) })
		dirs[i] = dir
	}
	for n := range *starts + 1 {
		for i, m := range measured {
			progress("start %d of %d of the suite%s", n, *starts, m.label)
			began := time.Now()
			running, err := suite.StartFrom(ctx, m.root, dirs[i], m.env...)
			if err != nil {
				return err
			}
			if n > 0 { // the first one makes the cluster, and may build
				m.later = append(m.later, time.Since(began).Seconds())
			}
			if n < *starts {
				if err := running.Stop(); err != nil {
					return err
				}
				continue
			}
			m.suite = running
			up.add(running.Stop)
		}
	}
	return nil
}

// startService starts a second process of a service as the suite has started the
// first, but for its ports and more environment. It takes the time until it is ready.
func startService(ctx context.Context, s *suite.Suite, name string, env ...string) (time.Duration, error) {
	pid, err := s.PID(name)
	if err != nil {
		return 0, err
	}
	first, err := procfs.NewProc(pid)
	if err != nil {
		return 0, fmt.Errorf("look at %s: %w", name, err)
	}
	program, err := first.Executable()
	if err != nil {
		return 0, fmt.Errorf("find the program of %s: %w", name, err)
	}
	its, err := first.Environ()
	if err != nil {
		return 0, fmt.Errorf("read the environment of %s: %w", name, err)
	}
	port, err := local.FreePort()
	if err != nil {
		return 0, err
	}
	metrics, err := local.FreePort()
	if err != nil {
		return 0, err
	}
	// The kernel names a program that was built anew like this; the first runs it.
	cmd := exec.Command(strings.TrimSuffix(program, " (deleted)"))
	cmd.Env = slices.Concat(its, []string{"PORT=" + strconv.Itoa(port), "METRICS_PORT=" + strconv.Itoa(metrics)}, env)
	// It is killed when the thread ends that has started it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = local.Child(syscall.SIGKILL, nil)
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("start %s: %w", name, err)
	}
	defer func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait() // it was ready; how it ends is of no interest here
	}()
	for {
		if ready(ctx, port) {
			return time.Since(began), nil
		}
		if time.Since(began) > 30*time.Second {
			return 0, fmt.Errorf("%s is not ready in 30 s", name)
		}
		if err := pause(ctx, time.Millisecond); err != nil {
			return 0, err
		}
	}
}

func ready(ctx context.Context, port int) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+local.Address(port)+"/readyz", nil)
	if err != nil {
		return false
	}
	res, err := suite.Transport.RoundTrip(req)
	if err != nil {
		return false
	}
	return res.Body.Close() == nil && res.StatusCode == http.StatusOK
}
