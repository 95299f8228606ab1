// Package frontdoor passes requests for the other services on to them, through
// the sidecar: task-api is the only service that the outside reaches.
package frontdoor

import (
	"errors"
	"fmt"

	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/httprate"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/auth"
	"github.com/taskwire/taskwire/pkg/httpapi"
	"github.com/taskwire/taskwire/pkg/membership"
	"github.com/taskwire/taskwire/pkg/outage"
	"github.com/taskwire/taskwire/services/task-api/internal/limit"
)

// Routes says which service answers which addresses, what the caller must be allowed
// before a request is passed on, and whether the service is sent which lists he is a
// member of. In a path {id} is a task. The history of one is not asked for where it is
// now: each entry belongs to the list that it happened in.
//
// An API token needs the scope of a route; without one no token may ask. A token that is
// restricted to lists may not where the service answers more than is in lists.
var Routes = []struct {
	Pattern string
	AppID   string
	may     permission
	lists   bool
	scope   auth.Scope
	more    bool // than is in lists
}{
	{"GET /api/audit", "audit-log", anyUser, true, auth.AuditRead, false},
	{"GET /api/tasks/{id}/history", "audit-log", anyUser, true, auth.AuditRead, false},
	{"GET /api/notifications", "notification", anyUser, false, auth.Notifications, true},
	{"POST /api/notifications/read-all", "notification", anyUser, false, auth.Notifications, true},
	{"PATCH /api/notifications/{notification}", "notification", anyUser, false, auth.Notifications, true},
	{"POST /api/notifications/{notification}/read", "notification", anyUser, false, auth.Notifications, true},
	{"POST /api/recurrence/preview", "recurring-task", anyUser, false, auth.TasksRead, false},
	{"GET /api/tasks/{id}/occurrences", "recurring-task", seesTask, true, auth.TasksRead, false},
}

// OpenRoutes are those for whoever has a link out of a mail: he is not signed in,
// and what he may do is in the link's own token.
var OpenRoutes = []struct {
	Pattern string
	AppID   string
}{
	{"GET /api/notifications/unsubscribe", "notification"},
	{"POST /api/notifications/unsubscribe", "notification"},
	{"GET /api/notifications/resubscribe", "notification"},
	{"POST /api/notifications/resubscribe", "notification"},
}

// openRate is how often a client may follow such links in a minute. Nobody
// guesses a token; this bounds the work. It is counted in each replica.
const openRate = 60

// openBody is how large the body of such a request may be: a form of two words.
const openBody = 4 << 10

// openPolicy is the Content-Security-Policy of their page: one form, to itself.
const openPolicy = "default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// unavailable tells apart the answers of a service that is not there, which may be as
// it should (scaled to zero), from failures of task-api: both are 5xx.
var unavailable = promauto.NewCounterVec(prometheus.CounterOpts{
	Name: "taskwire_front_door_unavailable_total", Help: "Requests that could not be passed on to a service, and were answered with 503.",
}, []string{"app"})

// Door passes requests on through a sidecar.
type Door struct {
	sidecar   *url.URL
	token     string
	sign      Sign
	transport http.RoundTripper
	db        *bun.DB
	failures  httpapi.Failures
	log       *slog.Logger
	away      map[string]*outage.Outage // by app
}

// Sign makes the token by which another service knows whose a request is.
type Sign func(caller auth.Caller, now time.Time) (token string, err error)

