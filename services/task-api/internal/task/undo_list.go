package task

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
)

// mostChanged is how many tasks of a list are compared with what they were at most.
const mostChanged = batch

// UnchangedSince says whether the tasks of a list are as the request left them that is
// undone, which was at a time: what has been changed since has been changed back. More
// tasks than it compares count as changed.
func UnchangedSince(ctx context.Context, tx *change.Tx, list uuid.UUID, at time.Time) (bool, error) {
	// Done or not: what the index by the last change has first.
	found, err := change.Read[Task](ctx, tx, "SELECT "+whole+", '' AS role FROM task.tasks t WHERE list_id = ? AND is_complete IN (false, true) AND updated_at > ? LIMIT ?", list, at, mostChanged+1)
	if err != nil {
		return false, fmt.Errorf("read what has changed in the list: %w", err)
	}
	if len(found) == 0 || len(found) > mostChanged {
		return len(found) == 0, nil
	}
	ids := make([]uuid.UUID, len(found))
	for i, t := range found {
		ids[i] = t.ID
	}
	logged, err := tx.OperationOn(ctx, tx.Undoes, ids)
	if err != nil {
		return false, err
	}
	left := make(map[uuid.UUID]*event.Task, len(found))
	for _, l := range logged {
		var after *event.Task
		if err := json.Unmarshal(l.After, &after); err != nil {
			return false, fmt.Errorf("read task %s as it was: %w", l.TaskID, err)
		}
		if l.Cut != nil && after != nil {
			after.Description = l.Cut.After
		}
		left[l.TaskID] = after
	}
	for _, t := range found {
		if was := left[t.ID]; was == nil || len(differing(t.onTheWire(), *was)) > 0 {
			return false, nil
		}
	}
	return true, nil
}
