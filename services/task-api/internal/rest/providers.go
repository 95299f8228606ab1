package rest

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/auth"
	"github.com/taskwire/taskwire/pkg/httpapi"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/account"
	"github.com/taskwire/taskwire/services/task-api/internal/provider"
	"github.com/taskwire/taskwire/services/task-api/internal/refuse"
)

// ProvidersPath is what the addresses of OpenID providers begin with.
const ProvidersPath = "/api/auth/oidc"

// authRequestCookie is the name of the cookie of a browser that was sent to a provider.
const authRequestCookie = "oidc_errand"

// Providers is the sign-in at OpenID providers over HTTP.
type Providers struct {
	Accounts  *Accounts
	Providers *provider.Providers
	Public    url.URL // where users reach the suite
	Failures  httpapi.Failures
}

// Provider is one that users may sign in at.
type Provider struct {
	ID   string `json:"id" doc:"In its address"`
	Name string `json:"name" doc:"As users know it"`
	URL  string `json:"url" format:"uri-reference" doc:"Where a browser begins"`
}

// ProviderList is all of them.
type ProviderList struct {
	Items []Provider `json:"items" nullable:"false" doc:"In the operator's order"`
}

// IdentityList is who providers say that a user is.
type IdentityList struct {
	Items []*account.Identity `json:"items" nullable:"false" doc:"Your links to providers, the oldest first"`
}

// MountOpen adds what needs no token.
func (a *Providers) MountOpen(api huma.API) {
	forStranger(api, a.Failures, huma.Operation{
		OperationID: "list-providers", Method: http.MethodGet, Path: ProvidersPath, Tags: []string{"Accounts"}, Summary: "Where you may sign in besides",
		Description: "The OpenID providers that the operator has set up.",
		Metadata:    httpapi.Describe(nil, ProviderList{[]Provider{{"company", "Company", ProvidersPath + "/company"}}}),
	}, a.list)
	begin := huma.Operation{
		OperationID: "begin-provider", Method: http.MethodGet, Path: ProvidersPath + "/{provider}", Tags: []string{"Accounts"}, Summary: "Sign in at a provider",
		Description: "For a browser: it goes to the provider, and comes back signed in. With link=true who is signed in links his account there to his account here; the page of another origin can not begin with that.",
		Metadata:    httpapi.Describe(nil, nil, httpapi.Missing, httpapi.Unauthenticated, httpapi.ForeignOrigin, httpapi.SignInAgain), DefaultStatus: http.StatusFound,
	}
	begin.Metadata[httpapi.Waits] = provider.Patience
	forStranger(api, a.Failures, begin, a.begin)
	finish := huma.Operation{
		OperationID: "finish-provider", Method: http.MethodGet, Path: ProvidersPath + "/{provider}/callback", Tags: []string{"Accounts"}, Summary: "Come back from a provider",
		Description: "Where the provider sends the browser back to. Whoever is not known yet gets an account with the address that the provider has verified, unless there is one with it. A browser that shows pages (Accept has text/html) goes on to /, and where nobody is signed in to /#/problems/CODE.",
		Metadata:    httpapi.Describe(nil, nil, httpapi.Missing, httpapi.SignInNotBegun, httpapi.ProviderRefused, httpapi.LinkFirst, httpapi.IdentityTaken, httpapi.LimitReached, httpapi.TooManyAttempts), DefaultStatus: http.StatusFound,
		// Providers send what they like besides, such as session_state.
		SkipValidateParams: true,
	}
	finish.Metadata[httpapi.Waits] = provider.Patience
	forStranger(api, a.Failures, finish, a.finish)
}

// Mount adds the caller's own links to providers.
func (a *Providers) Mount(api huma.API) {
	forUser(api, a.Failures, huma.Operation{
		OperationID: "list-identities", Method: http.MethodGet, Path: "/api/auth/identities", Tags: []string{"Accounts"}, Summary: "Your links to providers",
		Description: "Accounts elsewhere by which you may sign in.",
		Metadata:    httpapi.Describe(nil, IdentityList{[]*account.Identity{&exampleIdentity}}),
	}, a.identities)
	forUser(api, a.Failures, huma.Operation{
		OperationID: "remove-identity", Method: http.MethodDelete, Path: "/api/auth/identities/{id}", Tags: []string{"Accounts"}, Summary: "Remove a link to a provider",
		Description: "It does not sign you in any more. The last way to sign in stays.", DefaultStatus: http.StatusNoContent,
		Metadata: httpapi.Describe(nil, nil, httpapi.Missing, httpapi.SignInAgain, httpapi.LastWayIn),
	}, a.remove)
}