// New returns a Door to the sidecar at a URL, which asks for daprToken. In db it
// looks up whose a task is, and who a member of what.
func New(sidecar, daprToken string, sign Sign, db *bun.DB, log *slog.Logger) (*Door, error) {
	u, err := url.Parse(sidecar)
	if err != nil {
		return nil, fmt.Errorf("the address of the sidecar: %w", err)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 32
	transport.ResponseHeaderTimeout = 5 * time.Second
	return &Door{sidecar: u, token: daprToken, sign: sign, transport: transport, db: db, failures: httpapi.Failures{Log: log}, log: log, away: map[string]*outage.Outage{}}, nil
}

// Mount adds the routes, which the services guard themselves: each verifies
// the caller's token again. For each service, perService makes the middleware
// of its routes.
func (d *Door) Mount(r chi.Router, perService func() chi.Middlewares) {
	services := map[string]func(http.Handler) http.Handler{}
	for _, route := range Routes {
		within := services[route.AppID]
		if within == nil {
			within = perService().Handler
			services[route.AppID] = within
		}
		through := d.proxy(route.AppID)
		if route.lists {
			through = d.withLists(through)
		}
		through = d.authorize(route.may, d.withServiceToken(through))
		if route.more {
			through = refuseRestricted(through)
		}
		r.Handle(route.Pattern, requireScope(route.scope)(within(through)))
	}
}

// requireScope passes on requests of callers who have a scope. None is for no API token.
func requireScope(scope auth.Scope) func(http.Handler) http.Handler {
	if scope == "" {
		return auth.Require()
	}
	return auth.Require(scope)
}

// refuseRestricted passes requests on to next, but for those of who is restricted to some
// lists.
func refuseRestricted(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if auth.CallerOf(r.Context()).Restricted() {
			httpapi.NewProblem(httpapi.NotForTokens, "the API token is for some lists alone, and this is about all that is yours").Write(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// withServiceToken passes requests on to next with a token for the other services alone, and for a
// moment: whoever steals one there can not come in by it, and what the caller has shown
// here is shown to nobody else.
func (d *Door) withServiceToken(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, err := d.sign(auth.CallerOf(r.Context()), time.Now())
		if err != nil {
			d.failures.Write(w, r, err)
			return
		}
		r = r.Clone(r.Context())
		r.Header.Del("Cookie")
		r.Header.Set("Authorization", "Bearer "+token)
		next.ServeHTTP(w, r)
	})
}

// MountOpen adds the open routes. They are not behind SameOrigin: a mail client,
// and a page of it, sends the POST that stops mails (RFC 8058), without a cookie
// of ours; with one it could do no more.
func (d *Door) MountOpen(r chi.Router, proxies httpapi.Proxies) {
	r = r.With(httprate.LimitBy(openRate, time.Minute,
		func(r *http.Request) (string, error) { return limit.Network(proxies.ClientAddress(r)), nil },
		httprate.WithLimitHandler(func(w http.ResponseWriter, r *http.Request) {
			httpapi.TooMany("too many requests from this address; try again in a minute", time.Minute).Write(w, r)
		})), httpapi.Bodies(openBody))
	for _, route := range OpenRoutes {
		through := d.proxy(route.AppID)
		r.HandleFunc(route.Pattern, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Security-Policy", openPolicy)
			through.ServeHTTP(w, r)
		})
	}
}

var errNoRoute = errors.New("the sidecar let nothing through to the service")

// proxy passes requests on to an app, to the same path. Their bodies have been read
// (httpapi.Bodies): what is wrong with one is the client's doing, and must not look like
// a service that is away.
func (d *Door) proxy(appID string) http.Handler {
	unavailable.WithLabelValues(appID) // from zero: the first step is seen as one
	if d.away[appID] == nil {
		d.away[appID] = &outage.Outage{Log: d.log.With("app", appID), Gone: "a service could not be reached", Back: "a service is reached again"}
	}
	away := d.away[appID]
	p := &httputil.ReverseProxy{
		Transport: d.transport,
		Rewrite: func(pr *httputil.ProxyRequest) {
			pr.SetURL(d.sidecar)
			// What a client says in Dapr's own headers, and in that of the lists, would be
			// taken for ours.
			for name := range pr.Out.Header {
				if strings.HasPrefix(strings.ToLower(name), "dapr-") {
					pr.Out.Header.Del(name)
				}
			}
			pr.Out.Header.Del(membership.Header)
			if lists := membership.Of(pr.In.Context()); len(lists) > 0 {
				pr.Out.Header.Set(membership.Header, membership.Encode(lists))
			}
			pr.Out.Header.Set("dapr-app-id", appID)
			if d.token != "" {
				pr.Out.Header.Set("dapr-api-token", d.token)
			}
			pr.SetXForwarded()
		},
		ModifyResponse: func(res *http.Response) error {
			// The front door has set its own; two of each would contradict.
			res.Header.Del("X-Request-Id")
			for _, name := range httpapi.HeadersSet {
				res.Header.Del(name)
			}
			// What services answer themselves is a problem document, or a page.
			kind, _, _ := strings.Cut(res.Header.Get("Content-Type"), ";")
			if res.StatusCode < 400 || kind == "application/problem+json" || kind == "text/html" {
				away.Worked()
				return nil
			}
			// Not the service's word but the sidecar's: it can not reach the
			// service, or its access policy knows of no such route there.
			if res.StatusCode < 500 {
				return errNoRoute
			}
			return errors.New("the sidecar answered " + res.Status)
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			if errors.Is(err, errNoRoute) {
				httpapi.NothingHere().Write(w, r)
				return
			}
			if r.Context().Err() == nil { // else it is the client who has gone
				away.Failed(r.Context(), err)
			}
			unavailable.WithLabelValues(appID).Inc()
			httpapi.Unavailable("this part of the suite is not there at the moment; try again shortly").Write(w, r)
		},
		ErrorLog: slog.NewLogLogger(d.log.Handler(), slog.LevelDebug),
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !plain(r.URL.EscapedPath()) {
			httpapi.NothingHere().Write(w, r)
			return
		}
		p.ServeHTTP(w, r)
	})
}

// plain says whether a path is made of words alone. With dots or escapes in it
// (/api/notifications/%2e%2e/%2e%2e/events/reminders) a path that this router
// takes for one of ours becomes another on the way, and reaches, with the
// sidecar's token, what is not for users.
func plain(path string) bool {
	return strings.IndexFunc(path, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("/-_", c)
	}) < 0
}
