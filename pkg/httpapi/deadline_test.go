package httpapi

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// endless answers until it can not, and tells when it has ended.
func endless(ended chan<- error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		page := make([]byte, 2<<20)
		for {
			if _, err := w.Write(page); err != nil {
				<-r.Context().Done()
				ended <- err
				return
			}
		}
	}
}

// Who does not read an answer loses the connection, and its handler ends.
func TestWhoDoesNotReadIsCutOff(t *testing.T) {
	ended := make(chan error, 1)
	server := httptest.NewServer(writeDeadline(50*time.Millisecond, new(backlog))(endless(ended)))
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String()) //nolint:noctx // loopback
	require.NoError(t, err)
	defer conn.Close()
	_, err = fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	require.NoError(t, err)
	select {
	case err := <-ended:
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	case <-time.After(30 * time.Second):
		require.Fail(t, "the handler still waits for its reader")
	}
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(30*time.Second)))
	_, err = io.Copy(io.Discard, conn)
	if err != nil {
		require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "the connection is still there")
	}
}

// The deadline of an answer ends nothing that comes later on its connection.
func TestADeadlineIsOfOneAnswer(t *testing.T) {
	const within = 50 * time.Millisecond
	server := httptest.NewServer(writeDeadline(within, new(backlog))(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		// Nothing is written until the deadline that it began with is past.
		timer := time.NewTimer(2 * within)
		defer timer.Stop()
		<-timer.C
	})))
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String()) //nolint:noctx // loopback
	require.NoError(t, err)
	defer conn.Close()
	answers := bufio.NewReader(conn)
	for range 2 {
		_, err = fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		require.NoError(t, err)
		res, err := http.ReadResponse(answers, nil)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Equal(t, http.StatusOK, res.StatusCode)
	}
}

// Whatever a service answers has a deadline to be read by: NewRouter sets it.
func TestEveryAnswerHasADeadline(t *testing.T) {
	router := NewRouter(slog.New(slog.DiscardHandler))
	router.Get("/", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	for _, path := range []string{"/", "/nothing-here"} {
		w := &recorder{ResponseRecorder: httptest.NewRecorder()}
		router.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		require.WithinDuration(t, time.Now(), w.deadline, writeTime, path)
	}
}

// A stream keeps its own time.
func TestAHandlerMayExtendItsDeadline(t *testing.T) {
	w := &recorder{ResponseRecorder: httptest.NewRecorder()}
	own := time.Date(2027, 1, 4, 10, 0, 0, 0, time.UTC)
	writeDeadline(time.Hour, new(backlog))(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		require.NoError(t, http.NewResponseController(w).SetWriteDeadline(own))
		_, err := w.Write([]byte("x"))
		require.NoError(t, err)
	})).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	require.Equal(t, own, w.deadline)
}

type recorder struct {
	*httptest.ResponseRecorder
	deadline time.Time
}

func (r *recorder) SetWriteDeadline(at time.Time) error {
	r.deadline = at
	return nil
}
