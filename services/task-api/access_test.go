package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/event"
)

// operations are all that need a user; ID stands for a task's id.
var operations = []struct{ method, path, body string }{
	{http.MethodGet, "/api/auth/me", ""},
	{http.MethodPatch, "/api/auth/me", `{"name":"Eve"}`},
	{http.MethodPost, "/api/tasks", `{"title":"x"}`},
	{http.MethodGet, "/api/tasks", ""},
	{http.MethodGet, "/api/tasks/ID", ""},
	{http.MethodPut, "/api/tasks/ID", `{"title":"x"}`},
	{http.MethodPatch, "/api/tasks/ID", `{"title":"x"}`},
	{http.MethodPatch, "/api/tasks/ID/complete", `{}`},
	{http.MethodDelete, "/api/tasks/ID", ""},
	{http.MethodGet, "/api/tasks/ID/comments", ""},
	{http.MethodPost, "/api/tasks/ID/comments", `{"text":"x"}`},
	{http.MethodPatch, "/api/comments/ID", `{"text":"x"}`},
	{http.MethodDelete, "/api/comments/ID", ""},
	{http.MethodGet, "/api/tasks/ID/history", ""},
	{http.MethodGet, "/api/tasks/ID/occurrences", ""},
	{http.MethodGet, "/api/audit", ""},
	{http.MethodGet, "/api/notifications", ""},
	{http.MethodPatch, "/api/notifications/ID", `{"read":true}`},
	{http.MethodPost, "/api/recurrence/preview", `{}`},
}

const sharedSecret = "a shared secret of 32 bytes or more"

