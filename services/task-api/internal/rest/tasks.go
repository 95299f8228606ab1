package rest

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/httpapi"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/task"
)

// Tasks is the tasks over HTTP.
type Tasks struct {
	Store    *task.Store
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
	Body     *Task
}

func answer(t *task.Task, err error) (*taskOutput, error) {
	if err != nil {
		return nil, err
	}
	body := shown(t)
	return &taskOutput{Status: http.StatusOK, ETag: etag(t.Version), Body: &body}, nil
}

// Mount adds the operations of a user on his tasks.
func (a *Tasks) Mount(api huma.API) {
	operation := func(id, method, path, summary string, errors ...int) huma.Operation {
		return huma.Operation{OperationID: id, Method: method, Path: path, Summary: summary, Tags: []string{"Tasks"}, Errors: errors}
	}
	create := operation("create-task", http.MethodPost, "/api/tasks", "Create a task")
	create.DefaultStatus = http.StatusCreated
	forUser(api, a.Failures, create, a.create)
	forUser(api, a.Failures, operation("list-tasks", http.MethodGet, "/api/tasks", "List your tasks"), a.list)
	forUser(api, a.Failures, operation("get-task", http.MethodGet, "/api/tasks/{id}", "Read a task", http.StatusNotFound), a.get)
	forUser(api, a.Failures, operation("replace-task", http.MethodPut, "/api/tasks/{id}", "Replace a task", http.StatusNotFound, http.StatusConflict, http.StatusPreconditionFailed), a.replace)
	forUser(api, a.Failures, operation("update-task", http.MethodPatch, "/api/tasks/{id}", "Change a task by a JSON merge patch", http.StatusNotFound, http.StatusConflict, http.StatusPreconditionFailed), a.patch)
	forUser(api, a.Failures, operation("complete-task", http.MethodPatch, "/api/tasks/{id}/complete", "Complete a task, or reopen it; without a body it toggles", http.StatusNotFound, http.StatusPreconditionFailed), a.complete)
	forUser(api, a.Failures, operation("skip-task", http.MethodPost, "/api/tasks/{id}/skip", "Skip an occurrence of a recurring task, and answer the next one", http.StatusNotFound, http.StatusConflict, http.StatusPreconditionFailed), a.skip)
	remove := operation("delete-task", http.MethodDelete, "/api/tasks/{id}", "Delete a task and its subtasks", http.StatusNotFound, http.StatusPreconditionFailed)
	remove.DefaultStatus = http.StatusNoContent
	forUser(api, a.Failures, remove, a.remove)

	// A $ref can not say that it may be null as well; OpenAPI 3.1 says it so.
	if t := api.OpenAPI().Components.Schemas.Map()["Task"]; t != nil {
		recurrence := t.Properties["recurrence"]
		t.Properties["recurrence"] = &huma.Schema{AnyOf: []*huma.Schema{recurrence, {Type: "null"}}}
	}
}

func (a *Tasks) get(ctx context.Context, actor access.Actor, in *struct {
	IDInput
	IfNoneMatch string `header:"If-None-Match" maxLength:"1000" doc:"ETag of what you have; 304 when it is still that"`
},
) (*taskOutput, error) {
	out, err := answer(a.Store.Get(ctx, actor, in.ID))
	if err != nil {
		return nil, err
	}
	if notModified(in.IfNoneMatch, out.Body.Version) {
		out.Status, out.Body = http.StatusNotModified, nil
	}
	return out, nil
}

func (a *Tasks) complete(ctx context.Context, actor access.Actor, in *struct {
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
	return answer(a.Store.Complete(ctx, actor, in.ID, versions(in.IfMatch), wanted))
}

func (a *Tasks) skip(ctx context.Context, actor access.Actor, in *struct {
	IDInput
	MatchInput
},
) (*taskOutput, error) {
	return answer(a.Store.Skip(ctx, actor, in.ID, versions(in.IfMatch)))
}

func (a *Tasks) remove(ctx context.Context, actor access.Actor, in *struct {
	IDInput
	MatchInput
},
) (*struct{}, error) {
	return nil, a.Store.Delete(ctx, actor, in.ID, versions(in.IfMatch))
}
