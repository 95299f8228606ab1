package main

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// journal is where everything is told as it happens, with the time since the
// start of the load.
type journal struct {
	mu     sync.Mutex
	to     io.Writer
	stages io.Writer // told only what the run is at
	start  time.Time
}

func newJournal(to, stages io.Writer) *journal {
	return &journal{to: to, stages: stages, start: time.Now()}
}

// begin makes now the moment that times count from.
func (j *journal) begin() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.start = time.Now()
}

func (j *journal) note(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	// A log that can not be written to is no reason to end the run.
	_, _ = fmt.Fprintf(j.to, "%9.3f s  %s\n", time.Since(j.start).Seconds(), fmt.Sprintf(format, args...))
}

func (j *journal) stage(format string, args ...any) {
	j.note(format, args...)
	_, _ = fmt.Fprintf(j.stages, "chaos: "+format+"\n", args...)
}
