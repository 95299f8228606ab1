package web

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/test/suite"
)

// company is the OpenID provider of these tests. Unlike that of test/provider, which the tests
// of task-api have, it takes any address to send browsers back to: those of a suite are not
// known before it runs, and the suite asks for the provider's.
var company = &openID{server: httptest.NewUnstartedServer(nil)}

type openID struct {
	server *httptest.Server
	key    *rsa.PrivateKey
	// known is the address, and the subject, of whoever comes; nobody is signed in without.
	known atomic.Value
}

// start serves it, and returns OIDC_PROVIDERS with it.
func (o *openID) start() (string, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return "", fmt.Errorf("make the provider's key: %w", err)
	}
	o.key = key
	o.known.Store("")
	routes := http.NewServeMux()
	routes.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		at := o.server.URL
		answer(w, object{"issuer": at, "authorization_endpoint": at + "/authorize", "token_endpoint": at + "/token", "jwks_uri": at + "/keys", "id_token_signing_alg_values_supported": []string{"RS256"}})
	})
	routes.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		number := func(n *big.Int) string { return base64.RawURLEncoding.EncodeToString(n.Bytes()) }
		answer(w, object{"keys": []object{{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "1", "n": number(key.N), "e": number(big.NewInt(int64(key.E)))}}})
	})
	routes.HandleFunc("GET /authorize", o.authorize)
	routes.HandleFunc("POST /token", o.token)
	o.server.Config.Handler = routes
	o.server.Start()
	return fmt.Sprintf(`OIDC_PROVIDERS=[{"id": "company", "name": "Company", "issuer": %q, "client_id": "taskwire"}]`, o.server.URL), nil
}

func answer(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body) // to who is still there
}

// authorize sends the browser back at once. What is needed for the token is in the code.
func (o *openID) authorize(w http.ResponseWriter, r *http.Request) {
	asked := r.URL.Query()
	back, err := url.Parse(asked.Get("redirect_uri"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	answered := url.Values{"state": {asked.Get("state")}}
	if who := o.known.Load().(string); who == "" {
		answered.Set("error", "access_denied")
	} else {
		answered.Set("code", asked.Get("nonce")+" "+who)
	}
	back.RawQuery = answered.Encode()
	http.Redirect(w, r, back.String(), http.StatusFound) //nolint:gosec // to the suite, the only one that asks
}

func (o *openID) token(w http.ResponseWriter, r *http.Request) {
	nonce, who, _ := strings.Cut(r.FormValue("code"), " ")
	now := time.Now()
	token := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{
		"iss": o.server.URL, "sub": who, "aud": "taskwire", "nonce": nonce, "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(), "auth_time": now.Unix(),
		"email": who, "email_verified": true,
	})
	token.Header["kid"] = "1"
	signed, err := token.SignedString(o.key)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	answer(w, object{"access_token": "none", "token_type": "Bearer", "id_token": signed})
}

// Somebody links a provider to the account, signs in by it, also again, and unlinks it.
func TestAProviderSignsIn(t *testing.T) {
	c := newUser(t)
	company.known.Store(c.Email)
	t.Cleanup(func() { company.known.Store("") })
	b := settingsOf(t, c)
	b.agree()
	unlink := "Unlink: " + c.Email + ", " + strings.TrimPrefix(company.server.URL, "http://")
	b.click("button", "Link Company")
	b.see("button", unlink)
	b.see("heading", "Settings")

	b.click("button", "Sign out")
	b.click("button", "Sign in with Company")
	b.see("button", unlink)

	b.age(c)
	b.click("button", unlink)
	b.see("dialog", "Sign in again")
	b.click("button", "Sign in with Company")
	b.gone("dialog", "Sign in again")
	b.click("button", unlink)
	b.gone("button", unlink)

	// Nobody is known by it any more, and the account is not opened by its address alone.
	b.click("button", "Sign out")
	b.click("button", "Sign in with Company")
	b.see("StaticText", "There is no account here for you at this provider. If you have one, sign in with your password and link the provider in the settings.")
}

// Who comes back from a provider without a session is told why, where he was.
func TestAProviderThatRefuses(t *testing.T) {
	b := open(t)
	b.click("button", "Sign in with Company")
	b.see("StaticText", "The provider has not signed you in.")
	c := newUser(t)
	b.fill("textbox", "E-mail address", c.Email)
	b.fill("textbox", "Password", suite.Password)
	b.click("button", "Sign in")
	b.click("link", "Settings")
	b.see("heading", "Settings")
	require.NotContains(t, evaluate[string](b, "document.body.innerText"), "has not signed you in", "that was before")
	b.age(c)
	b.click("button", "Link Company")
	b.see("dialog", "Sign in again")
	b.fill("textbox", "Password", suite.Password)
	b.press("\r")
	b.see("StaticText", "The provider has not signed you in.")
	b.see("heading", "Settings")
}
