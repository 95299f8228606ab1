package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/taskapi"
)

// consumers stand where the sidecar is, and answer as the other services do.
type consumers struct {
	*httptest.Server
	mu     sync.Mutex
	asked  []consumerAsked
	hang   string // the service that does not answer
	closed chan struct{}
}

type consumerAsked struct {
	app, method, path, body string
	claims                  jwt.MapClaims
}

var handledUpTo = time.Date(2027, 3, 1, 8, 0, 0, 0, time.UTC)

func newConsumers(t *testing.T) *consumers {
	c := &consumers{closed: make(chan struct{})}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked := consumerAsked{app: r.Header.Get("dapr-app-id"), method: r.Method, path: r.URL.RequestURI(), claims: jwt.MapClaims{}}
		// Its signature is looked at where it is real (test/e2e).
		_, _, _ = jwt.NewParser().ParseUnverified(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), asked.claims)
		var body struct{ Reason string }
		_ = json.NewDecoder(r.Body).Decode(&body) // nothing, where there is none
		asked.body = body.Reason
		c.mu.Lock()
		c.asked = append(c.asked, asked)
		hangs := c.hang == asked.app
		c.mu.Unlock()
		if hangs {
			<-c.closed
			return
		}
		say := func(status int, kind, text string) {
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(status)
			_, _ = w.Write([]byte(text))
		}
		switch path := r.URL.Path; {
		case asked.app == "recurring-task":
			say(http.StatusForbidden, "application/json", `{"errorCode":"ERR_DIRECT_INVOKE","message":"access denied"}`) // of the sidecar
		case path == "/internal/operator":
			say(http.StatusOK, "application/json", `{"topics":[{"topic":"task-events","up_to":"`+handledUpTo.Format(time.RFC3339)+`"},{"topic":"reminders","up_to":null}],"dead_letters":2}`)
		case strings.HasSuffix(path, "/1/replay"):
			say(http.StatusOK, "application/json", `{"outcome":"failed","reason":"still"}`)
		case strings.HasSuffix(path, "/1/discard"):
			say(http.StatusOK, "application/json", `{"outcome":"discarded","reason":""}`)
		case path == "/internal/operator/dead-letters":
			say(http.StatusOK, "application/json", `{"items":[{"id":1,"topic":"task-events","type":"task.created","reason":"no","size":3,"received_at":"2027-03-01T08:00:00Z","replays":0}],"next_cursor":null}`)
		default:
			say(http.StatusNotFound, "application/problem+json", `{"type":"/problems/not-found","status":404}`)
		}
	}))
	t.Cleanup(func() {
		close(c.closed)
		c.Close()
	})
	return c
}

func (c *consumers) port() string { return c.URL[strings.LastIndexByte(c.URL, ':')+1:] }

// last are the requests that came since.
func (c *consumers) last() []consumerAsked {
	c.mu.Lock()
	defer c.mu.Unlock()
	asked := c.asked
	c.asked = nil
	return asked
}

func (c *consumers) hangs(app string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hang = app
}

// corner are the requests of the operator's corner, and what an operator is answered.
var corner = []struct {
	method, path string
	body         any
	status       int
}{
	{http.MethodGet, "/api/operator/state", nil, http.StatusOK},
	{http.MethodGet, "/api/operator/dead-letters/notification", nil, http.StatusOK},
	{http.MethodPost, "/api/operator/dead-letters/notification/1/replay", nil, http.StatusOK},
	{http.MethodPost, "/api/operator/dead-letters/notification/1/discard", object{"reason": "a test"}, http.StatusOK},
	// Not even what is wrong with a request is told to others.
	{http.MethodGet, "/api/operator/dead-letters/nobody", nil, http.StatusUnprocessableEntity},
	{http.MethodGet, "/api/operator/dead-letters/notification?limit=101", nil, http.StatusUnprocessableEntity},
	{http.MethodPost, "/api/operator/dead-letters/notification/0/replay", nil, http.StatusUnprocessableEntity},
	{http.MethodPost, "/api/operator/dead-letters/notification/1/discard", object{"reason": " "}, http.StatusUnprocessableEntity},
	{http.MethodPost, "/api/operator/dead-letters/notification/1/discard", object{"reason": strings.Repeat("x", 501)}, http.StatusUnprocessableEntity},
}

