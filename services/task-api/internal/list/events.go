package list

import (
	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
)

// tell appends the audit event of what became of a list.
func tell(tx *change.Tx, action string, before, after *List) error {
	return tellOf(tx, after.ID, action, "list/"+after.ID.String(), before.state(), after.state())
}

// tellOf appends the audit event of what somebody did in a list. It belongs to that list,
// and in its order.
func tellOf(tx *change.Tx, list uuid.UUID, action, target string, before, after any) error {
	return tx.TellAudit(list, event.AuditEvent{Action: action, Target: target, ListID: &list}, before, after)
}
