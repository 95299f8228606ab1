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
	"github.com/taskwire/taskwire/services/task-api/internal/list"
)

// InvitationInput says who is to be a member, and what he may do.
type InvitationInput struct {
	Email string      `json:"email" minLength:"3" maxLength:"254" doc:"The address of who is to be a member; whoever has an account with it can accept"`
	Role  access.Role `json:"role" doc:"What the member may do"`
}

// RoleInput is what a member may do from now on.
type RoleInput struct {
	Role access.Role `json:"role" doc:"What the member may do"`
}

// InvitationPage is a page of invitations.
type InvitationPage struct {
	Items      []*list.Invitation `json:"items" nullable:"false" doc:"The invitations, the oldest first"`
	NextCursor *string            `json:"next_cursor" doc:"The cursor of the next page; null on the last"`
}

// InvitationIDInput names an invitation in the path.
type InvitationIDInput struct {
	ID uuid.UUID `path:"id" format:"uuid" doc:"The invitation"`
}

// MemberInput names a member of a list in the path.
type MemberInput struct {
	ListIDInput
	UserID uuid.UUID `path:"user_id" format:"uuid" doc:"The member"`
}

// mountMembers adds the operations on members and invitations.
func (a *Lists) mountMembers(api huma.API) {
	operation := func(id, method, path, summary, more string, said map[string]any) huma.Operation {
		return huma.Operation{OperationID: id, Method: method, Path: path, Summary: summary, Description: more, Tags: []string{"Lists"}, Metadata: said}
	}
	say := httpapi.Describe
	invite := operation("invite-member", http.MethodPost, "/api/lists/{id}/members", "Invite somebody to a list",
		"By an owner. Whoever is invited is a member once the invitation is accepted. Inviting the same address again changes the role.",
		say(InvitationInput{exampleInvitation.Email, exampleInvitation.Role}, exampleInvitation, httpapi.Missing, httpapi.OwnersOnly, httpapi.LimitReached, httpapi.PrivateInbox, httpapi.AlreadyMember))
	invite.DefaultStatus = http.StatusCreated
	forToken(api, a.Failures, invite, a.invite, auth.ListsWrite)
	forToken(api, a.Failures, operation("update-member", http.MethodPatch, "/api/lists/{id}/members/{user_id}", "Give a member another role",
		"By an owner. A list keeps at least one.",
		say(RoleInput{access.Editor}, exampleMember, httpapi.Missing, httpapi.OwnersOnly, httpapi.LastOwner)), a.setRole, auth.ListsWrite)
	remove := operation("remove-member", http.MethodDelete, "/api/lists/{id}/members/{user_id}", "Take a member out of a list, or leave it",
		"By an owner, or by the member. It counts from the next request on.",
		say(nil, nil, httpapi.Missing, httpapi.OwnersOnly, httpapi.PrivateInbox, httpapi.LastOwner))
	remove.DefaultStatus = http.StatusNoContent
	forToken(api, a.Failures, remove, a.removeMember, auth.ListsWrite)
	forToken(api, a.Failures, operation("list-invitations", http.MethodGet, "/api/invitations", "Invitations to you",
		"To the address of your account.", say(nil, InvitationPage{Items: []*list.Invitation{&exampleInvitation}})), a.invitations, auth.ListsRead)
	forToken(api, a.Failures, operation("accept-invitation", http.MethodPost, "/api/invitations/{id}/accept", "Accept an invitation, and answer the list",
		"You are a member from then on.", say(nil, exampleList, httpapi.Missing, httpapi.LimitReached)), a.accept, auth.ListsWrite)
	decline := operation("decline-invitation", http.MethodPost, "/api/invitations/{id}/decline", "Decline an invitation",
		"It is gone.", say(nil, nil, httpapi.Missing))
	decline.DefaultStatus = http.StatusNoContent
	forToken(api, a.Failures, decline, a.decline, auth.ListsWrite)
	withdraw := operation("withdraw-invitation", http.MethodDelete, "/api/invitations/{id}", "Take an invitation back",
		"By an owner of the list.", say(nil, nil, httpapi.Missing, httpapi.OwnersOnly))
	withdraw.DefaultStatus = http.StatusNoContent
	forToken(api, a.Failures, withdraw, a.withdraw, auth.ListsWrite)
}

func (a *Lists) invite(ctx context.Context, actor access.Actor, in *struct {
	ListIDInput
	Body InvitationInput
},
) (*struct{ Body *list.Invitation }, error) {
	i, err := a.Store.Invite(ctx, actor, in.ID, in.Body.Email, in.Body.Role)
	return &struct{ Body *list.Invitation }{i}, err
}

func (a *Lists) setRole(ctx context.Context, actor access.Actor, in *struct {
	MemberInput
	Body RoleInput
},
) (*struct{ Body *list.Member }, error) {
	m, err := a.Store.SetRole(ctx, actor, in.ID, in.UserID, in.Body.Role)
	return &struct{ Body *list.Member }{m}, err
}

func (a *Lists) removeMember(ctx context.Context, actor access.Actor, in *MemberInput) (*struct{}, error) {
	return nil, a.Store.Remove(ctx, actor, in.ID, in.UserID)
}

func (a *Lists) invitations(ctx context.Context, actor access.Actor, in *PageInput) (out *struct{ Body InvitationPage }, err error) {
	out = new(struct{ Body InvitationPage })
	out.Body.Items, out.Body.NextCursor, err = pageOf(*in,
		func(after *page.Place, limit int) ([]*list.Invitation, error) {
			return a.Store.Invitations(ctx, actor, after, limit)
		},
		func(i *list.Invitation) page.Place { return page.Place{At: i.CreatedAt, ID: i.ID} })
	return out, err
}

func (a *Lists) accept(ctx context.Context, actor access.Actor, in *InvitationIDInput) (*listOutput, error) {
	return answerList(a.Store.Accept(ctx, actor, in.ID))
}

func (a *Lists) decline(ctx context.Context, actor access.Actor, in *InvitationIDInput) (*struct{}, error) {
	return nil, a.Store.Decline(ctx, actor, in.ID)
}

func (a *Lists) withdraw(ctx context.Context, actor access.Actor, in *InvitationIDInput) (*struct{}, error) {
	return nil, a.Store.Withdraw(ctx, actor, in.ID)
}
