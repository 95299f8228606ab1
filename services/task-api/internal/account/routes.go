package account

import (
	"context"
	"errors"
	"net/http"
	"net/mail"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/auth"
	"github.com/taskwire/taskwire/pkg/httpapi"
	"github.com/taskwire/taskwire/pkg/recurrence"
)

// attemptsPerMinute is how many wrong passwords an account takes in a minute
// before further attempts are refused unseen.
const attemptsPerMinute = 10

// API is the accounts over HTTP.
type API struct {
	Store         *Store
	Keys          *Keys
	SecureCookies bool
	Failures      httpapi.Failures
	Now           func() time.Time

	guesses guesses
}

// signedIn is the answer to whoever has just proved who he is.
type signedIn struct {
	SetCookie http.Cookie `header:"Set-Cookie"`
	Body      struct {
		User      *User     `json:"user"`
		Token     string    `json:"token"`
		ExpiresAt time.Time `json:"expires_at"`
	}
}

type profile struct {
	Body *User
}

// MountOpen adds what needs no token: register, login and logout.
func (a *API) MountOpen(api huma.API) {
	httpapi.Register(api, a.Failures, huma.Operation{
		OperationID: "register", Method: http.MethodPost, Path: "/api/auth/register", Tags: []string{"Accounts"},
		Summary: "Create an account and sign in", DefaultStatus: http.StatusCreated, Errors: []int{http.StatusConflict},
	}, a.register)
	httpapi.Register(api, a.Failures, huma.Operation{
		OperationID: "login", Method: http.MethodPost, Path: "/api/auth/login", Tags: []string{"Accounts"},
		Summary: "Sign in", Errors: []int{http.StatusUnauthorized, http.StatusTooManyRequests},
	}, a.login)
	httpapi.Register(api, a.Failures, huma.Operation{
		OperationID: "logout", Method: http.MethodPost, Path: "/api/auth/logout", Tags: []string{"Accounts"},
		Summary: "Drop the cookie; a token stays valid until it expires", DefaultStatus: http.StatusNoContent,
	}, a.logout)
}

// Mount adds the caller's own profile.
func (a *API) Mount(api huma.API) {
	httpapi.Register(api, a.Failures, huma.Operation{
		OperationID: "me", Method: http.MethodGet, Path: "/api/auth/me", Tags: []string{"Accounts"},
		Summary: "Your profile", Security: httpapi.Authenticated, Errors: []int{http.StatusUnauthorized},
	}, a.me)
	httpapi.Register(api, a.Failures, huma.Operation{
		OperationID: "update-me", Method: http.MethodPatch, Path: "/api/auth/me", Tags: []string{"Accounts"},
		Summary: "Change your profile", Security: httpapi.Authenticated, Errors: []int{http.StatusUnauthorized},
	}, a.updateMe)
}

func (a *API) register(ctx context.Context, in *struct {
	Body struct {
		Email    string `json:"email" minLength:"3" maxLength:"254"`
		Password string `json:"password" minLength:"10" maxLength:"200"`
		Name     string `json:"name,omitempty" maxLength:"200"`
		Timezone string `json:"timezone,omitempty" maxLength:"64" doc:"IANA time zone; default UTC"`
	}
}) (*signedIn, error) {
	if err := checkEmail(in.Body.Email); err != nil {
		return nil, err
	}
	zone := in.Body.Timezone
	if zone == "" {
		zone = "UTC"
	}
	if err := checkTimezone(zone); err != nil {
		return nil, err
	}
	hash, err := hashPassword(ctx, in.Body.Password)
	if err != nil {
		return nil, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return nil, err
	}
	now := a.Now().UTC().Truncate(time.Microsecond) // as Postgres keeps it
	u := &User{ID: id, Email: in.Body.Email, Name: in.Body.Name, Timezone: zone, PasswordHash: &hash, CreatedAt: now, UpdatedAt: now}
	switch err := a.Store.Create(ctx, u); {
	case errors.Is(err, errEmailTaken):
		return nil, httpapi.NewProblem(http.StatusConflict, "there is an account with this email address; sign in instead",
			httpapi.FieldError{Location: "body.email", Message: "is taken"})
	case err != nil:
		return nil, err
	}
	return a.signIn(u)
}

