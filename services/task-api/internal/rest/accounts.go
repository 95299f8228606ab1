package rest

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/auth"
	"github.com/taskwire/taskwire/pkg/httpapi"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/account"
	"github.com/taskwire/taskwire/services/task-api/internal/actor"
)

// DeviceCookie is the name of the cookie by which a browser is known as one that
// has signed in before. It outlives a logout, and opens nothing.
const DeviceCookie = "taskwire_device"

// Accounts is the accounts over HTTP.
type Accounts struct {
	Authenticator *account.Authenticator
	Keys          *account.Keys
	Credentials   account.Credentials
	SecureCookies bool
	Failures      httpapi.Failures
	Now           func() time.Time
}

// signedIn is the answer to whoever has just proved who he is.
type signedIn struct {
	SetCookie []http.Cookie `header:"Set-Cookie" doc:"auth_token, which signs the browser in, and taskwire_device, by which it is known"`
	Body      SignedIn
}

// SignedIn is a user and his token.
type SignedIn struct {
	User      account.User `json:"user" doc:"Who you are"`
	Token     string       `json:"token" doc:"For Authorization: Bearer"`
	ExpiresAt time.Time    `json:"expires_at" doc:"When the token ends"`
}

// registered is the answer to whoever wants an account: 201 with a session, or 202.
type registered struct {
	Status    int
	SetCookie []http.Cookie `header:"Set-Cookie" doc:"auth_token, which signs the browser in, and taskwire_device, by which it is known"`
	Body      Registered
}

// Registered is who has registered and his token; nothing where the address has to be
// verified first.
type Registered struct {
	*SignedIn
}

// Registration is what an account begins with.
type Registration struct {
	Email    string `json:"email" minLength:"3" maxLength:"254" doc:"By which you sign in, and where reminders go"`
	Password string `json:"password" minLength:"10" maxLength:"200" doc:"Chosen by you"`
	Name     string `json:"name,omitempty" maxLength:"200" doc:"How you are called"`
	Timezone string `json:"timezone,omitempty" maxLength:"64" doc:"IANA time zone that new tasks get; default UTC"`
}

// Credentials are what a user signs in with.
type Credentials struct {
	Email    string `json:"email" maxLength:"254" doc:"As you registered it"`
	Password string `json:"password" maxLength:"200" doc:"Yours"`
	Code     string `json:"code,omitempty" maxLength:"64" doc:"Where the account has a second factor: what its application shows, or a recovery code"`
}

// ProfilePatch changes a profile. What is left out, or null, stays.
type ProfilePatch struct {
	Name     *string `json:"name,omitempty" nullable:"true" maxLength:"200" doc:"How you are called"`
	Timezone *string `json:"timezone,omitempty" nullable:"true" minLength:"1" maxLength:"64" doc:"IANA time zone that new tasks get"`
	Email    *string `json:"email,omitempty" nullable:"true" minLength:"3" maxLength:"254" doc:"The address that you want: a mail goes there, and it is yours once you follow the link in it"`
}

