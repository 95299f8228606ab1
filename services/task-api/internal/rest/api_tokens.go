package rest

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/auth"
	"github.com/taskwire/taskwire/pkg/httpapi"
	"github.com/taskwire/taskwire/pkg/page"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/account"
)

// APITokens is the API tokens of users over HTTP.
type APITokens struct {
	Tokens   *account.APITokens
	Failures httpapi.Failures
}

// TokenInput is an API token as its user wants it. That each of its scopes and lists is
// named once, account.TokenDraft looks at: huma panics where an item is an object.
type TokenInput struct {
	Name      string             `json:"name" minLength:"1" maxLength:"100" doc:"How you call it: for what it is"`
	Scopes    []auth.Scope       `json:"scopes" nullable:"false" minItems:"1" maxItems:"9" enum:"tasks:read,tasks:write,lists:read,lists:write,audit:read,notifications,account:read,webhooks,caldav" doc:"What it may do, each once. To write does not include to read"`
	ListIDs   []uuid.UUID        `json:"list_ids,omitempty" nullable:"true" minItems:"1" maxItems:"100" format:"uuid" doc:"For it there are these of your lists alone, each named once, and nothing that is in others or in none; leave it out for all. The inbox is one"`
	ExpiresAt *httpapi.Timestamp `json:"expires_at,omitempty" nullable:"true" doc:"When it ends, a year from now at the latest; default in 90 days"`
}

// CreatedToken is a new API token, with what it says.
type CreatedToken struct {
	account.APIToken

	Token string `json:"token" doc:"The token itself, which is shown once: for Authorization: Bearer, or as a password"`
}

// TokenPage is a page of API tokens.
type TokenPage struct {
	Items      []*account.APIToken `json:"items" nullable:"false" doc:"Your API tokens, the latest first"`
	NextCursor *string             `json:"next_cursor" doc:"The cursor of the next page; null on the last"`
}

// Mount adds what a user does about his API tokens, which no API token does.
func (a *APITokens) Mount(api huma.API) {
	operation := func(id, method, path, summary, more string, said map[string]any) huma.Operation {
		return huma.Operation{OperationID: id, Method: method, Path: path, Summary: summary, Description: more, Tags: []string{"Accounts"}, Metadata: said}
	}
	say := httpapi.Describe
	forUser(api, a.Failures, operation("list-api-tokens", http.MethodGet, "/api/auth/tokens", "Your API tokens",
		"Also those that have expired in the last 30 days. What they say is kept nowhere.", say(nil, TokenPage{Items: []*account.APIToken{&exampleAPIToken}})), a.list)
	create := operation("create-api-token", http.MethodPost, "/api/auth/tokens", "Make an API token",
		"For a program of yours: as Authorization: Bearer, as the password of HTTP Basic, whatever the name, or in the cookie. It may do what its scopes say, and never what matters most: it makes no token, and changes no address and no password.",
		say(TokenInput{Name: exampleAPIToken.Name, Scopes: exampleAPIToken.Scopes}, CreatedToken{exampleAPIToken, exampleTokenSecret}, httpapi.SignInAgain, httpapi.LimitReached))
	create.DefaultStatus = http.StatusCreated
	forUser(api, a.Failures, create, a.create)
	revoke := operation("revoke-api-token", http.MethodDelete, "/api/auth/tokens/{id}", "Revoke an API token",
		"It is refused from then on, and a stream that it has opened ends.", say(nil, nil, httpapi.SignInAgain, httpapi.Missing))
	revoke.DefaultStatus = http.StatusNoContent
	forUser(api, a.Failures, revoke, a.revoke)
}

func (a *APITokens) list(ctx context.Context, actor access.Actor, in *PageInput) (out *struct{ Body TokenPage }, err error) {
	out = new(struct{ Body TokenPage })
	out.Body.Items, out.Body.NextCursor, err = pageOf(*in,
		func(behind *page.Place, limit int) ([]*account.APIToken, error) {
			return a.Tokens.List(ctx, actor, behind, limit)
		},
		func(t *account.APIToken) page.Place { return page.Place{At: t.CreatedAt, ID: t.ID} })
	return out, err
}

func (a *APITokens) create(ctx context.Context, actor access.Actor, in *struct{ Body TokenInput }) (*struct{ Body CreatedToken }, error) {
	draft := account.TokenDraft{Name: in.Body.Name, Scopes: in.Body.Scopes, ListIDs: in.Body.ListIDs}
	if in.Body.ExpiresAt != nil {
		draft.ExpiresAt = &in.Body.ExpiresAt.Time
	}
	t, secret, err := a.Tokens.Create(ctx, actor, draft)
	if err != nil {
		return nil, err
	}
	return &struct{ Body CreatedToken }{CreatedToken{*t, secret}}, nil
}

func (a *APITokens) revoke(ctx context.Context, actor access.Actor, in *struct {
	ID uuid.UUID `path:"id" format:"uuid" doc:"The API token"`
},
) (*struct{}, error) {
	return nil, a.Tokens.Revoke(ctx, actor, in.ID)
}
