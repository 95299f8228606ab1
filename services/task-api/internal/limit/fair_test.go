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
		return len(f.waiting)
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

// served ends the turn that works, and names the client whose turn it is then.
func served(t *testing.T, working func(), lines map[string][]chan func()) (next func(), key string) {
	t.Helper()
	working()
	for {
		for key, line := range lines {
			if len(line) == 0 {
				continue
			}
			select {
			case next := <-line[0]:
				lines[key] = line[1:]
				return next, key
			default:
			}
		}
	}
}

// Of many who always have a request in line, and somebody who pauses, he waits for
// two turns at most, though he asks for more than each of them gets; and he does not
// keep them out.
func TestWhoPausesIsServedBeforeWhoDoesNot(t *testing.T) {
	at := newClock(time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC))
	f := NewFair(1, at.now)
	for range 8 {
		at.pass(pause)
		now(t, f, "person")()
	}
	working := now(t, f, "program")
	lines := map[string][]chan func(){}
	for i := range 40 {
		key := fmt.Sprint("program ", i)
		lines[key] = append(lines[key], take(t, f, key))
	}
	persons := 0
	for range 20 {
		at.pass(pause)
		lines["person"] = append(lines["person"], take(t, f, "person"))
		for range 2 {
			var key string
			if working, key = served(t, working, lines); key == "person" {
				persons++
			}
		}
		require.Empty(t, lines["person"])
	}
	require.Equal(t, 20, persons)
	working()
}

// What a client does as a rule counts. It did not: a person whose answer was slow,
// and whose next request came just after it, waited with those who never pause; and
// the first requests of many at once were those of people.
func TestOneRequestMakesNobodyHastyOrPatient(t *testing.T) {
	at := newClock(time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC))
	f := NewFair(1, at.now)
	for range 8 {
		at.pass(pause)
		now(t, f, "person")()
		now(t, f, "program")()
		now(t, f, "program")()
	}
	working := now(t, f, "person")
	at.pass(pause)
	lines := map[string][]chan func(){}
	for _, key := range []string{"stranger", "program", "person"} {
		lines[key] = append(lines[key], take(t, f, key))
	}
	lines["person"] = append(lines["person"], take(t, f, "person"))
	var order []string
	for range 4 {
		var key string
		working, key = served(t, working, lines)
		order = append(order, key)
	}
	// By habit, by the time of waiting, by habit again.
	require.Equal(t, []string{"person", "stranger", "person", "program"}, order)
	working()
}

// A page that asks for six things at once is a person's.
func TestWhatIsSentTogetherCountsOnce(t *testing.T) {
	at := newClock(time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC))
	f := NewFair(6, at.now)
	for range 8 {
		at.pass(pause)
		var done []func()
		for range 6 {
			done = append(done, now(t, f, "page"))
		}
		at.pass(time.Millisecond)
		for _, answered := range done {
			answered()
		}
	}
	require.Greater(t, f.clients["page"].pauses, 0.9)
	now(t, f, "page")
	require.Less(t, f.clients["page"].pauses, 0.8, "and what comes upon an answer does not")
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
