package main

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/taskwire/taskwire/test/suite"
)

// watch looks at the suite from outside: at what its services hold and do.
type watch struct {
	suite *suite.Suite
	db    *pgxpool.Pool
	port  int // of task-api
}

func newWatch(s *suite.Suite, db *pgxpool.Pool) (*watch, error) {
	u, err := url.Parse(s.API)
	if err != nil {
		return nil, err
	}
	port, err := strconv.Atoi(u.Port())
	return &watch{s, db, port}, err
}

// state is what the services hold and do at a moment.
type state struct {
	connections int     // to task-api
	goroutines  int     // of task-api
	statements  int     // that the database has worked on for more than a second
	cores       float64 // that the services used in the last second
	memory      int     // of task-api: its resident set, in bytes
	accepted    int     // events that are on their way still: accepted work
	falling     bool    // they become fewer
}

// look takes a second.
func (w *watch) look(ctx context.Context) (state, error) {
	var s state
	before, err := w.cpu()
	if err != nil {
		return s, err
	}
	began := time.Now()
	if !sleep(ctx, time.Second) {
		return s, ctx.Err()
	}
	after, err := w.cpu()
	if err != nil {
		return s, err
	}
	s.cores = max(0, (after-before).Seconds()/time.Since(began).Seconds())
	if s.connections, err = connectionsTo(w.port); err != nil {
		return s, err
	}
	pid, err := w.suite.PID("task-api")
	if err != nil {
		return s, err
	}
	if s.memory, err = memory(pid, "VmRSS"); err != nil {
		return s, err
	}
	goroutines, _, err := w.suite.Metric(ctx, "task-api", "go_goroutines")
	if err != nil {
		return s, err
	}
	s.goroutines = int(goroutines)
	err = w.db.QueryRow(ctx, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'
		AND pid <> pg_backend_pid() AND state <> 'idle' AND coalesce(xact_start, query_start) < now() - interval '1 second'`).Scan(&s.statements)
	if err != nil {
		return s, fmt.Errorf("read what the database does: %w", err)
	}
	left, err := suite.ReadLeft(ctx, w.db)
	s.accepted = left.Total()
	return s, err
}

// cpu is the time that all services have used together.
func (w *watch) cpu() (time.Duration, error) {
	var sum time.Duration
	for name := range w.suite.Services {
		pid, err := w.suite.PID(name)
		if err != nil {
			return 0, err
		}
		used, err := cpuTime(pid)
		if err != nil {
			return 0, fmt.Errorf("read the CPU time of %s: %w", name, err)
		}
		sum += used
	}
	return sum, nil
}

// cpuTime is what a process has used since it began.
func cpuTime(pid int) (time.Duration, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The name, in brackets, may have blanks; utime and stime are the 12th and
	// 13th after it, in hundredths of a second.
	fields := strings.Fields(string(raw[bytes.LastIndexByte(raw, ')')+1:]))
	if len(fields) < 13 {
		return 0, fmt.Errorf("%q is no process status", raw)
	}
	user, err := strconv.Atoi(fields[11])
	if err != nil {
		return 0, err
	}
	system, err := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond, err
}

// memory reads a figure of a process in bytes: VmRSS is what it holds, VmHWM
// the most that it held since forgetPeak.
func memory(pid int, name string) (int, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(raw)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == name+":" {
			kib, err := strconv.Atoi(fields[1])
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("process %d has no %s", pid, name)
}

// forgetPeak makes VmHWM begin anew.
func forgetPeak(pid int) error {
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0o600)
}

// The states of a connection that its server has to do something about.
const (
	established = "01"
	closeWait   = "08" // the client is gone, and the server has not closed it
)

// connectionsTo counts the connections that a server on this machine holds.
func connectionsTo(port int) (int, error) {
	raw, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		return 0, err
	}
	local := fmt.Sprintf(":%04X", port)
	n := 0
	for line := range strings.Lines(string(raw)) {
		f := strings.Fields(line)
		if len(f) > 3 && strings.HasSuffix(f[1], local) && (f[3] == established || f[3] == closeWait) {
			n++
		}
	}
	return n, nil
}
