package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/taskwire/taskwire/test/suite"
)

// processes are those of the suite, by name.
type processes struct {
	suite *suite.Suite

	mu      sync.Mutex
	stopped []int
}

// names lists what runs: services, sidecars, broker, Postgres, mail.
func (p *processes) names() ([]string, error) {
	files, err := filepath.Glob(filepath.Join(p.suite.RunDir, "*.pid"))
	if err != nil {
		return nil, fmt.Errorf("list the processes: %w", err)
	}
	names := make([]string, len(files))
	for i, f := range files {
		names[i] = strings.TrimSuffix(filepath.Base(f), ".pid")
	}
	slices.Sort(names)
	return names, nil
}

// known says whether there is such a process; "" is none.
func (p *processes) known(name string) error {
	names, err := p.names()
	if err == nil && name != "" && !slices.Contains(names, name) {
		err = fmt.Errorf("no process is called %q; there are: %s", name, strings.Join(names, ", "))
	}
	return err
}

func (p *processes) kill(name string) error { return p.suite.Signal(name, syscall.SIGKILL) }

// halt stops a process and those that it has started: the servers of Postgres
// are in sessions of their own, and would go on without their postmaster.
func (p *processes) halt(name string) (goOn func() error, err error) {
	pid, err := p.suite.PID(name)
	if err != nil {
		return nil, err
	}
	if err := p.stop(pid); err != nil {
		return nil, fmt.Errorf("stop %s: %w", name, err)
	}
	all := []int{pid}
	for _, child := range childrenOf(pid) {
		if p.stop(child) == nil { // else it has just ended
			all = append(all, child)
		}
	}
	return func() error { return p.goOn(all) }, nil
}

func (p *processes) stop(pid int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = append(p.stopped, pid)
	return syscall.Kill(pid, syscall.SIGSTOP)
}

func (p *processes) goOn(pids []int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var failed error
	for _, pid := range pids {
		p.stopped = slices.DeleteFunc(p.stopped, func(s int) bool { return s == pid })
		if err := syscall.Kill(pid, syscall.SIGCONT); err != nil && !errors.Is(err, syscall.ESRCH) {
			failed = err
		}
	}
	return failed
}

// goOnAll lets all go on that is stopped still: when a run is cut short, the
// suite could not be stopped otherwise.
func (p *processes) goOnAll() {
	p.mu.Lock()
	all := slices.Clone(p.stopped)
	p.mu.Unlock()
	_ = p.goOn(all) // what has ended needs nothing
}

// childrenOf asks the system, where it can tell.
func childrenOf(pid int) []int {
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		return nil
	}
	var found []int
	for _, list := range lists {
		text, err := os.ReadFile(list)
		if err != nil {
			continue
		}
		for _, field := range strings.Fields(string(text)) {
			if child, err := strconv.Atoi(field); err == nil {
				found = append(found, child)
			}
		}
	}
	return found
}