func (a *API) login(ctx context.Context, in *struct {
	Body struct {
		Email    string `json:"email" maxLength:"254"`
		Password string `json:"password" maxLength:"200"`
	}
}) (*signedIn, error) {
	key := strings.ToLower(in.Body.Email)
	if !a.guesses.take(key, a.Now()) {
		return nil, httpapi.NewProblem(http.StatusTooManyRequests, "too many wrong passwords for this account; wait a minute")
	}
	u, err := a.Store.ByEmail(ctx, in.Body.Email)
	hash := noUserHash
	switch {
	case err == nil:
		hash = *u.PasswordHash
	case !errors.Is(err, errNoUser):
		return nil, err
	}
	right, err := checkPassword(ctx, hash, in.Body.Password)
	if err != nil {
		return nil, err
	}
	if u == nil || !right {
		return nil, httpapi.NewProblem(http.StatusUnauthorized, "the email address or the password is wrong")
	}
	a.guesses.giveBack(key)
	if err := a.Store.TellSignedIn(ctx, u); err != nil {
		return nil, err
	}
	return a.signIn(u)
}

func (a *API) signIn(u *User) (*signedIn, error) {
	token, expires, err := a.Keys.Sign(u, a.Now())
	if err != nil {
		return nil, err
	}
	out := &signedIn{SetCookie: a.cookie(token, expires)}
	out.Body.User, out.Body.Token, out.Body.ExpiresAt = u, token, expires.UTC()
	return out, nil
}

func (a *API) cookie(token string, expires time.Time) http.Cookie {
	return http.Cookie{
		Name: auth.Cookie, Value: token, Path: "/", Expires: expires,
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: a.SecureCookies,
	}
}

func (a *API) logout(context.Context, *struct{}) (*struct {
	SetCookie http.Cookie `header:"Set-Cookie"`
}, error,
) {
	c := a.cookie("", time.Unix(1, 0))
	c.MaxAge = -1
	return &struct {
		SetCookie http.Cookie `header:"Set-Cookie"`
	}{c}, nil
}

func (a *API) me(ctx context.Context, _ *struct{}) (*profile, error) {
	u, err := a.Store.ByID(ctx, auth.CallerOf(ctx).UserID)
	if errors.Is(err, errNoUser) {
		return nil, httpapi.NotFound("user")
	}
	if err != nil {
		return nil, err
	}
	return &profile{u}, nil
}

func (a *API) updateMe(ctx context.Context, in *struct {
	Body struct {
		Name     *string `json:"name,omitempty" maxLength:"200"`
		Timezone *string `json:"timezone,omitempty" minLength:"1" maxLength:"64"`
	}
}) (*profile, error) {
	if in.Body.Timezone != nil {
		if err := checkTimezone(*in.Body.Timezone); err != nil {
			return nil, err
		}
	}
	u, err := a.Store.Update(ctx, auth.CallerOf(ctx).UserID, func(u *User) {
		if in.Body.Name != nil {
			u.Name = *in.Body.Name
		}
		if in.Body.Timezone != nil {
			u.Timezone = *in.Body.Timezone
		}
	})
	if errors.Is(err, errNoUser) {
		return nil, httpapi.NotFound("user")
	}
	if err != nil {
		return nil, err
	}
	return &profile{u}, nil
}

// checkEmail takes an address alone (RFC 5322 addr-spec), without a name or a
// comment, and without what could break out of a mail header.
func checkEmail(email string) error {
	parsed, err := mail.ParseAddress(email)
	if err != nil || parsed.Address != email || parsed.Name != "" || strings.ContainsAny(email, " \t\r\n\"<>(),;") {
		return httpapi.Invalid("body.email", "must be an email address, such as ada@example.org")
	}
	return nil
}

func checkTimezone(zone string) error {
	if _, err := recurrence.Location(zone); err != nil {
		return httpapi.Invalid("body.timezone", err.Error())
	}
	return nil
}
