package change

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/outage"
	"github.com/taskwire/taskwire/services/task-api/internal/refuse"
)

// An operation is all that one request has changed, in one transaction or several. The
// event log has it, before and after (package undo takes it back).

// recordOperation notes where the log has what the change did, for who made it.
func (tx *Tx) recordOperation() {
	if tx.Actor.Service != "" || tx.Actor.UserID == uuid.Nil || tx.Actor.RequestID == "" {
		return
	}
	// recorded_at is the beginning of the transaction, as that of its events.
	tx.Queue("INSERT INTO task.operations (user_id, request_id) VALUES (?, ?) ON CONFLICT DO NOTHING", tx.Actor.UserID, tx.Actor.RequestID)
}

// recordRepetition notes that the request is one that was made before with the same key.
func (tx *Tx) recordRepetition(k *Key) {
	tx.Queue(`INSERT INTO task.operations (user_id, request_id, recorded_at, logged_as)
		SELECT user_id, ?, recorded_at, request_id FROM task.idempotency_keys WHERE user_id = ? AND key = ? AND request_id <> ? ON CONFLICT DO NOTHING`,
		tx.Actor.RequestID, tx.Actor.UserID, k.Key, tx.Actor.RequestID)
}

// KeepWhole keeps the texts of a task or a comment of which the event of a change says
// only a part. Version is that of the event; a comment, which has none, is changed once in
// a transaction.
func (tx *Tx) KeepWhole(id uuid.UUID, version int64, texts Texts) {
	tx.Queue("INSERT INTO task.cut_texts (entity_id, version, before, after) VALUES (?, ?, ?, ?)", id, version, texts.Before, texts.After)
}

// Logged is a change as the log has it, with the texts that its event has cut, whole.
type Logged struct {
	event.AuditEvent
	Cut *Texts
}

// Texts are a description, or what a comment says, before a change and after it.
type Texts struct {
	Before string `bun:"before"`
	After  string `bun:"after"`
}

// mostLogged and mostLoggedBytes are how many changes of a request are read at most, and of
// which size: 500 at once, of tasks with a checklist each. They are all in memory meanwhile.
const (
	mostLogged      = 10_000
	mostLoggedBytes = 16 << 20
)

var (
	errNoOperation = refuse.Missing("request of yours that has changed anything")
	errTooMuch     = refuse.Because(refuse.NotUndoable, "the request has changed too much to be undone at once")
)

// Operation reads what a request of the actor has changed, in its order: only changes with
// one of these actions, or all. It returns a refusal where there is no such request, or
// the log has forgotten what it was.
func (tx *Tx) Operation(ctx context.Context, request string, actions ...string) ([]Logged, error) {
	types := make([]string, len(actions))
	for i, a := range actions {
		types[i] = event.AuditPrefix + a
	}
	found, err := tx.operation(ctx, request, "? OR e.type IN (?)", len(types) == 0, bun.List(append(types, "")))
	if err == nil && len(found) == 0 && len(actions) == 0 {
		err = errNoOperation
	}
	return found, err
}

// OperationOn is what of a request has changed some tasks; there may be none of it.
func (tx *Tx) OperationOn(ctx context.Context, request string, tasks []uuid.UUID) ([]Logged, error) {
	keys := make([]string, len(tasks))
	for i, id := range tasks {
		keys[i] = id.String()
	}
	return tx.operation(ctx, request, "e.type LIKE 'audit.task.%' AND e.key IN (?)", bun.List(append(keys, "")))
}

