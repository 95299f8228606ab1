package auth_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/auth"
)

// That somebody is an operator is task-api's to say, to the other services: no token that it
// is shown itself says so, whoever has signed it.
func TestWhoseWordMakesAnOperator(t *testing.T) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	key, err := jwkset.NewJWKFromKey(public, jwkset.JWKOptions{Metadata: jwkset.JWKMetadataOptions{KID: "own"}})
	require.NoError(t, err)
	set := jwkset.NewMemoryStorage()
	require.NoError(t, set.KeyWrite(t.Context(), key))
	issuer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		keys, err := set.JSONPublic(r.Context())
		if err != nil {
			t.Error(err)
		}
		_, _ = w.Write(keys) // who has gone is not told
	}))
	defer issuer.Close()
	log := slog.New(slog.DiscardHandler)
	settings := auth.Settings{Issuer: "taskwire", Audience: "taskwire", TaskAPIJWKSURL: issuer.URL}
	const secret = "a shared secret of 32 bytes or more"
	front, err := auth.NewVerifier(t.Context(), settings, auth.OutsideSettings{Secret: secret}, func(*jwt.Token) (any, error) { return public, nil }, log)
	require.NoError(t, err)
	consumer, err := auth.NewConsumerVerifier(t.Context(), settings, "", "", log)
	require.NoError(t, err)

	token := func(method jwt.SigningMethod, key any, audience string, operator bool) string {
		claims := jwt.MapClaims{"sub": uuid.NewString(), "iss": "taskwire", "aud": audience, "exp": time.Now().Add(time.Hour).Unix()}
		if operator {
			claims["operator"] = true
		}
		unsigned := jwt.NewWithClaims(method, claims)
		unsigned.Header["kid"] = "own"
		signed, err := unsigned.SignedString(key)
		require.NoError(t, err)
		return signed
	}
	for _, c := range []struct {
		name     string
		verifier *auth.Verifier
		token    string
		is       bool
	}{
		{"to a service", consumer, token(jwt.SigningMethodEdDSA, private, "taskwire/services", true), true},
		{"to a service, for what is anybody's", consumer, token(jwt.SigningMethodEdDSA, private, "taskwire/services", false), false},
		{"to task-api, by its own key", front, token(jwt.SigningMethodEdDSA, private, "taskwire", true), false},
		{"to task-api, by an outside issuer", front, token(jwt.SigningMethodHS256, []byte(secret), "taskwire", true), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var caller auth.Caller
			require.Eventually(t, func() bool { // the keys are read beside
				caller, err = c.verifier.Verify(c.token)
				return err == nil
			}, 30*time.Second, 10*time.Millisecond, "%v", err)
			require.Equal(t, c.is, caller.Operator)
		})
	}
	_, err = consumer.Verify(token(jwt.SigningMethodHS256, []byte(secret), "taskwire/services", true))
	require.Error(t, err, "nobody but task-api says anything to a service")
}
