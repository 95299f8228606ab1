package auth_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/auth"
)

// A token that was accepted is not checked again at once, and refused in time.
func TestATokenIsKnownForAMinute(t *testing.T) {
	for name, c := range map[string]struct {
		valid, later time.Duration
		keyGone      bool
		accepted     bool
		checks       int
	}{
		"at once":                         {time.Hour, time.Second, false, true, 1},
		"after a minute":                  {time.Hour, time.Minute, false, true, 2},
		"a minute after its key has gone": {time.Hour, time.Minute, true, false, 2},
		"soon after its key has gone":     {time.Hour, time.Minute - time.Second, true, true, 1},
		"after its time":                  {10 * time.Second, 20 * time.Second, false, false, 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				public, private, err := ed25519.GenerateKey(rand.Reader)
				require.NoError(t, err)
				checks, gone := 0, false
				keys := func(*jwt.Token) (any, error) {
					if checks++; gone {
						return nil, errors.New("there is no such key")
					}
					return public, nil
				}
				verifier, err := auth.NewVerifier(t.Context(), auth.Settings{}, auth.OutsideSettings{}, keys, slog.New(slog.DiscardHandler))
				require.NoError(t, err)
				user := uuid.New()
				token, err := jwt.NewWithClaims(jwt.SigningMethodEdDSA, jwt.MapClaims{"sub": user.String(), "exp": time.Now().Add(c.valid).Unix()}).SignedString(private)
				require.NoError(t, err)
				_, err = verifier.Verify(token)
				require.NoError(t, err)

				time.Sleep(c.later)
				gone = c.keyGone
				caller, err := verifier.Verify(token)
				require.Equal(t, c.accepted, err == nil, "%v", err)
				require.Equal(t, c.accepted, caller.UserID == user)
				require.Equal(t, c.checks, checks)
				_, err = verifier.Verify(token + "x")
				require.Error(t, err)
			})
		})
	}
}
