package eventlog

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/telemetry"
)

// Tables is the SQL that creates the log's tables in a schema, for a
// service's migration; %[1]s is the schema.
//
//	events         what happened; position is the serial number, seq the place
//	event_head     the last seq given, and the epoch of the log's owner
//	event_cursors  how far each topic has been published
const Tables = `
CREATE TABLE %[1]s.events (
	position     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	seq          bigint,
	id           uuid NOT NULL,
	topic        text NOT NULL,
	type         text NOT NULL,
	key          text NOT NULL,
	trace_parent text NOT NULL,
	occurred_at  timestamptz NOT NULL,
	data         text NOT NULL
);
CREATE INDEX events_unplaced ON %[1]s.events (position) WHERE seq IS NULL;
CREATE UNIQUE INDEX events_seq ON %[1]s.events (topic, seq) WHERE seq IS NOT NULL;
CREATE TABLE %[1]s.event_head (
	single   bool PRIMARY KEY DEFAULT true CHECK (single), -- there is one row
	last_seq bigint NOT NULL DEFAULT 0,
	epoch    bigint NOT NULL DEFAULT 0
);
INSERT INTO %[1]s.event_head DEFAULT VALUES;
CREATE TABLE %[1]s.event_cursors (
	topic         text PRIMARY KEY,
	published_seq bigint NOT NULL DEFAULT 0
);
`

// Entry is an event to append.
type Entry struct {
	Topic string
	Type  string
	Key   string // partition key and subject: what the order is kept for
	Time  time.Time
	Data  json.RawMessage
}

type row struct {
	bun.BaseModel `bun:"table:events,alias:events"`

	Position    int64     `bun:"position,scanonly"`
	Seq         int64     `bun:"seq,scanonly"`
	ID          uuid.UUID `bun:"id"`
	Topic       string    `bun:"topic"`
	Type        string    `bun:"type"`
	Key         string    `bun:"key"`
	TraceParent string    `bun:"trace_parent"`
	OccurredAt  time.Time `bun:"occurred_at"`
	Data        string    `bun:"data"`
}

// Append writes entries to the log of schema in the caller's transaction: they
// are events if and when it commits. Each gets its id here, for good. The
// caller holds the lock on what the entries tell of, and raises the Signal
// after the commit.
func Append(ctx context.Context, tx bun.Tx, schema string, entries ...Entry) error {
	if len(entries) == 0 {
		return nil
	}
	trace := telemetry.TraceParent(ctx)
	rows := make([]row, len(entries))
	for i, e := range entries {
		id, err := uuid.NewV7()
		if err != nil {
			return fmt.Errorf("make an event id: %w", err)
		}
		rows[i] = row{ID: id, Topic: e.Topic, Type: e.Type, Key: e.Key, TraceParent: trace, OccurredAt: e.Time, Data: string(e.Data)}
	}
	// The rows are numbered in the order of the VALUES list.
	_, err := tx.NewInsert().Model(&rows).ModelTableExpr("?.events", bun.Ident(schema)).
		Column("id", "topic", "type", "key", "trace_parent", "occurred_at", "data").Returning("NULL").Exec(ctx)
	if err != nil {
		return fmt.Errorf("append %d events to the log: %w", len(entries), err)
	}
	return nil
}

func (r row) envelope() ([]byte, error) {
	return event.Encode(event.Header{
		ID: r.ID, Topic: r.Topic, Type: r.Type, Subject: r.Key, Time: r.OccurredAt,
		PartitionKey: r.Key, Sequence: r.Seq, TraceParent: r.TraceParent,
	}, json.RawMessage(r.Data))
}
