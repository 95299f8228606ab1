package reminder

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/httpapi"
)

// API tells the notification service what it must know just before it delivers.
type API struct {
	DB       *bun.DB
	Failures httpapi.Failures
}

// Asked names a reminder that is about to be delivered.
type Asked struct {
	ReminderID uuid.UUID `json:"reminder_id" format:"uuid"`
	RemindAt   time.Time `json:"remind_at"`
}

// Standing says whether a reminder is still meant, and for whom.
type Standing struct {
	ReminderID uuid.UUID  `json:"reminder_id"`
	RemindAt   time.Time  `json:"remind_at"`
	Stands     bool       `json:"stands"`
	Reason     string     `json:"reason" enum:",completed,deleted,moved"`
	User       *Recipient `json:"user"`
}

// Recipient is whom to remind.
type Recipient struct {
	ID       uuid.UUID `json:"id" bun:"id"`
	Email    string    `json:"email" bun:"email"`
	Timezone string    `json:"timezone" bun:"timezone"`
}

// MountInternal adds the check, for the sidecar alone.
func (a *API) MountInternal(api huma.API) {
	httpapi.Register(api, a.Failures, huma.Operation{
		OperationID: "check-reminders", Method: http.MethodPost, Path: "/internal/reminders/check", Hidden: true,
		Summary: "Whether reminders still stand",
	}, a.check)
}

type checkOutput struct {
	Body struct {
		Reminders []Standing `json:"reminders"`
	}
}

func (a *API) check(ctx context.Context, in *struct {
	Body struct {
		Reminders []Asked `json:"reminders" maxItems:"200" nullable:"false"`
	}
},
) (*checkOutput, error) {
	out := &checkOutput{}
	out.Body.Reminders = make([]Standing, 0, len(in.Body.Reminders))
	if len(in.Body.Reminders) == 0 {
		return out, nil
	}
	ids := make([]uuid.UUID, len(in.Body.Reminders))
	for i, r := range in.Body.Reminders {
		ids[i] = r.ReminderID
	}
	var rows []struct {
		ReminderID uuid.UUID  `bun:"reminder_id"`
		RemindAt   *time.Time `bun:"remind_at"`
		IsComplete bool       `bun:"is_complete"`
		UserID     uuid.UUID  `bun:"user_id"`
		Email      string     `bun:"email"`
		Timezone   string     `bun:"timezone"`
	}
	err := a.DB.NewRaw(`
		SELECT r.id AS reminder_id, r.remind_at, t.is_complete, t.user_id, coalesce(u.email, '') AS email, coalesce(u.timezone, t.timezone) AS timezone
		FROM task.reminders r JOIN task.tasks t ON t.id = r.task_id LEFT JOIN task.users u ON u.id = t.user_id
		WHERE r.id IN (?)`, bun.List(ids)).Scan(ctx, &rows)
	if err != nil {
		return nil, fmt.Errorf("check %d reminders: %w", len(ids), err)
	}
	found := make(map[uuid.UUID]int, len(rows))
	for i, r := range rows {
		found[r.ReminderID] = i
	}
	for _, asked := range in.Body.Reminders {
		s := Standing{ReminderID: asked.ReminderID, RemindAt: asked.RemindAt, Reason: "deleted"}
		if i, ok := found[asked.ReminderID]; ok {
			r := rows[i]
			s.User = &Recipient{ID: r.UserID, Email: r.Email, Timezone: r.Timezone}
			switch {
			case r.IsComplete:
				s.Reason = "completed"
			case r.RemindAt == nil || !r.RemindAt.Equal(asked.RemindAt):
				s.Reason = "moved"
			default:
				s.Stands, s.Reason = true, ""
			}
		}
		out.Body.Reminders = append(out.Body.Reminders, s)
	}
	return out, nil
}
