package httpapi_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/httpapi"
)

// requests are those that were counted, by route.
func requests(t *testing.T) map[string]uint64 {
	t.Helper()
	families, err := prometheus.DefaultGatherer.Gather()
	require.NoError(t, err)
	counted := map[string]uint64{}
	for _, f := range families {
		if f.GetName() != "taskwire_http_request_seconds" {
			continue
		}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == "route" {
					counted[l.GetValue()] += m.GetHistogram().GetSampleCount()
				}
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
	before := requests(t)
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		for _, path := range []string{"/healthz", "/readyz", "/of-a-user"} {
			router.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(method, path, nil))
		}
	}
	after := requests(t)
	require.EqualValues(t, 2, after["/of-a-user"]-before["/of-a-user"])
	require.NotContains(t, after, "/healthz")
	require.NotContains(t, after, "/readyz")
}
