package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/auth"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/account"
	"github.com/taskwire/taskwire/services/task-api/internal/erase"
)

// outsideAudience is whom the tokens of the outside issuer are for.
const outsideAudience = "tasks"

// neighbours are the other services behind a sidecar, which ask who is there as all of them do
// (pkg/auth), and do nothing else.
type neighbours struct {
	*httptest.Server

	mu       sync.Mutex
	guard    http.Handler
	shown    string // the Authorization of the last request
	admitted uuid.UUID
}

func newNeighbours(t *testing.T) *neighbours {
	t.Helper()
	n := &neighbours{}
	n.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.shown, n.admitted = r.Header.Get("Authorization"), uuid.Nil
		n.guard.ServeHTTP(w, r)
	}))
	t.Cleanup(n.Close)
	return n
}

// trust has them read the keys of task-api.
func (n *neighbours) trust(s *running) {
	settings := auth.Settings{Issuer: "taskwire", Audience: "taskwire", TaskAPIJWKSURL: s.base + "/.well-known/jwks.json"}
	verifier, err := auth.NewConsumerVerifier(s.t.Context(), settings, "", "", slog.New(slog.DiscardHandler))
	require.NoError(s.t, err)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.guard = verifier.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.admitted = auth.CallerOf(r.Context()).UserID
		_, _ = w.Write([]byte(`{}`)) // the client is the test itself
	}))
}

// last is what they were shown last, and whom they have admitted by it.
func (n *neighbours) last() (shown string, admitted uuid.UUID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	shown, admitted = n.shown, n.admitted
	n.shown, n.admitted = "", uuid.Nil
	return shown, admitted
}

// direct shows them something, past the front door.
func (n *neighbours) direct(s *running, header ...string) answer {
	there := *s
	there.base = n.URL
	return there.nobody().do(http.MethodGet, "/api/notifications", nil, header...)
}

// routesOf are routes of all services. For those of the others the front door is asked.
var routesOf = []struct{ service, method, path string }{
	{"task-api", http.MethodGet, "/api/tasks"},
	{"audit-log", http.MethodGet, "/api/audit"},
	{"recurring-task", http.MethodPost, "/api/recurrence/preview"},
	{"notification", http.MethodGet, "/api/notifications"},
}

// waysOf are the ways in which a credential is shown.
func waysOf(secret string) map[string][]string {
	return map[string][]string{
		"Bearer": {"Authorization", "Bearer " + secret},
		"cookie": {"Cookie", auth.Cookie + "=" + secret},
		"Basic":  {"Authorization", basicOf("ada@example.org", secret)},
	}
}

// holder is somebody with one credential of a kind.
type holder struct {
	client

	kind   string
	opened *account.Opened // his session, if he has one
	id     uuid.UUID       // of his API token
	secret string          // what he shows
}

// The kinds of credentials.
const (
	ofSession  = "session"
	ofLogin    = "token of a login"
	ofProgram  = "API token"
	ofStranger = "token of an outside issuer"
)

var kinds = []string{ofSession, ofLogin, ofProgram, ofStranger}

// holder makes a user whose address is verified, and a credential of his.
func (s *running) holder(kind string) *holder {
	s.t.Helper()
	h := &holder{client: client{running: s, user: uuid.Must(uuid.NewV7()), email: uuid.NewString() + "@example.org"}, kind: kind}
	if kind == ofStranger {
		h.sign(outsideAudience, time.Hour)
		return h
	}
	hash := passwordHash
	u := &account.User{ID: h.user, Email: h.email, Timezone: "UTC", PasswordHash: &hash, Verified: true}
	var err error
	h.opened, err = s.users.Create(s.t.Context(), access.Origin{IP: "127.0.0.1"}, u)
	require.NoError(s.t, err)
	h.sign("taskwire", time.Hour)
	switch kind {
	case ofSession:
		h.secret = h.opened.Secret
	case ofProgram:
		h.scoped(auth.Scopes)
	}
	return h
}

// sign has him show a token for an audience, which ends after so long; his session asks by it.
func (h *holder) sign(audience string, left time.Duration) {
	h.t.Helper()
	claims := jwt.MapClaims{"sub": h.user.String(), "email": h.email, "aud": audience, "iat": time.Now().Unix(), "exp": time.Now().Add(left).Unix()}
	token, key := jwt.NewWithClaims(jwt.SigningMethodHS256, claims), any([]byte(sharedSecret))
	if h.kind != ofStranger {
		own, _, err := h.keys.Sign(&account.User{ID: h.user, Email: h.email}, h.opened.ID, time.Now())
		require.NoError(h.t, err)
		token, key = jwt.NewWithClaims(jwt.SigningMethodEdDSA, claims), h.key
		claims["iss"], claims["sid"], token.Header["kid"] = "taskwire", h.opened.ID, kidOf(h.t, own)
	}
	signed, err := token.SignedString(key)
	require.NoError(h.t, err)
	h.secret, h.token = signed, signed
}