func TestForgedTokensOpenNothing(t *testing.T) {
	t.Parallel()
	s := start(t, "JWT_SECRET="+sharedSecret)
	u := s.newUser()
	task := u.create(object{"title": "Mine"})
	public := s.key.Public().(ed25519.PublicKey)
	der, err := x509.MarshalPKIXPublicKey(public)
	require.NoError(t, err)
	_, otherKey, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	kid := kidOf(t, u.token)
	forge := func(method jwt.SigningMethod, key any, change func(*jwt.Token, jwt.MapClaims)) string {
		claims := jwt.MapClaims{}
		_, _, err := jwt.NewParser().ParseUnverified(u.token, claims)
		require.NoError(t, err)
		token := jwt.NewWithClaims(method, claims)
		token.Header["kid"] = kid
		if change != nil {
			change(token, claims)
		}
		signed, err := token.SignedString(key)
		require.NoError(t, err)
		return signed
	}
	claim := func(name string, value any) func(*jwt.Token, jwt.MapClaims) {
		return func(_ *jwt.Token, c jwt.MapClaims) {
			if c[name] = value; value == nil {
				delete(c, name)
			}
		}
	}
	ours := func(change func(*jwt.Token, jwt.MapClaims)) string {
		return forge(jwt.SigningMethodEdDSA, s.key, change)
	}
	good := client{running: s, token: ours(nil)}
	require.Equal(t, http.StatusOK, good.do(http.MethodGet, at(task.ID), nil).status, "the forge works")

	pemKey := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	jwk := `{"crv":"Ed25519","kty":"OKP","x":"` + base64.RawURLEncoding.EncodeToString(public) + `"}`
	for name, token := range map[string]string{
		"garbage":                        "garbage",
		"dots":                           "..",
		"40 kB":                          strings.Repeat("x", 40_000),
		"NUL and bytes that are no text": "a\x01\xff.b.c",
		"expired":                        ours(claim("exp", time.Now().Add(-time.Minute).Unix())),
		"without an end":                 ours(claim("exp", nil)),
		"an end that is a text":          ours(claim("exp", "never")),
		"not valid yet":                  ours(claim("nbf", time.Now().Add(time.Hour).Unix())),
		"another issuer":                 ours(claim("iss", "evil")),
		"another audience":               ours(claim("aud", []string{"other"})),
		"no audience":                    ours(claim("aud", nil)),
		"nobody's":                       ours(claim("sub", nil)),
		"a number for a user":            ours(claim("sub", 17)),
		"another key":                    forge(jwt.SigningMethodEdDSA, otherKey, nil),
		"another key, in the header":     forge(jwt.SigningMethodEdDSA, otherKey, func(t *jwt.Token, _ jwt.MapClaims) { t.Header["jwk"] = json.RawMessage(jwk) }),
		"an unknown key id":              ours(func(t *jwt.Token, _ jwt.MapClaims) { t.Header["kid"] = "../../etc/passwd" }),
		"no key id":                      ours(func(t *jwt.Token, _ jwt.MapClaims) { delete(t.Header, "kid") }),
		"a key id of another type":       ours(func(t *jwt.Token, _ jwt.MapClaims) { t.Header["kid"] = []int{1} }),
		"alg none":                       forge(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil),
		"alg NONE":                       forge(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, func(t *jwt.Token, _ jwt.MapClaims) { t.Header["alg"] = "NONE" }),
		"RS256":                          forge(jwt.SigningMethodRS256, rsaKey, nil),
		"HS256, the public key":          forge(jwt.SigningMethodHS256, []byte(public), nil),
		"HS256, the key's PEM":           forge(jwt.SigningMethodHS256, pemKey, nil),
		"HS256, the key's trimmed PEM":   forge(jwt.SigningMethodHS256, []byte(strings.TrimSpace(string(pemKey))), nil),
		"HS256, the key's DER":           forge(jwt.SigningMethodHS256, der, nil),
		"HS256, the key's x":             forge(jwt.SigningMethodHS256, []byte(base64.RawURLEncoding.EncodeToString(public)), nil),
		"HS256, the key's JWK":           forge(jwt.SigningMethodHS256, []byte(jwk), nil),
		"HS256, no key":                  forge(jwt.SigningMethodHS256, []byte{}, nil),
		"HS512 with the shared secret":   forge(jwt.SigningMethodHS512, []byte(sharedSecret), nil),
		"another shared secret":          forge(jwt.SigningMethodHS256, []byte(sharedSecret+"."), nil),
		"the secret's, expired":          forge(jwt.SigningMethodHS256, []byte(sharedSecret), claim("exp", 1)),
		"another's claims":               swap(t, u.token, uuid.NewString()),
		"no signature":                   u.token[:strings.LastIndex(u.token, ".")+1],
		"a cut signature":                u.token[:len(u.token)-2],
	} {
		t.Run(name, func(t *testing.T) {
			before := s.state()
			for _, o := range operations {
				path := strings.Replace(o.path, "ID", task.ID.String(), 1)
				for _, header := range [][]string{{"Authorization", "Bearer " + token}, {"Cookie", "auth_token=" + token}} {
					if strings.Contains(token, "\x01") || strings.Contains(token, "\xff") {
						continue // no client can send it in a header
					}
					a := s.nobody().do(o.method, path, o.body, header...)
					require.Equal(t, http.StatusUnauthorized, a.status, "%s %s by %s: %s", o.method, path, header[0], a.body)
					require.Equal(t, "application/problem+json", a.header.Get("Content-Type"))
					require.NotEmpty(t, a.header.Get("WWW-Authenticate"))
				}
			}
			require.Equal(t, before, s.state())
		})
	}
}

func kidOf(t *testing.T, token string) any {
	t.Helper()
	parsed, _, err := jwt.NewParser().ParseUnverified(token, jwt.MapClaims{})
	require.NoError(t, err)
	return parsed.Header["kid"]
}

// swap puts another user into a token and keeps its signature.
func swap(t *testing.T, token, user string) string {
	t.Helper()
	parts := strings.Split(token, ".")
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	require.NoError(t, err)
	var claims map[string]any
	require.NoError(t, json.Unmarshal(raw, &claims))
	claims["sub"] = user
	raw, err = json.Marshal(claims)
	require.NoError(t, err)
	return parts[0] + "." + base64.RawURLEncoding.EncodeToString(raw) + "." + parts[2]
}

