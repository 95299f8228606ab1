// Package trail keeps the audit trail: it records each audit event once, and
// shows a user his own.
package trail

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/subscribe"
	"github.com/taskwire/taskwire/pkg/telemetry"
)

// entry is a row of the trail.
type entry struct {
	bun.BaseModel `bun:"table:audit.entries,alias:e"`

	ID         uuid.UUID       `bun:"id,pk"`
	Sequence   string          `bun:"sequence"`
	OccurredAt time.Time       `bun:"occurred_at"`
	RecordedAt time.Time       `bun:"recorded_at"`
	UserID     uuid.UUID       `bun:"user_id"`
	ActorID    uuid.UUID       `bun:"actor_id"`
	ActorEmail string          `bun:"actor_email"`
	Action     string          `bun:"action"`
	Target     string          `bun:"target"`
	TaskID     *uuid.UUID      `bun:"task_id"`
	Before     json.RawMessage `bun:"before,type:jsonb"`
	After      json.RawMessage `bun:"after,type:jsonb"`
	Changed    []string        `bun:"changed,array"`
	IP         string          `bun:"ip"`
	UserAgent  string          `bun:"user_agent"`
	RequestID  string          `bun:"request_id"`
	TraceID    string          `bun:"trace_id"`
}

// Recorder writes audit events into the trail.
type Recorder struct {
	Now func() time.Time
}

// Record is the effect of events on audit-logs: one insert for all of them, in
// the transaction that also marks them as handled.
func (r *Recorder) Record(ctx context.Context, tx bun.Tx, events []subscribe.Event) error {
	now := r.Now().UTC()
	entries := make([]entry, len(events))
	for i, e := range events {
		var err error
		if entries[i], err = entryOf(e, now); err != nil {
			return subscribe.Poison(err)
		}
	}
	if _, err := tx.NewInsert().Model(&entries).Exec(ctx); err != nil {
		return fmt.Errorf("insert %d audit entries: %w", len(entries), err)
	}
	return nil
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
		return entry{}, fmt.Errorf("an audit event needs an action and a user_id")
	}
	sequence, _ := e.Extensions()[event.ExtensionSequence].(string) // without one it sorts first
	out := entry{
		ID: id, Sequence: sequence, OccurredAt: e.Time(), RecordedAt: now,
		UserID: data.UserID, ActorID: data.Actor.UserID, ActorEmail: data.Actor.Email,
		Action: data.Action, Target: data.Target, Before: object(data.Before), After: object(data.After),
		Changed: data.Changed, IP: data.IP, UserAgent: data.UserAgent, RequestID: data.RequestID,
		TraceID: telemetry.TraceID(telemetry.WithTraceParent(context.Background(), e.TraceParent())),
	}
	if data.TaskID != uuid.Nil {
		out.TaskID = &data.TaskID
	}
	if out.Changed == nil {
		out.Changed = []string{}
	}
	for _, text := range append([]string{out.Sequence, out.ActorEmail, out.Action, out.Target, out.IP, out.UserAgent, out.RequestID, string(out.Before), string(out.After)}, out.Changed...) {
		// Postgres keeps no NUL, neither as it is nor escaped in jsonb.
		if strings.ContainsRune(text, 0) || strings.Contains(text, `\u0000`) {
			return entry{}, fmt.Errorf("an audit event holds a NUL character")
		}
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
