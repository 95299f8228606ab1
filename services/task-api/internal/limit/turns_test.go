package limit

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// hasher hashes when the test says so, and counts.
type hasher struct {
	t     *testing.T
	turns *Turns
}

// hold takes all turns, and returns what ends each.
func (h *hasher) hold(n int) []func() {
	h.t.Helper()
	var ends []func()
	for range n {
		end, err := h.turns.Take(h.t.Context(), false, "holder")
		require.NoError(h.t, err)
		ends = append(ends, end)
	}
	return ends
}

// ask asks for a turn beside the test: what it gives out is ended by next.
func (h *hasher) ask(known bool, key string) *waiter {
	w := h.turns.enter(known, key)
	require.NotNil(h.t, w, "all turns are taken")
	return w
}

// refused says whether w was sent away; called, whether it has its turn.
func state(w *waiter) (called, refused bool) {
	select {
	case err := <-w.called:
		w.called <- err
		return err == nil, err != nil
	default:
		return false, false
	}
}

// turnsUntil ends turns, one hash each, until w has its own, and counts them.
func (h *hasher) turnsUntil(w *waiter) int {
	h.t.Helper()
	for n := 1; n < 10_000; n++ {
		h.turns.next()
		if called, refused := state(w); called {
			return n
		} else if refused {
			break
		}
	}
	h.t.Fatal("it never had its turn")
	return 0
}

// With 600 strangers in line, the owner on a device that has signed in before
// and somebody from another network wait for a few hashes, not for all of them.
func TestAFloodOfSignInsHoldsUpNobodyElse(t *testing.T) {
	for name, network := range map[string]func(i int) string{
		"from one network":  func(int) string { return "192.0.2.1" },
		"from ten networks": func(i int) string { return fmt.Sprint("192.0.2.", i%10) },
		"from 600 networks": func(i int) string { return fmt.Sprint("2001:db8:0:", i, "::/64") },
	} {
		t.Run(name, func(t *testing.T) {
			h := &hasher{t: t, turns: NewTurns(2)}
			h.hold(2)
			var strangers []*waiter
			networks := map[string]bool{}
			for i := range 600 {
				strangers = append(strangers, h.ask(false, network(i)))
				networks[network(i)] = true
			}
			refusedNow := 0
			for _, w := range strangers {
				if _, refused := state(w); refused {
					refusedNow++
				}
			}
			require.Equal(t, 600-2*inLine, refusedNow, "the line is bounded, and says so at once")

			owner := h.ask(true, "owner")
			require.LessOrEqual(t, h.turnsUntil(owner), 2)
			other := h.ask(false, "198.51.100.7")
			if len(networks) <= 10 {
				require.LessOrEqual(t, h.turnsUntil(other), len(networks)+1, "one of each network before him")
				return
			}
			// Nobody can tell him from 600 others: he is in line like them, or
			// told at once to come again.
			if _, refused := state(other); !refused {
				require.LessOrEqual(t, h.turnsUntil(other), 2*inLine)
			}
		})
	}
}

// A flood under one account's device costs the other devices no more than a turn each.
func TestKnownDevicesTakeTurns(t *testing.T) {
	h := &hasher{t: t, turns: NewTurns(1)}
	h.hold(1)
	for range 100 {
		h.ask(true, "mallory")
		h.ask(false, "192.0.2.1")
	}
	require.LessOrEqual(t, h.turnsUntil(h.ask(true, "owner")), 4)
}

func TestALineThatIsFullMakesRoomForOthers(t *testing.T) {
	h := &hasher{t: t, turns: NewTurns(1)}
	h.hold(1)
	var flood []*waiter
	for range inLine {
		flood = append(flood, h.ask(false, "flood"))
	}
	h.ask(false, "other")
	_, refused := state(flood[inLine-1])
	require.True(t, refused, "the last of the longest queue goes")
	_, refused = state(h.ask(false, "flood"))
	require.True(t, refused, "who floods gets no place of his own back")
}

func TestWhoGoesLeavesTheLine(t *testing.T) {
	turns := NewTurns(1)
	end, err := turns.Take(t.Context(), false, "a")
	require.NoError(t, err)
	gone, cancel := context.WithCancel(t.Context())
	left := make(chan error, 1)
	go func() {
		_, err := turns.Take(gone, false, "b")
		left <- err
	}()
	require.Eventually(t, func() bool {
		turns.mu.Lock()
		defer turns.mu.Unlock()
		return turns.lines[0].waiting == 1
	}, 10*time.Second, time.Millisecond)
	cancel()
	require.ErrorIs(t, <-left, context.Canceled)
	require.Zero(t, turns.lines[0].waiting)
	require.Empty(t, turns.lines[0].queues)
	end()
	end() // once is all it counts
	require.Equal(t, 1, turns.free)
}

// Many come, give up and are served at once: no turn is lost, and none is given twice.
func TestNoTurnIsLost(t *testing.T) {
	const most = 3
	turns := NewTurns(most)
	var at, worst atomic.Int64
	ended := make(chan struct{})
	const clients = 40
	for i := range clients {
		go func() {
			defer func() { ended <- struct{}{} }()
			for n := range 200 {
				ctx, cancel := context.WithCancel(t.Context())
				if n%3 == 0 {
					time.AfterFunc(time.Duration(n)*time.Microsecond, cancel)
				}
				if end, err := turns.Take(ctx, i%4 == 0, fmt.Sprint(i%7)); err == nil {
					if now := at.Add(1); now > worst.Load() {
						worst.Store(now)
					}
					at.Add(-1)
					end()
				}
				cancel()
			}
		}()
	}
	for range clients {
		<-ended
	}
	require.LessOrEqual(t, worst.Load(), int64(most))
	require.Equal(t, most, turns.free)
	require.Zero(t, turns.lines[0].waiting+turns.lines[1].waiting)
}
