package account

import (
	"context"
	"strings"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/auth"
)

// Credentials says whose a request is, by what it shows: the cookie of a session, an API
// token, or a token (JWT), of ours or of an outside issuer.
type Credentials struct {
	Tokens    *auth.Verifier
	Sessions  *Sessions
	APITokens *APITokens
}

// Caller is whose a credential is. It returns auth.ErrRefused where it is nobody's, or not
// any more: a session has ended, and with it its tokens, or an API token was revoked.
func (c Credentials) Caller(ctx context.Context, credential string) (auth.Caller, error) {
	switch {
	case strings.HasPrefix(credential, sessionPrefix):
		return c.Sessions.ByCookie(ctx, credential)
	case strings.HasPrefix(credential, auth.TokenPrefix):
		return c.APITokens.BySecret(ctx, credential)
	}
	caller, err := c.Tokens.Verify(credential)
	switch {
	case err != nil:
		return caller, err
	case caller.SessionID == uuid.Nil: // of an outside issuer, or of the version before
		return caller, c.Sessions.notBlocked(ctx, caller.UserID)
	}
	return c.Sessions.Alive(ctx, caller)
}

// Alive says whether what a caller has shown is still good, of what can end before its
// time, to what goes on for longer than a request. It returns auth.ErrRefused where it is not.
func (c Credentials) Alive(ctx context.Context, caller auth.Caller) (err error) {
	switch {
	case caller.TokenID != uuid.Nil:
		_, err = c.APITokens.Alive(ctx, caller)
	case caller.SessionID != uuid.Nil:
		_, err = c.Sessions.alive(ctx, caller, goingOn)
	default:
		err = c.Sessions.notBlocked(ctx, caller.UserID)
	}
	return err
}
