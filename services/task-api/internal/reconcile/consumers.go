package reconcile

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"

	"github.com/taskwire/taskwire/pkg/event"
)

// subscription is a service that reads a topic, and the schema that it keeps its
// inbox in.
type subscription struct{ service, schema, topic string }

var (
	auditLog      = subscription{"audit-log", "audit", event.TopicAudit}
	recurringTask = subscription{"recurring-task", "recurring", event.TopicTasks}
)

var subscriptions = []subscription{
	auditLog,
	recurringTask,
	{"notification", "notification", event.TopicTasks},
	{"notification", "notification", event.TopicReminders},
}

// Consumers are the services that read topics.
func Consumers() []string {
	var names []string
	for _, s := range subscriptions {
		if !slices.Contains(names, s.service) {
			names = append(names, s.service)
		}
	}
	return names
}

// relevant are the events of a subscription that its service keeps in the inbox, where
// these are not all.
var relevant = map[subscription]event.Relevance{
	recurringTask: event.OfSeries,
	{"notification", "notification", event.TopicTasks}: event.ChangesTask,
}

// inbox checks that a consumer has handled every published event of a topic that is
// relevant to it.
func (c *comparison) inbox(ctx context.Context, s subscription, result *Result) error {
	return c.arrived(ctx, s, result, func(ctx context.Context, ids []uuid.UUID) ([]string, error) {
		return c.handled(ctx, s.schema, ids)
	}, nil)
}

// handled are those of the events that the inbox of a consumer has.
func (c *comparison) handled(ctx context.Context, schema string, ids []uuid.UUID) ([]string, error) {
	return query[string](ctx, c.Reconciler, "SELECT id FROM ?.inbox WHERE source = ? AND id = ANY(?)",
		bun.Ident(schema), event.Source, pgdialect.Array(texts(ids)))
}

// entries checks that every published audit event has its entry. Two it can
// not have: an entry's key is the event's id.
func (c *comparison) entries(ctx context.Context, result *Result) error {
	find := func(ctx context.Context, ids []uuid.UUID) ([]string, error) {
		return query[string](ctx, c.Reconciler, "SELECT id::text FROM audit.entries WHERE id = ANY(?::uuid[])", pgdialect.Array(texts(ids)))
	}
	// In one statement: of an event that is handled meanwhile the entry is there, too.
	unrecorded := func(ctx context.Context, ids []uuid.UUID) ([]string, error) {
		return query[string](ctx, c.Reconciler, `SELECT i.id FROM audit.inbox i WHERE i.source = ?0 AND i.id = ANY(?1)
			AND NOT EXISTS (SELECT FROM audit.entries e WHERE e.id = ANY(?1::uuid[]) AND e.id::text = i.id)`,
			event.Source, pgdialect.Array(texts(ids)))
	}
	return c.arrived(ctx, auditLog, result, find, unrecorded)
}

func texts(ids []uuid.UUID) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = id.String()
	}
	return out
}

// finder finds those of some events of which something is true.
type finder func(ctx context.Context, ids []uuid.UUID) ([]string, error)

// of finds them among events.
func (f finder) of(ctx context.Context, events []loggedEvent) (map[string]bool, error) {
	if len(events) == 0 {
		return nil, nil
	}
	ids := make([]uuid.UUID, len(events))
	for i, e := range events {
		ids[i] = e.ID
	}
	found, err := f(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("look for events: %w", err)
	}
	has := make(map[string]bool, len(found))
	for _, id := range found {
		has[id] = true
	}
	return has, nil
}

// arrived checks that a consumer has each published event of a topic: that find
// finds it, or that it is a dead letter. Those missing that inbox finds, if there is
// one, the consumer has for handled all the same.
func (c *comparison) arrived(ctx context.Context, s subscription, result *Result, find, inbox finder) error {
	var batch []loggedEvent
	compare := func() error {
		has, err := find.of(ctx, batch)
		if err != nil {
			return err
		}
		lost := slices.DeleteFunc(batch, func(e loggedEvent) bool { return has[e.ID.String()] })
		batch = nil
		missing, err := c.account(ctx, s, lost, result)
		if err != nil {
			return err
		}
		return result.lack(ctx, s, missing, inbox, func(e loggedEvent) string {
			return fmt.Sprintf("event %s (%s of %s, %s)", e.ID, e.Type, e.Key, e.OccurredAt.UTC().Format(time.RFC3339))
		})
	}
	var failed error
	reads, only := nothing, relevant[s]
	if only != nil {
		reads = wholeData
	}
	err := c.readAll(ctx, result, s.topic, reads, func(e loggedEvent) {
		if only != nil && !only(e.Type, []byte(e.Data)) {
			return
		}
		e.Data = ""
		result.Looked++
		if !e.Published {
			result.InFlight++
			return
		}
		if batch = append(batch, e); len(batch) == batchRows && failed == nil {
			failed = compare()
		}
	})
	if err != nil {
		return err
	}
	if failed == nil {
		failed = compare()
	}
	return failed
}

