package account

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/auth"
)

// Keys sign the tokens of the users who sign in here.
type Keys struct {
	private ed25519.PrivateKey
	id      string
	issuer  string
	aud     string
	life    time.Duration
}

// NewKeys reads an Ed25519 private key (PKCS #8, PEM) from pemText, or from
// the file when that is empty.
func NewKeys(pemText, file string, s auth.Settings, life time.Duration) (*Keys, error) {
	if pemText == "" {
		if file == "" {
			return nil, errors.New("JWT_PRIVATE_KEY or JWT_PRIVATE_KEY_FILE is needed: an Ed25519 key, made by `openssl genpkey -algorithm ed25519`")
		}
		raw, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("JWT_PRIVATE_KEY_FILE: %w", err)
		}
		pemText = string(raw)
	}
	block, _ := pem.Decode([]byte(pemText))
	if block == nil {
		return nil, errors.New("JWT_PRIVATE_KEY is not PEM")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("JWT_PRIVATE_KEY: %w", err)
	}
	private, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("JWT_PRIVATE_KEY is a %T, not an Ed25519 key", parsed)
	}
	return &Keys{private: private, id: thumbprint(private), issuer: s.Issuer, aud: s.Audience, life: life}, nil
}

// thumbprint is the key's id: its RFC 7638 thumbprint (RFC 8037, appendix A.3).
func thumbprint(private ed25519.PrivateKey) string {
	sum := sha256.Sum256([]byte(`{"crv":"Ed25519","kty":"OKP","x":"` + publicKey(private) + `"}`))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func publicKey(private ed25519.PrivateKey) string {
	// The public half of an Ed25519 private key is its last 32 bytes (RFC 8032).
	return base64.RawURLEncoding.EncodeToString(private[ed25519.PrivateKeySize-ed25519.PublicKeySize:])
}

// Keyfunc is how a Verifier gets the public key.
func (k *Keys) Keyfunc(t *jwt.Token) (any, error) {
	if t.Header["kid"] != k.id {
		return nil, errors.New("the token was signed with another key")
	}
	return k.private.Public(), nil
}

// Sign makes a token of a user.
func (k *Keys) Sign(u *User, now time.Time) (token string, expires time.Time, err error) {
	expires = now.Add(k.life)
	id, err := uuid.NewV7()
	if err != nil {
		return "", expires, fmt.Errorf("make a token id: %w", err)
	}
	t := jwt.NewWithClaims(jwt.SigningMethodEdDSA, auth.Claims{
		Email: u.Email,
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: k.issuer, Audience: jwt.ClaimStrings{k.aud}, Subject: u.ID.String(), ID: id.String(),
			IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(expires),
		},
	})
	t.Header["kid"] = k.id
	if token, err = t.SignedString(k.private); err != nil {
		return "", expires, fmt.Errorf("sign a token: %w", err)
	}
	return token, expires, nil
}

// ServeHTTP answers the public key as a JSON Web Key Set (RFC 7517, RFC 8037).
func (k *Keys) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/jwk-set+json")
	w.Header().Set("Cache-Control", "public, max-age=300")
	// The client may have gone; there is nobody left to tell.
	_ = json.NewEncoder(w).Encode(map[string]any{"keys": []map[string]string{{
		"kty": "OKP", "crv": "Ed25519", "x": publicKey(k.private), "kid": k.id, "use": "sig", "alg": "EdDSA",
	}}})
}
