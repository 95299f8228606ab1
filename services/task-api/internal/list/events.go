package list

import (
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/eventlog"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
)

// The actions that the audit trail tells of.
const (
	Created = event.ListCreated
	Updated = event.ListUpdated
)

// tell appends the audit event of what became of a list.
func tell(tx *change.Tx, action string, before, after *List) error {
	return tellOf(tx, after.ID, action, "list/"+after.ID.String(), before.state(), after.state())
}

// tellOf appends the audit event of what somebody did in a list. It belongs to that list,
// and in its order.
func tellOf(tx *change.Tx, list uuid.UUID, action, target string, before, after any) error {
	e := event.AuditEvent{
		Frame:  event.Frame{EventType: event.AuditPrefix + action, UserID: tx.Actor.UserID, Timestamp: tx.Now, Metadata: map[string]any{}},
		Actor:  event.Actor{UserID: tx.Actor.UserID, Email: tx.Actor.Email},
		Action: action, Target: target, ListID: &list,
	}
	if err := change.Fill(&e, tx.Actor.Origin, before, after); err != nil {
		return err
	}
	data, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("write an audit event: %w", err)
	}
	tx.Append(eventlog.Entry{Topic: event.TopicAudit, Type: e.EventType, Key: list.String(), Time: tx.Now, Data: data})
	return nil
}
