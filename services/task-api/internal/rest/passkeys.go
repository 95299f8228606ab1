package rest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/httpapi"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/account"
)

// Passkeys is the sign-in by passkeys over HTTP.
type Passkeys struct {
	Accounts *Accounts
	Passkeys *account.Passkeys
	Failures httpapi.Failures
}

// PasskeyOptions is what a browser is asked for.
type PasskeyOptions struct {
	PublicKey map[string]any `json:"publicKey" doc:"For PublicKeyCredential.parseCreationOptionsFromJSON or .parseRequestOptionsFromJSON"`
}

// NewPasskey is a passkey that a browser has made.
type NewPasskey struct {
	Credential map[string]any `json:"credential" doc:"What PublicKeyCredential.toJSON() says"`
	Name       string         `json:"name,omitempty" maxLength:"100" doc:"As you call it"`
}

// PasskeyAnswer is what a passkey has signed.
type PasskeyAnswer struct {
	Credential map[string]any `json:"credential" doc:"What PublicKeyCredential.toJSON() says"`
}

// PasskeyList is a user's passkeys.
type PasskeyList struct {
	Items []*account.Passkey `json:"items" nullable:"false" doc:"Your passkeys, the oldest first"`
}

// mostOfPasskey is how large a request about a passkey may be, in bytes. What a browser
// says of one is a few KiB; and it is read three times.
const mostOfPasskey = 64 << 10

func (a *Passkeys) operation(id, method, path, summary, more string, said map[string]any) huma.Operation {
	return huma.Operation{OperationID: id, Method: method, Path: "/api/auth/passkeys" + path, Summary: summary, Description: more, Tags: []string{"Accounts"}, Metadata: said, MaxBodyBytes: mostOfPasskey}
}

// MountOpen adds what needs no token: to sign in.
func (a *Passkeys) MountOpen(api huma.API) {
	say := httpapi.Describe
	forStranger(api, a.Failures, a.operation("begin-passkey-login", http.MethodPost, "/login/begin", "Begin to sign in by a passkey",
		"The browser is to sign the challenge within five minutes (navigator.credentials.get). Who it is, its passkey says.", say(nil, PasskeyOptions{map[string]any{"challenge": exampleChallenge, "rpId": "tasks.example.org", "userVerification": "preferred"}}, httpapi.Missing, httpapi.TooManyAttempts)), a.beginLogin)
	forStranger(api, a.Failures, a.operation("finish-passkey-login", http.MethodPost, "/login/finish", "Sign in by a passkey",
		"A session begins, as by login.", say(PasskeyAnswer{examplePasskeyAnswer}, exampleSignedIn, httpapi.Missing, httpapi.SignInNotBegun, httpapi.WrongPasskey, httpapi.SecondFactorRequired)), a.finishLogin)
}

// Mount adds the caller's own passkeys.
func (a *Passkeys) Mount(api huma.API) {
	say := httpapi.Describe
	forUser(api, a.Failures, a.operation("begin-passkey", http.MethodPost, "/register/begin", "Begin with a passkey",
		"The browser is to make a key within five minutes (navigator.credentials.create).", say(nil, PasskeyOptions{map[string]any{"challenge": exampleChallenge, "rp": map[string]string{"id": "tasks.example.org", "name": "taskwire"}}}, httpapi.Missing, httpapi.SignInAgain, httpapi.LimitReached)), a.begin)
	finish := a.operation("add-passkey", http.MethodPost, "/register/finish", "Add a passkey",
		"It signs you in from now on.", say(NewPasskey{examplePasskeyAnswer, examplePasskey.Name}, examplePasskey, httpapi.Missing, httpapi.SignInAgain, httpapi.LimitReached))
	finish.DefaultStatus = http.StatusCreated
	forUser(api, a.Failures, finish, a.finish)
	forUser(api, a.Failures, a.operation("list-passkeys", http.MethodGet, "", "Your passkeys", "Those that sign you in.", say(nil, PasskeyList{[]*account.Passkey{&examplePasskey}})), a.list)
	remove := a.operation("remove-passkey", http.MethodDelete, "/{id}", "Remove a passkey",
		"It does not sign you in any more. The last way to sign in stays.", say(nil, nil, httpapi.Missing, httpapi.SignInAgain, httpapi.LastWayIn))
	remove.DefaultStatus = http.StatusNoContent
	forUser(api, a.Failures, remove, a.remove)
}

