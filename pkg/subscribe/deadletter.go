package subscribe

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
)

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

// deadLetter stores a poison event. Only when it is stored may it be acknowledged.
func (s *Subscriber) deadLetter(ctx context.Context, d delivery, reason error) error {
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
		Reason: storable(strings.TrimSpace(reason.Error())), Payload: d.raw, Metadata: document, ReceivedAt: s.Now(),
	}
	if gone, err := s.ofErased(ctx, d); err != nil {
		s.failed(ctx, d, err)
		return err
	} else if gone {
		return s.keepNothing(ctx, d, letter)
	}
	if letter.Payload == nil {
		letter.Payload = []byte{}
	}
	// The same record again is the same letter. One that was resolved is open
	// again, for all to see: this service can not handle it after all.
	kept := s.DB.NewInsert().Model(letter).ModelTableExpr("?.dead_letters AS l", bun.Ident(s.Schema)).
		On("CONFLICT (fingerprint) DO UPDATE").Set("resolved_at = NULL, resolution = NULL, reason = excluded.reason").
		Where("l.resolved_at IS NOT NULL").Returning("l.id, l.xmax <> 0 AS reopened")
	_, err = s.DB.NewRaw(`
		WITH kept AS (?0)
		INSERT INTO ?1.dead_letter_acts (dead_letter_id, act, operator, reason, outcome, at)
		SELECT id, 'reopen', '', 'the same record came again', 'open', ?2 FROM kept WHERE reopened`,
		kept, bun.Ident(s.Schema), letter.ReceivedAt).Exec(ctx)
	if err != nil {
		err = fmt.Errorf("store a dead letter: %w", err)
		s.failed(ctx, d, err)
		return err
	}
	s.count(d, outcomeDeadLetter)
	s.Log.ErrorContext(ctx, "an event is a dead letter", "topic", d.Topic, "event_id", id, "type", kind, "reason", reason)
	return nil
}

// mostIDs is how many of a record's ids are looked at. An event of the suite has some ten.
const mostIDs = 500

// ofErased says whether a record names somebody who was erased.
func (s *Subscriber) ofErased(ctx context.Context, d delivery) (bool, error) {
	if s.Erased == nil {
		return false, nil
	}
	erased, err := s.Erased.Among(ctx, s.DB, idsIn(d.raw))
	return len(erased) > 0, err
}

// idsIn are the UUIDs in a record, wherever. A regular expression takes a tenth of a second
// of CPU to look through 1 MiB.
func idsIn(raw []byte) map[uuid.UUID]bool {
	const length, dash = 36, 8 // of its text, and where the first dash is
	ids := map[uuid.UUID]bool{}
	for at := 0; len(ids) < mostIDs; at++ {
		next := bytes.IndexByte(raw[at:], '-')
		if next < 0 {
			break
		}
		at += next
		begins := at - dash
		if begins < 0 || begins+length > len(raw) || raw[begins+13] != '-' {
			continue
		}
		if id, err := uuid.ParseBytes(raw[begins : begins+length]); err == nil {
			ids[id] = true
		}
	}
	return ids
}

// keepNothing stores the dead letter of a record that is of somebody who was erased: that
// there was one, which nobody can do anything about.
func (s *Subscriber) keepNothing(ctx context.Context, d delivery, letter *deadLetter) error {
	_, err := s.DB.NewRaw(`INSERT INTO ?0.dead_letters (fingerprint, topic, key, event_id, source, type, reason, payload, metadata, received_at, resolved_at, resolution)
		VALUES (?1, ?2, '', ?3, ?4, ?5, 'of an account that was erased', '', '{}', ?6, ?6, 'discarded') ON CONFLICT DO NOTHING`,
		bun.Ident(s.Schema), letter.Fingerprint, letter.Topic, letter.EventID, letter.Source, letter.Type, letter.ReceivedAt).Exec(ctx)
	if err != nil {
		err = fmt.Errorf("store a dead letter: %w", err)
		s.failed(ctx, d, err)
		return err
	}
	s.count(d, outcomeDeadLetter)
	return nil
}

// nameOf reads what identifies a record from whatever of it is readable.
func nameOf(d delivery) (id, source, kind string) {
	// Not a map: of 1 MiB of other members it would keep each.
	var loose struct {
		ID     any `json:"id"`
		Source any `json:"source"`
		Type   any `json:"type"`
	}
	// Not JSON: it has no name, and is kept without one.
	_ = json.Unmarshal(d.raw, &loose)
	text := func(member any) string {
		s, _ := member.(string)
		return storable(s)
	}
	return text(loose.ID), text(loose.Source), text(loose.Type)
}

// storable is s as Postgres can keep it, at most 2000 bytes of it.
func storable(s string) string {
	if len(s) > 2000 {
		s = s[:2000]
	}
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", ""), "")
}
