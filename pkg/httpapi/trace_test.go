package httpapi_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"

	"github.com/taskwire/taskwire/pkg/httpapi"
	"github.com/taskwire/taskwire/pkg/telemetry"
)

// A trace tells what was asked and how it ended, and nothing of who asked.
func TestATraceNamesNobody(t *testing.T) {
	var exported strings.Builder // protobuf, in which texts are as they are
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(&exported, r.Body)
		if err != nil {
			t.Error(err)
		}
	}))
	defer collector.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	usual := otel.GetTracerProvider()
	flush, err := telemetry.Start(t.Context(), "test", "v1")
	require.NoError(t, err)
	t.Cleanup(func() { otel.SetTracerProvider(usual) })

	router := httpapi.NewRouter(quiet)
	router.Get("/things/{id}", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	req := httptest.NewRequest(http.MethodGet, "/things/the-id-of-one?q=what-was-looked-for", nil)
	req.RemoteAddr = "203.0.113.7:4711"
	req.Host = "host-that-was-named"
	for name, value := range map[string]string{
		"User-Agent": "browser-of-somebody", "X-Forwarded-For": "203.0.113.9", "X-Request-Id": "id-of-the-request",
		"Cookie": "auth_token=a-token", "Referer": "where-it-came-from",
	} {
		req.Header.Set(name, value)
	}
	router.ServeHTTP(httptest.NewRecorder(), req)
	require.NoError(t, flush(t.Context()))
	collector.Close()

	for _, said := range []string{"GET /things/{id}", "http.route", "http.request.method", "http.response.status_code"} {
		require.Contains(t, exported.String(), said)
	}
	for _, secret := range []string{
		"the-id-of-one", "what-was-looked-for", "203.0.113", "browser-of-somebody", "host-that-was-named", "id-of-the-request", "a-token",
		"where-it-came-from", "4711",
	} {
		require.NotContains(t, exported.String(), secret)
	}
}
