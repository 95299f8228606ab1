package subscribe

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
)

// identity is what CloudEvents 1.0 (section "source") says identifies an event.
type identity struct {
	Source string `bun:"source"`
	ID     string `bun:"id"`
}

type inboxRow struct {
	bun.BaseModel `bun:"table:inbox"`

	Source    string    `bun:"source"`
	ID        string    `bun:"id"`
	HandledAt time.Time `bun:"handled_at"`
}

// mark writes the inbox rows of a batch and says which of its events had none;
// of an event that is in it twice, the first. A replica that marks the same
// event at the same time waits here for this transaction to end.
func (s *Subscriber) mark(ctx context.Context, db bun.IDB, batch []delivery) ([]bool, error) {
	now := s.Now()
	rows := make([]inboxRow, 0, len(batch))
	first := make(map[identity]int, len(batch))
	for i, d := range batch {
		key := identity{d.Source(), d.ID()}
		if _, ok := first[key]; !ok {
			first[key] = i
			rows = append(rows, inboxRow{Source: key.Source, ID: key.ID, HandledAt: now})
		}
	}
	// One order for all, so that two replicas can not wait for each other.
	slices.SortFunc(rows, func(a, b inboxRow) int {
		return strings.Compare(a.Source+"\x00"+a.ID, b.Source+"\x00"+b.ID)
	})
	var inserted []identity
	err := db.NewInsert().Model(&rows).ModelTableExpr("?.inbox", bun.Ident(s.Schema)).
		On("CONFLICT DO NOTHING").Returning("source, id").Scan(ctx, &inserted)
	if err != nil {
		return nil, fmt.Errorf("mark %d events as handled: %w", len(rows), err)
	}
	fresh := make([]bool, len(batch))
	for _, key := range inserted {
		fresh[first[key]] = true
	}
	return fresh, nil
}

// known says which of the events are in the inbox.
func (s *Subscriber) known(ctx context.Context, batch []delivery) (map[identity]bool, error) {
	sources, ids := make([]string, len(batch)), make([]string, len(batch))
	for i, d := range batch {
		sources[i], ids[i] = d.Source(), d.ID()
	}
	var rows []identity
	err := s.DB.NewRaw("SELECT source, id FROM ?.inbox WHERE (source, id) IN (SELECT * FROM unnest(?::text[], ?::text[]))",
		bun.Ident(s.Schema), pgdialect.Array(sources), pgdialect.Array(ids)).Scan(ctx, &rows)
	if err != nil {
		return nil, fmt.Errorf("look %d events up in the inbox: %w", len(batch), err)
	}
	known := make(map[identity]bool, len(rows))
	for _, r := range rows {
		known[r] = true
	}
	return known, nil
}

type deadLetter struct {
	bun.BaseModel `bun:"table:dead_letters"`

	Fingerprint []byte `bun:"fingerprint"`
	Topic       string `bun:"topic"`
	Key         string `bun:"key"`
	EventID     string `bun:"event_id"`
	Source      string `bun:"source"`
	Type        string `bun:"type"`
	Reason      string `bun:"reason"`
	Payload     []byte `bun:"payload"`
	// Not as type:jsonb: bun would write a backslash before u0000 once more.
	Metadata   json.RawMessage `bun:"metadata"`
	ReceivedAt time.Time       `bun:"received_at"`
}

// bury stores a poison event. Only when it is stored may it be acknowledged.
func (s *Subscriber) bury(ctx context.Context, d delivery, reason error) error {
	place := d.metadata["__topic"] + "\x00" + d.metadata["__partition"] + "\x00" + d.metadata["__offset"] + "\x00"
	sum := sha256.Sum256(append([]byte(d.Topic+"\x00"+place), d.raw...))
	id, source, kind := nameOf(d)
	metadata := make(map[string]string, len(d.metadata))
	for k, v := range d.metadata {
		metadata[storable(k)] = storable(v)
	}
	document, err := json.Marshal(metadata)
	if err != nil {
		return fmt.Errorf("write the metadata of a dead letter: %w", err)
	}
	letter := &deadLetter{
		Fingerprint: sum[:], Topic: d.Topic, Key: storable(d.Key), EventID: id, Source: source, Type: kind,
		Reason: storable(reason.Error()), Payload: d.raw, Metadata: document, ReceivedAt: s.Now(),
	}
	if letter.Payload == nil {
		letter.Payload = []byte{}
	}
	_, err = s.DB.NewInsert().Model(letter).ModelTableExpr("?.dead_letters", bun.Ident(s.Schema)).
		On("CONFLICT (fingerprint) DO NOTHING").Returning("NULL").Exec(ctx)
	if err != nil {
		s.Log.ErrorContext(ctx, "a poison event could not be stored; it will be delivered again", "topic", d.Topic, "event_id", id, "error", err)
		return fmt.Errorf("store a dead letter: %w", err)
	}
	count(d, "dead_letter")
	s.Log.ErrorContext(ctx, "an event is a dead letter", "topic", d.Topic, "event_id", id, "type", kind, "reason", reason)
	return nil
}

// nameOf reads what identifies a record from whatever of it is readable.
func nameOf(d delivery) (id, source, kind string) {
	var loose map[string]any
	// Not JSON: it has no name, and is kept without one.
	_ = json.Unmarshal(d.raw, &loose)
	text := func(name string) string {
		s, _ := loose[name].(string)
		return storable(s)
	}
	return text("id"), text("source"), text("type")
}

// storable is s as Postgres can keep it, at most 2000 bytes of it.
func storable(s string) string {
	if len(s) > 2000 {
		s = s[:2000]
	}
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", ""), "")
}
