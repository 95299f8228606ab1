package provider

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/coreos/go-oidc/v3/oidc/oidctest"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/services/task-api/internal/account"
	"github.com/taskwire/taskwire/services/task-api/internal/refuse"
)

type object = map[string]any

// odd is a provider that answers as a test wants it, which a real one does not.
type odd struct {
	*httptest.Server

	discovery object
	token     func() (status int, answer any)
	keys      func(w http.ResponseWriter)
	userinfo  any
	asked     map[string]int
}

func newOdd(t *testing.T, key *ecdsa.PrivateKey) *odd {
	t.Helper()
	o := &odd{asked: map[string]int{}}
	published := &oidctest.Server{PublicKeys: []oidctest.PublicKey{{PublicKey: key.Public(), KeyID: "key", Algorithm: oidc.ES256}}}
	o.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := func(status int, body any) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_ = json.NewEncoder(w).Encode(body) // the client is the test itself
		}
		o.asked[r.URL.Path]++
		switch r.URL.Path {
		case "/.well-known/openid-configuration":
			answer(http.StatusOK, o.discovery)
		case "/token":
			answer(o.token())
		case "/keys":
			if o.keys != nil {
				o.keys(w)
				return
			}
			published.ServeHTTP(w, r)
		case "/userinfo":
			answer(http.StatusOK, o.userinfo)
		case "/moved":
			answer(http.StatusOK, object{"access_token": "a"})
		}
	}))
	t.Cleanup(o.Close)
	published.SetIssuer(o.URL)
	o.discovery = object{
		"issuer": o.URL, "authorization_endpoint": o.URL + "/authorize", "token_endpoint": o.URL + "/token", "jwks_uri": o.URL + "/keys",
		"userinfo_endpoint": o.URL + "/userinfo", "id_token_signing_alg_values_supported": []string{"ES256", "HS256", "none"},
	}
	return o
}

// visit signs in there, whose token says what the claims say beside what is right.
func (o *odd) visit(t *testing.T, log *slog.Logger, sign func(claims string) string, claims object) (account.Claimed, error) {
	t.Helper()
	p, err := New([]Config{{ID: "odd", Issuer: o.URL, ClientID: "taskwire", ClientSecret: "s", Scopes: []string{"openid"}}}, "https://tasks.example.org/", log).ByID("odd")
	require.NoError(t, err)
	address, request, err := p.Start(t.Context())
	if err != nil {
		return account.Claimed{}, err
	}
	at, err := url.Parse(address)
	require.NoError(t, err)
	require.Equal(t, "https://tasks.example.org/odd/callback", at.Query().Get("redirect_uri"))
	require.Equal(t, []string{"S256", "600"}, []string{at.Query().Get("code_challenge_method"), at.Query().Get("max_age")})
	now := time.Now()
	said := object{
		"iss": o.URL, "aud": "taskwire", "sub": "ada", "exp": now.Add(time.Hour).Unix(), "iat": now.Unix(), "nonce": request.Nonce,
		"email": "ada@example.org", "email_verified": true, "name": "Ada",
	}
	maps.Copy(said, claims)
	raw, err := json.Marshal(said)
	require.NoError(t, err)
	if o.token == nil {
		o.token = func() (int, any) {
			return http.StatusOK, object{"access_token": "a", "token_type": "Bearer", "id_token": sign(string(raw))}
		}
	}
	return p.Finish(t.Context(), request, Back{Code: "c", State: request.State})
}

