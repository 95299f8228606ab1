package rest

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/taskwire/taskwire/pkg/auth"
	"github.com/taskwire/taskwire/pkg/httpapi"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/undo"
)

// Operations is what requests have changed, over HTTP.
type Operations struct {
	Store    *undo.Store
	Failures httpapi.Failures
}

// Mount adds what a user may do about his own requests.
func (a *Operations) Mount(api huma.API) {
	forToken(api, a.Failures, huma.Operation{
		OperationID: "undo", Method: http.MethodPost, Path: "/api/operations/{request_id}/undo", Tags: []string{"Undo"}, Summary: "Undo all that one of your requests has changed",
		Description: "Of tasks, lists and comments, for as long as the event log goes back (30 days, unless the operator says otherwise): all of it, or, where some of it has been changed since, nothing. " +
			"A reminder whose time has passed does not come. To undo the undoing is to have it again. With an Idempotency-Key a repetition within a day changes nothing, and answers the same.",
		Metadata: httpapi.Describe(nil, exampleUndone,
			httpapi.Missing, httpapi.ReadOnly, httpapi.OwnersOnly, httpapi.AuthorsOnly, httpapi.LimitReached, httpapi.ChangedSince, httpapi.NotUndoable, httpapi.KeyUsed),
	}, a.undo, auth.TasksWrite)
}

func (a *Operations) undo(ctx context.Context, actor access.Actor, in *struct {
	RequestID string `path:"request_id" maxLength:"64" pattern:"^[A-Za-z0-9._-]+$" doc:"What the header X-Request-Id of its answer said" example:"0190163d-8694-739b-aea5-966c26f8ad91"`
	Key       string `header:"Idempotency-Key" maxLength:"255" doc:"Chosen by you: a repetition within a day changes nothing and answers the same"`
},
) (*struct{ Body *undo.Undone }, error) {
	key, err := keyOf(in.Key, "undo/"+in.RequestID, nil)
	if err != nil {
		return nil, err
	}
	done, err := a.Store.Undo(ctx, actor, in.RequestID, key)
	return &struct{ Body *undo.Undone }{done}, err
}
