package rest

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/taskwire/taskwire/pkg/auth"
	"github.com/taskwire/taskwire/pkg/httpapi"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/account"
)

// Address is where a mail is to go.
type Address struct {
	Email string `json:"email" minLength:"3" maxLength:"254" doc:"The address of the account"`
}

// MailToken is what a mail's link says.
type MailToken struct {
	Token string `json:"token" minLength:"1" maxLength:"200" doc:"From the link in the mail"`
}

// PasswordReset sets a password by a mail's token.
type PasswordReset struct {
	Token    string `json:"token" minLength:"1" maxLength:"200" doc:"From the link in the mail"`
	Password string `json:"password" minLength:"10" maxLength:"200" doc:"The one that you want. Any characters; none that others would guess"`
}

var exampleMailToken = MailToken{"AZChoBorfU6PYHGCk6S1xgvYgX0pyOG2fsZyTQLWhd0FmQ8cXkV3rN5uJb7aTe2o"}

// MountMails adds what is done by the links of mails, and what asks for those mails: nobody
// has to be signed in.
func (a *Accounts) MountMails(api huma.API) {
	operation := func(id, path, summary, more string, status int, said map[string]any) huma.Operation {
		return huma.Operation{OperationID: id, Method: http.MethodPost, Path: path, Summary: summary, Description: more, Tags: []string{"Accounts"}, DefaultStatus: status, Metadata: said}
	}
	forStranger(api, a.Failures, operation("forgot-password", "/api/auth/forgot", "Ask for a mail that lets you set a new password",
		"The answer does not say whether there is an account. The link in the mail is good once, for 30 minutes.", http.StatusAccepted,
		httpapi.Describe(Address{exampleUser.Email}, nil, httpapi.TooManyAttempts)), a.forgot)
	forStranger(api, a.Failures, operation("reset-password", "/api/auth/reset", "Set a new password by the link of a mail",
		"All sessions and API tokens end, and the address is verified. Sign in with the new password.", http.StatusNoContent,
		httpapi.Describe(PasswordReset{exampleMailToken.Token, "a better horse battery"}, nil)), a.reset)
	forStranger(api, a.Failures, operation("verify-address", "/api/auth/verify", "Show that an address is yours by the link of a mail",
		"That of a new account, or the one that you want your account to have.", http.StatusNoContent,
		httpapi.Describe(exampleMailToken, nil, httpapi.EmailTaken)), a.verify)
	forStranger(api, a.Failures, operation("resend-verification", "/api/auth/verify/resend", "Ask for another mail to verify your address",
		"The answer does not say whether there is an account. Who is signed in need not name the address.", http.StatusAccepted,
		httpapi.Describe(Address{exampleUser.Email}, nil, httpapi.TooManyAttempts)), a.resend)
}

func (a *Accounts) forgot(ctx context.Context, actor access.Actor, in *struct {
	Device string `cookie:"taskwire_device" doc:"Set at a sign-in"`
	Body   Address
},
) (*struct{}, error) {
	return nil, a.Authenticator.Forgot(ctx, a.Keys.Stranger(actor.Origin, in.Device), in.Body.Email)
}

// known is the answer to whoever has shown that a mail came to him.
type known struct {
	SetCookie []http.Cookie `header:"Set-Cookie" doc:"taskwire_device, by which the browser is known"`
}

func (a *Accounts) reset(ctx context.Context, actor access.Actor, in *struct {
	Device string `cookie:"taskwire_device" doc:"Set at a sign-in"`
	Body   PasswordReset
},
) (*known, error) {
	from := a.Keys.Stranger(actor.Origin, in.Device)
	u, err := a.Authenticator.Reset(ctx, from, in.Body.Token, in.Body.Password)
	if err != nil {
		return nil, err
	}
	return a.rememberDevice(ctx, from, u)
}

func (a *Accounts) verify(ctx context.Context, actor access.Actor, in *struct {
	Device string `cookie:"taskwire_device" doc:"Set at a sign-in"`
	Body   MailToken
},
) (*known, error) {
	u, err := a.Authenticator.Verify(ctx, actor.Origin, in.Body.Token)
	if err != nil {
		return nil, err
	}
	return a.rememberDevice(ctx, a.Keys.Stranger(actor.Origin, in.Device), u)
}

// rememberDevice makes the browser a known device of a user's, who has shown that a mail came to him.
// Where a sign-in takes more than a password it does not: a device has guesses of its own.
func (a *Accounts) rememberDevice(ctx context.Context, from account.Stranger, u *account.User) (*known, error) {
	more, err := a.Authenticator.Store.HasSecondFactor(ctx, u.ID)
	if err != nil || more {
		return &known{}, err
	}
	cookie, err := a.deviceCookie(from, u)
	return &known{[]http.Cookie{cookie}}, err
}

func (a *Accounts) resend(ctx context.Context, actor access.Actor, in *struct {
	Device        string   `cookie:"taskwire_device" doc:"Set at a sign-in"`
	Cookie        string   `cookie:"auth_token" doc:"Of who is signed in"`
	Authorization string   `header:"Authorization" doc:"Or a token"`
	Body          *Address `required:"false"`
},
) (*struct{}, error) {
	email := ""
	if in.Body != nil {
		email = in.Body.Email
	} else if credential, ok := auth.CredentialOf(in.Authorization, in.Cookie); ok {
		if caller, err := a.Credentials.Caller(ctx, credential); err == nil {
			email = caller.Email
		}
	}
	if email == "" {
		return nil, httpapi.NewProblem(httpapi.Unprocessable, "validation failed", httpapi.FieldError{Location: "body.email", Message: "say which address, or sign in"})
	}
	return nil, a.Authenticator.ResendVerification(ctx, a.Keys.Stranger(actor.Origin, in.Device), email)
}
