package list

import (
	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
)

// appendAudit appends the audit event of what became of a list.
func appendAudit(tx *change.Tx, action string, before, after *List) error {
	return appendAuditOf(tx, after.ID, action, "list/"+after.ID.String(), before.state(), after.state())
}

// appendAuditOf appends the audit event of what somebody did in a list. It belongs to that list,
// and in its order.
func appendAuditOf(tx *change.Tx, list uuid.UUID, action, target string, before, after any) error {
	return tx.AppendAudit(list, event.AuditOf[any]{Action: action, Target: target, ListID: &list, Before: before, After: after})
}
