package rest

import (
	"context"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/auth"
	"github.com/taskwire/taskwire/pkg/httpapi"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/list"
	"github.com/taskwire/taskwire/services/task-api/internal/task"
)

// Lists is the lists over HTTP.
type Lists struct {
	Store    *list.Store
	Failures httpapi.Failures
}

// ListIDInput names a list in the path.
type ListIDInput struct {
	ID uuid.UUID `path:"id" format:"uuid" doc:"The list"`
}

// ListInput is a new list as a request says it.
type ListInput struct {
	Name  string  `json:"name" minLength:"1" maxLength:"100" doc:"How it is called"`
	Color *string `json:"color,omitempty" nullable:"true" maxLength:"7" pattern:"^#[0-9a-fA-F]{6}$" doc:"#rrggbb"`
	Group *string `json:"group,omitempty" nullable:"true" maxLength:"100" doc:"Under what you keep it; your own"`
}

// ListPatch is a JSON merge patch of a list.
type ListPatch struct {
	Name       optional[string] `json:"name,omitempty" minLength:"1" maxLength:"100" nullable:"false" doc:"How it is called"`
	Color      optional[string] `json:"color,omitempty" maxLength:"7" pattern:"^#[0-9a-fA-F]{6}$" doc:"#rrggbb"`
	IsArchived optional[bool]   `json:"is_archived,omitempty" nullable:"false" doc:"Whether it is put away"`
	Group      optional[string] `json:"group,omitempty" maxLength:"100" doc:"Under what you keep it; your own"`
}

// ListMove says where a list is to be among yours: before or behind another, or at the end.
type ListMove struct {
	Before *uuid.UUID `json:"before,omitempty" format:"uuid" doc:"Before this list"`
	After  *uuid.UUID `json:"after,omitempty" format:"uuid" doc:"Behind this list"`
}

// ListPage is a page of lists.
type ListPage struct {
	Items      []*list.List `json:"items" nullable:"false" doc:"The lists, in your order"`
	NextCursor *string      `json:"next_cursor" doc:"The cursor of the next page; null on the last"`
}

type listOutput struct {
	Status int
	ETag   string `header:"ETag" doc:"The version, for If-Match and If-None-Match"`
	Body   *list.List
}

type listCreated struct {
	Status   int
	ETag     string `header:"ETag" doc:"The version, for If-Match and If-None-Match"`
	Location string `header:"Location" doc:"Where the list is"`
	Body     *list.List
}

func answerList(l *list.List, err error) (*listOutput, error) {
	if err != nil {
		return nil, err
	}
	return &listOutput{Status: http.StatusOK, ETag: etag(l.Version), Body: l}, nil
}

// role is how the description of the API says which roles there are.
type role string

// Schema describes them.
func (role) Schema(huma.Registry) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeString}
	for _, r := range access.Roles {
		s.Enum = append(s.Enum, string(r))
	}
	return s
}

// Mount adds the operations of a user on his lists.
func (a *Lists) Mount(api huma.API) {
	api.OpenAPI().Components.Schemas.RegisterTypeAlias(reflect.TypeFor[access.Role](), reflect.TypeFor[role]())
	operation := func(id, method, path, summary, more string, said map[string]any) huma.Operation {
		return huma.Operation{OperationID: id, Method: method, Path: path, Summary: summary, Description: more, Tags: []string{"Lists"}, Metadata: said}
	}
	say := httpapi.Describe
	create := operation("create-list", http.MethodPost, "/api/lists", "Make a list",
		"You are its owner. With an Idempotency-Key a repetition within a day makes nothing, and answers the same.",
		say(ListInput{Name: exampleList.Name, Color: exampleList.Color, Group: exampleList.Group}, exampleList, httpapi.NotForTokens, httpapi.LimitReached, httpapi.KeyUsed))
	create.DefaultStatus = http.StatusCreated
	forToken(api, a.Failures, create, a.create, auth.ListsWrite)
	forToken(api, a.Failures, operation("list-lists", http.MethodGet, "/api/lists", "Your lists",
		"In your own order, your inbox among them.", say(nil, ListPage{Items: []*list.List{&exampleList}})), a.all, auth.ListsRead)
	get := operation("get-list", http.MethodGet, "/api/lists/{id}", "Read a list",
		"With If-None-Match an unchanged list is not sent again.", say(nil, exampleList, httpapi.Missing))
	get.Responses = map[string]*huma.Response{"304": {Description: "It is still the version that If-None-Match names"}}
	forToken(api, a.Failures, get, a.get, auth.ListsRead)
	forToken(api, a.Failures, operation("update-list", http.MethodPatch, "/api/lists/{id}", "Change a list by a JSON merge patch",
		"RFC 7396: what is left out stays, and null empties. Your group is your own; the rest is for owners.",
		say(map[string]any{"name": exampleList.Name}, exampleList, httpapi.Missing, httpapi.OwnersOnly, httpapi.ListChanged)), a.patch, auth.ListsWrite)
	forToken(api, a.Failures, operation("move-list", http.MethodPost, "/api/lists/{id}/move", "Move a list among yours",
		"Before or behind another one, or to the end. The order is your own.",
		say(map[string]any{"before": uuid.MustParse("0190c8a0-1a2b-7d4e-8f60-718293a4b5d2")}, exampleList, httpapi.Missing, httpapi.ListChanged)), a.move, auth.ListsWrite)
	remove := operation("delete-list", http.MethodDelete, "/api/lists/{id}", "Move a list and its tasks to the trash",
		"By an owner. Your inbox stays.", say(nil, nil, httpapi.Missing, httpapi.OwnersOnly, httpapi.PrivateInbox, httpapi.ListChanged))
	remove.DefaultStatus = http.StatusNoContent
	forToken(api, a.Failures, remove, a.remove, auth.ListsWrite)
	a.mountMembers(api)
}

