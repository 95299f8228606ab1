package reminder

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/taskapi"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
)

// Store reads the reminders.
type Store struct {
	DB *bun.DB
	// VerifiedOnly: no address is told that was not shown to be its user's.
	VerifiedOnly bool
}

// Check says, just before they are delivered, which of the reminders are still
// meant, and for whom. Who is no member of the task's list any more is not reminded.
func (s *Store) Check(ctx context.Context, actor access.Actor, asked []taskapi.Reminder) ([]taskapi.Standing, error) {
	out := make([]taskapi.Standing, 0, len(asked))
	if len(asked) == 0 {
		return out, nil
	}
	ids := make([]uuid.UUID, len(asked))
	for i, r := range asked {
		ids[i] = r.ID
	}
	var rows []struct {
		ReminderID uuid.UUID  `bun:"reminder_id"`
		RemindAt   *time.Time `bun:"remind_at"`
		IsComplete bool       `bun:"is_complete"`
		UserID     uuid.UUID  `bun:"user_id"`
		Email      string     `bun:"email"`
		Timezone   string     `bun:"timezone"`
		Blocked    bool       `bun:"blocked"`
	}
	may := actor.Known()
	err := s.DB.NewRaw(`
		SELECT r.id AS reminder_id, r.remind_at, t.is_complete, m.user_id, coalesce(CASE WHEN u.verified OR NOT ? THEN u.email END, '') AS email, coalesce(u.timezone, t.timezone) AS timezone, u.blocked_at IS NOT NULL AS blocked
		FROM task.reminders r JOIN task.tasks t ON t.id = r.task_id
			JOIN task.members m ON m.list_id = t.list_id AND m.user_id = coalesce(r.user_id, t.user_id)
			LEFT JOIN task.users u ON u.id = m.user_id
		WHERE r.id IN (?) AND `+may.SQL, append([]any{s.VerifiedOnly, bun.List(ids)}, may.Args...)...).Scan(ctx, &rows)
	if err != nil {
		return nil, fmt.Errorf("check %d reminders: %w", len(ids), err)
	}
	found := make(map[uuid.UUID]int, len(rows))
	for i, r := range rows {
		found[r.ReminderID] = i
	}
	for _, r := range asked {
		s := taskapi.Standing{Reminder: r, Reason: taskapi.Deleted}
		if i, ok := found[r.ID]; ok {
			row := rows[i]
			s.User = &taskapi.User{ID: row.UserID, Email: row.Email, Timezone: row.Timezone}
			switch {
			case row.Blocked:
				s.Reason = taskapi.Blocked
			case row.IsComplete:
				s.Reason = taskapi.Completed
			case row.RemindAt == nil || !row.RemindAt.Equal(r.At):
				s.Reason = taskapi.Moved
			default:
				s.Stands, s.Reason = true, ""
			}
		}
		out = append(out, s)
	}
	return out, nil
}
