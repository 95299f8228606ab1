package trail

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/taskwire/taskwire/pkg/subscribe"
)

// AtOnce is the effect of Record in one statement, of events that neither want anything
// erased nor name anybody who was.
func (r *Recorder) AtOnce() subscribe.AtOnce {
	return subscribe.AtOnce{SQL: insertAtOnce, Args: r.columns}
}

const insertAtOnce = `INSERT INTO audit.entries (id, sequence, occurred_at, recorded_at, user_id, actor_id, actor_email, action, target,
		task_id, list_id, before, after, changed, truncated, ip, user_agent, request_id, trace_id)
	SELECT e.id, sequence, occurred_at, recorded_at, user_id, actor_id, actor_email, action, target,
		task_id, list_id, before::jsonb, after::jsonb, changed::text[], truncated::text[], ip, user_agent, request_id, trace_id
	FROM unnest($4::text[], $5::text[], $6::uuid[], $7::text[], $8::timestamptz[], $9::timestamptz[], $10::uuid[], $11::uuid[], $12::text[],
		$13::text[], $14::text[], $15::uuid[], $16::uuid[], $17::text[], $18::text[], $19::text[], $20::text[], $21::text[], $22::text[],
		$23::text[], $24::text[])
		AS e (source, event_id, id, sequence, occurred_at, recorded_at, user_id, actor_id, actor_email, action, target,
		task_id, list_id, before, after, changed, truncated, ip, user_agent, request_id, trace_id)
	JOIN fresh ON fresh.source = e.source AND fresh.id = e.event_id`

// columns are the arguments of insertAtOnce: an array for each column.
func (r *Recorder) columns(ctx context.Context, events []subscribe.Event) ([]any, error) {
	entries, err := r.entries(events)
	if err != nil {
		return nil, err
	}
	for i, e := range entries {
		if kind, _ := e.erases(events[i]); kind != "" {
			return nil, nil
		}
	}
	if erased, err := r.Erased.Among(ctx, r.Erased.DB, named(entries)); err != nil || len(erased) > 0 {
		return nil, err
	}
	sources, eventIDs := make([]string, len(events)), make([]string, len(events))
	for i, e := range events {
		sources[i], eventIDs[i] = e.Source(), e.ID()
	}
	return []any{
		sources, eventIDs,
		column(entries, func(e entry) pgtype.UUID { return id(&e.ID) }),
		column(entries, func(e entry) string { return e.Sequence }),
		column(entries, func(e entry) time.Time { return e.OccurredAt }),
		column(entries, func(e entry) time.Time { return e.RecordedAt }),
		column(entries, func(e entry) pgtype.UUID { return id(&e.UserID) }),
		column(entries, func(e entry) pgtype.UUID { return id(&e.ActorID) }),
		column(entries, func(e entry) string { return e.ActorEmail }),
		column(entries, func(e entry) string { return e.Action }),
		column(entries, func(e entry) string { return e.Target }),
		column(entries, func(e entry) pgtype.UUID { return id(e.TaskID) }),
		column(entries, func(e entry) pgtype.UUID { return id(e.ListID) }),
		column(entries, func(e entry) pgtype.Text { return document(e.Before) }),
		column(entries, func(e entry) pgtype.Text { return document(e.After) }),
		column(entries, func(e entry) string { return array(e.Changed) }),
		column(entries, func(e entry) string { return array(e.Truncated) }),
		column(entries, func(e entry) string { return e.IP }),
		column(entries, func(e entry) string { return e.UserAgent }),
		column(entries, func(e entry) string { return e.RequestID }),
		column(entries, func(e entry) string { return e.TraceID }),
	}, nil
}

func column[T any](entries []entry, of func(entry) T) pgtype.FlatArray[T] {
	values := make([]T, len(entries))
	for i, e := range entries {
		values[i] = of(e)
	}
	return values
}

// id is an id, or null, in the type that pgx need not ask for its value as text.
func id(of *uuid.UUID) pgtype.UUID {
	if of == nil {
		return pgtype.UUID{}
	}
	return pgtype.UUID{Bytes: *of, Valid: true}
}

// document is a state as text, or null, which as JSON would be one of JSON.
func document(state json.RawMessage) pgtype.Text {
	return pgtype.Text{String: string(state), Valid: state != nil}
}

var escapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// array is an array of texts as Postgres reads it: of some of different length it makes no
// array of arrays.
func array(texts []string) string {
	quoted := make([]string, len(texts))
	for i, t := range texts {
		quoted[i] = `"` + escapes.Replace(t) + `"`
	}
	return "{" + strings.Join(quoted, ",") + "}"
}