func (a *Lists) create(ctx context.Context, actor access.Actor, in *struct {
	Key  string `header:"Idempotency-Key" maxLength:"255" doc:"Chosen by you: a repetition within a day makes nothing and answers the same"`
	Body ListInput
},
) (*listCreated, error) {
	key, err := keyOf(in.Key, "list", in.Body)
	if err != nil {
		return nil, err
	}
	l, err := a.Store.Create(ctx, actor, list.Draft(in.Body), key)
	if err != nil {
		return nil, err
	}
	return &listCreated{http.StatusCreated, etag(l.Version), "/api/lists/" + l.ID.String(), l}, nil
}

func (a *Lists) all(ctx context.Context, actor access.Actor, in *struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"100" doc:"A page ends earlier at 2 MiB"`
	Cursor string `query:"cursor" maxLength:"400" doc:"next_cursor of the page before"`
},
) (out *struct{ Body ListPage }, err error) {
	out = new(struct{ Body ListPage })
	out.Body.Items, out.Body.NextCursor, err = pageOf(PageInput(*in),
		func(after *list.Place, limit int) ([]*list.List, error) { return a.Store.All(ctx, actor, after, limit) },
		func(l *list.List) list.Place { return list.Place{Position: l.Position, ID: l.ID} })
	return out, err
}

func (a *Lists) get(ctx context.Context, actor access.Actor, in *struct {
	ListIDInput
	IfNoneMatch string `header:"If-None-Match" maxLength:"1000" doc:"ETag of what you have; 304 when it is still that"`
},
) (*listOutput, error) {
	out, err := answerList(a.Store.Get(ctx, actor, in.ID))
	if err != nil {
		return nil, err
	}
	if notModified(in.IfNoneMatch, out.Body.Version) {
		out.Status, out.Body = http.StatusNotModified, nil
	}
	return out, nil
}

func (a *Lists) patch(ctx context.Context, actor access.Actor, in *struct {
	ListIDInput
	MatchInput
	Body ListPatch `contentType:"application/merge-patch+json"`
},
) (*listOutput, error) {
	b := in.Body
	p := list.Patch{Name: given(b.Name.Optional), Color: given(b.Color.Optional), Group: given(b.Group.Optional), IsArchived: given(b.IsArchived.Optional)}
	return answerList(a.Store.Patch(ctx, actor, in.ID, versions(in.IfMatch), p))
}

// given is nil for what a patch leaves out; null is the zero value.
func given[T any](o task.Optional[T]) *T {
	if !o.Present {
		return nil
	}
	if o.Null {
		return new(T)
	}
	return &o.Value
}

func (a *Lists) move(ctx context.Context, actor access.Actor, in *struct {
	ListIDInput
	MatchInput
	Body ListMove
},
) (*listOutput, error) {
	return answerList(a.Store.Move(ctx, actor, in.ID, versions(in.IfMatch), in.Body.Before, in.Body.After))
}

func (a *Lists) remove(ctx context.Context, actor access.Actor, in *struct {
	ListIDInput
	MatchInput
},
) (*struct{}, error) {
	return nil, a.Store.Delete(ctx, actor, in.ID, versions(in.IfMatch))
}
