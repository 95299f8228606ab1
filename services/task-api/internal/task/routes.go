package task

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/httpapi"
	"github.com/taskwire/taskwire/services/task-api/internal/rest"
)

// API is the tasks over HTTP.
type API struct {
	Store    *Store
	Failures httpapi.Failures
}

// IDInput names a task in the path.
type IDInput struct {
	ID uuid.UUID `path:"id" format:"uuid"`
}

// MatchInput is the condition of a change.
type MatchInput struct {
	IfMatch string `header:"If-Match" maxLength:"1000" doc:"ETag of the version that the change is meant for; 412 when it is no longer that"`
}

type taskOutput struct {
	Status   int
	ETag     string `header:"ETag"`
	Location string `header:"Location"`
	Body     *event.Task
}

func answer(t event.Task) *taskOutput {
	return &taskOutput{Status: http.StatusOK, ETag: etag(t.Version), Body: &t}
}

// Mount adds the tasks' operations.
func (a *API) Mount(api huma.API) {
	operation := func(id, method, path, summary string, errors ...int) huma.Operation {
		return huma.Operation{
			OperationID: id, Method: method, Path: path, Summary: summary, Tags: []string{"Tasks"},
			Security: httpapi.Authenticated, Errors: append(errors, http.StatusUnauthorized),
		}
	}
	create := operation("create-task", http.MethodPost, "/api/tasks", "Create a task")
	create.DefaultStatus = http.StatusCreated
	httpapi.Register(api, a.Failures, create, a.create)
	httpapi.Register(api, a.Failures, operation("list-tasks", http.MethodGet, "/api/tasks", "List your tasks"), a.list)
	httpapi.Register(api, a.Failures, operation("get-task", http.MethodGet, "/api/tasks/{id}", "Read a task", http.StatusNotFound), a.get)
	httpapi.Register(api, a.Failures, operation("replace-task", http.MethodPut, "/api/tasks/{id}", "Replace a task", http.StatusNotFound, http.StatusPreconditionFailed), a.replace)
	httpapi.Register(api, a.Failures, operation("update-task", http.MethodPatch, "/api/tasks/{id}", "Change a task by a JSON merge patch", http.StatusNotFound, http.StatusPreconditionFailed), a.patch)
	httpapi.Register(api, a.Failures, operation("complete-task", http.MethodPatch, "/api/tasks/{id}/complete", "Complete a task, or reopen it; without a body it toggles", http.StatusNotFound, http.StatusPreconditionFailed), a.complete)
	remove := operation("delete-task", http.MethodDelete, "/api/tasks/{id}", "Delete a task and its subtasks", http.StatusNotFound, http.StatusPreconditionFailed)
	remove.DefaultStatus = http.StatusNoContent
	httpapi.Register(api, a.Failures, remove, a.remove)

	// A $ref can not say that it may be null as well; OpenAPI 3.1 says it so.
	if t := api.OpenAPI().Components.Schemas.Map()["Task"]; t != nil {
		recurrence := t.Properties["recurrence"]
		t.Properties["recurrence"] = &huma.Schema{AnyOf: []*huma.Schema{recurrence, {Type: "null"}}}
	}
}

func (a *API) create(ctx context.Context, in *struct {
	Key  string `header:"Idempotency-Key" maxLength:"255" doc:"Chosen by you: a repetition within a day creates nothing and answers the same"`
	Body Input
},
) (*taskOutput, error) {
	key, err := newIdempotencyKey(in.Key, in.Body)
	if err != nil {
		return nil, err
	}
	t, err := a.Store.Create(ctx, rest.Actor(ctx), in.Body, key)
	if err != nil {
		return nil, err
	}
	out := answer(t)
	out.Status, out.Location = http.StatusCreated, "/api/tasks/"+t.ID.String()
	return out, nil
}

func (a *API) list(ctx context.Context, in *ListQuery) (*struct{ Body Page }, error) {
	page, err := a.Store.List(ctx, rest.Actor(ctx), *in)
	return &struct{ Body Page }{page}, err
}

func (a *API) get(ctx context.Context, in *struct {
	IDInput
	IfNoneMatch string `header:"If-None-Match" maxLength:"1000" doc:"ETag of what you have; 304 when it is still that"`
},
) (*taskOutput, error) {
	t, err := a.Store.Get(ctx, rest.Actor(ctx), in.ID)
	if err != nil {
		return nil, err
	}
	out := answer(t)
	if notModified(in.IfNoneMatch, t.Version) {
		out.Status, out.Body = http.StatusNotModified, nil
	}
	return out, nil
}

func (a *API) replace(ctx context.Context, in *struct {
	IDInput
	MatchInput
	Body ReplaceInput
},
) (*taskOutput, error) {
	return a.edit(ctx, in.ID, in.IfMatch, func(t *Task, zone string, now time.Time) error {
		return in.Body.apply(t, zone, now)
	})
}

func (a *API) patch(ctx context.Context, in *struct {
	IDInput
	MatchInput
	Body PatchInput `contentType:"application/merge-patch+json"`
},
) (*taskOutput, error) {
	return a.edit(ctx, in.ID, in.IfMatch, func(t *Task, zone string, now time.Time) error {
		return in.Body.apply(t, zone, now)
	})
}

func (a *API) complete(ctx context.Context, in *struct {
	IDInput
	MatchInput
	Body *struct {
		IsComplete *bool `json:"is_complete,omitempty"`
	}
},
) (*taskOutput, error) {
	var wanted *bool
	if in.Body != nil {
		wanted = in.Body.IsComplete
	}
	t, err := a.Store.Complete(ctx, rest.Actor(ctx), in.ID, precondition(in.IfMatch), wanted)
	if err != nil {
		return nil, err
	}
	return answer(t), nil
}

func (a *API) remove(ctx context.Context, in *struct {
	IDInput
	MatchInput
},
) (*struct{}, error) {
	return nil, a.Store.Delete(ctx, rest.Actor(ctx), in.ID, precondition(in.IfMatch))
}

func (a *API) edit(ctx context.Context, id uuid.UUID, ifMatch string, change func(*Task, string, time.Time) error) (*taskOutput, error) {
	t, err := a.Store.Edit(ctx, rest.Actor(ctx), id, precondition(ifMatch), change)
	if err != nil {
		return nil, err
	}
	return answer(t), nil
}
