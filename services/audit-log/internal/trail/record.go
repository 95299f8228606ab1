// Package trail keeps the audit trail: it records each audit event once, and
// shows it to the members of the list that it happened in. Who those are, task-api says
// with each request (pkg/membership); nothing of it is kept here.
package trail

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/erasure"
	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/subscribe"
	"github.com/taskwire/taskwire/pkg/telemetry"
)

// entry is a row of the trail.
type entry struct {
	bun.BaseModel `bun:"table:audit.entries,alias:e"`

	ID         uuid.UUID  `bun:"id,pk"`
	Sequence   string     `bun:"sequence"`
	OccurredAt time.Time  `bun:"occurred_at"`
	RecordedAt time.Time  `bun:"recorded_at"`
	UserID     uuid.UUID  `bun:"user_id"`
	ActorID    uuid.UUID  `bun:"actor_id"`
	ActorEmail string     `bun:"actor_email"`
	Action     string     `bun:"action"`
	Target     string     `bun:"target"`
	TaskID     *uuid.UUID `bun:"task_id"`
	ListID     *uuid.UUID `bun:"list_id"`
	// Not as type:jsonb: bun would write a backslash before u0000 once more.
	Before    json.RawMessage `bun:"before"`
	After     json.RawMessage `bun:"after"`
	Changed   []string        `bun:"changed,array"`
	Truncated []string        `bun:"truncated,array"`
	IP        string          `bun:"ip"`
	UserAgent string          `bun:"user_agent"`
	RequestID string          `bun:"request_id"`
	TraceID   string          `bun:"trace_id"`
	// Erased says that a part of the entry is gone, with whom it told of.
	Erased bool `bun:"erased"`
}

// maxIndexed is how long a text in an index may be, in bytes.
const maxIndexed = 100

// Recorder writes audit events into the trail.
type Recorder struct {
	Now    func() time.Time
	Erased *erasure.Keeper
}

// Record is the effect of events on audit-logs: one insert for all of them, in
// the transaction that also marks them as handled.
func (r *Recorder) Record(ctx context.Context, tx bun.Tx, events []subscribe.Event) error {
	entries, err := r.entries(events)
	if err != nil {
		return subscribe.Poison(err)
	}
	if err := r.erase(ctx, tx, events, entries); err != nil {
		return err
	}
	_, err = tx.NewInsert().Model(&entries).Exec(ctx)
	if database.IsUniqueViolation(err) {
		// The inbox knows this source and id not, and yet the id has its entry.
		return subscribe.Poison(fmt.Errorf("an event of another source has the same id: %w", err))
	}
	if err != nil {
		return fmt.Errorf("insert %d audit entries: %w", len(entries), err)
	}
	return nil
}

func (r *Recorder) entries(events []subscribe.Event) (entries []entry, err error) {
	now := r.Now().UTC()
	entries = make([]entry, len(events))
	for i, e := range events {
		if entries[i], err = entryOf(e, now); err != nil {
			return nil, err
		}
	}
	return entries, nil
}

func entryOf(e subscribe.Event, now time.Time) (entry, error) {
	data, err := event.DataOf[event.AuditEvent](e.Event)
	if err != nil {
		return entry{}, err
	}
	id, err := uuid.Parse(e.ID())
	if err != nil {
		return entry{}, fmt.Errorf("the event's id is no UUID: %w", err)
	}
	if data.Action == "" || data.UserID == uuid.Nil {
		return entry{}, errors.New("an audit event needs an action and a user_id")
	}
	sequence, _ := e.Extensions()[event.ExtensionSequence].(string) // without one it sorts first
	if len(data.Action) > maxIndexed || len(sequence) > maxIndexed {
		return entry{}, fmt.Errorf("the action or the sequence is longer than %d bytes", maxIndexed)
	}
	at := e.Time()
	if at.IsZero() {
		at = data.Timestamp // CloudEvents leaves time optional
	}
	if !database.StorableTime(at) {
		return entry{}, fmt.Errorf("the event's time %s is none that it can have happened at", at)
	}
	out := entry{
		ID: id, Sequence: sequence, OccurredAt: at, RecordedAt: now,
		UserID: data.UserID, ActorID: data.Actor.UserID, ActorEmail: data.Actor.Email,
		Action: data.Action, Target: data.Target, Before: object(data.Before), After: object(data.After),
		Changed: data.Changed, IP: data.IP, UserAgent: data.UserAgent, RequestID: data.RequestID,
		TraceID: telemetry.TraceID(telemetry.WithTraceParent(context.Background(), e.TraceParent())),
	}
	out.Truncated = truncated(data.Metadata)
	if data.TaskID != uuid.Nil {
		out.TaskID = &data.TaskID
	}
	if data.ListID != nil && *data.ListID != uuid.Nil {
		out.ListID = data.ListID
	}
	if out.Changed == nil {
		out.Changed = []string{}
	}
	return out, nil
}

// object is a state to store; NULL for none.
func object(raw json.RawMessage) json.RawMessage {
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	return raw
}

// truncated names the fields of before and after that the producer shortened.
func truncated(metadata map[string]any) []string {
	names := []string{}
	listed, _ := metadata["truncated"].([]any)
	for _, l := range listed {
		if name, ok := l.(string); ok {
			names = append(names, name)
		}
	}
	return names
}