func (s *running) makeOperator(who ...string) {
	s.t.Helper()
	out, code := s.command(append([]string{"users", "operator"}, who...)...)
	require.Zero(s.t, code, out)
}

func TestTheOperatorsCorner(t *testing.T) {
	t.Parallel()
	away := newConsumers(t)
	s := start(t, "DAPR_HTTP_PORT="+away.port(), "JWT_SECRET="+sharedSecret)
	user, op := s.newUser(), s.newUser()
	in, _ := op.signIn(op.email, password)
	program := op.apiToken(object{"name": "x", "scopes": []string{"account:read"}})
	s.makeOperator(op.user.String())
	outside := client{running: s}
	var err error
	// Whoever holds the shared secret may say that he is the operator.
	outside.token, err = jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"sub": op.user.String(), "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(), "operator": true,
	}).SignedString([]byte(sharedSecret))
	require.NoError(t, err)

	for _, who := range []struct {
		name   string
		client client
		header []string
		status int // 0: that of an operator
		code   string
	}{
		{"nobody", s.nobody(), nil, http.StatusUnauthorized, "unauthenticated"},
		{"a user", user, nil, http.StatusNotFound, "no-such-address"},
		{"an operator, by an outside issuer's word", outside, nil, http.StatusNotFound, "no-such-address"},
		{"an operator's API token", program.client, nil, http.StatusForbidden, "not-for-tokens"},
		{"an operator, by a token of a sign-in", op, nil, 0, ""},
		{"an operator, by the cookie of a session", s.nobody(), []string{"Cookie", "auth_token=" + in.cookie}, 0, ""},
	} {
		t.Run(who.name, func(t *testing.T) {
			for _, c := range corner {
				away.last()
				a := who.client.do(c.method, c.path, c.body, who.header...)
				if who.status == 0 {
					require.Equal(t, c.status, a.status, "%s %s: %s", c.method, c.path, a.body)
					continue
				}
				requireProblem(t, who.status, who.code, a)
				require.Empty(t, away.last(), "nothing is asked of anybody")
			}
		})
	}
	me := func(c client) (is bool) {
		var body struct {
			IsOperator bool `json:"is_operator"`
		}
		require.NoError(t, json.Unmarshal(c.do(http.MethodGet, "/api/auth/me", nil).body, &body))
		return body.IsOperator
	}
	require.True(t, me(op))
	require.False(t, me(user))

	// At once, without waiting for anything.
	s.makeOperator(op.user.String(), "--revoke")
	for _, c := range corner {
		requireProblem(t, http.StatusNotFound, "no-such-address", op.do(c.method, c.path, c.body))
	}
	require.False(t, me(op))
	s.makeOperator(op.user.String())
	require.Equal(t, http.StatusOK, op.do(http.MethodGet, corner[0].path, nil).status)
	// Even where a replica has not heard yet that his sessions have ended.
	s.execute("UPDATE task.users SET blocked_at = now() WHERE id = ?", op.user)
	requireProblem(t, http.StatusNotFound, "no-such-address", op.do(http.MethodGet, corner[0].path, nil))
}

