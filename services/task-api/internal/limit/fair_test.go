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

// take has a request of a client wait in line; begun tells when its turn has come.
func take(t *testing.T, f *Fair, key string) (begun chan func()) {
	t.Helper()
	inLine := func() int {
		f.mu.Lock()
		defer f.mu.Unlock()
		return len(f.lines[0]) + len(f.lines[1])
	}
	before := inLine()
	begun = make(chan func(), 1)
	go func() {
		done, err := f.Take(t.Context(), key)
		if err == nil {
			begun <- done
		}
	}()
	require.Eventually(t, func() bool { return inLine() > before }, time.Minute, time.Millisecond)
	return begun
}

func now(t *testing.T, f *Fair, key string) (done func()) {
	t.Helper()
	done, err := f.Take(t.Context(), key)
	require.NoError(t, err)
	return done
}

// Many who always have a request in line hold up nobody who pauses, though he asks
// for more than each of them gets; and he does not keep them out.
func TestWhoPausesIsServedBeforeWhoDoesNot(t *testing.T) {
	at := newClock(time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC))
	f := NewFair(1, at.now)
	now(t, f, "person")() // known from before
	at.pass(time.Second)
	working := now(t, f, "program 0")
	var programs []chan func()
	for i := range 20 {
		programs = append(programs, take(t, f, fmt.Sprint("program ", i+1)))
	}
	for range 10 {
		person := take(t, f, "person")
		at.pass(10 * time.Millisecond)
		working() // it is the turn of whoever is next in his line
		select {
		case working = <-person:
		case working = <-programs[0]:
			programs = programs[1:]
			at.pass(10 * time.Millisecond)
			working()
			working = <-person
		}
		at.pass(10 * time.Millisecond)
		working()
		working = <-programs[0]
		programs = programs[1:]
		at.pass(pause)
	}
	working()
	for _, begun := range programs {
		(<-begun)()
	}
	require.Equal(t, 1, f.free)
}

func TestWhoDoesNotPauseOrIsNewWaitsWithTheOthers(t *testing.T) {
	at := newClock(time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC))
	f := NewFair(1, at.now)
	now(t, f, "hasty")()
	at.pass(pause - 1)
	working := now(t, f, "slow")
	take(t, f, "hasty")
	take(t, f, "new")
	require.Len(t, f.lines[1], 2)
	at.pass(pause)
	take(t, f, "hasty")
	require.Len(t, f.lines[0], 1, "he has paused by now")
	take(t, f, "hasty")
	require.Len(t, f.lines[1], 3, "of several at once one is served before")
	working()
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
		now(t, f, key)()
	}
	at.pass(time.Hour)
	now(t, f, "c")()
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
