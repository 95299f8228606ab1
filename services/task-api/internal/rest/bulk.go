package rest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/auth"
	"github.com/taskwire/taskwire/pkg/httpapi"
	"github.com/taskwire/taskwire/pkg/page"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/limit"
	"github.com/taskwire/taskwire/services/task-api/internal/task"
)

// BulkInput is several changes at once.
type BulkInput struct {
	Operations []BulkOperation `json:"operations" nullable:"false" minItems:"1" maxItems:"500" doc:"The changes, in their order"`
	Atomic     *bool           `json:"atomic,omitempty" default:"true" doc:"Whether all are made or none; else each for itself"`
}

// BulkOperation is one of them. What its body is, the operation says.
type BulkOperation struct {
	Op      string         `json:"op" enum:"create,update,complete,move,delete" doc:"What is done: as by POST, PATCH, PATCH …/complete, POST …/move and DELETE"`
	ID      *uuid.UUID     `json:"id,omitempty" format:"uuid" doc:"The task, of all but create"`
	IfMatch string         `json:"if_match,omitempty" maxLength:"1000" doc:"As the header If-Match"`
	Body    map[string]any `json:"body,omitempty" doc:"As the request would have it"`
}

// BulkResult is what became of one of them.
type BulkResult struct {
	Status  int              `json:"status" doc:"As the request would have been answered"`
	Task    *Task            `json:"task,omitempty" doc:"The task, as it is then. Behind the first 2 MiB of tasks only what was created has one"`
	Problem *httpapi.Problem `json:"problem,omitempty" doc:"Why it was not done"`
}

// BulkOutput has a result for each operation, in their order.
type BulkOutput struct {
	Results []BulkResult `json:"results" nullable:"false" doc:"A result for each operation, in their order"`
}

func (a *Tasks) mountBulk(api huma.API) {
	forToken(api, a.Failures, huma.Operation{
		OperationID: "change-tasks", Method: http.MethodPost, Path: "/api/tasks/bulk", Tags: []string{"Tasks"}, Summary: "Make several changes at once",
		Description: "In their order: all or none, where the problem is that of the first that can not be done, and its `index` says which; or, with atomic false, each for itself. Ten of them count as a request, where those are limited.",
		Metadata: httpapi.Describe(
			map[string]any{"operations": []map[string]any{{"op": "create", "body": map[string]any{"title": exampleInput.Title}}}},
			BulkOutput{Results: []BulkResult{{Status: http.StatusCreated, Task: &exampleOpen}}},
			httpapi.Missing, httpapi.ReadOnly, httpapi.LimitReached, httpapi.TaskChanged),
	}, func(ctx context.Context, actor access.Actor, in *struct{ Body BulkInput }) (*struct{ Body BulkOutput }, error) {
		out := &struct{ Body BulkOutput }{}
		err := limit.Several(ctx, len(in.Body.Operations))
		if err != nil {
			return nil, err
		}
		if in.Body.Atomic == nil || *in.Body.Atomic {
			out.Body.Results, err = a.together(ctx, api, actor, in.Body.Operations)
		} else {
			out.Body.Results, err = a.each(ctx, api, actor, in.Body.Operations)
		}
		return out, err
	}, auth.TasksWrite)
}

func bulkPlace(i int) string { return fmt.Sprintf("body.operations[%d]", i) }

// together makes all of the changes or none.
func (a *Tasks) together(ctx context.Context, api huma.API, actor access.Actor, operations []BulkOperation) ([]BulkResult, error) {
	steps := make([]task.Step, len(operations))
	for i, o := range operations {
		var err error
		if steps[i], err = o.step(api, bulkPlace(i)); err != nil {
			return nil, indexed(err, i)
		}
	}
	tasks, failed, err := a.Store.Together(ctx, actor, steps)
	if err != nil {
		return nil, indexed(problem(err, bulkPlace(failed)+".body."), failed)
	}
	results := make([]BulkResult, len(operations))
	var there room
	for i, o := range operations {
		if results[i], err = o.result(tasks[i], &there); err != nil {
			return nil, err
		}
	}
	return results, nil
}

// each makes the changes for themselves.
func (a *Tasks) each(ctx context.Context, api huma.API, actor access.Actor, operations []BulkOperation) ([]BulkResult, error) {
	results := make([]BulkResult, len(operations))
	var there room
	for i, o := range operations {
		step, err := o.step(api, bulkPlace(i))
		var tasks []*task.Task
		if err == nil {
			tasks, _, err = a.Store.Together(ctx, actor, []task.Step{step})
		}
		if err == nil {
			if results[i], err = o.result(tasks[0], &there); err != nil {
				return nil, err
			}
			continue
		}
		var p *httpapi.Problem
		if failure := a.Failures.Of(ctx, indexed(problem(err, bulkPlace(i)+".body."), i)); !errors.As(failure, &p) {
			return nil, failure
		}
		results[i] = BulkResult{Status: p.Status, Problem: p}
	}
	return results, nil
}

// indexed says of a problem which of several changes it is of.
func indexed(err error, i int) error {
	var p *httpapi.Problem
	if errors.As(err, &p) {
		of := *p
		of.Index = &i
		return &of
	}
	return err
}

// room is how much of a page the tasks of an answer have taken: tasks that are as large
// as they can be, changed by a few words, would be an answer of 40 MB.
type room struct{ taken int }

func (r *room) holds(t *Task) (bool, error) {
	raw, err := json.Marshal(t)
	if err != nil {
		return false, fmt.Errorf("measure a task: %w", err)
	}
	r.taken += len(raw)
	return r.taken <= page.Bytes, nil
}

func (o BulkOperation) result(t *task.Task, there *room) (BulkResult, error) {
	result := BulkResult{Status: http.StatusOK}
	switch o.Op {
	case "delete":
		result.Status = http.StatusNoContent
	case "create":
		result.Status = http.StatusCreated
	}
	if t == nil {
		return result, nil
	}
	body := shown(t)
	fits, err := there.holds(&body)
	if fits || o.Op == "create" { // nothing else says its id
		result.Task = &body
	}
	return result, err
}

// step is the change that the operation asks for.
func (o BulkOperation) step(api huma.API, place string) (task.Step, error) {
	if o.Op != "create" && o.ID == nil {
		return task.Step{}, httpapi.Invalid(place+".id", "is needed")
	}
	if o.Op == "create" && o.ID != nil {
		return task.Step{}, httpapi.Invalid(place+".id", "is not for create; PUT with If-None-Match: * takes an id that you choose")
	}
	body := any(o.Body)
	if o.Body == nil {
		body = map[string]any{}
	}
	match := versions(o.IfMatch)
	switch place += ".body"; o.Op {
	case "create":
		in, err := httpapi.Read[TaskInput](api, body, place)
		return task.CreateStep(in.draft()), err
	case "update":
		in, err := httpapi.Read[TaskPatch](api, body, place)
		return task.PatchStep(*o.ID, match, in.patch()), err
	case "complete":
		in, err := httpapi.Read[TaskCompletion](api, body, place)
		return task.CompleteStep(*o.ID, match, in.IsComplete), err
	case "move":
		in, err := httpapi.Read[TaskMove](api, body, place)
		return task.MoveStep(*o.ID, match, in.move()), err
	}
	return task.DeleteStep(*o.ID, match), nil
}
