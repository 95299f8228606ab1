package eventlog_test

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/eventlog"
	"github.com/taskwire/taskwire/pkg/telemetry/logtest"
)

// Each topic has lanes, and each lane a call that fails.
func TestABrokerThatIsAwayIsToldOnceAndSoIsItsReturn(t *testing.T) {
	l, told := newLog(t), &logtest.Log{}
	l.told = slog.New(slog.NewTextHandler(told, nil))
	var away atomic.Bool
	var refused atomic.Int32
	away.Store(true)
	b := &broker{fail: func(_ string, m []eventlog.Message) (failed []int, err error) {
		if !away.Load() {
			return nil, nil
		}
		refused.Add(1)
		for i := range m {
			failed = append(failed, i)
		}
		return failed, errors.New("connection refused")
	}}
	l.relay(b)
	for i := range 20 {
		l.commit("a", fmt.Sprint(i), 1)
		l.commit("b", fmt.Sprint(i), 1)
	}
	require.Eventually(t, func() bool { return refused.Load() > 10 }, time.Minute, 10*time.Millisecond)
	require.Equal(t, 1, strings.Count(told.String(), "level=WARN"))
	away.Store(false)
	b.wait(t, atLeast(40))
	require.Eventually(t, func() bool { return strings.Count(told.String(), "the broker takes events again") == 1 }, time.Minute, 10*time.Millisecond)
	require.Equal(t, 1, strings.Count(told.String(), "level=WARN"))
}

func TestWhetherTheLogHasAnOwner(t *testing.T) {
	l := newLog(t)
	owned := func() bool {
		owned, _, err := eventlog.Owner(t.Context(), l.db, "log")
		require.NoError(t, err)
		return owned
	}
	require.False(t, owned())
	stop := l.relay(&broker{})
	require.Eventually(t, owned, 10*time.Second, 10*time.Millisecond)
	stop()
	require.Eventually(t, func() bool { return !owned() }, 10*time.Second, 10*time.Millisecond)
}
