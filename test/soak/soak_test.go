package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/test/suite"
)

// fine is an attack that nobody has noticed.
func fine() *outcome {
	o := &outcome{attack: attacks[0], clients: 1, users: &noticed{}, later: &noticed{}, peak: 200 << 20}
	for what := range kinds {
		for range 99 {
			o.users.times[what] = append(o.users.times[what], 10*time.Millisecond)
		}
	}
	return o
}

// Each promise is held, and a report without one broken is the only good one.
func TestBrokenPromises(t *testing.T) {
	calm := state{connections: 4, goroutines: 60, cores: .2, memory: 50 << 20}
	for name, c := range map[string]struct {
		breaks func(*outcome)
		found  string // "": nothing
	}{
		"nothing is noticed": {func(*outcome) {}, ""},
		"one slow create of 100": {func(o *outcome) {
			o.users.times[create] = append(o.users.times[create], time.Second)
		}, ""},
		"creates are slow": {func(o *outcome) {
			o.users.times[create] = append(o.users.times[create], time.Second, time.Second)
		}, "p99 of create is 1000.0 ms"},
		"lists are slow": {func(o *outcome) {
			o.users.times[list] = append(o.users.times[list], 251*time.Millisecond, time.Second)
		}, "p99 of list is 251.0 ms"},
		"nothing was measured":    {func(o *outcome) { o.users.times[create] = nil }, "no user could create"},
		"an error for a user":     {func(o *outcome) { o.users.failed = 1 }, "users got 1 × 5xx"},
		"a user was limited":      {func(o *outcome) { o.users.limited = 2 }, "users got 2 × 429"},
		"a user got no answer":    {func(o *outcome) { o.users.unanswered = 1 }, "users got 1 × no answer"},
		"a user was not let in":   {func(o *outcome) { o.users.surprising = 1 }, "users got 1 × an unexpected answer"},
		"an error after it":       {func(o *outcome) { o.later.failed = 1 }, "users got 1 × 5xx after it"},
		"too much memory":         {func(o *outcome) { o.peak = 257 << 20 }, "task-api took 257 MiB"},
		"a service died":          {func(o *outcome) { o.died = []string{"audit-log"} }, "audit-log died"},
		"its own promise":         {func(o *outcome) { o.attackers = []string{"62 mails"} }, "62 mails"},
		"connections are left":    {func(o *outcome) { o.left = remains(state{connections: 44}, calm) }, "left of it: 40 connections"},
		"goroutines are left":     {func(o *outcome) { o.left = remains(state{goroutines: 200}, calm) }, "left of it: 140 goroutines"},
		"a statement runs on":     {func(o *outcome) { o.left = remains(state{statements: 1}, calm) }, "left of it: 1 statements"},
		"work goes on":            {func(o *outcome) { o.left = remains(state{cores: 1.7}, calm) }, "left of it: 1.5 cores at work"},
		"accepted work goes on":   {func(o *outcome) { o.left = remains(state{cores: 1.7, accepted: 500, falling: true}, calm) }, ""},
		"accepted work stands":    {func(o *outcome) { o.left = remains(state{cores: 1.7, accepted: 500}, calm) }, "left of it: 1.5 cores at work"},
		"memory is not given up":  {func(o *outcome) { o.left = remains(state{memory: 300 << 20}, calm) }, "left of it: 300 MiB of memory"},
		"pools breathe":           {func(o *outcome) { o.left = remains(state{connections: 10, goroutines: 100}, calm) }, ""},
		"the owner is locked out": {func(o *outcome) { o.attackers = refusedOwner(t) }, "the owner could not sign in: 1 × 429"},
	} {
		t.Run(name, func(t *testing.T) {
			o := fine()
			c.breaks(o)
			r := &report{calm: &noticed{}, outcomes: []*outcome{o}}
			if c.found == "" {
				require.True(t, r.ok(), "%s", r.broken())
				require.Contains(t, r.String(), "Every promise was kept.")
				return
			}
			require.False(t, r.ok())
			require.Equal(t, []string{c.found}, o.broken())
			require.Contains(t, r.String(), "- members by one client: "+c.found+"\n")
		})
	}
	cut := &report{calm: &noticed{}}
	require.False(t, cut.ok(), "a run that has made no attack proves nothing")
	require.NotContains(t, cut.String(), "kept")
}

func refusedOwner(t *testing.T) []string {
	t.Helper()
	o := &owner{times: []time.Duration{time.Second}, refused: map[string]int{"429": 1}}
	_, broken, err := o.finish(t.Context())
	require.NoError(t, err)
	return broken
}