func TestWhatAnOperatorSees(t *testing.T) {
	t.Parallel()
	away := newConsumers(t)
	s := start(t, "DAPR_HTTP_PORT="+away.port())
	op := s.newUser()
	s.makeOperator(op.user.String())
	op.create(object{"title": "Told"})
	var state struct {
		Topics []struct {
			Topic             string
			Unpublished       int
			OldestUnpublished *time.Time `json:"oldest_unpublished_at"`
			NewestPublished   *time.Time `json:"newest_published_at"`
		}
		Consumers []struct {
			Service     string
			Available   bool
			DeadLetters int `json:"dead_letters"`
			Topics      []struct {
				Topic   string
				Handled *time.Time `json:"handled_up_to"`
				Behind  float64    `json:"behind_seconds"`
			}
		}
		Feed struct {
			WaitsSince *time.Time `json:"waits_since"`
		}
		Reconcile struct {
			Gaps   int
			Checks []struct {
				Check   string
				Missing int
			}
		}
	}
	look := func() {
		t.Helper()
		a := op.do(http.MethodGet, "/api/operator/state", nil)
		require.Equal(t, http.StatusOK, a.status, "%s", a.body)
		require.NoError(t, json.Unmarshal(a.body, &state))
	}
	look()
	require.Equal(t, event.TopicTasks, state.Topics[0].Topic)
	require.Equal(t, 1, state.Topics[0].Unpublished)
	require.WithinDuration(t, time.Now(), *state.Topics[0].OldestUnpublished, patience)
	require.Nil(t, state.Topics[0].NewestPublished)
	// A transaction in the database of another test holds the feed back, too.
	eventually(t, "nothing holds the feed back", func() bool { look(); return state.Feed.WaitsSince == nil })
	require.Empty(t, state.Reconcile.Checks)

	require.Len(t, state.Consumers, 3)
	names, shown := map[string]bool{}, map[string]int{}
	for _, c := range state.Consumers {
		names[c.Service], shown[c.Service] = c.Available, len(c.Topics)
	}
	require.Equal(t, map[string]bool{"audit-log": true, "recurring-task": false, "notification": true}, names, "one is not let through by the sidecar")
	require.Equal(t, map[string]int{"audit-log": 2, "recurring-task": 0, "notification": 2}, shown)
	require.Equal(t, 2, state.Consumers[0].DeadLetters)
	for _, asked := range away.last() {
		require.Equal(t, true, asked.claims["operator"], "%s is told that an operator asks", asked.app)
		require.Equal(t, op.user.String(), asked.claims["sub"])
	}
	op.do(http.MethodGet, "/api/notifications", nil)
	for _, asked := range away.last() {
		require.NotContains(t, asked.claims, "operator", "what he asks for himself is no operator's")
	}

	// How far behind is what is published and not handled.
	s.publish()
	s.execute("UPDATE task.events SET occurred_at = ? WHERE topic = ?", handledUpTo.Add(90*time.Second), event.TopicTasks)
	s.execute(`UPDATE task.reconciled SET gaps = 3, checks = '[{"check": "all is well", "missing": 3}]'`)
	look()
	require.Zero(t, state.Topics[0].Unpublished)
	require.True(t, handledUpTo.Add(90*time.Second).Equal(*state.Topics[0].NewestPublished))
	require.InDelta(t, 90, state.Consumers[0].Topics[0].Behind, 0.001)
	require.Nil(t, state.Consumers[0].Topics[1].Handled)
	require.Equal(t, 3, state.Reconcile.Gaps)
	require.Equal(t, "all is well", state.Reconcile.Checks[0].Check)

	// One that does not answer holds the others up for a bounded time.
	away.hangs("notification")
	began := time.Now()
	look()
	require.Less(t, time.Since(began), patience/2)
	for _, c := range state.Consumers {
		require.Equal(t, c.Service == "audit-log", c.Available, c.Service)
	}
	requireProblem(t, http.StatusServiceUnavailable, "unavailable", op.do(http.MethodGet, "/api/operator/dead-letters/notification", nil))
	requireProblem(t, http.StatusServiceUnavailable, "unavailable", op.do(http.MethodGet, "/api/operator/dead-letters/recurring-task", nil))
}

