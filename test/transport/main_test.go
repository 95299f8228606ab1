// Package transport holds the two ways to the broker to each other, on a suite
// whose task-api publishes straight to Kafka.
package transport

import (
	"os"
	"testing"

	"github.com/taskwire/taskwire/test/suite"
	"github.com/taskwire/taskwire/test/suite/suitetest"
)

// s is the suite that the tests share. Its task-api has a sidecar all the same,
// for the calls between services; tests publish through it.
var s *suite.Suite

func TestMain(m *testing.M) {
	os.Exit(suitetest.Main(m, func(started *suite.Suite) { s = started }, "BROKER=kafka", "EVENT_TRANSPORT=kafka"))
}

const patience = suitetest.Patience

func eventually(t *testing.T, condition func() error) {
	t.Helper()
	suitetest.Eventually(t, condition)
}
