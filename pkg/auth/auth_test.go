package auth_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/auth"
)

const secret = "a shared secret of at least 32 bytes"

func TestWhoseTokensAreAccepted(t *testing.T) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	own := func(token *jwt.Token) (any, error) {
		if token.Header["kid"] != "own" {
			return nil, errors.New("unknown key")
		}
		return public, nil
	}
	verifier, err := auth.NewVerifier(t.Context(), auth.Settings{Issuer: "taskwire", Audience: "taskwire"}, auth.OutsideSettings{Secret: secret}, own, slog.New(slog.DiscardHandler))
	require.NoError(t, err)

	user := uuid.New()
	claims := func(change func(jwt.MapClaims)) jwt.MapClaims {
		c := jwt.MapClaims{"sub": user.String(), "iss": "taskwire", "aud": "taskwire", "exp": time.Now().Add(time.Hour).Unix(), "email": "ada@example.org"}
		if change != nil {
			change(c)
		}
		return c
	}
	sign := func(method jwt.SigningMethod, key any, c jwt.MapClaims) string {
		token := jwt.NewWithClaims(method, c)
		token.Header["kid"] = "own"
		signed, err := token.SignedString(key)
		require.NoError(t, err)
		return signed
	}
	for name, c := range map[string]struct {
		token string
		taken bool
	}{
		"our own":                       {sign(jwt.SigningMethodEdDSA, private, claims(nil)), true},
		"our own, expired":              {sign(jwt.SigningMethodEdDSA, private, claims(func(c jwt.MapClaims) { c["exp"] = time.Now().Add(-time.Minute).Unix() })), false},
		"our own, without expiry":       {sign(jwt.SigningMethodEdDSA, private, claims(func(c jwt.MapClaims) { delete(c, "exp") })), false},
		"our own, not yet valid":        {sign(jwt.SigningMethodEdDSA, private, claims(func(c jwt.MapClaims) { c["nbf"] = time.Now().Add(time.Hour).Unix() })), false},
		"our own, of another issuer":    {sign(jwt.SigningMethodEdDSA, private, claims(func(c jwt.MapClaims) { c["iss"] = "evil" })), false},
		"our own, for another audience": {sign(jwt.SigningMethodEdDSA, private, claims(func(c jwt.MapClaims) { c["aud"] = "other" })), false},
		"our own, for the services":     {sign(jwt.SigningMethodEdDSA, private, claims(func(c jwt.MapClaims) { c["aud"] = []string{"taskwire", "taskwire/services"} })), false},
		"our own, of nobody":            {sign(jwt.SigningMethodEdDSA, private, claims(func(c jwt.MapClaims) { c["sub"] = "" })), false},
		"our own, with a NUL":           {sign(jwt.SigningMethodEdDSA, private, claims(func(c jwt.MapClaims) { c["email"] = "a\x00b" })), false},
		"by the shared secret":          {sign(jwt.SigningMethodHS256, []byte(secret), claims(nil)), true},
		"by another secret":             {sign(jwt.SigningMethodHS256, []byte(secret+"x"), claims(nil)), false},
		"HS256 with our public key":     {sign(jwt.SigningMethodHS256, []byte(public), claims(nil)), false},
		"HS512 with the secret":         {sign(jwt.SigningMethodHS512, []byte(secret), claims(nil)), false},
		"unsigned":                      {sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, claims(nil)), false},
		"garbage":                       {strings.Repeat("a.", 3), false},
		"nothing":                       {"", false},
	} {
		t.Run(name, func(t *testing.T) {
			caller, err := verifier.Verify(c.token)
			if !c.taken {
				require.Error(t, err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, user, caller.UserID)
			require.Equal(t, "ada@example.org", caller.Email)
		})
	}

	t.Run("who is restricted to lists, by our word alone", func(t *testing.T) {
		alone := claims(func(c jwt.MapClaims) { c["lists_alone"] = true })
		caller, err := verifier.Verify(sign(jwt.SigningMethodEdDSA, private, alone))
		require.NoError(t, err)
		require.True(t, caller.Restricted())
		require.False(t, caller.ByToken())
		caller, err = verifier.Verify(sign(jwt.SigningMethodHS256, []byte(secret), alone))
		require.NoError(t, err)
		require.False(t, caller.Restricted())
	})

	t.Run("an outside user whose id is no UUID keeps one id", func(t *testing.T) {
		token := sign(jwt.SigningMethodHS256, []byte(secret), claims(func(c jwt.MapClaims) { c["sub"] = "auth0|17" }))
		one, err := verifier.Verify(token)
		require.NoError(t, err)
		other, err := verifier.Verify(token)
		require.NoError(t, err)
		require.Equal(t, one.UserID, other.UserID)
		require.True(t, one.Outside)
	})
}

func TestAShortSecretIsRefused(t *testing.T) {
	require.ErrorContains(t, auth.OutsideSettings{Secret: "too short"}.Validate(), "JWT_SECRET")
}