// lack adds the gaps of events whose effect a consumer lacks.
func (r *Result) lack(ctx context.Context, s subscription, events []loggedEvent, inbox finder, gap func(loggedEvent) string) error {
	var handled map[string]bool
	if inbox != nil {
		var err error
		if handled, err = inbox.of(ctx, events); err != nil {
			return err
		}
	}
	for _, e := range events {
		if handled[e.ID.String()] {
			r.missing("%s, which %s has for handled", gap(e), s.schema)
			r.Events = append(r.Events, Event{ID: e.ID, Seq: e.Seq, HandledBy: s.schema})
			continue
		}
		r.missing("%s", gap(e))
		r.Events = append(r.Events, Event{ID: e.ID, Seq: e.Seq})
	}
	return nil
}

// account says of events without effect whether they are in flight, dead
// letters or discarded. Those that are none of these are missing.
func (c *comparison) account(ctx context.Context, s subscription, lost []loggedEvent, result *Result) (missing []loggedEvent, err error) {
	if len(lost) == 0 {
		return nil, nil
	}
	ids := make([]string, len(lost))
	for i, e := range lost {
		ids[i] = e.ID.String()
	}
	type letter struct {
		EventID string `bun:"event_id"`
		Open    bool   `bun:"open"`
	}
	letters, err := query[letter](ctx, c.Reconciler, `SELECT event_id, bool_or(resolved_at IS NULL) AS open FROM ?.dead_letters
		WHERE source = ? AND event_id = ANY(?) AND resolution IS DISTINCT FROM 'replayed' GROUP BY event_id`,
		bun.Ident(s.schema), event.Source, pgdialect.Array(ids))
	if err != nil {
		return nil, fmt.Errorf("look for dead letters: %w", err)
	}
	open := map[string]bool{}
	for _, l := range letters {
		open[l.EventID] = l.Open
	}
	for _, e := range lost {
		isOpen, isLetter := open[e.ID.String()]
		switch {
		case isLetter && isOpen:
			result.Letters++
		case isLetter: // an operator has decided that it shall have no effect
		case e.OccurredAt.After(c.recentFrom):
			result.InFlight++
		default:
			missing = append(missing, e)
		}
	}
	return missing, nil
}

// entriesLogged checks that every audit entry is that of an event, by its place
// in the log.
func (c *comparison) entriesLogged(ctx context.Context, result *Result) error {
	type row struct {
		ID     uuid.UUID `bun:"id"`
		Action string    `bun:"action"`
		Logged bool      `bun:"logged"`
	}
	counts, err := query[int64](ctx, c.Reconciler, "SELECT count(*) FROM audit.entries WHERE occurred_at >= ?", c.horizon.Add(grace))
	if err != nil {
		return fmt.Errorf("count the audit entries: %w", err)
	}
	bar := c.Progress.Begin(result.Check, counts[0])
	defer bar.End()
	var after uuid.UUID
	for {
		rows, err := query[row](ctx, c.Reconciler, `SELECT a.id, a.action, EXISTS (
				SELECT FROM task.events e WHERE e.topic = ?0 AND e.id = a.id
				AND e.seq = CASE WHEN a.sequence ~ '^[0-9]{1,18}$|^0[0-9]{18}$' THEN a.sequence::bigint END) AS logged
			FROM audit.entries a WHERE a.id > ?1 AND a.occurred_at >= ?2 ORDER BY a.id LIMIT ?3`,
			event.TopicAudit, after, c.horizon.Add(grace), batchRows)
		if err != nil {
			return fmt.Errorf("read the audit entries: %w", err)
		}
		for _, e := range rows {
			after = e.ID
			if !e.Logged {
				result.missing("audit entry %s (%s) is of no event in the log", e.ID, e.Action)
			}
		}
		result.Looked += int64(len(rows))
		bar.Add(len(rows))
		if len(rows) < batchRows {
			return nil
		}
	}
}
