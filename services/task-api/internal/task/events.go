package task

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/eventlog"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
)

// appendEvents appends the events of a change, which may have set a reminder.
func appendEvents(tx *change.Tx, kinds []string, before, after *Task) error {
	events, err := eventsOf(tx.Actor, kinds, before, after, tx.Now)
	if err != nil {
		return err
	}
	tx.Append(events...)
	if slices.ContainsFunc(after.Reminders, func(r Reminder) bool { return r.Armed }) {
		tx.ReminderSet()
	}
	return nil
}

// eventsOf are the events of one change: for each kind one on task-events and one on
// audit-logs. Before is nil for a creation. Each kind has a version of its own, the
// last being after's, so that the versions of a task rise with every event.
func eventsOf(actor change.Actor, kinds []string, before, after *Task, at time.Time) ([]eventlog.Entry, error) {
	out := make([]eventlog.Entry, 0, 2*len(kinds))
	for i, kind := range kinds {
		state := after.public()
		state.Version -= int64(len(kinds) - 1 - i)
		frame := event.Frame{EventType: kind, TaskID: after.ID, UserID: after.UserID, Timestamp: at.UTC(), Metadata: map[string]any{}}
		data, err := fit(event.TaskEvent{Frame: frame, TaskData: state}, func(e *event.TaskEvent) []*string {
			return []*string{&e.TaskData.Description}
		}, func(e *event.TaskEvent) map[string]any { return e.Metadata })
		if err != nil {
			return nil, err
		}
		out = append(out, eventlog.Entry{Topic: event.TopicTasks, Type: kind, Key: after.ID.String(), Time: at, Data: data})

		if data, err = auditData(actor, frame, before, state); err != nil {
			return nil, err
		}
		out = append(out, eventlog.Entry{Topic: event.TopicAudit, Type: event.AuditPrefix + kind, Key: after.ID.String(), Time: at, Data: data})
	}
	return out, nil
}

// auditParts are an audit event with its states still as tasks, so that they
// can be shortened.
type auditParts struct {
	event         event.AuditEvent
	before, after *event.Task
}

func auditData(actor change.Actor, frame event.Frame, before *Task, state event.Task) (json.RawMessage, error) {
	parts := auditParts{event: event.AuditEvent{
		Frame: frame, Actor: event.Actor{UserID: actor.UserID, Email: actor.Email},
		Action: frame.EventType, Target: "task/" + frame.TaskID.String(),
	}}
	if actor.UserID == uuid.Nil {
		// A service acts for the owner of the task.
		parts.event.Actor.UserID = frame.UserID
	}
	parts.event.EventType = event.AuditPrefix + frame.EventType
	parts.event.Metadata = map[string]any{}
	if before != nil {
		was := before.public()
		parts.before = &was
	}
	if frame.EventType != event.TaskDeleted {
		parts.after = &state
	}
	if err := actor.Fill(&parts.event, nilOr(parts.before), nilOr(parts.after)); err != nil {
		return nil, err
	}
	data, err := json.Marshal(parts.event)
	if err != nil {
		return nil, fmt.Errorf("write an audit event: %w", err)
	}
	if len(data) <= maxData {
		return data, nil
	}
	names := parts.event.Changed
	return fit(parts, func(p *auditParts) []*string {
		var long []*string
		for _, t := range []*event.Task{p.before, p.after} {
			if t != nil {
				long = append(long, &t.Description)
			}
		}
		return long
	}, func(p *auditParts) map[string]any { return p.event.Metadata }, func(p *auditParts) (any, error) {
		// What changed is what changed before the states were shortened.
		err := actor.Fill(&p.event, nilOr(p.before), nilOr(p.after))
		p.event.Changed = names
		return p.event, err
	})
}

func nilOr(t *event.Task) any {
	if t == nil {
		return nil
	}
	return t
}

// maxData leaves 2 KiB of an event's size to its envelope.
const maxData = event.MaxSize - 2<<10

// fit writes v as JSON and, where it is too large for an event, shortens its
// long texts until it fits, and says so in its metadata. The task itself is
// whole in the database: an event tells of it.
func fit[T any](v T, long func(*T) []*string, metadata func(*T) map[string]any, finish ...func(*T) (any, error)) (json.RawMessage, error) {
	for {
		var whole any = v
		for _, f := range finish {
			var err error
			if whole, err = f(&v); err != nil {
				return nil, err
			}
		}
		data, err := json.Marshal(whole)
		if err != nil {
			return nil, fmt.Errorf("write an event: %w", err)
		}
		if len(data) <= maxData {
			return data, nil
		}
		texts := long(&v)
		longest := slices.MaxFunc(texts, func(a, b *string) int { return len(*a) - len(*b) })
		if *longest == "" {
			return nil, fmt.Errorf("an event of %d bytes is too large", len(data))
		}
		runes := []rune(*longest)
		*longest = string(runes[:len(runes)*3/4])
		metadata(&v)["truncated"] = []string{"description"}
	}
}
