package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/taskwire/taskwire/test/suite"
)

// tick is a unit of CPU time in /proc: USER_HZ, 100 a second on Linux (proc(5)).
const tick = 10 * time.Millisecond

// processes are those whose cost is looked at, in the order of the way that a create takes.
func processes(s *suite.Suite) []string {
	names := []string{"task-api", "task-api-daprd", "broker"}
	var consumers []string
	for name := range s.Services {
		if name != "task-api" {
			consumers = append(consumers, name, name+"-daprd")
		}
	}
	slices.Sort(consumers)
	return append(append(names, consumers...), "postgres")
}

// cpu is the CPU time that each of the suite's processes has taken so far. That of
// Postgres is the time of all its processes, those that have ended among them.
func cpu(s *suite.Suite) (map[string]time.Duration, error) {
	used := map[string]time.Duration{}
	for _, name := range processes(s) {
		pid, err := s.PID(name)
		if err != nil {
			return nil, err
		}
		own, ended, err := times(pid)
		if err != nil {
			return nil, fmt.Errorf("read the CPU time of %s: %w", name, err)
		}
		used[name] = own
		if name != "postgres" {
			continue
		}
		used[name] += ended
		backends, err := children(pid)
		if err != nil {
			return nil, err
		}
		for _, child := range backends {
			if own, _, err := times(child); err == nil { // else it has ended meanwhile
				used[name] += own
			}
		}
	}
	return used, nil
}

// times are the CPU time of a process, and that of its children that have ended.
func times(pid int) (own, ended time.Duration, err error) {
	fields, err := stat(pid)
	if err != nil {
		return 0, 0, err
	}
	var ticks [4]time.Duration
	for i := range ticks {
		n, err := strconv.Atoi(fields[11+i]) // utime, stime, cutime, cstime
		if err != nil {
			return 0, 0, err
		}
		ticks[i] = time.Duration(n) * tick
	}
	return ticks[0] + ticks[1], ticks[2] + ticks[3], nil
}

func children(of int) ([]int, error) {
	all, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	var found []int
	for _, dir := range all {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			return nil, err
		}
		if fields, err := stat(pid); err == nil && fields[1] == strconv.Itoa(of) { // else it has ended meanwhile
			found = append(found, pid)
		}
	}
	return found, nil
}

// stat are the fields of /proc/PID/stat from the third one on, the state (proc(5)): the
// name before them may hold spaces.
func stat(pid int) ([]string, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil, err
	}
	fields := strings.Fields(string(raw[strings.LastIndexByte(string(raw), ')')+1:]))
	if len(fields) < 15 {
		return nil, fmt.Errorf("%q has too few fields", raw)
	}
	return fields, nil
}
