package account

import (
	"context"
	"strings"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/auth"
)

// Credentials says whose a request is, by what it shows: the cookie of a session, or a
// token, of ours or of an outside issuer.
type Credentials struct {
	Tokens   *auth.Verifier
	Sessions *Sessions
}

// Caller is whose a credential is. It returns auth.ErrRefused where it is nobody's, or not
// any more: a session has ended, and with it its tokens.
func (c Credentials) Caller(ctx context.Context, credential string) (auth.Caller, error) {
	if strings.HasPrefix(credential, sessionPrefix) {
		return c.Sessions.ByCookie(ctx, credential)
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