func TestATokenIsTakenAsItIsMeant(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	another, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	right := func(claims string) string { return oidctest.SignIDToken(key, "key", oidc.ES256, claims) }
	past := time.Now().Add(-time.Hour).Unix()
	for name, c := range map[string]struct {
		claims object
		sign   func(string) string
		code   refuse.Code // "" where it is taken
		odd    func(*odd)
		says   account.Claimed
	}{
		"as it should be":           {says: account.Claimed{Subject: "ada", Email: "ada@example.org", EmailVerified: true, Name: "Ada"}},
		"verified in words":         {claims: object{"email_verified": "true"}, says: account.Claimed{Subject: "ada", Email: "ada@example.org", EmailVerified: true, Name: "Ada"}},
		"not verified in words":     {claims: object{"email_verified": "false"}, says: account.Claimed{Subject: "ada", Email: "ada@example.org", Name: "Ada"}},
		"verified by a number":      {claims: object{"email_verified": 1}, says: account.Claimed{Subject: "ada", Email: "ada@example.org", Name: "Ada"}},
		"silent about verification": {claims: object{"email_verified": nil}, says: account.Claimed{Subject: "ada", Email: "ada@example.org", Name: "Ada"}},
		"for us among others":       {claims: object{"aud": []string{"taskwire", "other"}, "azp": "taskwire"}, says: account.Claimed{Subject: "ada", Email: "ada@example.org", EmailVerified: true, Name: "Ada"}},
		"of another issuer":         {claims: object{"iss": "https://other.example"}, code: refuse.ProviderRefused},
		"for another client":        {claims: object{"aud": "other"}, code: refuse.ProviderRefused},
		"for others, by another":    {claims: object{"aud": []string{"taskwire", "other"}, "azp": "other"}, code: refuse.ProviderRefused},
		"for others, nobody knows":  {claims: object{"aud": []string{"taskwire", "other"}}, code: refuse.ProviderRefused},
		"expired":                   {claims: object{"exp": past}, code: refuse.ProviderRefused},
		"of another sign-in":        {claims: object{"nonce": "other"}, code: refuse.ProviderRefused},
		"of no sign-in":             {claims: object{"nonce": nil}, code: refuse.ProviderRefused},
		"of an old sign-in there":   {claims: object{"auth_time": past}, code: refuse.ProviderRefused},
		"of a sign-in a minute ago": {claims: object{"auth_time": time.Now().Add(-time.Minute).Unix()}, says: account.Claimed{Subject: "ada", Email: "ada@example.org", EmailVerified: true, Name: "Ada"}},
		"signed by another":         {sign: func(claims string) string { return oidctest.SignIDToken(another, "key", oidc.ES256, claims) }, code: refuse.ProviderRefused},
		"signed by nobody":          {sign: func(string) string { return "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZGEifQ." }, code: refuse.ProviderRefused},
		"no token":                  {sign: func(string) string { return "" }, code: refuse.ProviderRefused},
		"what is no text":           {claims: object{"email": 1}, code: refuse.ProviderRefused},
		"by an address in user info": {
			claims: object{"email": nil}, odd: func(o *odd) {
				o.userinfo = object{"sub": "ada", "email": "ada@example.com", "email_verified": true, "name": "A"}
			},
			says: account.Claimed{Subject: "ada", Email: "ada@example.com", EmailVerified: true, Name: "A"},
		},
		"by user info of another":                   {claims: object{"email": nil}, odd: func(o *odd) { o.userinfo = object{"sub": "eve", "email": "ada@example.com"} }, code: refuse.ProviderRefused},
		"by user info of none":                      {claims: object{"email": nil}, odd: func(o *odd) { o.userinfo = "secret-of-ada" }, code: refuse.Busy},
		"of who calls itself otherwise":             {odd: func(o *odd) { o.discovery["issuer"] = "https://other.example" }, code: refuse.Busy},
		"that is signed with a shared secret alone": {odd: func(o *odd) { o.discovery["id_token_signing_alg_values_supported"] = []string{"HS256"} }, code: refuse.ProviderRefused},
		"without keys":                              {odd: func(o *odd) { o.keys = func(w http.ResponseWriter) { w.WriteHeader(http.StatusBadGateway) } }, code: refuse.Busy},
		"with more keys than one reads": {odd: func(o *odd) {
			o.keys = func(w http.ResponseWriter) { _, _ = w.Write(bytes.Repeat([]byte(" "), longestAnswer+1)) }
		}, code: refuse.Busy},
		"a code that it does not take": {odd: func(o *odd) {
			o.token = func() (int, any) { return http.StatusBadRequest, object{"error": "invalid_grant"} }
		}, code: refuse.ProviderRefused},
		"a client that it does not know": {odd: func(o *odd) {
			o.token = func() (int, any) {
				return http.StatusUnauthorized, object{"error": "invalid_client", "error_description": "secret-of-ada"}
			}
		}, code: refuse.Busy},
		"a failure": {odd: func(o *odd) {
			o.token = func() (int, any) { return http.StatusInternalServerError, "secret-of-ada" }
		}, code: refuse.Busy},
		"that names no issuer, though it does": {odd: func(o *odd) { o.discovery["authorization_response_iss_parameter_supported"] = true }, code: refuse.ProviderRefused},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOdd(t, key)
			if c.odd != nil {
				c.odd(o)
			}
			if c.sign == nil {
				c.sign = right
			}
			var logged strings.Builder
			claimed, err := o.visit(t, slog.New(slog.NewTextHandler(&logged, nil)), c.sign, c.claims)
			require.NotContains(t, logged.String(), "secret-of-ada")
			if c.code != "" {
				var no *refuse.Error
				require.ErrorAs(t, err, &no)
				require.Equal(t, c.code, no.Code, "%v", logged.String())
				require.NotEmpty(t, logged.String())
				return
			}
			require.NoError(t, err)
			c.says.Issuer = o.URL
			require.Equal(t, c.says, claimed)
			require.Empty(t, logged.String())
		})
	}
}

// The client's secret goes to the provider that was set up alone, and a provider that was
// away is asked again.
func TestAProviderIsAskedWhereItIs(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	o := newOdd(t, key)
	moved := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			http.Redirect(w, r, o.URL+"/moved", http.StatusTemporaryRedirect)
			return
		}
		o.Config.Handler.ServeHTTP(w, r)
	}))
	t.Cleanup(moved.Close)
	o.discovery["token_endpoint"] = moved.URL
	_, err = o.visit(t, slog.New(slog.DiscardHandler), func(string) string { return "" }, nil)
	require.ErrorIs(t, err, errAway)
	require.Zero(t, o.asked["/moved"])

	p, err := New([]Config{{ID: "odd", Issuer: o.URL, ClientID: "taskwire"}}, "https://tasks.example.org/", slog.New(slog.DiscardHandler)).ByID("odd")
	require.NoError(t, err)
	was := o.discovery
	o.discovery = object{"issuer": "nobody"}
	before := o.asked["/.well-known/openid-configuration"]
	for range 3 {
		_, _, err = p.Start(t.Context())
		require.ErrorIs(t, err, errAway)
	}
	require.Equal(t, before+1, o.asked["/.well-known/openid-configuration"], "not at each request")
	o.discovery = was
	require.Eventually(t, func() bool { _, _, err := p.Start(t.Context()); return err == nil }, 10*time.Second, 10*time.Millisecond)
	for range 3 {
		_, _, err = p.Start(t.Context())
		require.NoError(t, err)
	}
	require.Equal(t, before+2, o.asked["/.well-known/openid-configuration"], fmt.Sprint(o.asked))
}
