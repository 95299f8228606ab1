package taskapi

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"
)

// RemindersPath is where Check is answered.
const RemindersPath = "/internal/reminders/check"

// MaxCheck is how many reminders one Check may ask for.
const MaxCheck = 200

// Check is what is asked: which of the reminders still stand.
type Check struct {
	Reminders []Reminder `json:"reminders" maxItems:"200" nullable:"false"`
}

// Checked is the answer: a Standing for each reminder.
type Checked struct {
	Reminders []Standing `json:"reminders"`
}

// Reminder names one reminder and the time it was to be delivered for.
type Reminder struct {
	ID uuid.UUID `json:"reminder_id" format:"uuid"`
	At time.Time `json:"remind_at"`
}

// Standing says whether a reminder is still to be delivered, and to whom.
type Standing struct {
	Reminder
	Stands bool   `json:"stands"`
	Reason string `json:"reason"` // why not: Completed, Deleted or Moved
	User   *User  `json:"user"`   // nil where the reminder is gone
}

// Why a reminder does not stand.
const (
	Completed = "completed"
	Deleted   = "deleted"
	Moved     = "moved"
	Blocked   = "blocked" // whose reminder it is
)

// User is the owner of a reminder's task.
type User struct {
	ID       uuid.UUID `json:"id"`
	Email    string    `json:"email"`
	Timezone string    `json:"timezone"`
}

// Check asks which of the reminders (at most MaxCheck) still stand. The answer
// holds one Standing for each, in the same order. Every error may pass: the
// sidecar or task-api is away, or not set up yet.
func (c *Client) Check(ctx context.Context, reminders []Reminder) ([]Standing, error) {
	var answer Checked
	status, err := c.Sidecar.Post(ctx, appID, RemindersPath, Check{reminders}, &answer)
	if err != nil {
		return nil, fmt.Errorf("check reminders: %w", err)
	}
	if status != http.StatusOK {
		return nil, fmt.Errorf("check reminders: task-api answered %d", status)
	}
	type key struct {
		id uuid.UUID
		at int64
	}
	found := make(map[key]Standing, len(answer.Reminders))
	for _, s := range answer.Reminders {
		found[key{s.ID, s.At.UnixMicro()}] = s
	}
	standings := make([]Standing, len(reminders))
	for i, r := range reminders {
		s, ok := found[key{r.ID, r.At.UnixMicro()}]
		if !ok || s.Stands && s.User == nil {
			return nil, fmt.Errorf("check reminders: the answer lacks reminder %s, or its user", r.ID)
		}
		standings[i] = s
	}
	return standings, nil
}
