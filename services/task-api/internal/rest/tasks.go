package rest

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/auth"
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
	ID uuid.UUID `path:"id" format:"uuid" doc:"The task"`
}

// MatchInput is the condition of a change.
type MatchInput struct {
	IfMatch string `header:"If-Match" maxLength:"1000" doc:"ETag of the version that the change is meant for; 412 when it is no longer that"`
}

// TaskCompletion says what a task is to be.
type TaskCompletion struct {
	IsComplete *bool `json:"is_complete,omitempty" doc:"Whether it is done; left out: what it is not"`
}

type taskOutput struct {
	Status int
	ETag   string `header:"ETag" doc:"The version, for If-Match and If-None-Match"`
	Body   *Task
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
	operation := func(id, method, path, summary, more string, said map[string]any) huma.Operation {
		return huma.Operation{OperationID: id, Method: method, Path: path, Summary: summary, Description: more, Tags: []string{"Tasks"}, Metadata: said}
	}
	say := httpapi.Describe
	create := operation("create-task", http.MethodPost, "/api/tasks", "Create a task",
		"With an Idempotency-Key a repetition within a day creates nothing, and answers the same.", say(exampleInput, exampleOpen, httpapi.ReadOnly, httpapi.LimitReached, httpapi.KeyUsed))
	create.DefaultStatus = http.StatusCreated
	forToken(api, a.Failures, create, a.create, auth.TasksWrite)
	forToken(api, a.Failures, operation("list-tasks", http.MethodGet, "/api/tasks", "List your tasks",
		"Filters are all to be met. A cursor goes with the filters and the sort that it came with.",
		say(nil, TaskPage{Items: []Task{exampleTask}})), a.list, auth.TasksRead)
	get := operation("get-task", http.MethodGet, "/api/tasks/{id}", "Read a task",
		"With If-None-Match an unchanged task is not sent again.", say(nil, exampleTask, httpapi.Missing))
	get.Responses = map[string]*huma.Response{"304": {Description: "It is still the version that If-None-Match names"}}
	forToken(api, a.Failures, get, a.get, auth.TasksRead)
	replace := operation("replace-task", http.MethodPut, "/api/tasks/{id}", "Replace a task, or create it with an id of your own",
		"What is left out becomes empty. What GET answers can be sent back: the members that only the server sets are ignored. With If-None-Match: * it creates the task with this id, a UUID of version 7 or 4, and answers 201; where the task is there it answers that with 200, and changes nothing.",
		say(TaskReplacement{TaskInput: exampleInput}, exampleOpen, httpapi.InTrash, httpapi.IDTaken, httpapi.Missing, httpapi.ReadOnly, httpapi.LimitReached, httpapi.AlreadyComplete, httpapi.TaskChanged))
	replace.Responses = map[string]*huma.Response{"201": {
		Description: "The task was created, with If-None-Match: *",
		Content:     map[string]*huma.MediaType{"application/json": {Schema: &huma.Schema{Ref: "#/components/schemas/Task"}}},
	}}
	forToken(api, a.Failures, replace, a.replace, auth.TasksWrite)
	forToken(api, a.Failures, operation("update-task", http.MethodPatch, "/api/tasks/{id}", "Change a task by a JSON merge patch",
		"RFC 7396: what is left out stays, and null empties. A patch that changes nothing has no effect.",
		say(examplePatch, examplePatched, httpapi.Missing, httpapi.ReadOnly, httpapi.LimitReached, httpapi.AlreadyComplete, httpapi.TaskChanged)), a.patch, auth.TasksWrite)
	forToken(api, a.Failures, operation("complete-task", http.MethodPatch, "/api/tasks/{id}/complete", "Complete a task, or reopen it; without a body it toggles",
		"Open subtasks are completed and reopened with it, but for those with a rule of their own. What recurs is followed by its next occurrence; reopened, that one is taken back unless you have changed it.",
		say(TaskCompletion{&exampleDone}, exampleTask, httpapi.Missing, httpapi.ReadOnly, httpapi.TaskChanged)), a.complete, auth.TasksWrite)
	forToken(api, a.Failures, operation("skip-task", http.MethodPost, "/api/tasks/{id}/skip", "Skip an occurrence of a recurring task, and answer the next one",
		"The skipped one goes, and is recorded as skipped.",
		say(nil, exampleNext, httpapi.Missing, httpapi.ReadOnly, httpapi.NotRecurring, httpapi.AlreadyComplete, httpapi.LastOccurrence, httpapi.TaskChanged)), a.skip, auth.TasksWrite)
	forToken(api, a.Failures, operation("move-task", http.MethodPost, "/api/tasks/{id}/move", "Move a task within its list, to another list, or under another task",
		"Before or behind a task of that list, or to its end. Its subtasks go along, and the other occurrences of its series. Of tasks that have to make room the position changes, too.",
		say(exampleMove, exampleOpen, httpapi.Missing, httpapi.ReadOnly, httpapi.LimitReached, httpapi.TaskChanged)), a.move, auth.TasksWrite)
	remove := operation("delete-task", http.MethodDelete, "/api/tasks/{id}", "Move a task and its subtasks to the trash",
		"Deleting the open occurrence of a series ends the series.", say(nil, nil, httpapi.Missing, httpapi.ReadOnly, httpapi.TaskChanged))
	remove.DefaultStatus = http.StatusNoContent
	forToken(api, a.Failures, remove, a.remove, auth.TasksWrite)
	a.mountBulk(api)
	a.mountTrash(api)
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
	Body *TaskCompletion
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

// TaskMove says where a task is to be.
type TaskMove struct {
	ListID   *uuid.UUID          `json:"list_id,omitempty" format:"uuid" doc:"In this list; left out: in that of the parent, or where it is"`
	ParentID optional[uuid.UUID] `json:"parent_id,omitempty" format:"uuid" doc:"Under this task, or null: under none; left out: as it is"`
	Before   *uuid.UUID          `json:"before,omitempty" format:"uuid" doc:"Before this task of the list"`
	After    *uuid.UUID          `json:"after,omitempty" format:"uuid" doc:"Behind this task of the list"`
}

func (a *Tasks) move(ctx context.Context, actor access.Actor, in *struct {
	IDInput
	MatchInput
	Body TaskMove
},
) (*taskOutput, error) {
	return answer(a.Store.Move(ctx, actor, in.ID, versions(in.IfMatch), in.Body.move()))
}

func (in TaskMove) move() task.Move {
	return task.Move{ListID: in.ListID, ParentID: in.ParentID.Optional, Before: in.Before, After: in.After}
}