func TestTheUsersOfAnOutsideIssuerAreNoneOfOurs(t *testing.T) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	keys := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"keys":[{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","kid":"outside","x":"` + base64.RawURLEncoding.EncodeToString(public) + `"}]}`))
	}))
	defer keys.Close()
	nobody := func(*jwt.Token) (any, error) { return nil, errors.New("not ours") }
	verifier, err := auth.NewVerifier(t.Context(), auth.Settings{Issuer: "taskwire", Audience: "taskwire"}, auth.OutsideSettings{JWKSURL: keys.URL, Issuer: "https://id.example", Audience: "us"}, nobody, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	ours := uuid.New()
	token := func(aud string) string {
		token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, jwt.MapClaims{"sub": ours.String(), "iss": "https://id.example", "aud": aud, "exp": time.Now().Add(time.Hour).Unix()})
		token.Header["kid"] = "outside"
		signed, err := token.SignedString(private)
		require.NoError(t, err)
		return signed
	}
	caller, err := verifier.Verify(token("us"))
	require.NoError(t, err)
	require.NotEqual(t, ours, caller.UserID)
	_, err = verifier.Verify(token("another application"))
	require.Error(t, err)
}

func TestSidecarOnly(t *testing.T) {
	for name, c := range map[string]struct {
		configured, sent string
		status           int
	}{
		"the token":              {"token", "token", http.StatusNoContent},
		"none":                   {"token", "", http.StatusForbidden},
		"another":                {"token", "tokem", http.StatusForbidden},
		"a longer one":           {"token", "tokens", http.StatusForbidden},
		"none where none is set": {"", "", http.StatusForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			h := auth.SidecarOnly(c.configured)(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
			req := httptest.NewRequest(http.MethodPost, "/events/x", nil)
			req.Header.Set("dapr-api-token", c.sent)
			rec := httptest.NewRecorder()
			h.ServeHTTP(rec, req)
			require.Equal(t, c.status, rec.Code)
		})
	}
}

// A consumer can be asked before task-api is up. It must not call a good token
// a bad one: clients sign out at 401.
func TestWithoutKeysATokenIsNeitherGoodNorBad(t *testing.T) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	key, err := jwkset.NewJWKFromKey(public, jwkset.JWKOptions{Metadata: jwkset.JWKMetadataOptions{KID: "own"}})
	require.NoError(t, err)
	set := jwkset.NewMemoryStorage()
	require.NoError(t, set.KeyWrite(t.Context(), key))
	var up atomic.Bool
	issuer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !up.Load() {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		keys, err := set.JSONPublic(r.Context())
		if err != nil {
			t.Error(err)
		}
		_, _ = w.Write(keys) // who has gone is not told
	}))
	defer issuer.Close()
	verifier, err := auth.NewConsumerVerifier(t.Context(), auth.Settings{Issuer: "taskwire", Audience: "taskwire", TaskAPIJWKSURL: issuer.URL}, "", "", slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	app := verifier.Middleware(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	ask := func(signer ed25519.PrivateKey) int {
		token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, jwt.MapClaims{
			"sub": uuid.NewString(), "iss": "taskwire", "aud": "taskwire/services", "exp": time.Now().Add(time.Hour).Unix(), "email": "ada@example.org",
		})
		token.Header["kid"] = "own"
		signed, err := token.SignedString(signer)
		require.NoError(t, err)
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Authorization", "Bearer "+signed)
		w := httptest.NewRecorder()
		app.ServeHTTP(w, r)
		return w.Code
	}
	require.Equal(t, http.StatusServiceUnavailable, ask(private))
	up.Store(true)
	require.Eventually(t, func() bool { return ask(private) == http.StatusOK }, time.Minute, 10*time.Millisecond)
	_, stranger, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	require.Equal(t, http.StatusUnauthorized, ask(stranger))
}

// Only HTTP Basic with an API token as its password says whose a request is.
func TestWhatAnAuthorizationShows(t *testing.T) {
	basic := func(text string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(text)) }
	for header, want := range map[string]string{
		"Bearer x": "x", "bearer  x ": "x", "Bearer tw_x": "tw_x", "Bearer": "",
		basic("ada:tw_x"): "tw_x", basic(":tw_x"): "tw_x", basic("a:tw_x:y"): "tw_x:y", strings.ToUpper(basic("")[:5]) + basic("a:tw_x")[5:]: "tw_x",
		basic("ada:secret"): "-", basic("ada:tws_x"): "-", basic("tw_x:"): "-", basic("tw_x"): "-", basic("a: tw_x"): "-",
		"Basic": "-", "Basic tw_x": "-", "Basic !!": "-", "Digest x": "-", "tw_x": "-",
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Authorization", header)
		r.Header.Set("Cookie", auth.Cookie+"=a")
		got, ok := auth.Credential(r)
		require.Equal(t, want != "-", ok, header)
		if ok {
			require.Equal(t, want, got, header)
		}
	}
}

// What a caller lacks is named; who has signed in lacks nothing.
func TestWhatACallerLacks(t *testing.T) {
	require.Nil(t, auth.Caller{}.Lacks())
	require.Nil(t, auth.Caller{}.Lacks(auth.TasksWrite))
	none, reader := auth.Caller{TokenID: uuid.New()}, auth.Caller{TokenID: uuid.New(), Scopes: []auth.Scope{auth.TasksRead}}
	require.Nil(t, reader.Lacks(auth.TasksRead))
	require.Equal(t, "/problems/not-for-tokens", reader.Lacks().Type)
	require.Equal(t, "/problems/scope-missing", none.Lacks(auth.TasksRead).Type)
	require.Equal(t, "/problems/scope-missing", reader.Lacks(auth.TasksWrite).Type, "to write is another scope")
	both := reader.Lacks(auth.TasksRead, auth.ListsRead, auth.ListsWrite)
	require.Equal(t, "the API token lacks the scope lists:read and lists:write", both.Detail)
	require.Equal(t, `Bearer realm="taskwire", error="insufficient_scope", scope="lists:read lists:write"`, both.GetHeaders().Get("WWW-Authenticate"))
}