// MountOpen adds what needs no token: register, login and logout.
func (a *Accounts) MountOpen(api huma.API) {
	forStranger(api, a.Failures, huma.Operation{
		OperationID: "register", Method: http.MethodPost, Path: "/api/auth/register", Tags: []string{"Accounts"},
		Summary:     "Create an account and sign in",
		Description: "A session begins: its cookie is auth_token, and a token of it, for an hour, is answered. Where addresses have to be verified (MAIL_VERIFICATION), the answer is 202 without a session, whether there is an account with the address or not: a mail says how it goes on.",
		Responses:   map[string]*huma.Response{"202": {Description: "A mail is on its way"}}, DefaultStatus: http.StatusCreated,
		Metadata: httpapi.Describe(exampleRegistration, exampleSignedIn, httpapi.RegistrationClosed, httpapi.EmailTaken, httpapi.TooManyAttempts),
	}, a.register)
	forStranger(api, a.Failures, huma.Operation{
		OperationID: "login", Method: http.MethodPost, Path: "/api/auth/login", Tags: []string{"Accounts"},
		Summary:     "Sign in",
		Description: "A session begins: its cookie is auth_token, and lives for 30 days from its last use; a token of it, for an hour, is answered. Wrong passwords slow down who sends them; a device that has signed in before is not held up by those of others. Where the account has a second factor, the right password without a code is answered with the problem second-factor-required.",
		Metadata:    httpapi.Describe(exampleCredentials, exampleSignedIn, httpapi.WrongPassword, httpapi.SecondFactorRequired, httpapi.WrongCode, httpapi.AddressUnverified, httpapi.AccountBlocked, httpapi.TooManyAttempts),
	}, a.login)
	forStranger(api, a.Failures, huma.Operation{
		OperationID: "logout", Method: http.MethodPost, Path: "/api/auth/logout", Tags: []string{"Accounts"},
		Summary:     "Sign out",
		Description: "The session of the cookie, or of the token, ends, and the cookie auth_token is emptied.", DefaultStatus: http.StatusNoContent,
	}, a.logout)
	a.MountMails(api)
}

// SessionList is a user's sessions.
type SessionList struct {
	Items []*account.Session `json:"items" nullable:"false" doc:"Your sessions, the last used first"`
}

// PasswordChange gives a user another password.
type PasswordChange struct {
	Current string `json:"current" maxLength:"200" doc:"The password that you have"`
	New     string `json:"new" minLength:"10" maxLength:"200" doc:"The one that you want. Any characters; none that others would guess"`
}

// Mount adds the caller's own profile, and who is signed in as him.
func (a *Accounts) Mount(api huma.API) {
	operation := func(id, method, path, summary, more string, said map[string]any) huma.Operation {
		return huma.Operation{OperationID: id, Method: method, Path: path, Summary: summary, Description: more, Tags: []string{"Accounts"}, Metadata: said}
	}
	say := httpapi.Describe
	forUser(api, a.Failures, operation("list-sessions", http.MethodGet, "/api/auth/sessions", "Who is signed in as you",
		"Each browser and client that has signed in, until it signs out or has not come for 30 days.", say(nil, SessionList{Items: []*account.Session{&exampleSession}})), a.sessions)
	out := operation("end-session", http.MethodDelete, "/api/auth/sessions/{id}", "Sign a device of yours out",
		"Its cookie and its tokens are refused from then on.", say(nil, nil, httpapi.Missing))
	out.DefaultStatus = http.StatusNoContent
	forUser(api, a.Failures, out, a.endOne)
	others := operation("end-other-sessions", http.MethodDelete, "/api/auth/sessions", "Sign all your other devices out",
		"All sessions end but the one that asks.", say(nil, nil))
	others.DefaultStatus = http.StatusNoContent
	forUser(api, a.Failures, others, a.endOthers)
	password := operation("change-password", http.MethodPost, "/api/auth/password", "Change your password",
		"All your other sessions end.", say(PasswordChange{exampleRegistration.Password, "a better horse battery"}, nil, httpapi.SignInAgain, httpapi.TooManyAttempts))
	password.DefaultStatus = http.StatusNoContent
	forUser(api, a.Failures, password, a.changePassword)
	forToken(api, a.Failures, huma.Operation{
		OperationID: "me", Method: http.MethodGet, Path: "/api/auth/me", Tags: []string{"Accounts"}, Summary: "Your profile",
		Description: "Who the token belongs to.",
		Metadata:    httpapi.Describe(nil, exampleUser, httpapi.Missing),
	}, a.me, auth.AccountRead)
	forUser(api, a.Failures, huma.Operation{
		OperationID: "update-me", Method: http.MethodPatch, Path: "/api/auth/me", Tags: []string{"Accounts"}, Summary: "Change your profile",
		Description: "What is left out, or null, stays. A new time zone is that of new tasks; those that there are keep theirs. Another address is asked for: the answer is 202, and the account has the address once the link in the mail that goes there was followed.",
		Responses:   map[string]*huma.Response{"202": {Description: "As it is; a mail went to the new address"}},
		Metadata:    httpapi.Describe(ProfilePatch{Name: &exampleUser.Name, Timezone: &exampleUser.Timezone}, exampleUser, httpapi.SignInAgain, httpapi.Missing, httpapi.TooManyAttempts),
	}, a.updateMe)
}

