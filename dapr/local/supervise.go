package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/taskwire/taskwire/pkg/local"
)

const (
	firstBackoff = 200 * time.Millisecond
	maxBackoff   = 5 * time.Second
	// steady is how long a process must live to begin with the shortest backoff again.
	steady = 5 * time.Second
	maxLog = 16 << 20
)

// process is something that the suite keeps running.
type process struct {
	name       string
	path       string
	args       []string
	env        []string
	dir        string
	stopSignal syscall.Signal // SIGTERM unless set
	dieSignal  syscall.Signal // what it gets when the suite is killed: SIGKILL unless set
	as         *local.Account // nil: as whoever runs the suite
	stopWithin time.Duration
	before     func() error // each start; may be nil
	// ended is told when it has ended by itself twice in a row, each time with an exit
	// code, and says whether that is final: it is not started again. May be nil.
	ended func(error) (final bool)
}

// supervisor starts processes, restarts those that end, and stops all of them.
type supervisor struct {
	logs, run string
	say       func(format string, args ...any)
}

// child is a supervised process.
type child struct {
	name string
	stop context.CancelFunc
	done chan struct{}
}

// start supervises p until its child is stopped.
func (s *supervisor) start(p process) *child {
	if p.stopSignal == 0 {
		p.stopSignal = syscall.SIGTERM
	}
	if p.dieSignal == 0 {
		p.dieSignal = syscall.SIGKILL
	}
	ctx, cancel := context.WithCancel(context.Background())
	c := &child{name: p.name, stop: cancel, done: make(chan struct{})}
	go func() {
		defer close(c.done)
		// A child gets its death signal when the thread that started it ends:
		// that thread is kept for as long as the child may live.
		runtime.LockOSThread()
		s.keep(ctx, p)
	}()
	return c
}

// stopAll stops children at the same time and waits for them.
func stopAll(children []*child) {
	for _, c := range children {
		c.stop()
	}
	for _, c := range children {
		<-c.done
	}
}

func (s *supervisor) keep(ctx context.Context, p process) {
	defer os.Remove(s.pidFile(p.name))
	backoff := firstBackoff
	failures := 0
	for {
		started := time.Now()
		err := s.once(ctx, p)
		if ctx.Err() != nil {
			return
		}
		if time.Since(started) > steady {
			backoff, failures = firstBackoff, 0
		}
		if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.Exited() {
			failures++
		}
		if failures > 1 && p.ended != nil && p.ended(fmt.Errorf("%s ends when it is started (%w): %s (see %s)", p.name, err, lastLine(s.logFile(p.name)), s.logFile(p.name))) {
			return
		}
		s.say("%s ended (%v): %s; it is started again in %s, see %s", p.name, err, lastLine(s.logFile(p.name)), backoff, s.logFile(p.name))
		select {
		case <-ctx.Done():
			return
		case <-time.After(backoff):
		}
		backoff = min(2*backoff, maxBackoff)
	}
}

// lastLine is what a process said last: most often why it ended, such as a
// setting that it can not take.
func lastLine(file string) string {
	raw, err := os.ReadFile(file)
	if err != nil {
		return "it has no log"
	}
	lines := strings.Split(strings.TrimSpace(string(raw)), "\n")
	return lines[len(lines)-1]
}

// once runs the process until it ends, or stops it when ctx does.
func (s *supervisor) once(ctx context.Context, p process) error {
	log, err := s.openLog(p.name)
	if err != nil {
		return err
	}
	defer log.Close()
	if p.before != nil {
		if err := p.before(); err != nil {
			return err
		}
	}
	cmd := exec.Command(p.path, p.args...)
	cmd.Env, cmd.Dir = p.env, p.dir
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = local.Child(p.dieSignal, p.as)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start: %w", err)
	}
	pid := cmd.Process.Pid
	if err := os.WriteFile(s.pidFile(p.name), []byte(strconv.Itoa(pid)+"\n"), 0o644); err != nil {
		s.say("write the pid of %s: %v", p.name, err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		killGroup(pid)
		return exitReason(cmd, err)
	case <-ctx.Done():
	}
	_ = cmd.Process.Signal(p.stopSignal)
	select {
	case <-ended:
	case <-time.After(p.stopWithin):
		s.say("%s did not stop within %s and is killed", p.name, p.stopWithin)
		killGroup(pid)
		<-ended
	}
	killGroup(pid)
	return nil
}

func exitReason(cmd *exec.Cmd, err error) error {
	if err == nil {
		return fmt.Errorf("%s", cmd.ProcessState)
	}
	return err
}

// killGroup ends what a process may have started and left behind.
func killGroup(pid int) { _ = syscall.Kill(-pid, syscall.SIGKILL) }

func (s *supervisor) logFile(name string) string { return filepath.Join(s.logs, name+".log") }
func (s *supervisor) pidFile(name string) string { return filepath.Join(s.run, name+".pid") }

// openLog appends to the log of a process; a large one becomes NAME.log.1 first.
func (s *supervisor) openLog(name string) (*os.File, error) {
	path := s.logFile(name)
	if info, err := os.Stat(path); err == nil && info.Size() > maxLog {
		if err := os.Rename(path, path+".1"); err != nil {
			return nil, fmt.Errorf("turn the log over: %w", err)
		}
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log: %w", err)
	}
	return f, nil
}

// console keeps apart the lines that several supervisors say at once.
type console struct{ mu sync.Mutex }

func (c *console) say(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fmt.Printf("taskwire: "+format+"\n", args...)
}
