// Package transport holds the two ways to the broker to each other, on a suite
// whose task-api publishes straight to Kafka.
package transport

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/taskwire/taskwire/test/suite"
)

// s is the suite that the tests share. Its task-api has a sidecar all the same,
// for the calls between services; tests publish through it.
var s *suite.Suite

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "taskwire-transport-")
	if err == nil {
		// Postgres may run under another account than the tests.
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if s, err = suite.Start(context.Background(), dir, "BROKER=kafka", "EVENT_TRANSPORT=kafka"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	if err := s.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	if code != 0 {
		fmt.Fprintln(os.Stderr, "the logs of the suite are kept in", s.LogDir)
	} else if err := os.RemoveAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	return code
}

// patience is how long a condition may take to become true. It bounds a
// failure, not a success.
const patience = 60 * time.Second

// eventually polls a condition until it gives no error.
func eventually(t *testing.T, condition func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := condition()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not in %s: %v", patience, err)
		}
		time.Sleep(50 * time.Millisecond) // between two looks at a condition
	}
}
