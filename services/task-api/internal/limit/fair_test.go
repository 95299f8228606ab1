package limit

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// take has a turn of a client begin, or wait in line; begun tells when it has.
func take(t *testing.T, f *Fair, key string) (begun chan func()) {
	t.Helper()
	f.mu.Lock()
	busy, before := f.free == 0, len(f.waiting)
	f.mu.Unlock()
	begun = make(chan func(), 1)
	go func() {
		done, err := f.Take(t.Context(), key)
		if err == nil {
			begun <- done
		}
	}()
	if busy {
		require.Eventually(t, func() bool {
			f.mu.Lock()
			defer f.mu.Unlock()
			return len(f.waiting) > before
		}, time.Minute, time.Millisecond)
	}
	return begun
}

// Many who always have a request in line keep nobody waiting who asks now and
// then, though more is done for him than for each of them.
func TestWhoAsksNowAndThenIsNext(t *testing.T) {
	at := newClock(time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC))
	f := NewFair(1, at.now)
	working := <-take(t, f, "greedy 0")
	var greedy []chan func()
	for i := range 20 {
		greedy = append(greedy, take(t, f, fmt.Sprint("greedy ", i)))
	}
	at.pass(100 * time.Millisecond)
	for range 10 {
		modest := take(t, f, "modest")
		at.pass(10 * time.Millisecond)
		working()
		working = <-modest
		at.pass(10 * time.Millisecond)
		next := take(t, f, "modest, too")
		working()
		working = <-next
		at.pass(80 * time.Millisecond)
	}
	working()
	// Of those that ask alike the first is next.
	for _, begun := range greedy[1:] {
		(<-begun)()
	}
	(<-greedy[0])() // he had one more
	require.Equal(t, 1, f.free)
	require.Empty(t, f.waiting)
}

func TestATurnIsNotLost(t *testing.T) {
	f := NewFair(1, time.Now)
	done, err := f.Take(t.Context(), "a")
	require.NoError(t, err)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = f.Take(gone, "b")
	require.ErrorIs(t, err, context.Canceled)
	done()
	done()
	require.Equal(t, 1, f.free, "ended once, though told twice")
	_, err = f.Take(t.Context(), "c")
	require.NoError(t, err)
}

func TestWhoAskedLongAgoIsForgotten(t *testing.T) {
	at := newClock(time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC))
	f := NewFair(1, at.now)
	for _, key := range []string{"a", "b"} {
		done, err := f.Take(t.Context(), key)
		require.NoError(t, err)
		done()
	}
	at.pass(time.Hour)
	done, err := f.Take(t.Context(), "c")
	require.NoError(t, err)
	done()
	require.Len(t, f.clients, 1)
}

// A client that does not read its answer keeps no turn.
func TestATurnEndsWithTheFirstByteOfTheAnswer(t *testing.T) {
	f := NewFair(1, time.Now)
	done, err := f.Take(t.Context(), "a")
	require.NoError(t, err)
	w := &answering{httptest.NewRecorder(), done}
	w.WriteHeader(http.StatusOK)
	require.Zero(t, f.free, "the answer is still being made")
	_, err = w.Write([]byte(strings.Repeat("x", 1<<20)))
	require.NoError(t, err)
	require.Equal(t, 1, f.free)
}