func TestAtMost(t *testing.T) {
	st := &stage{clients: 1, got: map[string]int{"201": 21}}
	require.Equal(t, []string{"21 registrations of one client, not 20"}, st.atMost("registrations", "201", 20))
	st.clients = 60
	require.Empty(t, st.atMost("registrations", "201", 20), "each of them is a network")
}

// The users count what they are answered, and measure from when a request was
// due, however late it was sent.
func TestLoadNotices(t *testing.T) {
	const slow = 300 * time.Millisecond
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.Header.Get("X-Forwarded-For"), "10.") {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		switch r.Method {
		case http.MethodPost:
			time.Sleep(slow) // what is to be measured
			w.WriteHeader(http.StatusCreated)
			fmt.Fprint(w, `{"id":"one"}`)
		case http.MethodPatch:
			w.WriteHeader(http.StatusTooManyRequests)
		default:
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()
	l := &load{current: &noticed{}, rng: rand.New(rand.NewPCG(1, 1))}
	for range users {
		l.users = append(l.users, &user{Client: &suite.Client{Base: server.URL, Address: "10.0.1.1"}})
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); l.run(ctx) }()
	for range 100 {
		l.mu.Lock()
		n := l.current
		l.mu.Unlock()
		n.mu.Lock()
		enough := len(n.times[create]) > 3 && n.failed > 3 && n.limited > 0
		n.mu.Unlock()
		if enough {
			break
		}
		time.Sleep(50 * time.Millisecond) // between two looks
	}
	n := l.next()
	n.pending.Wait()
	stop()
	<-ended
	require.Zero(t, n.unanswered+n.surprising)
	require.GreaterOrEqual(t, n.failed, len(n.times[list]), "a change without a task is a list")
	require.Positive(t, n.limited)
	for _, took := range n.times[create] {
		require.GreaterOrEqual(t, took, slow)
	}
}

func TestProcesses(t *testing.T) {
	pid := os.Getpid()
	require.NoError(t, forgetPeak(pid))
	before, err := memory(pid, "VmHWM")
	require.NoError(t, err)
	held := make([]byte, 64<<20)
	for i := range held {
		held[i] = 1
	}
	runtime.KeepAlive(held)
	peak, err := memory(pid, "VmHWM")
	require.NoError(t, err)
	require.Greater(t, peak, before+60<<20)

	used, err := cpuTime(pid)
	require.NoError(t, err)
	require.Less(t, used, time.Hour)

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	port := listener.Addr().(*net.TCPAddr).Port
	client, err := new(net.Dialer).DialContext(t.Context(), "tcp", listener.Addr().String())
	require.NoError(t, err)
	server, err := listener.Accept()
	require.NoError(t, err)
	defer server.Close()
	n, err := connectionsTo(port)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	// One whose client is gone counts until the server closes it.
	require.NoError(t, client.Close())
	n, err = connectionsTo(port)
	require.NoError(t, err)
	require.Equal(t, 1, n)
}

func TestChosen(t *testing.T) {
	all, err := chosen("")
	require.NoError(t, err)
	require.Equal(t, attacks, all)
	two, err := chosen("forms, mails")
	require.NoError(t, err)
	require.Len(t, two, 2)
	require.Equal(t, "forms", two[0].name)
	_, err = chosen("forms,nothing")
	require.ErrorContains(t, err, `there is no attack "nothing"`)
}

// On a whole suite: what stops the users is seen, and so is what it leaves.
func TestSoakNoticesBreakage(t *testing.T) {
	locked := &attack{"locked", func(ctx context.Context, st *stage) (assault, error) {
		conn, err := pgx.Connect(ctx, st.suite.Database.OwnerURL)
		if err != nil {
			return assault{}, err
		}
		t.Cleanup(func() { _ = conn.Close(context.Background()) }) // the suite may be gone
		return assault{run: func(ctx context.Context) {
			_, err := conn.Exec(ctx, "BEGIN; LOCK TABLE task.tasks IN ACCESS EXCLUSIVE MODE")
			require.NoError(t, err)
			sleep(ctx, time.Minute)
			// The lock is let go of, the transaction is not.
			_, err = conn.Exec(context.WithoutCancel(ctx), "ROLLBACK; BEGIN; SELECT 1")
			require.NoError(t, err)
		}}, nil
	}}
	r, err := run(t.Context(), config{duration: 2 * time.Second, seed: 1, attacks: []*attack{locked}, crowds: []int{1}, calm: 2 * time.Second})
	require.NoError(t, err)
	t.Log(r)
	require.False(t, r.ok())
	broken := strings.Join(r.broken(), "\n")
	require.Contains(t, broken, "p99 of create is")
	require.Contains(t, broken, "p99 of list is")
	require.Contains(t, broken, "left of it: 1 statements")
	require.NotEmpty(t, r.calm.times[create])
	require.Empty(t, r.calm.wrong(), "without an attack all was well")
}
