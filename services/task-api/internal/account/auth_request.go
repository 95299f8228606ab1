package account

import (
	"crypto/rand"
	"encoding/base64"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
)

// authRequestLife is how long somebody may take to sign in at a provider.
const authRequestLife = 10 * time.Minute

// AuthRequest is a sign-in for which a browser was sent to a provider (OpenID Connect Core,
// section 3.1.2.1). The browser keeps it: it is nobody's secret, but nobody else's browser
// has it.
type AuthRequest struct {
	Provider string // its id
	State    string // by which the answer is known as that to this request
	Nonce    string // by which the token is
	Verifier string // that the code needs (PKCE)

	// User and Session are, where who is signed in links the provider to his account, whose
	// that is; the nil UUIDs where somebody signs in.
	User, Session uuid.UUID
}

// NewAuthRequest begins one to a provider.
func NewAuthRequest(provider string) AuthRequest {
	random := make([]byte, 64)
	// rand.Read never fails: it ends the process where there is no randomness.
	_, _ = rand.Read(random)
	b64 := base64.RawURLEncoding
	return AuthRequest{Provider: provider, State: b64.EncodeToString(random[:32]), Nonce: b64.EncodeToString(random[32:])}
}

type authRequestClaims struct {
	jwt.RegisteredClaims
	AuthRequest
}

// SignAuthRequest makes the value of a request's cookie. It opens nothing: with its own audience
// it is no token.
func (k *Keys) SignAuthRequest(e AuthRequest, now time.Time) (value string, expires time.Time, err error) {
	expires = now.Add(authRequestLife)
	claims := &authRequestClaims{AuthRequest: e}
	value, err = k.signCookie(k.authRequestAudience(), expires, &claims.RegisteredClaims, claims)
	return value, expires, err
}

// longestAuthRequest is more than SignAuthRequest makes, in bytes.
const longestAuthRequest = 2 << 10

// AuthRequest is the one whose cookie has a value; false where it is not ours or has taken too
// long.
func (k *Keys) AuthRequest(value string) (AuthRequest, bool) {
	var claims authRequestClaims
	if !k.readCookie(value, longestAuthRequest, k.authRequestAudience(), &claims) {
		return AuthRequest{}, false
	}
	return claims.AuthRequest, claims.State != ""
}

func (k *Keys) authRequestAudience() string { return k.aud + "/errand" }
