// Package httpapi is what the HTTP side of every service shares: the router
// with its middleware, the OpenAPI set-up, problem documents and cursors.
package httpapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
	"go.opentelemetry.io/otel/trace"
)

// MaxBody is the largest request body that a service accepts, in bytes.
const MaxBody = 1 << 20

var requestSeconds = promauto.NewHistogramVec(prometheus.HistogramOpts{
	Name:    "taskwire_http_request_seconds",
	Help:    "Time from a request's first byte to its answer, by route and status class; without probes.",
	Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
}, []string{"method", "route", "status"})

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
		WriteProblem(w, r, http.StatusNotFound, "there is nothing at this address; /openapi.json lists what is")
	})
	r.MethodNotAllowed(func(w http.ResponseWriter, req *http.Request) {
		for _, method := range methods {
			if r.Match(chi.NewRouteContext(), method, req.URL.Path) {
				w.Header().Add("Allow", method)
			}
		}
		WriteProblem(w, req, http.StatusMethodNotAllowed, "this method is not possible here; the header Allow lists those that are")
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

type requestIDKey struct{}

// RequestID is the id of the request that ctx belongs to, or "".
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// identify gives the request its id: the X-Request-Id of an insider when it is
// harmless in a log and a header, else a new one. It is in the audit trail, so
// others do not choose it.
func (t Trust) identify(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get("X-Request-Id")
		if !t.insider(r) || !harmless(id) {
			id = uuid.Must(uuid.NewV7()).String()
		}
		r.Header.Set("X-Request-Id", id) // the front door passes it on
		w.Header().Set("X-Request-Id", id)
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), requestIDKey{}, id)))
	})
}

func harmless(id string) bool {
	if len(id) == 0 || len(id) > 64 {
		return false
	}
	for _, c := range []byte(id) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return true
}

func accessLog(log *slog.Logger) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			start := time.Now()
			rec := &statusRecorder{ResponseWriter: w}
			whole := false
			// Deferred for the answer that is broken off (http.ErrAbortHandler): its
			// status went out before that was known.
			defer func() {
				switch {
				case whole:
				case r.Context().Err() != nil:
					rec.code = statusGone
				default:
					rec.code = http.StatusBadGateway
				}
				logRequest(log, r, rec.status(), time.Since(start))
			}()
			next.ServeHTTP(rec, r)
			whole = true
		})
	}
}

// logRequest counts a request, and logs it.
func logRequest(log *slog.Logger, r *http.Request, status int, took time.Duration) {
	// The pattern, never the path: a path may hold what a user typed.
	route := "unmatched"
	if c := chi.RouteContext(r.Context()); c != nil && c.RoutePattern() != "" {
		route = c.RoutePattern()
	}
	span := trace.SpanFromContext(r.Context())
	span.SetName(known(r.Method) + " " + route)
	span.SetAttributes(semconv.HTTPRoute(route))
	level := slog.LevelInfo
	if noProbe(r) {
		// Probes come more often than requests, and would hide that those fail.
		requestSeconds.WithLabelValues(known(r.Method), route, strconv.Itoa(status/100)+"xx").Observe(took.Seconds())
	}
	if !noProbe(r) || r.Method == http.MethodGet && status < 400 {
		level = slog.LevelDebug
	}
	log.LogAttrs(r.Context(), level, "request",
		slog.String("method", r.Method), slog.String("route", route), slog.Int("status", status), slog.Duration("took", took))
}

// statusRecorder remembers the status that a handler answered with.
type statusRecorder struct {
	http.ResponseWriter
	code int
}

func (s *statusRecorder) WriteHeader(code int) {
	if s.code == 0 {
		s.code = code
	}
	s.ResponseWriter.WriteHeader(code)
}

func (s *statusRecorder) status() int {
	if s.code == 0 {
		return http.StatusOK
	}
	return s.code
}

// Unwrap lets http.ResponseController reach the connection.
func (s *statusRecorder) Unwrap() http.ResponseWriter { return s.ResponseWriter }

func recoverPanic(log *slog.Logger) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer func() {
				cause := recover()
				if cause == nil {
					return
				}
				if err, ok := cause.(error); ok && errors.Is(err, http.ErrAbortHandler) {
					// net/http's own way to drop a connection; a reverse proxy uses it.
					panic(cause)
				}
				log.ErrorContext(r.Context(), "a handler panicked", "cause", cause, "stack", string(debug.Stack()))
				WriteProblem(w, r, http.StatusInternalServerError, "")
			}()
			next.ServeHTTP(w, r)
		})
	}
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
			WriteProblem(w, r, http.StatusUnprocessableEntity, "validation failed", FieldError{"query", wrong})
			return
		}
		next.ServeHTTP(w, r)
	})
}

// policy is the Content-Security-Policy of what is no page; a page sets its own.
const policy = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// HeadersSet are those that securityHeaders sets on every answer.
var HeadersSet = []string{
	"X-Content-Type-Options", "X-Frame-Options", "Referrer-Policy", "Cache-Control", "Content-Security-Policy",
	"Cross-Origin-Opener-Policy", "Cross-Origin-Resource-Policy", "Strict-Transport-Security",
}

func (t Trust) securityHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", policy)
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		if t.TLS {
			// For this host alone: what else its domain serves is not ours to decide.
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		next.ServeHTTP(w, r)
	})
}
