package account

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestGuessesAreLimited(t *testing.T) {
	var g guesses
	now := time.Date(2027, 3, 1, 12, 0, 59, 0, time.UTC)
	var passed atomic.Int32
	var burst sync.WaitGroup
	for range 60 {
		burst.Go(func() {
			if g.take("ada@example.org", now) {
				passed.Add(1)
			}
		})
	}
	burst.Wait()
	require.EqualValues(t, attemptsPerMinute, passed.Load(), "at once")
	require.False(t, g.take("ada@example.org", now), "and one by one")
	require.True(t, g.take("bob@example.org", now), "another account is not held up")
	require.True(t, g.take("ada@example.org", now.Add(time.Second)), "the next minute")

	for range 3 * attemptsPerMinute {
		require.True(t, g.take("eve@example.org", now.Add(time.Second)))
		g.giveBack("eve@example.org")
	}
}