// options is what a browser is asked for as it reads it.
func options(asked any, err error) (*struct{ Body PasskeyOptions }, error) {
	if err != nil {
		return nil, err
	}
	raw, err := json.Marshal(asked)
	if err != nil {
		return nil, fmt.Errorf("write what a browser is asked for: %w", err)
	}
	out := &struct{ Body PasskeyOptions }{}
	if err := json.Unmarshal(raw, &out.Body.PublicKey); err != nil {
		return nil, fmt.Errorf("read what a browser is asked for: %w", err)
	}
	return out, nil
}

func (a *Passkeys) beginLogin(ctx context.Context, actor access.Actor, in *struct {
	Device string `cookie:"taskwire_device" doc:"Set at a sign-in"`
},
) (*struct{ Body PasskeyOptions }, error) {
	return options(a.Passkeys.BeginSignIn(ctx, a.Accounts.Keys.Stranger(actor.Origin, in.Device)))
}

func (a *Passkeys) finishLogin(ctx context.Context, actor access.Actor, in *struct {
	Device string `cookie:"taskwire_device" doc:"Set at a sign-in"`
	Cookie string `cookie:"auth_token" doc:"The session that the browser has: it ends, if it is yours"`
	Body   PasskeyAnswer
},
) (*signedIn, error) {
	answer, err := json.Marshal(in.Body.Credential)
	if err != nil {
		return nil, fmt.Errorf("write a passkey's answer: %w", err)
	}
	from, err := a.Accounts.Authenticator.With(ctx, a.Accounts.Keys.Stranger(actor.Origin, in.Device), in.Cookie)
	if err != nil {
		return nil, err
	}
	u, session, err := a.Passkeys.FinishSignIn(ctx, from, answer)
	if err != nil {
		return nil, err
	}
	return a.Accounts.signedIn(u, session, from)
}

func (a *Passkeys) begin(ctx context.Context, actor access.Actor, _ *struct{}) (*struct{ Body PasskeyOptions }, error) {
	return options(a.Passkeys.BeginAdding(ctx, actor))
}

func (a *Passkeys) finish(ctx context.Context, actor access.Actor, in *struct{ Body NewPasskey }) (*struct{ Body *account.Passkey }, error) {
	answer, err := json.Marshal(in.Body.Credential)
	if err != nil {
		return nil, fmt.Errorf("write a passkey's answer: %w", err)
	}
	added, err := a.Passkeys.FinishAdding(ctx, actor, in.Body.Name, answer)
	return &struct{ Body *account.Passkey }{added}, err
}

func (a *Passkeys) list(ctx context.Context, actor access.Actor, _ *struct{}) (*struct{ Body PasskeyList }, error) {
	found, err := a.Passkeys.List(ctx, actor)
	return &struct{ Body PasskeyList }{PasskeyList{found}}, err
}

func (a *Passkeys) remove(ctx context.Context, actor access.Actor, in *struct {
	ID uuid.UUID `path:"id" format:"uuid" doc:"The passkey"`
},
) (*struct{}, error) {
	return nil, a.Passkeys.Remove(ctx, actor, in.ID)
}

const exampleChallenge = "0K6AMWpY1hQxbR9uHvQe3vXQ3f0T1n0bq8p1z3mJkQw"

var (
	examplePasskey = account.Passkey{
		ID: uuid.MustParse("0190c8a0-0b10-7f4e-8d21-3a9c5b7e1f0c"), Name: "Telephone", BackedUp: true, CreatedAt: exampleUser.CreatedAt, LastUsedAt: &exampleCompleted,
	}
	examplePasskeyAnswer = map[string]any{"type": "public-key", "rawId": "AQIDBA", "response": map[string]any{"clientDataJSON": "eyJ0eXBlIjoid2ViYXV0aG4uZ2V0In0"}}
)
