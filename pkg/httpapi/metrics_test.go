package httpapi_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/httpapi"
	"github.com/taskwire/taskwire/pkg/telemetry/metrictest"
)

// requests are those that were counted, by the value of a label.
func requests(t *testing.T, label string) map[string]uint64 {
	t.Helper()
	counted := map[string]uint64{}
	for _, m := range metrictest.Of(t, "taskwire_http_request_seconds") {
		for _, l := range m.GetLabel() {
			if l.GetName() == label {
				counted[l.GetValue()] += m.GetHistogram().GetSampleCount()
			}
		}
	}
	return counted
}

// A service that is asked for little is asked how it is all the time: its share
// of failures is that of what it is asked for.
func TestProbesAreNoRequests(t *testing.T) {
	router := httpapi.NewRouter(quiet)
	failing := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }
	for _, path := range []string{"/healthz", "/readyz", "/of-a-user"} {
		router.Get(path, failing)
	}
	before := requests(t, "route")
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		for _, path := range []string{"/healthz", "/readyz", "/of-a-user"} {
			router.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(method, path, nil))
		}
	}
	after := requests(t, "route")
	require.EqualValues(t, 2, after["/of-a-user"]-before["/of-a-user"])
	require.NotContains(t, after, "/healthz")
	require.NotContains(t, after, "/readyz")
}

// A reverse proxy breaks an answer off when its other side does.
func TestAnAnswerThatIsBrokenOffIsAFailure(t *testing.T) {
	router := httpapi.NewRouter(quiet)
	router.Get("/broken-off", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusOK)
		panic(http.ErrAbortHandler)
	})
	before, failed := requests(t, "route")["/broken-off"], requests(t, "status")["5xx"]
	func() {
		defer func() { require.Equal(t, http.ErrAbortHandler, recover()) }()
		router.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/broken-off", nil))
	}()
	require.Equal(t, before+1, requests(t, "route")["/broken-off"])
	require.Equal(t, failed+1, requests(t, "status")["5xx"])
}
