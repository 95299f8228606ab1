package list

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
	"github.com/taskwire/taskwire/services/task-api/internal/task"
)

// Erase takes a user who is being erased out of one of his lists, or takes the list away
// that has no other owner, some of it at a time. It says whether he is in none any more.
// What has gone is in no trash.
func Erase(ctx context.Context, tx *change.Tx, user uuid.UUID) (done bool, err error) {
	var found []struct {
		ListID uuid.UUID   `bun:"list_id"`
		Role   access.Role `bun:"role"`
	}
	// One after the other, whichever: the list is locked before its other owners are counted.
	if err := tx.NewRaw("SELECT list_id, role FROM task.members WHERE user_id = ? ORDER BY list_id LIMIT 1", user).Scan(ctx, &found); err != nil {
		return false, fmt.Errorf("read the lists of who is being erased: %w", err)
	}
	if len(found) == 0 {
		return true, nil
	}
	id := found[0].ListID
	tx.Queue("SELECT FROM task.lists WHERE id = ? FOR UPDATE", id)
	owned := false
	err = tx.NewRaw("SELECT EXISTS (SELECT FROM task.members WHERE list_id = ? AND user_id <> ? AND role IN (?))", id, user, bun.List(access.Ruling())).Scan(ctx, &owned)
	if err != nil {
		return false, fmt.Errorf("look for another owner of the list: %w", err)
	}
	if owned {
		return false, leave(ctx, tx, id, user, found[0].Role)
	}
	return false, takeAway(ctx, tx, id, user)
}

// leave ends a membership. What is the member's in the list stays; he is assigned nothing
// there any more, and reminded of nothing.
func leave(ctx context.Context, tx *change.Tx, id, user uuid.UUID, role access.Role) error {
	tx.Queue("DELETE FROM task.members WHERE user_id = ? AND list_id = ?", user, id)
	tx.Queue("UPDATE task.lists SET version = version + 1, updated_at = ? WHERE id = ?", tx.Now, id)
	if err := task.Forget(ctx, tx, id, user); err != nil {
		return err
	}
	return appendErasedAudit(tx, event.MemberRemoved, id, user, "user/"+user.String(), nil, &membership{ListID: id, UserID: &user, Role: role, State: Active})
}

// takeAway deletes a list. The other members see nothing of it from the first step on.
func takeAway(ctx context.Context, tx *change.Tx, id, user uuid.UUID) error {
	tx.Queue("DELETE FROM task.members WHERE list_id = ? AND user_id <> ?", id, user)
	tx.Queue("DELETE FROM task.invitations WHERE list_id = ?", id)
	done, err := task.Erase(ctx, tx, id)
	if err != nil || !done {
		return err
	}
	tx.Queue("DELETE FROM task.members WHERE list_id = ?", id)
	tx.Queue("DELETE FROM task.lists WHERE id = ?", id)
	return appendErasedAudit(tx, event.ListPurged, id, user, "list/"+id.String(), map[string]any{event.MetaErased: true}, nil)
}

// appendErasedAudit appends the audit event of what became of a list with a user.
func appendErasedAudit(tx *change.Tx, action string, list, user uuid.UUID, target string, about map[string]any, before *membership) error {
	return tx.AppendAudit(list, event.AuditOf[any]{
		Frame: event.Frame{UserID: user, Metadata: about}, Action: action, Target: target, ListID: &list, Before: before,
	})
}