// Whoever holds JWT_SECRET signs its users in, as in a set-up with a shared secret.
func TestUsersOfTheSharedSecret(t *testing.T) {
	t.Parallel()
	s := start(t, "JWT_SECRET="+sharedSecret)
	by := func(sub string) client {
		token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"sub": sub, "email": "out@example.org", "exp": time.Now().Add(time.Hour).Unix()}).SignedString([]byte(sharedSecret))
		require.NoError(t, err)
		return client{running: s, token: token}
	}
	id := uuid.New()
	task := by(id.String()).create(object{"title": "Theirs"})
	require.Equal(t, id, task.UserID)
	require.Equal(t, http.StatusNotFound, by(uuid.NewString()).do(http.MethodGet, at(task.ID), nil).status)
	require.Equal(t, by("auth0|1").create(object{"title": "a"}).UserID, by("auth0|1").create(object{"title": "b"}).UserID)
	for _, sub := range []string{"", strings.Repeat("s", 201), "a\x00b"} {
		require.Equal(t, http.StatusUnauthorized, by(sub).do(http.MethodGet, "/api/tasks", nil).status, "%q", sub)
	}
	require.Equal(t, http.StatusOK, by(id.String()).do(http.MethodPatch, "/api/auth/me", object{"timezone": "Asia/Tokyo"}).status)
	require.Equal(t, "Asia/Tokyo", by(id.String()).create(object{"title": "Zoned"}).Timezone)
}

// Another user's ids are ids of nothing, wherever they are sent, and what they
// name stays as it was.
func TestAnothersIDsAreIDsOfNothing(t *testing.T) {
	t.Parallel()
	s := start(t)
	owner, other := s.newUser(), s.newUser()
	theirs := owner.create(object{"title": "Theirs", "due_at": "2027-06-01T09:00:00Z", "recurrence": object{"rrule": "FREQ=DAILY"}, "reminders": []object{{"before_due": "PT1H"}}})
	mine := other.create(object{"title": "Mine", "due_at": "2027-06-01T09:00:00Z"})
	before := s.state()
	for _, o := range operations {
		if !strings.HasPrefix(o.path, "/api/tasks/ID") || strings.HasSuffix(o.path, "/history") || strings.HasSuffix(o.path, "/occurrences") {
			continue // the other services' routes are tested with them
		}
		for _, header := range [][]string{nil, {"If-Match", `"1"`}, {"If-Match", `"99"`}, {"If-None-Match", `"1"`}} {
			a := other.do(o.method, strings.Replace(o.path, "ID", theirs.ID.String(), 1), o.body, header...)
			b := other.do(o.method, strings.Replace(o.path, "ID", uuid.NewString(), 1), o.body, header...)
			require.Equal(t, http.StatusNotFound, a.status, "%s %s %v: %s", o.method, o.path, header, a.body)
			require.Equal(t, []any{b.status, b.problem().Detail, b.problem().Errors}, []any{a.status, a.problem().Detail, a.problem().Errors}, "as if it did not exist")
		}
	}
	for _, c := range []struct{ method, path, body, location string }{
		{http.MethodPost, "/api/tasks", `{"title":"x","parent_id":"` + theirs.ID.String() + `"}`, "body.parent_id"},
		{http.MethodPut, at(mine.ID), `{"title":"x","parent_id":"` + theirs.ID.String() + `"}`, "body.parent_id"},
		{http.MethodPatch, at(mine.ID), `{"parent_id":"` + theirs.ID.String() + `"}`, "body.parent_id"},
		{http.MethodPatch, at(mine.ID), `{"parent_id":"` + mine.ID.String() + `"}`, "body.parent_id"},
		{http.MethodPost, "/api/tasks", `{"title":"x","reminders":[{"id":"` + theirs.Reminders[0].ID.String() + `","at":"2027-01-01T00:00:00Z"}]}`, "body.reminders[0].id"},
		{http.MethodPatch, at(mine.ID), `{"reminders":[{"id":"` + theirs.Reminders[0].ID.String() + `","before_due":"PT1H"}]}`, "body.reminders[0].id"},
	} {
		a := other.do(c.method, c.path, c.body)
		require.Equal(t, http.StatusUnprocessableEntity, a.status, "%s", a.body)
		require.Equal(t, c.location, a.problem().Errors[0].Location)
	}
	require.JSONEq(t, `{"items":[],"next_cursor":null}`, string(other.do(http.MethodGet, "/api/tasks?q=Theirs", nil).body))
	for name, id := range map[string]uuid.UUID{"parent_id": theirs.ID, "series_id": *theirs.SeriesID, "assignee": owner.user} {
		for _, id := range []uuid.UUID{id, uuid.New()} {
			a := other.do(http.MethodGet, "/api/tasks?"+name+"="+id.String(), nil)
			require.Equal(t, http.StatusUnprocessableEntity, a.status, "%s", a.body)
			require.Equal(t, "query."+name, a.problem().Errors[0].Location)
		}
	}
	require.Equal(t, before, s.state())
	// Ids of the server's are not the client's to choose.
	put := other.task(http.StatusOK, http.MethodPut, at(mine.ID), object{"title": "x", "id": theirs.ID, "user_id": owner.user, "series_id": theirs.SeriesID, "version": 99})
	require.Equal(t, []any{mine.ID, other.user, (*uuid.UUID)(nil), int64(2)}, []any{put.ID, put.UserID, put.SeriesID, put.Version})
}

