package httpapi_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/taskwire/taskwire/pkg/httpapi"
)

const (
	sidecarToken = "the sidecar's token"
	traceID      = "0af7651916cd43dd8448eb211c80319c"
)

// The audit trail keeps the id of a request: a stranger does not choose it.
func TestTheIDOfARequestIsNotForAStrangerToChoose(t *testing.T) {
	trust := httpapi.Trust{Proxies: httpapi.Proxies{}, SidecarToken: sidecarToken}
	require.NoError(t, trust.Proxies.UnmarshalText([]byte("10.244.0.0/16")))
	for name, c := range map[string]struct {
		trust       httpapi.Trust
		peer, token string
		taken       bool
	}{
		"a stranger":                    {trust, "203.0.113.9:1", "", false},
		"a stranger with a wrong token": {trust, "203.0.113.9:1", "x", false},
		"the sidecar":                   {trust, "127.0.0.1:1", sidecarToken, true},
		"a trusted proxy":               {trust, "10.244.1.7:1", "", true},
		"where nobody is trusted":       {httpapi.Trust{}, "127.0.0.1:1", "", false},
		"a token where there is none":   {httpapi.Trust{}, "127.0.0.1:1", sidecarToken, false},
	} {
		t.Run(name, func(t *testing.T) {
			router := httpapi.NewRouter(quiet, c.trust)
			var passedOn string
			router.Get("/", func(_ http.ResponseWriter, r *http.Request) { passedOn = r.Header.Get("X-Request-Id") })
			req := httptest.NewRequest(http.MethodGet, "/", nil)
			req.RemoteAddr = c.peer
			req.Header.Set("X-Request-Id", "r-1")
			req.Header.Set("dapr-api-token", c.token)
			rec := httptest.NewRecorder()
			router.ServeHTTP(rec, req)
			require.Equal(t, c.taken, rec.Header().Get("X-Request-Id") == "r-1")
			require.Equal(t, rec.Header().Get("X-Request-Id"), passedOn, "another service gets another id")
		})
	}
}

// A stranger's trace goes on, and is recorded only if ours would be.
func TestSamplingIsNotForAStrangerToChoose(t *testing.T) {
	usual := otel.GetTracerProvider()
	t.Cleanup(func() { otel.SetTracerProvider(usual) })
	for name, c := range map[string]struct {
		root       sdk.Sampler
		flags      string
		token      string
		recorded   bool
		tracestate string
	}{
		"a stranger asks, we record nothing":    {root: sdk.NeverSample(), flags: "01"},
		"a stranger asks, we record everything": {root: sdk.AlwaysSample(), flags: "01", recorded: true},
		"a stranger asks for silence":           {root: sdk.AlwaysSample(), flags: "00"},
		"the sidecar asks":                      {root: sdk.NeverSample(), flags: "01", token: sidecarToken, recorded: true, tracestate: "a=b"},
	} {
		t.Run(name, func(t *testing.T) {
			otel.SetTracerProvider(sdk.NewTracerProvider(sdk.WithSampler(sdk.ParentBased(c.root))))
			router := httpapi.NewRouter(quiet, httpapi.Trust{SidecarToken: sidecarToken})
			var header http.Header
			var span trace.SpanContext
			router.Get("/", func(_ http.ResponseWriter, r *http.Request) {
				header, span = r.Header, trace.SpanContextFromContext(r.Context())
			})
			req := httptest.NewRequest(http.MethodGet, "/", nil)
			req.Header.Set("traceparent", "00-"+traceID+"-b7ad6b7169203331-"+c.flags)
			req.Header.Set("tracestate", "a=b")
			req.Header.Set("baggage", "user=ada")
			req.Header.Set("dapr-api-token", c.token)
			router.ServeHTTP(httptest.NewRecorder(), req)
			require.Equal(t, traceID, span.TraceID().String(), "the trace goes on")
			require.Equal(t, c.recorded, span.IsSampled())
			require.Equal(t, c.tracestate, span.TraceState().String())
			require.True(t, strings.HasPrefix(header.Get("traceparent"), "00-"+traceID), "the front door passes it on")
			require.Equal(t, c.token == "", header.Get("baggage") == "")
		})
	}
	t.Run("what is no trace", func(t *testing.T) {
		router := httpapi.NewRouter(quiet)
		router.Get("/", func(_ http.ResponseWriter, r *http.Request) { require.Empty(t, r.Header.Get("traceparent")) })
		req := httptest.NewRequest(http.MethodGet, "/", nil)
		req.Header.Set("traceparent", "nonsense")
		router.ServeHTTP(httptest.NewRecorder(), req)
	})
}

func TestWhatABrowserIsTold(t *testing.T) {
	for _, tls := range []bool{false, true} {
		rec := httptest.NewRecorder()
		router := httpapi.NewRouter(quiet, httpapi.Trust{TLS: tls})
		router.Get("/", func(http.ResponseWriter, *http.Request) {})
		router.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/", nil))
		require.Equal(t, tls, rec.Header().Get("Strict-Transport-Security") != "")
		require.Equal(t, "same-origin", rec.Header().Get("Cross-Origin-Opener-Policy"))
		require.Equal(t, "same-origin", rec.Header().Get("Cross-Origin-Resource-Policy"))
		require.Contains(t, rec.Header().Get("Content-Security-Policy"), "default-src 'none'")
	}
}
