package eventlog

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/telemetry"
)

// Entry is an event to append.
type Entry struct {
	Topic string
	Type  string
	Key   string // partition key and subject: what the order is kept for
	Time  time.Time
	Data  json.RawMessage

	// TraceParent is of the request that caused it (W3C); that of Append's
	// context where it is "".
	TraceParent string
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

// Append writes entries to the log of schema in tx, a transaction of the caller's: they
// are events if and when it commits. Each gets its id here, for good. The
// caller holds the lock on what the entries tell of, and raises the Signal
// after the commit.
func Append(ctx context.Context, tx bun.IDB, schema string, entries ...Entry) error {
	if len(entries) == 0 {
		return nil
	}
	rows := make([]row, len(entries))
	for i, e := range entries {
		id, err := uuid.NewV7()
		if err != nil {
			return fmt.Errorf("make an event id: %w", err)
		}
		rows[i] = row{ID: id, Topic: e.Topic, Type: e.Type, Key: e.Key, TraceParent: cmp.Or(e.TraceParent, telemetry.TraceParent(ctx)), OccurredAt: e.Time, Data: string(e.Data)}
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