// openRoutes are all that nobody has to sign in for.
var openRoutes = []route{
	{http.MethodGet, "/healthz"},
	{http.MethodGet, "/readyz"},
	{http.MethodGet, "/.well-known/jwks.json"},
	{http.MethodGet, "/openapi.json"},
	{http.MethodGet, "/openapi-3.0.json"},
	{http.MethodGet, "/problems"},
	{http.MethodGet, "/problems/{code}"},
	{http.MethodGet, "/docs"},
	{http.MethodGet, "/asyncapi.json"},
	{http.MethodGet, "/schemas"},
	{http.MethodGet, "/schemas/envelope/v1"},
	{http.MethodGet, "/schemas/task-event/v1"},
	{http.MethodGet, "/schemas/reminder-event/v1"},
	{http.MethodGet, "/schemas/comment-event/v1"},
	{http.MethodGet, "/schemas/audit-event/v1"},
	{http.MethodGet, "/schemas/account-event/v1"},
	{http.MethodGet, "/schemas/account-mail-event/v1"},
	{http.MethodGet, "/"},
	{http.MethodGet, "/assets/{version}/{name}"},
	{http.MethodGet, "/sw.js"},
	{http.MethodGet, "/again.js"},
	{http.MethodGet, "/manifest.webmanifest"},
	{http.MethodGet, "/account/verify"},
	{http.MethodGet, "/account/reset"},
	{http.MethodGet, "/account/page.css"},
	{http.MethodGet, "/account/page.js"},
	{http.MethodGet, "/api/auth/oidc"},
	{http.MethodGet, "/api/auth/oidc/{provider}"},
	{http.MethodGet, "/api/auth/oidc/{provider}/callback"},
	{http.MethodPost, "/api/auth/passkeys/login/begin"},
	{http.MethodPost, "/api/auth/passkeys/login/finish"},
	{http.MethodPost, "/api/auth/forgot"},
	{http.MethodPost, "/api/auth/reset"},
	{http.MethodPost, "/api/auth/verify"},
	{http.MethodPost, "/api/auth/verify/resend"},
	{http.MethodPost, "/api/auth/register"},
	{http.MethodPost, "/api/auth/login"},
	{http.MethodPost, "/api/auth/logout"},
	// The links of mails, whose token says what they may.
	{http.MethodGet, "/api/notifications/unsubscribe"},
	{http.MethodPost, "/api/notifications/unsubscribe"},
	{http.MethodGet, "/api/notifications/resubscribe"},
	{http.MethodPost, "/api/notifications/resubscribe"},
}

