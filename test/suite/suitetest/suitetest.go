// Package suitetest is what the tests of several packages do with a suite.
package suitetest

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/taskwire/taskwire/test/suite"
)

// Main starts a suite with extra environment for the tests of a package, hands
// it to set, runs them, and stops it. It returns the exit code; the logs are
// kept when it is not 0.
func Main(m *testing.M, set func(*suite.Suite), env ...string) int {
	dir, err := suite.NewDir("tests")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	s, err := suite.Start(context.Background(), dir, env...)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	set(s)
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

// Patience is how long a condition may take to become true. It bounds a
// failure, not a success.
const Patience = 60 * time.Second

// Eventually polls a condition until it gives no error.
func Eventually(t *testing.T, condition func() error) {
	t.Helper()
	Within(t, Patience, condition)
}

// Within is Eventually with a patience of its own.
func Within(t *testing.T, patience time.Duration, condition func() error) {
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
