package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// beside starts another replica, which may be killed.
func (s *running) beside() (base string, kill func()) {
	s.t.Helper()
	cmd := exec.Command(os.Args[0], "serve") //nolint:noctx,gosec // it ends by kill; it is this test binary itself
	cmd.Env = s.env
	out, err := cmd.StdoutPipe()
	require.NoError(s.t, err)
	require.NoError(s.t, cmd.Start())
	address, gone := make(chan string, 1), make(chan struct{})
	go func() {
		defer close(gone)
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			var line logLine
			if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "serving" {
				address <- line.Address
			}
		}
	}()
	kill = func() {
		_ = cmd.Process.Kill() // it may be dead already
		<-gone
		_ = cmd.Wait() // it was killed
	}
	s.t.Cleanup(kill)
	select {
	case at := <-address:
		return "http://" + at, kill
	case <-gone:
		s.t.Fatal("the other replica did not start")
	}
	return "", kill
}

// proxy passes requests on to one of several replicas, and keeps an answer until it is
// whole, or 64 KiB, unless it is told not to: as nginx does.
func proxy(t *testing.T, to *atomic.Value) *httptest.Server {
	t.Helper()
	p := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		out := r.Clone(r.Context())
		out.RequestURI, out.URL.Scheme, out.URL.Host = "", "http", strings.TrimPrefix(to.Load().(string), "http://")
		in, err := http.DefaultTransport.RoundTrip(out)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer in.Body.Close()
		for name, values := range in.Header {
			w.Header()[name] = values
		}
		w.WriteHeader(in.StatusCode)
		buffered := bufio.NewWriterSize(w, 64<<10)
		defer buffered.Flush()
		told := in.Header.Get("X-Accel-Buffering") == "no"
		for part := make([]byte, 4<<10); ; {
			n, err := in.Body.Read(part)
			_, _ = buffered.Write(part[:n]) // the client may have gone
			if told {
				_ = buffered.Flush()
				_ = http.NewResponseController(w).Flush()
			}
			if err != nil {
				return
			}
		}
	}))
	t.Cleanup(p.Close)
	return p
}

// Who follows a stream through a proxy, whose replica is killed, goes on at another, and
// misses nothing.
func TestAStreamGoesOnAtAnotherReplica(t *testing.T) {
	s := start(t)
	u := s.newUser()
	base, kill := s.beside()
	var to atomic.Value
	to.Store(base)
	p := proxy(t, &to)
	told, last := map[uuid.UUID]int{}, ""
	var made []uuid.UUID
	follow := func(until int) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.URL+"/api/stream", nil)
		require.NoError(t, err)
		request.Header.Set("Authorization", "Bearer "+u.token)
		if last != "" {
			request.Header.Set("Last-Event-ID", last)
		}
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		defer response.Body.Close()
		require.Equal(t, http.StatusOK, response.StatusCode)
		lines := bufio.NewReader(response.Body)
		for len(told) < until {
			if len(made) < until { // once it listens
				made = append(made, u.create(object{"title": fmt.Sprint(len(made))}).ID)
			}
			line, err := lines.ReadString('\n')
			if err != nil {
				require.ErrorIs(t, err, io.EOF)
				return
			}
			line = strings.TrimSpace(line)
			if id, ok := strings.CutPrefix(line, "id: "); ok {
				last = id
			}
			if data, ok := strings.CutPrefix(line, "data: "); ok {
				var page fedPage
				require.NoError(t, json.Unmarshal([]byte(data), &page))
				for _, c := range page.Changes {
					if c.Kind == "task" {
						told[c.ID]++
					}
				}
			}
		}
	}
	follow(3)
	kill()
	for range 3 { // while nobody listens
		made = append(made, u.create(object{"title": fmt.Sprint(len(made))}).ID)
	}
	to.Store(s.base)
	follow(9)
	require.Len(t, told, 9)
	for _, id := range made {
		require.Equal(t, 1, told[id])
	}
}
