package main

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/prometheus/procfs"

	"github.com/taskwire/taskwire/test/suite"
)

// client is this process among those whose work is measured: the load is from it.
const client = "bench client"

// tick is the unit of /proc/PID/stat, on every platform of Linux.
const tick = time.Second / 100

// worked reads for how long each process has worked until now, in milliseconds,
// with all that it has started: Postgres is a process for each connection. It is
// empty where there is no /proc.
func worked(pids map[string]int) (map[string]float64, error) {
	if _, err := os.Stat(procfs.DefaultMountPoint); errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	all, err := procfs.AllProcs()
	if err != nil {
		return nil, fmt.Errorf("list the processes: %w", err)
	}
	own, children := map[int]time.Duration{}, map[int][]int{}
	for _, p := range all {
		s, err := p.Stat()
		if err != nil {
			continue // it has ended; its parent has its time now
		}
		// What has ended before is in the time of whoever has waited for it.
		own[s.PID] = time.Duration(int(s.UTime)+int(s.STime)+s.CUTime+s.CSTime) * tick
		children[s.PPID] = append(children[s.PPID], s.PID)
	}
	var family func(pid int) time.Duration
	family = func(pid int) time.Duration {
		sum := own[pid]
		for _, child := range children[pid] {
			sum += family(child)
		}
		return sum
	}
	times := map[string]float64{}
	for name, pid := range pids {
		times[name] = milliseconds(family(pid))
	}
	var self syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &self); err != nil {
		return nil, fmt.Errorf("read the time of this process: %w", err)
	}
	times[client] = milliseconds(time.Duration(self.Utime.Nano() + self.Stime.Nano()))
	return times, nil
}

// memory is that of a process, in bytes.
type memory struct{ resident, own uint64 } // own: not of a file

func (m memory) String() string { return fmt.Sprintf("%d MB (%d)", m.resident>>20, m.own>>20) }

// readMemory is for a process of a suite.
func readMemory(s *suite.Suite, name string) (memory, error) {
	pid, err := s.PID(name)
	if err != nil {
		return memory{}, err
	}
	p, err := procfs.NewProc(pid)
	if err != nil {
		return memory{}, fmt.Errorf("read the memory of %s: %w", name, err)
	}
	all, err := p.ProcSMapsRollup()
	if err != nil {
		return memory{}, fmt.Errorf("read the memory of %s: %w", name, err)
	}
	return memory{resident: all.Rss, own: all.Anonymous}, nil
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
