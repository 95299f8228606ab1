package taskapi

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// OccurrencesPath is where Follow is answered.
const OccurrencesPath = "/internal/occurrences"

// Next asks for the occurrence of a series that follows a completed task.
type Next struct {
	AfterTaskID uuid.UUID `json:"after_task_id" format:"uuid"`
	Occurrence  string    `json:"occurrence" minLength:"19" maxLength:"19"` // event.WallLayout
	DueAt       time.Time `json:"due_at"`
}

// Following is the task that follows: a task is followed once, so it may stand for
// another occurrence than was asked for.
type Following struct {
	TaskID     uuid.UUID  `json:"task_id"`
	Occurrence string     `json:"occurrence"`
	DueAt      *time.Time `json:"due_at"`
}

// Follow has the task that follows created, once: a repetition answers the same.
// The status is 201 or 200 with an answer, 404 and 409 where none is to follow, 400 and
// 422 where what is asked can not be, and any other where it may be asked again.
func (c *Client) Follow(ctx context.Context, next Next) (f Following, status int, err error) {
	status, err = c.Sidecar.Post(ctx, appID, OccurrencesPath, next, &f)
	return f, status, err
}
