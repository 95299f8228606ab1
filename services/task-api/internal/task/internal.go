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

// spawned is the answer to a request for the next occurrence.
type spawned struct {
	Status int
	Body   struct {
		TaskID     uuid.UUID  `json:"task_id"`
		Occurrence string     `json:"occurrence"`
		DueAt      *time.Time `json:"due_at"`
	}
}

// MountInternal adds what recurring-task asks for through the sidecar.
func (a *API) MountInternal(api huma.API) {
	httpapi.Register(api, a.Failures, huma.Operation{
		OperationID: "spawn-occurrence", Method: http.MethodPost, Path: "/internal/occurrences", Hidden: true,
		Summary: "Create the occurrence that follows a completed task",
	}, a.spawn)
}

func (a *API) spawn(ctx context.Context, in *struct {
	Body struct {
		AfterTaskID uuid.UUID `json:"after_task_id" format:"uuid"`
		Occurrence  string    `json:"occurrence" minLength:"19" maxLength:"19"`
		DueAt       time.Time `json:"due_at"`
	}
},
) (*spawned, error) {
	if _, err := time.Parse(event.WallLayout, in.Body.Occurrence); err != nil {
		return nil, httpapi.Invalid("body.occurrence", "must be a wall time such as 2027-03-28T09:00:00")
	}
	var p problems
	if p.moment("body.due_at", &in.Body.DueAt); len(p) > 0 {
		return nil, p.err()
	}
	t, created, err := a.Store.Spawn(ctx, rest.Actor(ctx), in.Body.AfterTaskID, in.Body.Occurrence, in.Body.DueAt)
	if err != nil {
		return nil, err
	}
	out := &spawned{Status: http.StatusOK}
	if created {
		out.Status = http.StatusCreated
	}
	out.Body.TaskID, out.Body.Occurrence, out.Body.DueAt = t.ID, *t.Occurrence, utc(t.DueAt)
	return out, nil
}