// scoped gives him an API token.
func (h *holder) scoped(scopes []auth.Scope) {
	h.t.Helper()
	made := h.apiToken(object{"name": "x", "scopes": scopes})
	h.id, h.secret = made.id, made.token
}

// states are what becomes of a credential: before it is shown for the first time, and after
// each replica has admitted it.
var states = []struct {
	name   string
	of     []string // kinds; nil for all
	before func(h *holder)
	after  func(h *holder)
	atOnce bool // where it was done; the other replicas are told
	at     string
	want   map[string]int // by kind; http.StatusUnauthorized where there is none
}{
	{name: "good", want: letIn},
	{name: "expired", before: func(h *holder) {
		switch h.kind {
		case ofSession:
			h.execute("UPDATE task.sessions SET expires_at = now() - interval '1 second' WHERE id = ?", h.opened.ID)
		case ofProgram:
			h.execute("UPDATE task.api_tokens SET expires_at = now() - interval '1 second' WHERE id = ?", h.id)
		default:
			h.sign(map[string]string{ofLogin: "taskwire", ofStranger: outsideAudience}[h.kind], -10*time.Second)
		}
	}},
	{name: "revoked", of: []string{ofSession, ofLogin, ofProgram}, atOnce: true, after: func(h *holder) {
		what := "/api/auth/sessions/" + h.opened.ID.String()
		if h.kind == ofProgram {
			what = "/api/auth/tokens/" + h.id.String()
		}
		require.Equal(h.t, http.StatusNoContent, h.do(http.MethodDelete, what, nil).status)
	}},
	{name: "of who is blocked", after: func(h *holder) {
		_, err := h.users.Block(h.t.Context(), h.user.String())
		require.NoError(h.t, err)
	}},
	{name: "of who has not verified his address", before: func(h *holder) { h.execute("UPDATE task.users SET verified = false WHERE id = ?", h.user) },
		want: map[string]int{ofStranger: http.StatusOK}}, // his issuer signs him in
	{name: "of who has verified it since", want: letIn, before: func(h *holder) {
		if h.kind != ofStranger {
			h.execute("UPDATE task.users SET verified = false WHERE id = ?", h.user)
			require.Equal(h.t, http.StatusUnauthorized, h.nobody().do(http.MethodGet, "/api/tasks", nil, "Authorization", "Bearer "+h.secret).status)
			h.verify(h.client)
		}
	}},
	{name: "of who is erased", after: func(h *holder) {
		h.execute("UPDATE task.users SET erase_at = now() - interval '1 minute' WHERE id = ?", h.user)
		eraser := &erase.Eraser{Changes: h.users.Changes, Log: slog.New(slog.DiscardHandler)}
		for begun := false; !begun; {
			_, err := eraser.Erase(h.t.Context())
			require.NoError(h.t, err)
			require.NoError(h.t, h.db.NewRaw("SELECT NOT EXISTS (SELECT FROM task.users WHERE id = ? AND erase_at IS NOT NULL)", h.user).Scan(h.t.Context(), &begun))
		}
	}},
	{name: "for another audience", of: []string{ofLogin, ofStranger}, before: func(h *holder) { h.sign("billing", time.Hour) }},
	{name: "for the other services, which task-api alone signs for", of: []string{ofStranger}, before: func(h *holder) { h.sign("taskwire/services", time.Hour) }},
	{name: "for other scopes", of: []string{ofProgram}, want: map[string]int{ofProgram: http.StatusForbidden}, before: func(h *holder) {
		h.scoped(allBut(auth.TasksRead, auth.AuditRead, auth.Notifications))
	}},
	{name: "where the key has been replaced", at: "another key", want: letIn},
	{name: "where the key of before is forgotten", at: "no other key", want: map[string]int{ofSession: http.StatusOK, ofProgram: http.StatusOK, ofStranger: http.StatusOK}},
}

// letIn is that all of them are.
var letIn = map[string]int{ofSession: http.StatusOK, ofLogin: http.StatusOK, ofProgram: http.StatusOK, ofStranger: http.StatusOK}

