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
	services string // the audience of the other services
	life     time.Duration
}

// publicKey verifies tokens. Its id is its RFC 7638 thumbprint (RFC 8037,
// appendix A.3).
type publicKey struct {
	id  string
	key ed25519.PublicKey
}

// NewKeys reads the Ed25519 private key (PKCS #8, PEM) that signs, and public keys
// whose tokens are accepted beside its own.
func NewKeys(privatePEM, acceptedPEM string, s auth.Settings, life time.Duration) (*Keys, error) {
	private, privateErr := privateKey(privatePEM)
	others, err := publicKeys(acceptedPEM)
	if err = errors.Join(privateErr, err); err != nil {
		return nil, err
	}
	// The public half of an Ed25519 private key is its last 32 bytes (RFC 8032).
	own := identified(ed25519.PublicKey(private[ed25519.PrivateKeySize-ed25519.PublicKeySize:]))
	others = slices.DeleteFunc(others, func(k publicKey) bool { return k.id == own.id })
	return &Keys{private: private, accepted: append([]publicKey{own}, others...), issuer: s.Issuer, aud: s.Audience, services: s.ServiceAudience(), life: life}, nil
}

// CheckKeys names what NewKeys would not read; no private key is none that is wrong.
func CheckKeys(privatePEM, acceptedPEM string) error {
	_, err := publicKeys(acceptedPEM)
	if privatePEM != "" {
		_, privateErr := privateKey(privatePEM)
		err = errors.Join(privateErr, err)
	}
	return err
}

func privateKey(text string) (ed25519.PrivateKey, error) {
	if block, _ := pem.Decode([]byte(text)); block != nil {
		// Of one that is no key no more can be said than that.
		parsed, _ := x509.ParsePKCS8PrivateKey(block.Bytes)
		if key, ok := parsed.(ed25519.PrivateKey); ok {
			return key, nil
		}
	}
	return nil, errors.New("JWT_PRIVATE_KEY must be an Ed25519 key in PEM, as `openssl genpkey -algorithm ed25519` makes it")
}

// publicKeys reads Ed25519 public keys, a PEM block each.
func publicKeys(text string) ([]publicKey, error) {
	wrong := func(why string) ([]publicKey, error) {
		return nil, fmt.Errorf("JWT_ACCEPTED_KEYS must be public Ed25519 keys in PEM, as `openssl pkey -pubout` makes them; %s", why)
	}
	var keys []publicKey
	for rest := []byte(text); len(bytes.TrimSpace(rest)) > 0; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return wrong("there is something in it that is not PEM")
		}
		if block.Type != "PUBLIC KEY" {
			return wrong(fmt.Sprintf("a %s is in it", block.Type))
		}
		// Of one that is no key no more can be said than that.
		parsed, _ := x509.ParsePKIXPublicKey(block.Bytes)
		key, ok := parsed.(ed25519.PublicKey)
		if !ok {
			return wrong("one that is no Ed25519 key is in it")
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

// Sign makes a token of a user, for a session of his.
func (k *Keys) Sign(u *User, session uuid.UUID, now time.Time) (token string, expires time.Time, err error) {
	expires = now.Add(k.life)
	token, err = k.sign(auth.Claims{Email: u.Email, SessionID: session}, u.ID, jwt.ClaimStrings{k.aud}, now, expires)
	return token, expires, err
}

// passedLife is how long a token lives that is handed to another service.
const passedLife = time.Minute

// SignPassed makes the token that goes to another service with a request of a caller.
// The version before of that service takes it for one of his own (aud). What an API token
// may do has been looked at before; to which lists it is restricted is told beside it.
func (k *Keys) SignPassed(caller auth.Caller, now time.Time) (string, error) {
	return k.sign(auth.Claims{Email: caller.Email, ListsAlone: caller.Restricted(), Operator: caller.Operator}, caller.UserID, jwt.ClaimStrings{k.services, k.aud}, now, now.Add(passedLife))
}

func (k *Keys) sign(claims auth.Claims, user uuid.UUID, audience jwt.ClaimStrings, now, expires time.Time) (string, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return "", fmt.Errorf("make a token id: %w", err)
	}
	claims.RegisteredClaims = jwt.RegisteredClaims{
		Issuer: k.issuer, Audience: audience, Subject: user.String(), ID: id.String(),
		IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(expires),
	}
	return k.signClaims(claims)
}

// signClaims makes a token that says claims.
func (k *Keys) signClaims(claims jwt.Claims) (string, error) {
	t := jwt.NewWithClaims(jwt.SigningMethodEdDSA, claims)
	t.Header["kid"] = k.accepted[0].id
	token, err := t.SignedString(k.private)
	if err != nil {
		return "", fmt.Errorf("sign a token: %w", err)
	}
	return token, nil
}

// Public are the public keys as a JSON Web Key Set (RFC 7517, RFC 8037).
func (k *Keys) Public() map[string]any {
	set := make([]map[string]string, len(k.accepted))
	for i, accepted := range k.accepted {
		set[i] = map[string]string{"kty": "OKP", "crv": "Ed25519", "x": accepted.text(), "kid": accepted.id, "use": "sig", "alg": "EdDSA"}
	}
	return map[string]any{"keys": set}
}
