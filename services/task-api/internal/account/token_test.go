package account

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/auth"
)

// pair is a key as openssl writes it.
func pair(t *testing.T) (private, public string) {
	t.Helper()
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), publicPEM(t, pub)
}

func publicPEM(t *testing.T, key any) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// While the key is rotated, replicas with the settings of each step and of the
// next one run side by side: each accepts what the other signs.
func TestAKeyIsRotatedWithoutAnyoneSignedOut(t *testing.T) {
	tokens := auth.Settings{Issuer: "taskwire", Audience: "taskwire"}
	before, beforePublic := pair(t)
	after, afterPublic := pair(t)
	keys := func(private, accepted string) *Keys {
		k, err := NewKeys(private, accepted, tokens, time.Hour)
		require.NoError(t, err)
		return k
	}
	steps := []*Keys{keys(before, ""), keys(before, afterPublic), keys(after, beforePublic), keys(after, "")}
	accepts := func(verifying, signing *Keys) bool {
		v, err := auth.NewVerifier(t.Context(), tokens, auth.OutsideSettings{}, verifying.Keyfunc, nil)
		require.NoError(t, err)
		token, _, err := signing.Sign(&User{ID: uuid.New()}, uuid.New(), time.Now())
		require.NoError(t, err)
		_, err = v.Verify(token)
		return err == nil
	}
	for i := range len(steps) - 1 {
		require.True(t, accepts(steps[i+1], steps[i]), "step %d", i+1)
		require.True(t, accepts(steps[i], steps[i+1]), "step %d", i)
	}
	require.False(t, accepts(steps[3], steps[0]), "a key that is not accepted any more")
	require.False(t, accepts(steps[0], steps[3]), "a key that nobody has told of")

	// The other services read the keys from here.
	published := func(k *Keys) (ids []string) {
		raw, err := json.Marshal(k.Public())
		require.NoError(t, err)
		var set struct{ Keys []struct{ Kid, X string } }
		require.NoError(t, json.Unmarshal(raw, &set))
		for _, key := range set.Keys {
			ids = append(ids, key.Kid)
		}
		return ids
	}
	require.Len(t, published(steps[1]), 2)
	require.ElementsMatch(t, published(steps[1]), published(steps[2]))
	require.Equal(t, published(steps[3]), published(keys(after, afterPublic)), "the own key is told once")
}

func TestAKeyThatIsNoneIsNamed(t *testing.T) {
	good, public := pair(t)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	for name, c := range map[string]struct{ private, accepted, says string }{
		"no key at all":        {"", "", "JWT_PRIVATE_KEY must be an Ed25519 key"},
		"no PEM":               {"secret", "", "JWT_PRIVATE_KEY must be an Ed25519 key"},
		"a public key to sign": {public, "", "JWT_PRIVATE_KEY"},
		"accepted: no PEM":     {good, "ssh-ed25519 AAAA", "there is something in it that is not PEM"},
		"accepted: rubbish":    {good, public + "and more", "there is something in it that is not PEM"},
		"accepted: private":    {good, good, "a PRIVATE KEY is in it"},
		"accepted: RSA":        {good, publicPEM(t, key.Public()), "JWT_ACCEPTED_KEYS must be public Ed25519 keys"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := NewKeys(c.private, c.accepted, auth.Settings{}, time.Hour)
			require.ErrorContains(t, err, c.says)
			require.NotContains(t, err.Error(), "MC4CAQAwBQ", "the key is not in the error")
		})
	}
}
