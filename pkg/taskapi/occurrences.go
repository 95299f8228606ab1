package taskapi

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// OccurrencesPath is where Follow is answered.
const OccurrencesPath = "/internal/occurrences"

// Follow asks that a completed task be followed by the next occurrence of its series.
type Follow struct {
	AfterTaskID uuid.UUID `json:"after_task_id" format:"uuid"`

	// What the version before asked for, and worked out by itself: not looked at.
	Occurrence string    `json:"occurrence,omitempty" maxLength:"19"`
	DueAt      time.Time `json:"due_at,omitzero"`
}

// Following is the task that follows: the one that was created, or one of the series
// that is open already. Where the rule has Ended it is none.
type Following struct {
	TaskID     *uuid.UUID `json:"task_id"`
	Occurrence string     `json:"occurrence"`
	DueAt      *time.Time `json:"due_at"`
	Ended      bool       `json:"ended"`
}

// Follow has a completed task followed, once: a repetition answers the same. The status
// is 201 or 200 with an answer, 404 and 409 where none is to follow, and any other
// where it may be asked again.
func (c *Client) Follow(ctx context.Context, after uuid.UUID) (f Following, status int, err error) {
	status, err = c.Sidecar.Post(ctx, appID, OccurrencesPath, Follow{AfterTaskID: after}, &f)
	return f, status, err
}
