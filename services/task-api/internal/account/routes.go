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
	"github.com/taskwire/taskwire/services/task-api/internal/limit"
	"github.com/taskwire/taskwire/services/task-api/internal/rest"
)

// API is the accounts over HTTP.
type API struct {
	Store         *Store
	Keys          *Keys
	SecureCookies bool
	Failures      httpapi.Failures
	Now           func() time.Time

	Limits   limit.Settings
	Attempts *limit.Windows
	Hashing  *limit.Turns
	Failed   *FailedSignIns
}

// signedIn is the answer to whoever has just proved who he is.
type signedIn struct {
	SetCookie []http.Cookie `header:"Set-Cookie"`
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
		Summary: "Create an account and sign in", DefaultStatus: http.StatusCreated, Errors: []int{http.StatusConflict, http.StatusTooManyRequests, http.StatusServiceUnavailable},
	}, a.register)
	httpapi.Register(api, a.Failures, huma.Operation{
		OperationID: "login", Method: http.MethodPost, Path: "/api/auth/login", Tags: []string{"Accounts"},
		Summary: "Sign in", Errors: []int{http.StatusUnauthorized, http.StatusTooManyRequests, http.StatusServiceUnavailable},
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

type registerInput struct {
	Device string `cookie:"taskwire_device" doc:"Set at a sign-in"`
	Body   struct {
		Email    string `json:"email" minLength:"3" maxLength:"254"`
		Password string `json:"password" minLength:"10" maxLength:"200"`
		Name     string `json:"name,omitempty" maxLength:"200"`
		Timezone string `json:"timezone,omitempty" maxLength:"64" doc:"IANA time zone; default UTC"`
	}
}

func (a *API) register(ctx context.Context, in *registerInput) (*signedIn, error) {
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
	from := a.strangerOf(ctx, in.Device)
	hash, err := a.hashNew(ctx, from, in.Body.Password)
	if err != nil {
		return nil, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return nil, err
	}
	u := &User{ID: id, Email: in.Body.Email, Name: in.Body.Name, Timezone: zone, PasswordHash: &hash}
	switch err := a.Store.Create(ctx, from.origin, u); {
	case errors.Is(err, errEmailTaken):
		return nil, httpapi.NewProblem(http.StatusConflict, "there is an account with this email address; sign in instead",
			httpapi.FieldError{Location: "body.email", Message: "is taken"})
	case err != nil:
		return nil, err
	}
	return a.signIn(u, from)
}

// hashNew hashes the password of a new account.
func (a *API) hashNew(ctx context.Context, from stranger, password string) (string, error) {
	of := a.Limits.ForRegistrations()
	if wait := a.Attempts.Refused(of, from.network); wait > 0 {
		return "", tooManyAccounts(wait) // without a turn
	}
	done, err := a.turn(ctx, from)
	if err != nil {
		return "", err
	}
	defer done()
	wait, _, err := a.Attempts.Count(ctx, of, from.network)
	if err != nil {
		return "", err
	}
	if wait > 0 {
		return "", tooManyAccounts(wait)
	}
	return hashPassword(password), nil
}

func (a *API) logout(context.Context, *struct{}) (*struct {
	SetCookie http.Cookie `header:"Set-Cookie"`
}, error,
) {
	c := a.cookie(auth.Cookie, "/", "", time.Unix(1, 0))
	c.MaxAge = -1
	return &struct {
		SetCookie http.Cookie `header:"Set-Cookie"`
	}{c}, nil
}

func (a *API) me(ctx context.Context, _ *struct{}) (*profile, error) {
	u, err := a.Store.ByID(ctx, rest.Actor(ctx).UserID)
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
	u, err := a.Store.Update(ctx, rest.Actor(ctx), func(u *User) {
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
