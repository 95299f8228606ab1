// Package httpapi is what the HTTP side of every service shares: the router
// with its middleware, the OpenAPI set-up, problem documents and cursors.
package httpapi

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/propagation"
)

// MaxBody is the largest request body that a service accepts, in bytes.
const MaxBody = 1 << 20

// NewRouter returns a router with the middleware that every service runs:
// trace, request id, access log, recovery, security headers and a deadline for
// each write. What matches no route is answered with a problem document.
func NewRouter(log *slog.Logger, trusted ...Trust) *chi.Mux {
	var trust Trust
	if len(trusted) > 0 {
		trust = trusted[0]
	}
	r := chi.NewRouter()
	r.Use(
		trust.outsideTrace,
		otelhttp.NewMiddleware("http", otelhttp.WithPropagators(propagation.TraceContext{}), otelhttp.WithFilter(noProbe)),
		trust.identify,
		accessLog(log),
		recoverPanic(log),
		trust.securityHeaders,
		writeDeadline(writeTime, &backlog{most: maxBacklog}),
		middleware.GetHead, // HEAD is GET without the body
		wellFormedQuery,
	)
	r.NotFound(func(w http.ResponseWriter, r *http.Request) {
		NothingHere().Write(w, r)
	})
	r.MethodNotAllowed(func(w http.ResponseWriter, req *http.Request) {
		for _, method := range methods {
			if r.Match(chi.NewRouteContext(), method, req.URL.Path) {
				w.Header().Add("Allow", method)
			}
		}
		NewProblem(NoSuchMethod, "this method is not possible here; the header Allow lists those that are").Write(w, req)
	})
	return r
}

// noProbe says whether a request is more than the question whether the service
// is well, which is asked every few seconds.
func noProbe(r *http.Request) bool { return r.URL.Path != "/healthz" && r.URL.Path != "/readyz" }

// methods are those that a service may answer to.
var methods = []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}

// known bounds what a client can write into a metric's label.
func known(method string) string {
	if slices.Contains(methods, method) || method == http.MethodOptions {
		return method
	}
	return "OTHER"
}

// Bounds on a query, for what reads it: huma looks for each parameter from the
// beginning, and at each place for the next "=". 60 KB of "q&q&q…" took 10 s.
const (
	maxQuery  = 16 << 10 // bytes
	maxParams = 100
)

// wellFormedQuery refuses a query that can not be parsed. net/http leaves out
// what it does not understand of one: a filter would silently not be applied.
func wellFormedQuery(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.RawQuery
		wrong := ""
		if len(query) > maxQuery {
			wrong = fmt.Sprintf("must not be longer than %d bytes", maxQuery)
		} else if strings.Count(query, "&") >= maxParams {
			wrong = fmt.Sprintf("must not have more than %d parameters", maxParams)
		} else if _, err := url.ParseQuery(query); err != nil {
			wrong = "must be percent-encoded name=value pairs, separated by &"
		}
		if wrong != "" {
			Invalid("query", wrong).Write(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}