func (a *Providers) list(context.Context, access.Actor, *struct{}) (*struct{ Body ProviderList }, error) {
	list := ProviderList{[]Provider{}}
	for _, p := range a.Providers.All() {
		list.Items = append(list.Items, Provider{p.ID, p.Name, a.path("/" + p.ID)})
	}
	return &struct{ Body ProviderList }{list}, nil
}

// path is one below ProvidersPath, as browsers see it.
func (a *Providers) path(below string) string {
	return strings.TrimSuffix(a.Public.Path, "/") + ProvidersPath + below
}

// moved sends a browser elsewhere.
type moved struct {
	Location  string        `header:"Location" doc:"Where the browser goes"`
	SetCookie []http.Cookie `header:"Set-Cookie" doc:"oidc_errand, which knows the sign-in when the browser is back; then auth_token and taskwire_device, as a sign-in sets them"`
}

type beginInput struct {
	Provider      string `path:"provider" maxLength:"64" doc:"Its id" example:"company"`
	Link          bool   `query:"link" doc:"Link the account there to that of who is signed in"`
	Session       string `cookie:"auth_token" doc:"With link: who is signed in"`
	Authorization string `header:"Authorization" doc:"Or a token of his"`
	Site          string `header:"Sec-Fetch-Site" doc:"With link: as browsers send it"`
	Referer       string `header:"Referer" doc:"With link: for browsers that do not"`
}

func (a *Providers) begin(ctx context.Context, actor access.Actor, in *beginInput) (*moved, error) {
	p, err := a.Providers.ByID(in.Provider)
	if err != nil {
		return nil, err
	}
	var user, session uuid.UUID
	if in.Link {
		if user, session, err = a.mayLink(ctx, actor, in); err != nil {
			return nil, err
		}
	}
	address, request, err := p.Start(ctx)
	if err != nil {
		return nil, err
	}
	request.User, request.Session = user, session
	value, expires, err := a.Accounts.Keys.SignAuthRequest(request, a.Accounts.Now())
	if err != nil {
		return nil, err
	}
	return &moved{address, []http.Cookie{a.Accounts.newCookie(authRequestCookie, a.path(""), value, expires)}}, nil
}

// mayLink says who begins to link a provider to his account. No other page may have him do
// so: it would link its own account there to his.
func (a *Providers) mayLink(ctx context.Context, actor access.Actor, in *beginInput) (user, session uuid.UUID, err error) {
	// Browsers send no Bearer of their own accord.
	if scheme, _, _ := strings.Cut(in.Authorization, " "); !strings.EqualFold(scheme, "Bearer") && !a.fromOurPage(in) {
		return user, session, httpapi.NewProblem(httpapi.ForeignOrigin, "a page of another origin may not do this in your name")
	}
	credential, _ := auth.CredentialOf(in.Authorization, in.Session)
	caller, err := a.Accounts.Credentials.Caller(ctx, credential)
	if err != nil {
		return user, session, a.notSignedIn(err)
	}
	actor.UserID, actor.Email, actor.SignedInAt = caller.UserID, caller.Email, caller.SignedInAt
	return caller.UserID, caller.SessionID, actor.SignedInRecently(a.Accounts.Now())
}

func (a *Providers) fromOurPage(in *beginInput) bool {
	if in.Site != "" {
		return in.Site == "same-origin"
	}
	// Browsers send the other one where it is not encrypted, but for this machine.
	from, err := url.Parse(in.Referer)
	return err == nil && from.Host == a.Public.Host
}

// notSignedIn is the answer to who shows no credential of ours; other errors stay.
func (a *Providers) notSignedIn(err error) error {
	if isRefused(err) {
		return httpapi.NewProblem(httpapi.Unauthenticated, "sign in, and link the provider then")
	}
	return err
}

type finishInput struct {
	Provider    string `path:"provider" maxLength:"64" doc:"Its id" example:"company"`
	Code        string `query:"code" maxLength:"8192" doc:"By which we ask the provider who it is"`
	State       string `query:"state" maxLength:"512" doc:"As we sent it"`
	Error       string `query:"error" maxLength:"512" doc:"Why the provider has signed nobody in"`
	Issuer      string `query:"iss" maxLength:"512" doc:"The provider, where it says so"`
	AuthRequest string `cookie:"oidc_errand" doc:"Of the browser that began with it"`
	Session     string `cookie:"auth_token" doc:"Of who links the provider to his account, or signs in again"`
	Device      string `cookie:"taskwire_device" doc:"Set at a sign-in"`
	Accept      string `header:"Accept" hidden:"true" doc:"Of a browser that shows pages: it has text/html"`
}