type registerInput struct {
	Device string `cookie:"taskwire_device" doc:"Set at a sign-in"`
	Body   Registration
}

func (a *Accounts) register(ctx context.Context, actor access.Actor, in *registerInput) (*registered, error) {
	from := a.Keys.Stranger(actor.Origin, in.Device)
	u, session, err := a.Authenticator.Register(ctx, from, account.Registration(in.Body))
	if err != nil {
		return nil, err
	}
	if session == nil {
		return &registered{Status: http.StatusAccepted}, nil
	}
	now, err := a.signedIn(u, session, from)
	if err != nil {
		return nil, err
	}
	return &registered{http.StatusCreated, now.SetCookie, Registered{&now.Body}}, nil
}

type loginInput struct {
	Device string `cookie:"taskwire_device" doc:"Set at a sign-in: a device that has signed in before is not held up by others' wrong passwords"`
	Cookie string `cookie:"auth_token" doc:"The session that the browser has: it ends, if it is yours"`
	Body   Credentials
}

func (a *Accounts) login(ctx context.Context, actor access.Actor, in *loginInput) (*signedIn, error) {
	from := a.Keys.Stranger(actor.Origin, in.Device)
	from, err := a.Authenticator.With(ctx, from, in.Cookie)
	if err != nil {
		return nil, err
	}
	u, session, err := a.Authenticator.SignIn(ctx, from, in.Body.Email, in.Body.Password, in.Body.Code)
	if err != nil {
		return nil, err
	}
	return a.signedIn(u, session, from)
}

// signedIn answers with the session's cookie and a token of it, and makes the browser a
// known device.
func (a *Accounts) signedIn(u *account.User, session *account.Opened, from account.Stranger) (*signedIn, error) {
	token, expires, err := a.Keys.Sign(u, session.ID, a.Now())
	if err != nil {
		return nil, err
	}
	device, err := a.deviceCookie(from, u)
	if err != nil {
		return nil, err
	}
	out := &signedIn{SetCookie: []http.Cookie{a.newCookie(auth.Cookie, "/", session.Secret, session.Expires), device}}
	out.Body.User, out.Body.Token, out.Body.ExpiresAt = *u, token, expires.UTC()
	return out, nil
}

// deviceCookie makes a browser a known device of a user's.
func (a *Accounts) deviceCookie(from account.Stranger, u *account.User) (http.Cookie, error) {
	device, err := from.DeviceOf(u)
	if err != nil {
		return http.Cookie{}, err
	}
	value, until, err := a.Keys.SignDevice(device, a.Now())
	return a.newCookie(DeviceCookie, "/api/auth", value, until), err
}

type dropped struct {
	SetCookie http.Cookie `header:"Set-Cookie" doc:"auth_token, empty and past"`
}

func (a *Accounts) logout(ctx context.Context, actor access.Actor, in *struct {
	Cookie        string `cookie:"auth_token" doc:"The session that ends"`
	Authorization string `header:"Authorization" doc:"Or a token of it"`
},
) (*dropped, error) {
	credential, _ := auth.CredentialOf(in.Authorization, in.Cookie)
	if err := a.endSession(ctx, actor, credential); err != nil {
		return nil, err
	}
	return &dropped{a.expiredCookie(auth.Cookie, "/")}, nil
}

// expiredCookie takes a cookie from a browser.
func (a *Accounts) expiredCookie(name, path string) http.Cookie {
	c := a.newCookie(name, path, "", time.Unix(1, 0))
	c.MaxAge = -1
	return c
}

// endSession ends the session of a credential, if it is one.
func (a *Accounts) endSession(ctx context.Context, actor access.Actor, credential string) error {
	caller, err := a.Credentials.Caller(ctx, credential)
	if credential == "" || isRefused(err) {
		return nil // whoever is not signed in is out
	}
	if err != nil || caller.SessionID == uuid.Nil {
		return err
	}
	actor.UserID, actor.Email = caller.UserID, caller.Email
	return a.Authenticator.Sessions.End(ctx, actor, caller.SessionID)
}