// The Ingress leads every path here. A new route that lets everybody in fails
// this test, until it is one of openRoutes.
func TestEveryOtherRouteAsksWhoIsThere(t *testing.T) {
	t.Parallel()
	s := start(t, "LOG_LEVEL=debug")
	u := s.newUser()
	before := s.state()
	internal := 0
	for _, r := range s.routes {
		// The files of the page answer to GET, and to every other method with 405.
		if slices.Contains(openRoutes, r) || r.pattern == "/docs/*" {
			continue
		}
		path := regexp.MustCompile(`\{[^}]*\}|\*`).ReplaceAllString(r.pattern, uuid.NewString())
		want := http.StatusUnauthorized
		if !strings.HasPrefix(path, "/api/") {
			internal++
			want = http.StatusForbidden
			a := u.do(r.method, path, nil)
			require.Equal(t, want, a.status, "%s %s, a user: %s", r.method, path, a.body)
		}
		a := s.nobody().do(r.method, path, nil)
		require.Equal(t, want, a.status, "%s %s: %s", r.method, path, a.body)
		require.Equal(t, "application/problem+json", a.header.Get("Content-Type"))
		require.Equal(t, want, a.problem().Status)
	}
	for _, r := range openRoutes {
		require.Contains(t, s.routes, r, "it is gone")
	}
	require.Equal(t, 3, internal, "occurrences, reminders/check and account-mails")
	for _, path := range []string{"/internal", "/internal/", "/internal/other", "/events/task-events", "/dapr/subscribe", "/dapr/config", "/metrics", "/debug/pprof/"} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			a := u.do(method, path, nil)
			require.Equal(t, http.StatusNotFound, a.status, "%s %s: %s", method, path, a.body)
			require.Equal(t, http.StatusNotFound, a.problem().Status)
		}
	}
	require.Equal(t, before, s.state())
}

func TestInternalAddressesAreForTheSidecar(t *testing.T) {
	t.Parallel()
	s := start(t)
	u := s.newUser()
	task := u.create(object{"title": "t", "due_at": "2027-06-01T09:00:00Z", "recurrence": object{"rrule": "FREQ=DAILY"}})
	before := s.state()
	body := object{"after_task_id": task.ID, "occurrence": "2027-06-02T09:00:00", "due_at": "2027-06-02T09:00:00Z"}
	for name, header := range map[string][]string{
		"nothing":              nil,
		"an empty token":       {"dapr-api-token", ""},
		"a wrong token":        {"dapr-api-token", appToken + "x"},
		"the start of a token": {"dapr-api-token", appToken[:5]},
		"a forged caller":      {"Dapr-Caller-App-Id", "recurring-task", "Dapr-App-Id", "task-api"},
		"a bearer":             {"Authorization", "Bearer " + appToken},
	} {
		for _, path := range []string{"/internal/occurrences", "/internal/reminders/check", "/internal/account-mails", "/internal/../internal/occurrences", "//internal/occurrences", "/internal/occurrences/", "/INTERNAL/occurrences", "/%69nternal/occurrences"} {
			for _, c := range []client{u, s.nobody()} {
				a := c.do(http.MethodPost, path, body, header...)
				require.Contains(t, []int{http.StatusForbidden, http.StatusNotFound, http.StatusTemporaryRedirect, http.StatusMovedPermanently}, a.status, "%s with %s: %s", path, name, a.body)
			}
		}
	}
	// What a user says in Dapr's headers makes no difference on a user's route.
	a := s.nobody().do(http.MethodGet, at(task.ID), nil, "dapr-api-token", appToken, "dapr-caller-app-id", "recurring-task")
	require.Equal(t, http.StatusUnauthorized, a.status)
	require.Equal(t, before, s.state())
	u.do(http.MethodPatch, at(task.ID)+"/complete", nil)
	require.Equal(t, http.StatusCreated, s.nobody().do(http.MethodPost, "/internal/occurrences", body, "dapr-api-token", appToken).status)
}

