package account

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/auth"
	"github.com/taskwire/taskwire/pkg/httpapi"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
	"github.com/taskwire/taskwire/services/task-api/internal/limit"
	"github.com/taskwire/taskwire/services/task-api/internal/rest"
)

// DeviceCookie is the name of the cookie by which a browser is known as one that
// has signed in before. It outlives a logout, and opens nothing.
const DeviceCookie = "taskwire_device"

// stranger is who asks without being signed in.
type stranger struct {
	origin  change.Origin
	network string
	device  device
	known   bool // there is a device, though perhaps one of another account
}

func (a *API) strangerOf(ctx context.Context, cookie string) stranger {
	from := rest.Actor(ctx).Origin
	s := stranger{origin: from, network: limit.Network(from.IP)}
	s.device, s.known = a.Keys.Device(cookie)
	return s
}

// key is whose requests his are counted among.
func (s stranger) key() string {
	if s.known {
		return s.device.user.String()
	}
	return s.network
}

// ClientKey is what the requests of who is not signed in are counted by: the
// device's account, or the network. It is empty where networks are not counted.
func (a *API) ClientKey(r *http.Request) string {
	if a.Limits.SignInsNetwork == 0 {
		return ""
	}
	value := ""
	if cookie, err := r.Cookie(DeviceCookie); err == nil {
		value = cookie.Value
	}
	return a.strangerOf(r.Context(), value).key()
}

// counted is an attempt that was counted under a key of a limit.
type counted struct {
	limit limit.Limit
	key   string
}

type loginInput struct {
	Device string `cookie:"taskwire_device" doc:"Set at a sign-in: a device that has signed in before is not held up by others' wrong passwords"`
	Body   struct {
		Email    string `json:"email" maxLength:"254"`
		Password string `json:"password" maxLength:"200"`
	}
}

func (a *API) login(ctx context.Context, in *loginInput) (*signedIn, error) {
	from := a.strangerOf(ctx, in.Device)
	address := strings.ToLower(in.Body.Email)
	byNetwork, byAddress := counted{a.Limits.ForNetwork(), from.network}, counted{a.Limits.ForAddress(), address}
	if !from.known {
		// What is refused anyway takes no turn.
		for _, c := range []counted{byNetwork, byAddress} {
			if wait := a.Attempts.Refused(c.limit, c.key); wait > 0 {
				return nil, tooManySignIns(wait)
			}
		}
	}
	u, passed, err := a.attempt(ctx, from, in, byNetwork, byAddress)
	if err != nil {
		return nil, err
	}
	for _, c := range passed {
		if err := a.Attempts.GiveBack(ctx, c.limit, c.key); err != nil {
			return nil, err
		}
	}
	if err := a.Store.RecordSignIn(ctx, from.origin, u); err != nil {
		return nil, err
	}
	return a.signIn(u, from)
}

// attempt looks at one password. It has a turn for all that it takes, so that
// strangers take no more of the database's connections than there are turns.
func (a *API) attempt(ctx context.Context, from stranger, in *loginInput, byNetwork, byAddress counted) (*User, []counted, error) {
	done, err := a.turn(ctx, from)
	if err != nil {
		return nil, nil, err
	}
	defer done()
	u, err := a.Store.ByEmail(ctx, in.Body.Email)
	hash := noUserHash
	var counts []counted
	switch {
	case errors.Is(err, errNoUser):
		counts = []counted{byNetwork, byAddress}
	case err != nil:
		return nil, nil, err
	case from.known && from.device.user == u.ID:
		// Neither strangers' guesses nor his network's use this up.
		hash, counts = *u.PasswordHash, []counted{{a.Limits.ForDevice(), "device " + from.device.id}}
	default:
		hash, counts = *u.PasswordHash, []counted{byNetwork, byAddress}
	}
	for _, c := range counts {
		// Before the password is looked at: a burst does not pass together.
		wait, first, err := a.Attempts.Count(ctx, c.limit, c.key)
		if err != nil {
			return nil, nil, err
		}
		if wait > 0 {
			if first && c != byNetwork {
				a.Failed.Note(ctx, from.origin, in.Body.Email, reasonTooMany)
			}
			return nil, nil, tooManySignIns(wait)
		}
	}
	right, err := checkPassword(hash, in.Body.Password)
	if err != nil {
		return nil, nil, err
	}
	if u == nil || !right {
		a.Failed.Note(ctx, from.origin, in.Body.Email, reasonPassword)
		return nil, nil, httpapi.NewProblem(http.StatusUnauthorized, "the email address or the password is wrong")
	}
	return u, counts, nil
}

// turn waits until a password may be hashed, and says 503 where that takes too long.
func (a *API) turn(ctx context.Context, from stranger) (done func(), err error) {
	done, err = a.Hashing.Take(ctx, from.known, from.key())
	if errors.Is(err, limit.ErrBusy) {
		return nil, httpapi.Unavailable("too many are signing in at the moment; try again shortly")
	}
	return done, err
}

func tooManySignIns(wait time.Duration) error {
	return httpapi.TooMany("too many attempts to sign in; wait before you try again, or use a device that has signed in before", wait)
}

func tooManyAccounts(wait time.Duration) error {
	return httpapi.TooMany("too many accounts were made from your network; try again later", wait)
}

// signIn answers with a token, and makes the browser a known device.
func (a *API) signIn(u *User, from stranger) (*signedIn, error) {
	token, expires, err := a.Keys.Sign(u, a.Now())
	if err != nil {
		return nil, err
	}
	d := from.device
	if !from.known || d.user != u.ID {
		id, err := uuid.NewV7()
		if err != nil {
			return nil, fmt.Errorf("make a device id: %w", err)
		}
		d = device{u.ID, id.String()}
	}
	value, until, err := a.Keys.SignDevice(d, a.Now())
	if err != nil {
		return nil, err
	}
	known := a.cookie(DeviceCookie, "/api/auth", value, until)
	out := &signedIn{SetCookie: []http.Cookie{a.cookie(auth.Cookie, "/", token, expires), known}}
	out.Body.User, out.Body.Token, out.Body.ExpiresAt = u, token, expires.UTC()
	return out, nil
}

func (a *API) cookie(name, path, value string, expires time.Time) http.Cookie {
	return http.Cookie{
		Name: name, Value: value, Path: path, Expires: expires,
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: a.SecureCookies,
	}
}
