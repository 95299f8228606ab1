package costtest

import (
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Own returns the CPU time of this process, for a service that runs in the test.
func Own(t *testing.T) func() time.Duration {
	return func() time.Duration {
		t.Helper()
		var u syscall.Rusage
		require.NoError(t, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
}