// Whatever is shown, in whatever state it is, however, at any of three replicas and to any
// service: the answer is the same. Where it ends, it ends at once. Another service is shown
// nothing but a token for the services, for a minute, and admits nothing else.
func TestEachCredentialInEachState(t *testing.T) {
	behind := newNeighbours(t)
	_, next, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	s := start(t, "DAPR_HTTP_PORT="+behind.URL[strings.LastIndexByte(behind.URL, ':')+1:], "JWT_ACCEPTED_KEYS="+publicPEM(t, next),
		"JWT_SECRET="+sharedSecret, "JWT_OUTSIDE_AUDIENCE="+outsideAudience, "MAIL_VERIFICATION=required")
	behind.trust(s)
	replicas := map[string][]*running{
		"":             {s, s.with(), s.with()},
		"another key":  {s.with("JWT_PRIVATE_KEY="+privatePEM(t, next), "JWT_ACCEPTED_KEYS="+publicPEM(t, s.key))},
		"no other key": {s.with("JWT_PRIVATE_KEY="+privatePEM(t, next), "JWT_ACCEPTED_KEYS=")},
	}
	require.Eventually(t, func() bool { // a replica that begins to listen forgets what it knows
		var listening int
		err := s.db.NewRaw("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN %' AND query LIKE ?", "%"+account.EndedChannel+"%").Scan(t.Context(), &listening)
		return err == nil && listening == 5
	}, patience, 10*time.Millisecond)

	for _, state := range states {
		for _, kind := range kinds {
			if state.of != nil && !slices.Contains(state.of, kind) {
				continue
			}
			t.Run(kind+" "+state.name, func(t *testing.T) {
				at := slices.Clone(replicas[state.at])
				for i := range at {
					of := *at[i]
					of.t, at[i] = t, &of
				}
				first := *s
				first.t = t
				h := first.holder(kind)
				if state.before != nil {
					state.before(h)
				}
				if state.after != nil {
					for _, r := range at {
						require.Equal(t, http.StatusOK, h.shows(r, 0, "Bearer").status, "before")
					}
					known := time.Now()
					state.after(h)
					for i, r := range at {
						refused := func() bool { return h.shows(r, 0, "Bearer").status != http.StatusOK }
						if i == 0 && state.atOnce {
							require.True(t, refused(), "where it ended")
						}
						require.Eventually(t, refused, patience, time.Millisecond)
					}
					require.Less(t, time.Since(known), 4*time.Second, "when it ends, and not when what is known is forgotten")
				}
				want := state.want[kind]
				if want == 0 {
					want = http.StatusUnauthorized
				}
				for i, r := range at {
					for route := range routesOf {
						for way := range waysOf("") {
							h.hold(behind, r, route, way, want, fmt.Sprintf("replica %d, %s, %s", i, routesOf[route].service, way))
						}
					}
				}
			})
		}
	}

	t.Run("what was handed on", func(t *testing.T) {
		first := *s
		first.t = t
		h := first.holder(ofSession)
		for name, c := range map[string]struct {
			ago  time.Duration
			want int
		}{"a moment ago": {0, http.StatusOK}, "for most of a minute": {50 * time.Second, http.StatusOK}, "for a minute": {time.Minute, http.StatusUnauthorized}} {
			token, err := h.keys.SignPassed(auth.Caller{UserID: h.user, Email: h.email}, time.Now().Add(-c.ago))
			require.NoError(t, err)
			require.Equal(t, c.want, behind.direct(&first, "Authorization", "Bearer "+token).status, name)
		}
	})
}

// shows makes a request by what he has.
func (h *holder) shows(r *running, route int, way string) answer {
	h.t.Helper()
	of := *r
	of.t = h.t
	return of.nobody().do(routesOf[route].method, routesOf[route].path, nil, waysOf(h.secret)[way]...)
}

// hold holds an answer against the contract, and what another service was shown.
func (h *holder) hold(behind *neighbours, r *running, route int, way string, want int, where string) {
	t := h.t
	t.Helper()
	if way == "Basic" && h.kind != ofProgram {
		want = http.StatusUnauthorized // it is for API tokens alone
	}
	behind.last()
	a := h.shows(r, route, way)
	require.Equal(t, want, a.status, "%s: %s", where, a.body)
	shown, admitted := behind.last()
	switch want {
	case http.StatusUnauthorized:
		require.Equal(t, "unauthenticated", a.problem().code(), where)
		require.Equal(t, way == "Basic", strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Basic "), where)
	case http.StatusForbidden:
		require.Equal(t, "scope-missing", a.problem().code(), where)
	}
	if want != http.StatusOK || route == 0 {
		require.Empty(t, shown, "%s: it is passed on", where)
	} else {
		require.Equal(t, h.user, admitted, where)
		require.NotContains(t, shown, h.secret, where)
		claims := claimsOf(t, strings.TrimPrefix(shown, "Bearer "))
		require.InDelta(t, 60, claims["exp"].(float64)-claims["iat"].(float64), 0, where)
		require.Equal(t, http.StatusUnauthorized, r.nobody().do(http.MethodGet, "/api/tasks", nil, "Authorization", shown).status, "%s: it opens nothing here", where)
	}
	if route == 0 {
		require.Equal(t, http.StatusUnauthorized, behind.direct(r, waysOf(h.secret)[way]...).status, "%s: shown to another service", where)
	}
}

func privatePEM(t *testing.T, key ed25519.PrivateKey) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func publicPEM(t *testing.T, key ed25519.PrivateKey) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}
