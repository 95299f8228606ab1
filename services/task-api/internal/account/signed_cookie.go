package account

import (
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// signCookie makes the value of a cookie that says claims, for an audience and a time. With
// an audience of its own it is no token of a user's, and opens nothing.
func (k *Keys) signCookie(audience string, expires time.Time, registered *jwt.RegisteredClaims, claims jwt.Claims) (string, error) {
	registered.Issuer, registered.Audience, registered.ExpiresAt = k.issuer, jwt.ClaimStrings{audience}, jwt.NewNumericDate(expires)
	return k.signClaims(claims)
}

// readCookie reads into claims what signCookie has made, of at most so many bytes; false
// where the value is not ours, for another audience, or has expired.
func (k *Keys) readCookie(value string, longest int, audience string, claims jwt.Claims) bool {
	if value == "" || len(value) > longest {
		return false
	}
	_, err := jwt.ParseWithClaims(value, claims, k.Keyfunc, jwt.WithValidMethods([]string{jwt.SigningMethodEdDSA.Alg()}),
		jwt.WithIssuer(k.issuer), jwt.WithAudience(audience), jwt.WithExpirationRequired())
	return err == nil
}