// Of whatever a browser is answered: the page, the documents, and what is not there.
func TestEveryAnswerTellsABrowserHowToKeepToUs(t *testing.T) {
	for secure, s := range map[bool]*running{true: start(t, "COOKIE_SECURE=true"), false: start(t)} {
		for _, path := range []string{"/", "/docs", "/openapi.json", "/problems", "/readyz", "/api/tasks", "/api/notifications/unsubscribe?token=x", "/nothing-here"} {
			a := s.nobody().do(http.MethodGet, path, nil)
			require.Equal(t, secure, a.header.Get("Strict-Transport-Security") != "", path)
			require.Equal(t, "same-origin", a.header.Get("Cross-Origin-Opener-Policy"), path)
			require.Equal(t, "nosniff", a.header.Get("X-Content-Type-Options"), path)
			policy := a.header.Get("Content-Security-Policy")
			require.Contains(t, policy, "default-src 'none'", path)
			require.NotContains(t, policy, "unsafe", path)
		}
	}
}

func TestAPageOfAnotherOriginCanNotActByCookie(t *testing.T) {
	t.Parallel()
	s := start(t)
	u := s.newUser()
	task := u.create(object{"title": "t"})
	before := s.state()
	for _, o := range operations {
		if o.method == http.MethodGet {
			continue
		}
		for name, header := range map[string][]string{
			"another origin": {"Origin", "https://evil.example"},
			"no origin":      {"Origin", "null"},
			"cross-site":     {"Sec-Fetch-Site", "cross-site"},
			"same-site":      {"Sec-Fetch-Site", "same-site"},
		} {
			a := s.nobody().do(o.method, strings.Replace(o.path, "ID", task.ID.String(), 1), o.body, append(header, "Cookie", "auth_token="+u.token)...)
			require.Equal(t, http.StatusForbidden, a.status, "%s %s from %s: %s", o.method, o.path, name, a.body)
		}
	}
	// Without a cookie of ours: a form would take the cookie away, or sign a user in as its author.
	for _, path := range []string{"/api/auth/logout", "/api/auth/login", "/api/auth/register", "/api/auth/forgot", "/api/auth/reset", "/api/auth/verify", "/api/auth/passkeys/login/begin", "/api/auth/passkeys/login/finish"} {
		a := s.nobody().do(http.MethodPost, path, object{"email": u.email, "password": "correct horse battery"}, "Origin", "https://evil.example")
		require.Equal(t, http.StatusForbidden, a.status, "%s: %s", path, a.body)
		require.Empty(t, a.header.Get("Set-Cookie"))
	}
	require.Equal(t, before, s.state())
	for name, header := range map[string][]string{"its own page": {"Origin", s.base, "Sec-Fetch-Site", "same-origin"}, "no page": nil} {
		a := s.nobody().do(http.MethodPatch, at(task.ID), object{"title": name}, append(header, "Cookie", "auth_token="+u.token)...)
		require.Equal(t, http.StatusOK, a.status, "%s: %s", name, a.body)
	}
	var got event.Task
	require.NoError(t, json.Unmarshal(s.nobody().do(http.MethodGet, at(task.ID), nil, "Cookie", "auth_token="+u.token, "Origin", "https://evil.example").body, &got))
	require.Equal(t, task.ID, got.ID, "reading is for the browser to keep from the page")
}
