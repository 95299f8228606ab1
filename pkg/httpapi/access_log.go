package httpapi

import (
	"errors"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
	"go.opentelemetry.io/otel/trace"
)

var requestSeconds = promauto.NewHistogramVec(prometheus.HistogramOpts{
	Name:    "taskwire_http_request_seconds",
	Help:    "Time from a request's first byte to its answer, by route and status class; without probes.",
	Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
}, []string{"method", "route", "status"})

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
	if !noProbe(r) || status < 400 && (r.Method == http.MethodGet || between(route)) {
		level = slog.LevelDebug
	}
	log.LogAttrs(r.Context(), level, "request",
		slog.String("method", r.Method), slog.String("route", route), slog.Int("status", status), slog.Duration("took", took))
}

// between says whether a route is for sidecars: deliveries of events, and what services
// ask of each other for them.
func between(route string) bool {
	return strings.HasPrefix(route, "/events/") || strings.HasPrefix(route, "/internal/")
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
				NewProblem(Internal, "").Write(w, r)
			}()
			next.ServeHTTP(w, r)
		})
	}
}
