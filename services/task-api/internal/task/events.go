package task

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/eventlog"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
)

// appendEvents appends the events of one change: for each kind one on task-events
// and one on audit-logs. Before is nil for a creation. Each kind has a version of its
// own, the last being after's, so that the versions of a task rise with every event. About is the
// metadata of the events.
func appendEvents(tx *change.Tx, kinds []string, before, after *Task, about map[string]any) error {
	about = tx.Metadata(about)
	for i, kind := range kinds {
		state := after.onTheWire()
		state.Version -= int64(len(kinds) - 1 - i)
		frame := event.Frame{EventType: kind, TaskID: after.ID, UserID: after.UserID, Timestamp: tx.Now, Metadata: about}
		data, err := taskData(frame, state)
		if err != nil {
			return err
		}
		audit, cut, err := auditData(tx, frame, before, state)
		if err != nil {
			return err
		}
		if cut != nil {
			tx.KeepWhole(after.ID, state.Version, *cut)
		}
		tx.Append(
			eventlog.Entry{Topic: event.TopicTasks, Type: kind, Key: after.ID.String(), Time: tx.Now, Data: data},
			eventlog.Entry{Topic: event.TopicAudit, Type: event.AuditPrefix + kind, Key: after.ID.String(), Time: tx.Now, Data: audit})
	}
	if slices.ContainsFunc(after.Reminders, func(r Reminder) bool { return r.Armed }) {
		tx.ReminderSet()
	}
	return nil
}

// truncated is the metadata of an event whose descriptions were shortened. The task
// is whole in the database: an event tells of it.
func truncated(about map[string]any) map[string]any {
	all := map[string]any{event.MetaTruncated: []string{"description"}}
	maps.Copy(all, about)
	return all
}

func taskData(frame event.Frame, state event.Task) (json.RawMessage, error) {
	e := event.TaskEvent{Frame: frame, TaskData: state}
	data, err := encode(e)
	if err != nil || len(data) <= change.MaxData {
		return data, err
	}
	e.TaskData.Description = change.Cut(state.Description, change.MaxData-(len(data)-change.SizeOf(state.Description)))
	e.Metadata = truncated(frame.Metadata)
	return encodeCut(e)
}

// auditData is what the audit trail gets, and the texts of which that has only a part.
func auditData(tx *change.Tx, frame event.Frame, before *Task, state event.Task) (data json.RawMessage, cut *change.Texts, err error) {
	e := event.AuditOf[any]{Frame: frame, Action: frame.EventType, Target: "task/" + frame.TaskID.String(), ListID: &state.ListID}
	var was, is event.Task
	whole := change.Texts{After: state.Description}
	if before != nil {
		was = before.onTheWire()
		e.Before, whole.Before = &was, was.Description
	}
	if frame.EventType != event.TaskDeleted {
		is = state
		e.After = &is
	}
	tx.Audit(&e)
	data, err = encode(e)
	if err != nil || len(data) <= change.MaxData {
		return data, nil, err
	}
	// Each description has half of the room, or what the other leaves.
	sizes := [2]int{change.SizeOf(was.Description), change.SizeOf(is.Description)}
	room := change.MaxData - (len(data) - sizes[0] - sizes[1])
	most := max(room/2, room-min(sizes[0], sizes[1]))
	was.Description, is.Description = change.Cut(was.Description, most), change.Cut(is.Description, most)
	e.Metadata = truncated(frame.Metadata)
	data, err = encodeCut(e)
	return data, &whole, err
}

func encode(e any) (json.RawMessage, error) {
	data, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("write an event: %w", err)
	}
	return data, nil
}

// encodeCut is encode for an event whose descriptions were cut: there is nothing more
// to take from it.
func encodeCut(e any) (json.RawMessage, error) {
	data, err := encode(e)
	if err == nil && len(data) > event.MaxSize-2<<10 {
		err = fmt.Errorf("an event of %d bytes is too large", len(data))
	}
	return data, err
}