// newCookie makes one that a browser keeps until it expires, by whatever clock it has.
func (a *Accounts) newCookie(name, path, value string, expires time.Time) http.Cookie {
	return http.Cookie{
		Name: name, Value: value, Path: path, Expires: expires, MaxAge: int(expires.Sub(a.Now()).Seconds()),
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: a.SecureCookies,
	}
}

func (a *Accounts) sessions(ctx context.Context, actor access.Actor, _ *struct{}) (*struct{ Body SessionList }, error) {
	found, err := a.Authenticator.Sessions.List(ctx, actor, auth.CallerOf(ctx).SessionID)
	return &struct{ Body SessionList }{SessionList{found}}, err
}

func (a *Accounts) endOne(ctx context.Context, actor access.Actor, in *struct {
	ID uuid.UUID `path:"id" format:"uuid" doc:"The session"`
},
) (*struct{}, error) {
	return nil, a.Authenticator.Sessions.End(ctx, actor, in.ID)
}

func (a *Accounts) endOthers(ctx context.Context, actor access.Actor, _ *struct{}) (*struct{}, error) {
	return nil, a.Authenticator.Sessions.EndOthers(ctx, actor, auth.CallerOf(ctx).SessionID)
}

func (a *Accounts) changePassword(ctx context.Context, actor access.Actor, in *struct{ Body PasswordChange }) (*struct{}, error) {
	return nil, a.Authenticator.ChangePassword(ctx, actor, auth.CallerOf(ctx).SessionID, in.Body.Current, in.Body.New)
}

type profile struct {
	Body *account.User
}

type changedProfile struct {
	Status int
	Body   *account.User
}

func (a *Accounts) me(ctx context.Context, actor access.Actor, _ *struct{}) (*profile, error) {
	u, err := a.Authenticator.Store.Get(ctx, actor)
	return &profile{u}, err
}

func (a *Accounts) updateMe(ctx context.Context, actor access.Actor, in *struct {
	Body ProfilePatch
},
) (*changedProfile, error) {
	u, asked, err := a.Authenticator.Update(ctx, actor, account.Profile(in.Body))
	out := &changedProfile{http.StatusOK, u}
	if asked {
		out.Status = http.StatusAccepted
	}
	return out, err
}

// ClientKey is what the requests of who is not signed in are counted by: the
// device's account, or the network. It is empty where networks are not counted.
func (a *Accounts) ClientKey(r *http.Request) string {
	if a.Authenticator.Limits.SignInsNetwork == 0 {
		return ""
	}
	value := ""
	if cookie, err := r.Cookie(DeviceCookie); err == nil {
		value = cookie.Value
	}
	return a.Keys.Stranger(actor.OriginOf(r.Context()), value).Key()
}

// SignedIn admits requests of who is signed in.
func (a *Accounts) SignedIn(next http.Handler) http.Handler {
	return auth.Guard(a.Credentials.Caller, a.Failures, next)
}

// AdmitOutside lets users of an outside issuer in as users of ours.
func (a *Accounts) AdmitOutside(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if caller := auth.CallerOf(r.Context()); caller.Outside {
			err := a.Authenticator.Store.EnsureOutside(r.Context(), actor.OriginOf(r.Context()), caller)
			if errors.Is(err, account.ErrErased) {
				httpapi.NewProblem(httpapi.Unauthenticated, "this account was erased, and does not come again").Write(w, r)
				return
			}
			if err != nil {
				a.Failures.Write(w, r, err)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// PublicKeys answers the keys that tokens are verified by.
func (a *Accounts) PublicKeys(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/jwk-set+json")
	w.Header().Set("Cache-Control", "public, max-age=300")
	// The client may have gone; there is nobody left to tell.
	_ = json.NewEncoder(w).Encode(a.Keys.Public())
}
