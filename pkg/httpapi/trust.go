package httpapi

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Trust says who may choose a request's id and have its trace sampled, and
// whether the outside comes by TLS. The zero value trusts nobody.
type Trust struct {
	Proxies      Proxies // in front of the service
	SidecarToken string  // what the own sidecar sends as dapr-api-token
	TLS          bool    // browsers are told to come by TLS alone
}

// insider reports whether a request comes from the own sidecar or a proxy in front.
func (t Trust) insider(r *http.Request) bool {
	if IsSidecar(r, t.SidecarToken) {
		return true
	}
	peer, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return false
	}
	addr, err := netip.ParseAddr(peer)
	return err == nil && t.Proxies.include(addr.Unmap())
}

// IsSidecar reports whether a request carries the token that the own sidecar was
// started with. Hashes are compared, so that the time taken says nothing of the
// length either.
func IsSidecar(r *http.Request, token string) bool {
	got, want := sha256.Sum256([]byte(r.Header.Get("dapr-api-token"))), sha256.Sum256([]byte(token))
	return token != "" && subtle.ConstantTimeCompare(got[:], want[:]) == 1
}

// outsideTrace lets a client continue its trace, since a change's event and its
// consumers go on with it, but not have it sampled: that is decided as for a
// request without one. What it says to vendors, in tracestate, and in baggage
// goes no further.
func (t Trust) outsideTrace(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !IsSidecar(r, t.SidecarToken) {
			r.Header.Del("Tracestate")
			r.Header.Del("Baggage")
			if asked := r.Header.Get("Traceparent"); asked != "" {
				ctx := propagation.TraceContext{}.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
				r.Header.Del("Traceparent")
				if remote := trace.SpanContextFromContext(ctx); remote.IsValid() {
					ctx = trace.ContextWithSpanContext(ctx, remote.WithTraceFlags(trace.TraceFlags(0).WithSampled(remote.IsSampled() && sampleAnother(ctx))))
					propagation.TraceContext{}.Inject(ctx, propagation.HeaderCarrier(r.Header))
				}
			}
		}
		next.ServeHTTP(w, r)
	})
}

// sampleAnother asks the sampler, which OTEL_TRACES_SAMPLER chooses, for a trace
// with an id of ours: by ratio, it goes by the id. The span is never ended, and
// so never exported.
func sampleAnother(ctx context.Context) bool {
	_, span := otel.Tracer("github.com/taskwire/taskwire/pkg/httpapi").Start(ctx, "sampled", trace.WithNewRoot())
	return span.SpanContext().IsSampled()
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