func TestWhatAnOperatorDoesIsAudited(t *testing.T) {
	t.Parallel()
	away := newConsumers(t)
	s := start(t, "DAPR_HTTP_PORT="+away.port())
	op := s.newUser()
	s.makeOperator(op.user.String())
	replay, discard := "/api/operator/dead-letters/notification/1/replay", "/api/operator/dead-letters/notification/1/discard"
	settled := func(a answer) (outcome string) {
		require.Equal(t, http.StatusOK, a.status, "%s", a.body)
		var body struct{ Outcome string }
		require.NoError(t, json.Unmarshal(a.body, &body))
		return body.Outcome
	}
	require.Equal(t, "failed", settled(op.do(http.MethodPost, replay, nil)))
	require.Equal(t, "discarded", settled(op.do(http.MethodPost, discard, object{"reason": "a test"})))
	asked := away.last()
	require.Equal(t, "/internal/operator/dead-letters/1/replay", asked[0].path)
	require.Equal(t, "a test", asked[1].body)
	for _, kind := range []string{event.UserReplayAsked, event.UserDiscardAsked} {
		told := op.audited(kind)
		require.Len(t, told, 1)
		require.Equal(t, "dead_letter/notification/1", told[0].Target)
		require.Equal(t, op.user, told[0].Actor.UserID)
		require.Equal(t, "127.0.0.1", told[0].IP)
	}
	requireProblem(t, http.StatusNotFound, "not-found", op.do(http.MethodPost, "/api/operator/dead-letters/audit-log/7/replay", nil))
	requireProblem(t, http.StatusServiceUnavailable, "unavailable", op.do(http.MethodPost, "/api/operator/dead-letters/recurring-task/1/replay", nil))
	require.Len(t, op.audited(event.UserReplayAsked), 3, "also what came to nothing")
	away.last()

	s.execute("UPDATE task.sessions SET created_at = created_at - interval '10 minutes' WHERE user_id = ?", op.user)
	// A session that was looked up a moment ago is known for a moment.
	require.Eventually(t, func() bool { return op.do(http.MethodPost, replay, nil).status == http.StatusForbidden }, patience, 100*time.Millisecond)
	away.last()
	for _, c := range []struct {
		path string
		body any
	}{{replay, nil}, {discard, object{"reason": "a test"}}} {
		requireProblem(t, http.StatusForbidden, "sign-in-again", op.do(http.MethodPost, c.path, c.body))
	}
	require.Empty(t, away.last())
	require.Len(t, op.audited(event.UserDiscardAsked), 1)
	require.Equal(t, http.StatusOK, op.do(http.MethodGet, "/api/operator/state", nil).status, "to look is no such matter")
}

func TestWhoIsAnOperator(t *testing.T) {
	t.Parallel()
	s := start(t)
	u := s.newUser()
	out, code := s.command("users", "operator", u.email)
	require.Equal(t, 1, code)
	require.Contains(t, out, "was not verified", "it may be anybody's")
	s.execute("UPDATE task.users SET verified = true WHERE id = ?", u.user)
	for range 2 { // again changes nothing
		out, code = s.command("users", "operator", strings.ToUpper(u.email))
		require.Zero(t, code, out)
		require.Contains(t, out, "an operator: "+u.user.String())
	}
	out, _ = s.command("users", "list", "--email", u.email)
	require.Contains(t, out, "active, operator")
	require.Len(t, u.audited(event.UserOperatorGranted), 1)
	m := s.mail(u.email)
	require.Equal(t, taskapi.NoticeOperatorGranted, m.Notice)

	for range 2 {
		out, code = s.command("users", "operator", u.email, "--revoke")
		require.Zero(t, code, out)
	}
	require.Len(t, u.audited(event.UserOperatorRevoked), 1)
	require.Equal(t, taskapi.NoticeOperatorRevoked, s.mail(u.email).Notice)
	out, _ = s.command("users", "list", "--email", u.email)
	require.NotContains(t, out, "operator")

	other := uuid.New()
	s.execute("INSERT INTO task.users (id, email, verified, timezone, created_at, updated_at) VALUES (?, 'out@example.org', true, 'UTC', now(), now())", other)
	out, code = s.command("users", "operator", other.String())
	require.Equal(t, 1, code)
	require.Contains(t, out, "operators sign in here")
}
