package account

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/taskwire/taskwire/pkg/auth"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/limit"
	"github.com/taskwire/taskwire/services/task-api/internal/refuse"
)

// Stranger is who asks without being signed in.
type Stranger struct {
	Origin  access.Origin
	network string
	device  Device
	known   bool        // there is a device, though perhaps one of another account
	had     auth.Caller // whose session the browser had, if it had one
}

// Stranger is who comes from somewhere with the value of a device's cookie, "" for none.
func (k *Keys) Stranger(from access.Origin, cookie string) Stranger {
	s := Stranger{Origin: from, network: limit.Network(from.IP)}
	s.device, s.known = k.Device(cookie)
	return s
}

// Key is whose requests his are counted among: the device's account, or the network.
func (s Stranger) Key() string {
	if s.known {
		return s.device.user.String()
	}
	return s.network
}

// knows says whether he comes with a device that has signed in to an account before.
func (s Stranger) knows(u *User) bool { return s.known && s.device.user == u.ID }

// counted is an attempt that was counted under a key of a limit.
type counted struct {
	limit limit.Limit
	key   string
}

// With is the stranger whose browser had a session with a cookie, "" for none. It ends where
// he signs in again, if it is one of his.
func (a *Authenticator) With(ctx context.Context, from Stranger, cookie string) (_ Stranger, err error) {
	from.had, err = a.Sessions.ByCookie(ctx, cookie)
	if errors.Is(err, auth.ErrRefused) {
		err = nil
	}
	return from, err
}

// SignIn begins a session of the user whose address and password these are. Where he has
// a second factor, a code is asked for besides, "" for none.
func (a *Authenticator) SignIn(ctx context.Context, from Stranger, email, password, code string) (*User, *Opened, error) {
	byNetwork, byAddress := counted{a.Limits.ForNetwork(), from.network}, counted{a.Limits.ForAddress(), strings.ToLower(email)}
	if !from.known {
		// What is refused anyway takes no turn.
		for _, c := range []counted{byNetwork, byAddress} {
			if wait := a.Attempts.Refused(c.limit, c.key); wait > 0 {
				return nil, nil, tooManySignIns(wait)
			}
		}
	}
	u, passed, err := a.attempt(ctx, from, email, password, byNetwork, byAddress)
	if err != nil {
		return nil, nil, err
	}
	for _, c := range passed {
		if err := a.Attempts.GiveBack(ctx, c.limit, c.key); err != nil {
			return nil, nil, err
		}
	}
	if err := a.mayEnter(u); err != nil {
		return nil, nil, err
	}
	if from.had.UserID == u.ID {
		defer a.Sessions.forget()
	}
	// After the password, so that who does not know it does not learn who has one.
	f, err := factorOf(ctx, a.Store.DB, u.ID)
	if err != nil {
		return nil, nil, err
	}
	var opened *Opened
	if f != nil && f.ConfirmedAt != nil {
		opened, err = a.openSessionByCode(ctx, from, u, f, code)
	} else {
		opened, err = a.Store.OpenSession(ctx, from, u)
	}
	return u, opened, err
}

// mayEnter refuses a user who has shown who he is, and may not be let in: whichever way he
// comes.
func (a *Authenticator) mayEnter(u *User) error {
	switch {
	case u.BlockedAt != nil:
		return refuse.Because(refuse.AccountBlocked, "the account is blocked; ask the operator")
	case !u.Verified && a.Settings.Verified():
		return refuse.Because(refuse.AddressUnverified, "it has not been shown yet that the address is yours; follow the link in the mail that went there, or ask for another")
	}
	return nil
}

// attempt looks at one password. It has a turn for all that it takes, so that
// strangers take no more of the database's connections than there are turns.
func (a *Authenticator) attempt(ctx context.Context, from Stranger, email, password string, byNetwork, byAddress counted) (*User, []counted, error) {
	done, err := a.turn(ctx, from)
	if err != nil {
		return nil, nil, err
	}
	defer done()
	u, err := a.Store.ByEmail(ctx, email)
	hash := noUserHash
	var counts []counted
	switch {
	case errors.Is(err, errNoUser):
		counts = []counted{byNetwork, byAddress}
	case err != nil:
		return nil, nil, err
	case from.knows(u):
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
				a.Failed.Note(ctx, from.Origin, email, reasonTooMany)
			}
			return nil, nil, tooManySignIns(wait)
		}
	}
	right, err := checkPassword(hash, password)
	if err != nil {
		return nil, nil, err
	}
	if u == nil || !right {
		a.Failed.Note(ctx, from.Origin, email, reasonPassword)
		return nil, nil, refuse.Because(refuse.WrongPassword, "the email address or the password is wrong")
	}
	return u, counts, nil
}

// turn waits until a password may be hashed, and refuses where that takes too long.
func (a *Authenticator) turn(ctx context.Context, from Stranger) (done func(), err error) {
	done, err = a.Hashing.Take(ctx, from.known, from.Key())
	if errors.Is(err, limit.ErrBusy) {
		return nil, refuse.Because(refuse.Busy, "too many are signing in at the moment; try again shortly")
	}
	return done, err
}

func tooManySignIns(wait time.Duration) error {
	return refuse.Until(wait, "too many attempts to sign in; wait before you try again, or use a device that has signed in before")
}

func tooManyAccounts(wait time.Duration) error {
	return refuse.Until(wait, "too many accounts were made from your network; try again later")
}