// operation reads what of a request meets a condition.
func (tx *Tx) operation(ctx context.Context, request, where string, args ...any) ([]Logged, error) {
	var rows []struct {
		RecordedAt time.Time `bun:"recorded_at"`
		RequestID  string    `bun:"request_id"`
		Data       string    `bun:"data"`
		Bytes      int64     `bun:"bytes"` // of this one and those before
	}
	// A partition of the log is looked into by its key, (recorded_at, position).
	err := tx.NewRaw(`SELECT recorded_at, request_id, data, bytes FROM (
		SELECT e.recorded_at, e.position, coalesce(o.logged_as, o.request_id) AS request_id, e.data,
			sum(octet_length(e.data)) OVER (ORDER BY e.recorded_at, e.position) AS bytes
		FROM task.operations o JOIN task.events e ON e.recorded_at = o.recorded_at AND e.topic = ?
		WHERE o.user_id = ? AND o.request_id = ? AND (`+where+`) ORDER BY e.recorded_at, e.position LIMIT ?) x
		WHERE bytes - octet_length(data) <= ? ORDER BY recorded_at, position`,
		slices.Concat([]any{event.TopicAudit, tx.Actor.UserID, request}, args, []any{mostLogged + 1, mostLoggedBytes})...).Scan(ctx, &rows)
	if err != nil {
		return nil, fmt.Errorf("read what the request has changed: %w", err)
	}
	if n := len(rows); n > mostLogged || n > 0 && rows[n-1].Bytes > mostLoggedBytes {
		return nil, errTooMuch
	}
	found := make([]Logged, 0, len(rows))
	for _, r := range rows {
		var l Logged
		if err := json.Unmarshal([]byte(r.Data), &l.AuditEvent); err != nil {
			return nil, fmt.Errorf("read an audit event of request %s: %w", request, err)
		}
		// Another transaction may have begun at the same microsecond.
		if l.RequestID != r.RequestID || l.Actor.UserID != tx.Actor.UserID {
			continue
		}
		if tx.Actor.Only != nil && (l.ListID == nil || !tx.Actor.Reaches(*l.ListID)) {
			return nil, errNoOperation // he is kept from what it was about
		}
		if _, cut := l.Metadata[event.MetaTruncated]; cut {
			if err := l.readWhole(ctx, tx, r.RecordedAt); err != nil {
				return nil, err
			}
		}
		found = append(found, l)
	}
	return found, nil
}

// readWhole reads the texts that the event has cut.
func (l *Logged) readWhole(ctx context.Context, tx *Tx, at time.Time) error {
	var before, after struct{ Version int64 }
	for state, of := range map[*struct{ Version int64 }]json.RawMessage{&before: l.Before, &after: l.After} {
		if err := json.Unmarshal(of, state); err != nil {
			return fmt.Errorf("read the version of %s: %w", l.Target, err)
		}
	}
	if after.Version == 0 && before.Version > 0 {
		after.Version = before.Version + 1 // it was deleted
	}
	_, id, _ := strings.Cut(l.Target, "/")
	l.Cut = new(Texts)
	err := tx.NewRaw("SELECT before, after FROM task.cut_texts WHERE recorded_at = ? AND entity_id = ? AND version = ?", at, id, after.Version).Scan(ctx, l.Cut)
	if err != nil {
		return fmt.Errorf("read the whole texts of %s: %w", l.Target, err)
	}
	return nil
}

// forgetOperationsEvery is how often old ones are looked for.
const forgetOperationsEvery = time.Hour

// ForgetOperations deletes what is known of operations when the log has forgotten them
// too, now and then, until ctx ends.
func (w *Writer) ForgetOperations(ctx context.Context, retention time.Duration, log *slog.Logger) error {
	failing := &outage.Outage{Log: log, Gone: "old operations can not be forgotten; trying again", Back: "old operations are forgotten again"}
	return database.Repeat(ctx, failing, nil, func(ctx context.Context) (time.Duration, error) {
		return forgetOperationsEvery, w.forgetOperations(ctx, w.Now().Add(-retention))
	})
}

func (w *Writer) forgetOperations(ctx context.Context, before time.Time) error {
	for table, key := range map[string]string{"task.operations": "user_id, request_id, recorded_at", "task.cut_texts": "recorded_at, entity_id, version"} {
		if _, err := database.Prune(ctx, w.DB, database.Old{Table: table, Key: key, Age: "recorded_at", Before: before}); err != nil {
			return err
		}
	}
	return nil
}
