package eventlog

import (
	"cmp"
	"context"
	"encoding/json"
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

// Append writes entries to the log of schema by write, which runs statements in a
// transaction of the caller's, one after the other: they are events if and when it
// commits. Each gets its id here, for good. The caller holds the lock on what the entries
// tell of, and raises the Signal after the commit.
func Append(ctx context.Context, write func(query string, args ...any), schema string, entries ...Entry) {
	for _, e := range entries {
		// One at a time, for they are numbered as they come, and the text is always the same.
		write(`INSERT INTO `+schema+`.events (id, topic, type, key, trace_parent, occurred_at, data) VALUES (?, ?, ?, ?, ?, ?, ?)`,
			uuid.Must(uuid.NewV7()), e.Topic, e.Type, e.Key, cmp.Or(e.TraceParent, telemetry.TraceParent(ctx)), e.Time, string(e.Data))
	}
}

func (r row) envelope() ([]byte, error) {
	return event.Encode(event.Header{
		ID: r.ID, Topic: r.Topic, Type: r.Type, Subject: r.Key, Time: r.OccurredAt,
		PartitionKey: r.Key, Sequence: r.Seq, TraceParent: r.TraceParent,
	}, json.RawMessage(r.Data))
}