// finish signs in who comes back. Of what goes wrong then, our page tells: a person has
// nothing of a document for programs.
func (a *Providers) finish(ctx context.Context, actor access.Actor, in *finishInput) (*moved, error) {
	out, err := a.signInOf(ctx, actor, in)
	if err == nil || !strings.Contains(in.Accept, "text/html") {
		return out, err
	}
	var p *httpapi.Problem
	if err := a.Failures.Of(ctx, problem(err, "query.")); !errors.As(err, &p) {
		return nil, err
	}
	return &moved{Location: strings.TrimSuffix(a.Public.Path, "/") + "/#" + p.Type}, nil
}

func (a *Providers) signInOf(ctx context.Context, actor access.Actor, in *finishInput) (*moved, error) {
	p, err := a.Providers.ByID(in.Provider)
	if err != nil {
		return nil, err
	}
	request, ok := a.Accounts.Keys.AuthRequest(in.AuthRequest)
	if !ok || request.Provider != p.ID {
		return nil, refuse.Because(refuse.SignInNotBegun, "this browser has not begun this sign-in, or it took too long; begin again")
	}
	from, err := a.Accounts.Authenticator.With(ctx, a.Accounts.Keys.Stranger(actor.Origin, in.Device), in.Session)
	if err != nil {
		return nil, err
	}
	// What is made up costs the provider an answer.
	back, err := a.Accounts.Authenticator.CountElsewhere(ctx, from)
	if err != nil {
		return nil, err
	}
	claimed, err := p.Finish(ctx, request, provider.Back{Code: in.Code, State: in.State, Error: in.Error, Issuer: in.Issuer})
	if err != nil {
		return nil, err
	}
	if err := back(ctx); err != nil {
		return nil, err
	}
	out := &moved{Location: strings.TrimSuffix(a.Public.Path, "/") + "/", SetCookie: []http.Cookie{a.Accounts.expiredCookie(authRequestCookie, a.path(""))}}
	if request.User != uuid.Nil {
		return out, a.link(ctx, actor, request, in.Session, claimed)
	}
	u, session, err := a.Accounts.Authenticator.SignInElsewhere(ctx, from, claimed)
	if err != nil {
		return nil, err
	}
	signed, err := a.Accounts.signedIn(u, session, from)
	if err != nil {
		return nil, err
	}
	out.SetCookie = append(out.SetCookie, signed.SetCookie...)
	return out, nil
}

// link links who came back to the account of who began with it, who is still signed in.
func (a *Providers) link(ctx context.Context, actor access.Actor, request account.AuthRequest, session string, claimed account.Claimed) error {
	caller, err := a.Accounts.Credentials.Caller(ctx, session)
	if err != nil {
		return a.notSignedIn(err)
	}
	if caller.UserID != request.User || caller.SessionID != request.Session {
		return refuse.Because(refuse.SignInNotBegun, "somebody else is signed in by now; begin again")
	}
	actor.UserID, actor.Email = caller.UserID, caller.Email
	return a.Accounts.Authenticator.Store.LinkIdentity(ctx, actor, claimed)
}

func (a *Providers) identities(ctx context.Context, actor access.Actor, _ *struct{}) (*struct{ Body IdentityList }, error) {
	found, err := a.Accounts.Authenticator.Store.Identities(ctx, actor)
	return &struct{ Body IdentityList }{IdentityList{found}}, err
}

func (a *Providers) remove(ctx context.Context, actor access.Actor, in *struct {
	ID uuid.UUID `path:"id" format:"uuid" doc:"The link"`
},
) (*struct{}, error) {
	return nil, a.Accounts.Authenticator.Store.RemoveIdentity(ctx, actor, in.ID)
}

var exampleIdentity = account.Identity{
	ID: uuid.MustParse("0190c8a0-0b10-7f4e-8d21-3a9c5b7e1f0b"), Issuer: "https://id.example.org", Email: exampleUser.Email, CreatedAt: time.Date(2027, 1, 4, 9, 0, 0, 0, time.UTC),
}

// isRefused says whether a credential is nobody's.
func isRefused(err error) bool {
	return errors.Is(err, auth.ErrRefused) || errors.Is(err, auth.ErrNoKeys)
}
