package rest

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/taskwire/taskwire/pkg/auth"
	"github.com/taskwire/taskwire/pkg/httpapi"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/account"
)

// Erasure is how a user has his account erased.
type Erasure struct {
	Authenticator *account.Authenticator
	After         time.Duration // from when he asks for it
	Failures      httpapi.Failures
}

// ToBeErased is when an account is erased.
type ToBeErased struct {
	EraseAt time.Time `json:"erase_at" doc:"When your account is erased. Until then you can sign in and call it back"`
}

// Mount adds the erasure of the caller's own account.
func (e *Erasure) Mount(api huma.API) {
	forUser(api, e.Failures, huma.Operation{
		OperationID: "erase-me", Method: http.MethodDelete, Path: "/api/auth/me", Tags: []string{"Accounts"}, Summary: "Have your account erased",
		Description: "It is erased after a while, a week unless the operator has chosen another time, and can be called back until then. All your other sessions end. " +
			"Then your lists that have no other owner go with their tasks, for all their members, and your comments everywhere. In lists that have another owner your tasks stay, and nobody sees that they were yours.",
		DefaultStatus: http.StatusAccepted, Metadata: httpapi.Describe(nil, ToBeErased{exampleCompleted}, httpapi.SignInAgain, httpapi.Missing),
	}, e.ask)
	forUser(api, e.Failures, huma.Operation{
		OperationID: "restore-me", Method: http.MethodPost, Path: "/api/auth/me/restore", Tags: []string{"Accounts"}, Summary: "Keep your account after all",
		Description: "It is not erased any more. Sessions that have ended have ended.", DefaultStatus: http.StatusNoContent, Metadata: httpapi.Describe(nil, nil, httpapi.Missing),
	}, e.callBack)
}

func (e *Erasure) ask(ctx context.Context, actor access.Actor, _ *struct{}) (*struct{ Body ToBeErased }, error) {
	at, err := e.Authenticator.AskErasure(ctx, actor, auth.CallerOf(ctx).SessionID, e.After)
	return &struct{ Body ToBeErased }{ToBeErased{at}}, err
}

func (e *Erasure) callBack(ctx context.Context, actor access.Actor, _ *struct{}) (*struct{}, error) {
	return nil, e.Authenticator.Store.CallErasureBack(ctx, actor)
}
