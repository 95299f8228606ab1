package main

import (
	"bufio"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/procfs"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/test/suite"
)

func TestASampleIsItsMedianWithTheSpread(t *testing.T) {
	for _, c := range []struct {
		name string
		in   sample
		want string
	}{
		{"nothing", nil, "–"},
		{"one round has no spread", sample{465.4}, "465"},
		{"three", sample{480, 450, 465}, "465 (450–480)"},
		{"an even number of rounds", sample{1, 2}, "1.50 (1.00–2.00)"},
		{"three digits", sample{0.125, 12.34, 1234.5}, "12.3 (0.12–1234)"},
	} {
		t.Run(c.name, func(t *testing.T) { require.Equal(t, c.want, c.in.String()) })
	}
}

func TestRatiosAreThoseOfARound(t *testing.T) {
	// A neighbour halves both in the second round: the ratio is the same.
	require.Equal(t, sample{2, 2, 2}, sample{200, 100, 220}.over(sample{100, 50, 110}))
	require.Empty(t, sample{1}.over(sample{0}), "what was not measured has no ratio")
}

func TestSamplesAreApartWhereTheirRangesAre(t *testing.T) {
	for _, c := range []struct {
		name string
		a, b sample
		want bool
	}{
		{"above", sample{3, 4}, sample{1, 2}, true},
		{"below", sample{1, 2}, sample{3, 4}, true},
		{"mixed", sample{1, 3}, sample{2, 4}, false},
		{"the same", sample{1, 1}, sample{1, 1}, false},
		{"one round says nothing", sample{1}, sample{2}, false},
	} {
		t.Run(c.name, func(t *testing.T) { require.Equal(t, c.want, c.a.apart(c.b)) })
	}
	require.Equal(t, "10.0", odds(3), "20 ways to mix two of three rounds, in two of which they are apart")
}

func TestClientsAreNumbersWithCommas(t *testing.T) {
	var n numbers
	require.NoError(t, n.Set("1,16"))
	require.Equal(t, numbers{1, 16}, n)
	require.Equal(t, "1,16", n.String())
	for _, wrong := range []string{"", "0", "1,", "many"} {
		require.Error(t, n.Set(wrong), wrong)
	}
}

// A closed loop would see one slow request, and those that wait for it not at all.
func TestAnOpenLoopSeesEachRequestThatAStallHoldsUp(t *testing.T) {
	const stall = 300 * time.Millisecond
	began := time.Now()
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(time.Until(began.Add(stall)))
		w.WriteHeader(http.StatusCreated)
	}))
	defer api.Close()
	l, err := open(t.Context(), []*suite.Client{{Base: api.URL}}, 100, 2*stall, nil)
	require.NoError(t, err)
	require.Zero(t, l.failed)
	require.Len(t, l.times, 60)
	late := 0
	for _, took := range l.times {
		if took > stall/10 {
			late++
		}
	}
	require.GreaterOrEqual(t, late, 25, "those that were due in the first nine tenths of it")
}

func TestAClosedLoopHasOneRequestOfEachClient(t *testing.T) {
	under := make(chan struct{}, 3)
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case under <- struct{}{}:
			defer func() { <-under }()
		default:
			t.Error("more requests than clients are under way")
		}
		if r.Header.Get("Authorization") == "Bearer none" {
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		w.WriteHeader(http.StatusCreated)
	}))
	defer api.Close()
	l, err := closed(t.Context(), []*suite.Client{{Base: api.URL}, {Base: api.URL, Token: "none"}}, 3, times(100))
	require.NoError(t, err)
	require.Equal(t, 100, len(l.times)+l.failed)
	require.NotZero(t, l.failed, "what is refused is no create")
}

func TestWorkIsThatOfAProcessAndAllThatItStarts(t *testing.T) {
	if _, err := os.Stat(procfs.DefaultMountPoint); err != nil {
		t.Skip("there is no /proc")
	}
	cmd := exec.Command("sh", "-c", "(while :; do :; done) & echo $!; wait; echo ended; read forever")
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	defer func() { _ = cmd.Wait() }()
	defer in.Close()
	lines := bufio.NewReader(out)
	line, err := lines.ReadString('\n')
	require.NoError(t, err)
	busy, err := strconv.Atoi(strings.TrimSpace(line))
	require.NoError(t, err)
	work := func() float64 {
		ms, err := worked(map[string]int{"sh": cmd.Process.Pid})
		require.NoError(t, err)
		require.Positive(t, ms[client])
		return ms["sh"]
	}
	require.Eventually(t, func() bool { return work() >= 50 }, 10*time.Second, 10*time.Millisecond, "the child works")
	child, err := os.FindProcess(busy)
	require.NoError(t, err)
	require.NoError(t, child.Kill())
	line, err = lines.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "ended\n", line)
	require.GreaterOrEqual(t, work(), 50.0, "what a child has worked that has ended")
	_, _ = io.WriteString(in, "\n")
}

// streaming serves one stream to each who asks, and writes to all of them.
func streaming(t *testing.T) (api *httptest.Server, write func(string)) {
	t.Helper()
	var mu sync.Mutex
	var all []http.ResponseWriter
	closed := make(chan struct{})
	api = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		all = append(all, w)
		w.WriteHeader(http.StatusOK)
		require.NoError(t, http.NewResponseController(w).Flush())
		mu.Unlock()
		select {
		case <-closed:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(api.Close)
	t.Cleanup(sync.OnceFunc(func() { close(closed) }))
	return api, func(text string) {
		mu.Lock()
		defer mu.Unlock()
		for _, w := range all {
			_, err := io.WriteString(w, text)
			require.NoError(t, err)
			require.NoError(t, http.NewResponseController(w).Flush())
		}
	}
}

func TestAnAudienceHasHeardWhenAllStreamsHave(t *testing.T) {
	api, write := streaming(t)
	all, err := listen(t.Context(), []*suite.Client{{Base: api.URL}, {Base: api.URL}, {Base: api.URL}})
	require.NoError(t, err)
	defer all.stop()
	const late = 100 * time.Millisecond
	heard, err := all.hear(t.Context(), "time 1.", func() error {
		write(": \n\nid: time 1.\nevent: changes\ndata: time 11.\n\n") // none of this is it
		time.AfterFunc(late, func() { write("data: time 1.\n\n") })
		return nil
	})
	require.NoError(t, err)
	require.Len(t, heard, 3)
	require.Greater(t, slices.Min(heard), late/2)
	heard, err = all.hear(t.Context(), "time 2.", func() error {
		write("data: time 2.\n\n")
		time.Sleep(late) // its answer is later than the streams
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, []time.Duration{0, 0, 0}, heard)
}

func TestAStreamThatEndsIsAFailure(t *testing.T) {
	api, _ := streaming(t)
	all, err := listen(t.Context(), []*suite.Client{{Base: api.URL}})
	require.NoError(t, err)
	defer all.stop()
	_, err = all.hear(t.Context(), "something", func() error {
		api.CloseClientConnections()
		return nil
	})
	require.ErrorContains(t, err, "a stream has ended")

	refuses := httptest.NewServer(http.NotFoundHandler())
	defer refuses.Close()
	_, err = listen(t.Context(), []*suite.Client{{Base: refuses.URL}})
	require.ErrorContains(t, err, "404")
}
