package httpapi

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestWhoHasReadNothingForTheLongestTimeIsCut(t *testing.T) {
	at := time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)
	b := &backlog{most: 100}
	var cut []string
	add := func(name string, bytes int) *unread {
		return b.add(bytes, func() { cut = append(cut, name) }, at)
	}
	first, second, third := add("first", 40), add("second", 40), add("third", 10)
	at = at.Add(stalled)
	b.progress(first, 10, at)
	require.Empty(t, cut, "there is room for all")
	fourth := add("fourth", 40)
	require.Equal(t, []string{"second"}, cut, "first has read since")
	require.Equal(t, 80, b.bytes)
	fifth := add("fifth", 70)
	require.Equal(t, []string{"second", "third"}, cut, "nobody is cut who reads")
	for _, u := range []*unread{second, third, first, fourth, fifth} {
		b.remove(u)
	}
	require.Zero(t, b.bytes)
	require.Empty(t, b.of)
}

// Clients that do not read share a bounded memory, and those that read are served.
func TestManyWhoDoNotReadAreCutOffBeforeTheirTime(t *testing.T) {
	page := bytes.Repeat([]byte("x"), 8<<20) // more than the kernel takes of a connection
	ended := make(chan error, 10)
	waiting := &backlog{most: 2*len(page) + 1}
	server := httptest.NewServer(writeDeadline(time.Hour, waiting)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := w.Write(page)
		if r.URL.Path == "/unread" {
			ended <- err
		}
	})))
	defer server.Close()
	for range 3 {
		conn, err := net.Dial("tcp", server.Listener.Addr().String()) //nolint:noctx // loopback
		require.NoError(t, err)
		defer conn.Close()
		_, err = fmt.Fprint(conn, "GET /unread HTTP/1.1\r\nHost: x\r\n\r\n")
		require.NoError(t, err)
	}
	read := func() {
		res, err := server.Client().Get(server.URL) //nolint:noctx // a test server of its own
		require.NoError(t, err)
		n, err := io.Copy(io.Discard, res.Body)
		require.NoError(t, err)
		require.EqualValues(t, len(page), n)
		require.NoError(t, res.Body.Close())
	}
	require.Eventually(t, func() bool { // they stall a while after they came
		read()
		return len(ended) > 0
	}, time.Minute, time.Millisecond)
	require.ErrorIs(t, <-ended, os.ErrDeadlineExceeded)
	server.CloseClientConnections()
}
