package account

import (
	"crypto/rand"
	"encoding/base64"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
)

// errandLife is how long somebody may take to sign in at a provider.
const errandLife = 10 * time.Minute

// Errand is a sign-in for which a browser was sent to a provider. The browser keeps it: it
// is nobody's secret, but nobody else's browser has it.
type Errand struct {
	Provider string // its id
	State    string // by which the answer is known as that to this errand
	Nonce    string // by which the token is
	Verifier string // that the code needs (PKCE)

	// User and Session are, where who is signed in links the provider to his account, whose
	// that is; the nil UUIDs where somebody signs in.
	User, Session uuid.UUID
}

// NewErrand begins one to a provider.
func NewErrand(provider string) Errand {
	random := make([]byte, 64)
	// rand.Read never fails: it ends the process where there is no randomness.
	_, _ = rand.Read(random)
	b64 := base64.RawURLEncoding
	return Errand{Provider: provider, State: b64.EncodeToString(random[:32]), Nonce: b64.EncodeToString(random[32:])}
}

type errandClaims struct {
	jwt.RegisteredClaims
	Errand
}

// SignErrand makes the value of an errand's cookie. It opens nothing: with its own audience
// it is no token.
func (k *Keys) SignErrand(e Errand, now time.Time) (value string, expires time.Time, err error) {
	expires = now.Add(errandLife)
	claims := &errandClaims{Errand: e}
	value, err = k.signCookie(k.errandAudience(), expires, &claims.RegisteredClaims, claims)
	return value, expires, err
}

// longestErrand is more than SignErrand makes, in bytes.
const longestErrand = 2 << 10

// Errand is the one whose cookie has a value; false where it is not ours or has taken too
// long.
func (k *Keys) Errand(value string) (Errand, bool) {
	var claims errandClaims
	if !k.readCookie(value, longestErrand, k.errandAudience(), &claims) {
		return Errand{}, false
	}
	return claims.Errand, claims.State != ""
}

func (k *Keys) errandAudience() string { return k.aud + "/errand" }
