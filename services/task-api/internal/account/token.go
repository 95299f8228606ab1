package account

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/auth"
)

// Keys sign the tokens of the users who sign in here, and verify them.
type Keys struct {
	private  ed25519.PrivateKey
	accepted []publicKey // that of private comes first
	issuer   string
	aud      string
	life     time.Duration
}

// publicKey verifies tokens. Its id is its RFC 7638 thumbprint (RFC 8037,
// appendix A.3).
type publicKey struct {
	id  string
	key ed25519.PublicKey
}

// NewKeys reads an Ed25519 private key (PKCS #8, PEM) from privatePEM, or from
// the file when that is empty, and from acceptedPEM public keys whose tokens are
// accepted beside its own.
func NewKeys(privatePEM, file, acceptedPEM string, s auth.Settings, life time.Duration) (*Keys, error) {
	if privatePEM == "" {
		if file == "" {
			return nil, errors.New("JWT_PRIVATE_KEY or JWT_PRIVATE_KEY_FILE is needed: an Ed25519 key, made by `openssl genpkey -algorithm ed25519`")
		}
		raw, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("JWT_PRIVATE_KEY_FILE: %w", err)
		}
		privatePEM = string(raw)
	}
	block, _ := pem.Decode([]byte(privatePEM))
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
	// The public half of an Ed25519 private key is its last 32 bytes (RFC 8032).
	own := identified(ed25519.PublicKey(private[ed25519.PrivateKeySize-ed25519.PublicKeySize:]))
	others, err := publicKeys(acceptedPEM)
	if err != nil {
		return nil, fmt.Errorf("JWT_ACCEPTED_KEYS: %w", err)
	}
	others = slices.DeleteFunc(others, func(k publicKey) bool { return k.id == own.id })
	return &Keys{private: private, accepted: append([]publicKey{own}, others...), issuer: s.Issuer, aud: s.Audience, life: life}, nil
}

// publicKeys reads Ed25519 public keys, a PEM block each.
func publicKeys(text string) ([]publicKey, error) {
	var keys []publicKey
	for rest := []byte(text); len(bytes.TrimSpace(rest)) > 0; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return nil, errors.New("there is something in it that is not PEM")
		}
		if block.Type != "PUBLIC KEY" {
			return nil, fmt.Errorf("a %s is in it; public keys belong there, as `openssl pkey -pubout` makes them", block.Type)
		}
		parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("read a public key: %w", err)
		}
		key, ok := parsed.(ed25519.PublicKey)
		if !ok {
			return nil, fmt.Errorf("a %T is in it, not an Ed25519 key", parsed)
		}
		keys = append(keys, identified(key))
	}
	return keys, nil
}

func identified(key ed25519.PublicKey) publicKey {
	k := publicKey{key: key}
	sum := sha256.Sum256([]byte(`{"crv":"Ed25519","kty":"OKP","x":"` + k.text() + `"}`))
	k.id = base64.RawURLEncoding.EncodeToString(sum[:])
	return k
}

func (k publicKey) text() string { return base64.RawURLEncoding.EncodeToString(k.key) }

// Keyfunc is how a Verifier gets the public key.
func (k *Keys) Keyfunc(t *jwt.Token) (any, error) {
	for _, accepted := range k.accepted {
		if t.Header["kid"] == accepted.id {
			return accepted.key, nil
		}
	}
	return nil, errors.New("the token was signed with another key")
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
	t.Header["kid"] = k.accepted[0].id
	if token, err = t.SignedString(k.private); err != nil {
		return "", expires, fmt.Errorf("sign a token: %w", err)
	}
	return token, expires, nil
}

// Public are the public keys as a JSON Web Key Set (RFC 7517, RFC 8037).
func (k *Keys) Public() map[string]any {
	set := make([]map[string]string, len(k.accepted))
	for i, accepted := range k.accepted {
		set[i] = map[string]string{"kty": "OKP", "crv": "Ed25519", "x": accepted.text(), "kid": accepted.id, "use": "sig", "alg": "EdDSA"}
	}
	return map[string]any{"keys": set}
}
