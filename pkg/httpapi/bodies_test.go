package httpapi_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/httpapi"
)

func TestABodyIsReadBeforeItsHandlerIsCalled(t *testing.T) {
	handler := httpapi.Bodies(100_000)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		require.EqualValues(t, len(body), r.ContentLength)
		_, _ = fmt.Fprint(w, len(body))
	}))
	for name, c := range map[string]struct {
		method string
		size   int
		status int
		read   string
	}{
		"none":                    {http.MethodPost, 0, http.StatusOK, "0"},
		"a small one":             {http.MethodPost, 10, http.StatusOK, "10"},
		"what counts for nothing": {http.MethodPost, 16 << 10, http.StatusOK, "16384"},
		"one byte more":           {http.MethodPatch, 16<<10 + 1, http.StatusOK, "16385"},
		"the largest":             {http.MethodPut, 100_000, http.StatusOK, "100000"},
		"too large":               {http.MethodPost, 100_001, http.StatusRequestEntityTooLarge, ""},
		"of a GET":                {http.MethodGet, 100_001, http.StatusOK, "0"},
	} {
		t.Run(name, func(t *testing.T) {
			for range 2 { // what was taken is given back
				rec := httptest.NewRecorder()
				handler.ServeHTTP(rec, httptest.NewRequest(c.method, "/", strings.NewReader(strings.Repeat("x", c.size))))
				require.Equal(t, c.status, rec.Code, "%s", rec.Body)
				if c.status == http.StatusOK {
					require.Equal(t, c.read, rec.Body.String())
				}
			}
		})
	}
}

// A body that does not come ends its connection, and its handler never knows. One
// that has come leaves no deadline behind: a write that took longer than that had its
// request ended.
func TestABodyHasItsOwnTime(t *testing.T) {
	called, ended := make(chan struct{}, 2), make(chan struct{}, 2)
	server := httptest.NewServer(httpapi.Bodies(httpapi.MaxBody)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		called <- struct{}{}
		<-r.Context().Done()
		ended <- struct{}{}
	})))
	defer server.Close()
	dial := func(body string) net.Conn {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(server.URL, "http://"))
		require.NoError(t, err)
		_, err = fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n%s", body)
		require.NoError(t, err)
		return conn
	}
	whole := dial("0123456789")
	<-called
	silent := dial("01234")
	res, err := http.ReadResponse(bufio.NewReader(silent), nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusRequestTimeout, res.StatusCode)
	require.NoError(t, res.Body.Close())
	require.NoError(t, silent.Close())
	require.Empty(t, called)
	require.Empty(t, ended, "the first, which was there before, goes on")
	require.NoError(t, whole.Close())
	<-ended
}
