package main

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/taskwire/taskwire/test/suite"
)

// truth compares what should be the same, link by link: acknowledged changes,
// rows, event log, broker, and the effects of the three consumers.
type truth struct {
	suite *suite.Suite
	db    *pgxpool.Pool
	log   *journal

	told  []acknowledged // the event log of tasks, in the order of its publication
	tasks map[uuid.UUID]*history
	rows  map[uuid.UUID]row

	published     int
	repeated      int // records on the broker that had been there before
	mailsRepeated int
}

// acknowledged is an event of a task in the log.
type acknowledged struct {
	ID          uuid.UUID
	Seq         int64
	Type        string
	Task        uuid.UUID
	At          time.Time
	Version     int64
	Title       string
	IsComplete  bool
	Series      *uuid.UUID
	Occurrence  *string
	Follows     *string // the occurrence before it
	Outcome     *string // of an occurrence that was deleted while it was open
	IsRecurring bool
}

// history is what the log tells of a task.
type history struct {
	events    []acknowledged
	deleted   bool
	restored  bool // from the trash, once or more often
	takenBack bool // by its last event
}

// reopenedAfter says whether the task was opened again after a moment: of what had not come
// before it was done, then, nothing comes any more.
func (h *history) reopenedAfter(at time.Time) bool {
	complete := false
	for _, e := range h.events {
		if complete && !e.IsComplete && e.At.After(at) {
			return true
		}
		complete = e.IsComplete
	}
	return false
}

// reopened says whether the task has ever been complete and open again.
func (h *history) reopened() bool {
	complete := false
	for _, e := range h.events {
		if complete && !e.IsComplete {
			return true
		}
		complete = e.IsComplete
	}
	return false
}

// restoredAfter says whether the task came back from the trash after a moment.
func (h *history) restoredAfter(at time.Time) bool {
	for _, e := range h.events {
		if e.Type == "task.restored" && e.At.After(at) {
			return true
		}
	}
	return false
}

func (h *history) version(n int64) (acknowledged, bool) {
	for _, e := range h.events {
		if e.Version == n {
			return e, true
		}
	}
	return acknowledged{}, false
}

// row is a task as it is now.
type row struct {
	ID         uuid.UUID
	Version    int64
	Title      string
	IsComplete bool
	Series     *uuid.UUID
	Occurrence *string
	Follows    *uuid.UUID
}

func (t *truth) compare(ctx context.Context, acknowledged []change) ([]*check, error) {
	if err := t.read(ctx); err != nil {
		return nil, err
	}
	checks := []*check{t.acknowledgedAreThere(acknowledged), t.rowsAreTheLog()}
	for _, compare := range []func(context.Context) (*check, error){
		t.logIsAudited, t.logIsOnTheBroker, t.auditIsTheLog, t.seriesGoOn, t.remindersAreDelivered, t.mailsAreSent, t.deadLetters,
	} {
		c, err := compare(ctx)
		if err != nil {
			return nil, err
		}
		checks = append(checks, c)
	}
	return checks, nil
}

func (t *truth) check(name string) *check { return &check{name: name, log: t.log} }

func (t *truth) read(ctx context.Context) error {
	var err error
	t.told, err = collect[acknowledged](ctx, t.db, `
		SELECT id, coalesce(seq, 0) AS seq, type, key::uuid AS task, occurred_at AS at, (d->>'version')::bigint AS version, d->>'title' AS title,
			(d->>'is_complete')::bool AS is_complete, (d->>'series_id')::uuid AS series, d->>'occurrence' AS occurrence,
			m->>'follows' AS follows, m->>'occurrence' AS outcome, jsonb_typeof(d->'recurrence') = 'object' AS is_recurring
		FROM (SELECT *, data::jsonb->'task_data' AS d, data::jsonb->'metadata' AS m FROM task.events WHERE topic = 'task-events') e ORDER BY seq`)
	if err != nil {
		return fmt.Errorf("read the event log: %w", err)
	}
	t.tasks = map[uuid.UUID]*history{}
	for _, e := range t.told {
		h := t.tasks[e.Task]
		if h == nil {
			h = &history{}
			t.tasks[e.Task] = h
		}
		h.events = append(h.events, e)
		// An occurrence that was taken back comes again as the same task.
		h.deleted = e.Type == "task.deleted" || h.deleted && e.Type != "task.restored" && (e.Type != "task.created" || !h.takenBack)
		h.restored = h.restored || e.Type == "task.restored"
		h.takenBack = e.Outcome != nil && *e.Outcome == "taken_back"
	}
	rows, err := collect[row](ctx, t.db, `SELECT id, version, title, is_complete, series_id AS series, occurrence, follows_id AS follows FROM task.tasks`)
	if err != nil {
		return fmt.Errorf("read the tasks: %w", err)
	}
	t.rows = make(map[uuid.UUID]row, len(rows))
	for _, r := range rows {
		t.rows[r.ID] = r
	}
	return nil
}

// acknowledgedAreThere: what the API has said yes to is in the rows, and in the
// log as what it was.
func (t *truth) acknowledgedAreThere(acknowledged []change) *check {
	c := t.check("acknowledged changes are in the rows and in the log")
	c.compared = len(acknowledged)
	for _, a := range acknowledged {
		h, ok := t.tasks[a.task]
		if !ok {
			c.lose("task %s has no event (acknowledged version %d)", a.task, a.version)
			continue
		}
		r, exists := t.rows[a.task]
		if a.kind == restored {
			if !h.restored {
				c.lose("task %s was restored, and no event tells of it", a.task)
			}
			continue
		}
		if a.kind == deleted && h.restored {
			continue // by a change that is acknowledged, or whose answer was lost
		}
		if a.kind == deleted {
			if exists || !h.deleted {
				c.lose("task %s was deleted (row: %t, event: %t)", a.task, exists, h.deleted)
			}
			continue
		}
		if !h.deleted && (!exists || r.Version < a.version) {
			c.lose("task %s, version %d: the row has version %d (0: there is none)", a.task, a.version, r.Version)
		}
		switch e, ok := h.version(a.version); {
		case !ok:
			c.lose("task %s, version %d has no event", a.task, a.version)
		case a.kind == completed && !e.IsComplete:
			c.lose("event %s of task %s, version %d tells of no completion", e.ID, a.task, a.version)
		case a.title != "" && e.Title != a.title:
			c.lose("event %s of task %s, version %d has the title %q, acknowledged was %q", e.ID, a.task, a.version, e.Title, a.title)
		}
	}
	// Each request had a title of its own: it has created one task, or one
	// series, however often it was sent.
	made := map[string]uuid.UUID{}
	for _, e := range t.told {
		// What follows is made by its series, which may have become another one.
		if e.Type != "task.created" || e.Title == "probe" || e.Follows != nil {
			continue
		}
		origin := e.Task
		if e.Series != nil {
			origin = *e.Series
		}
		if first, ok := made[e.Title]; ok && first != origin {
			c.double("%q has created %s and %s", e.Title, first, origin)
		}
		made[e.Title] = origin
	}
	return c
}

// rowsAreTheLog: the events of a task are its versions, one of each and in
// order, and the last of them is what its row says.
func (t *truth) rowsAreTheLog() *check {
	c := t.check("rows = event log, an event for each version")
	for id, r := range t.rows {
		if _, ok := t.tasks[id]; !ok {
			c.lose("task %s, version %d has no event", id, r.Version)
		}
	}
	for id, h := range t.tasks {
		c.compared += len(h.events)
		seen := map[int64]bool{}
		var newest acknowledged
		for _, e := range h.events { // by seq
			switch {
			case e.Seq == 0:
				c.lose("event %s of task %s has no place in the log", e.ID, id)
			case seen[e.Version]:
				c.double("event %s of task %s tells of version %d again", e.ID, id, e.Version)
			case e.Version < newest.Version:
				c.misplace("event %s of task %s tells of version %d after %d", e.ID, id, e.Version, newest.Version)
			}
			seen[e.Version] = true
			if e.Version > newest.Version {
				newest = e
			}
		}
		for v := int64(1); v <= newest.Version; v++ {
			if !seen[v] {
				c.lose("task %s has no event of version %d", id, v)
			}
		}
		r, exists := t.rows[id]
		switch {
		case exists && h.deleted:
			c.invent("task %s exists, its deletion is event %s", id, newest.ID)
		case h.deleted:
			if newest.Type != "task.deleted" {
				c.invent("event %s of task %s tells of version %d after the deletion", newest.ID, id, newest.Version)
			}
		case !exists:
			c.invent("task %s has events up to version %d, and no row", id, newest.Version)
		case r.Version > newest.Version:
			c.lose("task %s has version %d, the log ends at %d", id, r.Version, newest.Version)
		case r.Version < newest.Version:
			c.invent("task %s has version %d, the log goes to %d", id, r.Version, newest.Version)
		case r.Title != newest.Title || r.IsComplete != newest.IsComplete:
			c.lose("task %s, version %d is not what event %s tells", id, r.Version, newest.ID)
		}
	}
	return c
}

// logIsAudited: beside each event of a task there is one for the audit trail.
func (t *truth) logIsAudited(ctx context.Context) (*check, error) {
	c := t.check("an audit event beside each event")
	type pair struct {
		Key, Type     string
		At            time.Time
		Events, Audit int
	}
	pairs, err := collect[pair](ctx, t.db, `
		SELECT key, replace(type, 'audit.', '') AS type, occurred_at AS at,
			count(*) FILTER (WHERE topic = 'task-events') AS events, count(*) FILTER (WHERE topic = 'audit-logs') AS audit
		FROM task.events WHERE topic = 'task-events' OR topic = 'audit-logs' AND type LIKE 'audit.task.%' GROUP BY 1, 2, 3`)
	if err != nil {
		return nil, fmt.Errorf("compare the topics: %w", err)
	}
	for _, p := range pairs {
		c.compared += p.Events
		for range p.Events - p.Audit {
			c.lose("%s of task %s at %s has no audit event", p.Type, p.Key, p.At)
		}
		if p.Events == 0 {
			c.lose("%s of task %s at %s has an audit event and no other", p.Type, p.Key, p.At)
			continue
		}
		for range p.Audit - p.Events {
			c.double("%s of task %s at %s has %d audit events", p.Type, p.Key, p.At, p.Audit)
		}
	}
	return c, nil
}

// auditIsTheLog: each audit event is one entry.
func (t *truth) auditIsTheLog(ctx context.Context) (*check, error) {
	c := t.check("event log = audit entries")
	type pair struct {
		Event, Entry *uuid.UUID
		Twin         bool // there is an entry of the same change that has an event
	}
	pairs, err := collect[pair](ctx, t.db, `
		SELECT e.id AS event, a.id AS entry, e.id IS NULL AND EXISTS (
			SELECT FROM audit.entries o JOIN task.events oe ON oe.id = o.id
			WHERE o.task_id = a.task_id AND o.action = a.action AND o.occurred_at = a.occurred_at) AS twin
		FROM (SELECT id FROM task.events WHERE topic = 'audit-logs') e FULL JOIN audit.entries a ON a.id = e.id`)
	if err != nil {
		return nil, fmt.Errorf("compare the audit trail: %w", err)
	}
	for _, p := range pairs {
		switch {
		case p.Event != nil && p.Entry != nil:
			c.compared++
		case p.Event != nil:
			c.compared++
			c.lose("event %s has no audit entry", p.Event)
		case p.Twin:
			c.double("audit entry %s tells what another does", p.Entry)
		default:
			c.invent("audit entry %s has no event", p.Entry)
		}
	}
	return c, nil
}

// deadLetters: every event could be handled.
func (t *truth) deadLetters(ctx context.Context) (*check, error) {
	c := t.check("no dead letters")
	type letter struct{ Service, Event, Reason string }
	letters, err := collect[letter](ctx, t.db, `
		SELECT 'audit-log' AS service, event_id AS event, reason FROM audit.dead_letters
		UNION ALL SELECT 'recurring-task', event_id, reason FROM recurring.dead_letters
		UNION ALL SELECT 'notification', event_id, reason FROM notification.dead_letters`)
	if err != nil {
		return nil, fmt.Errorf("read the dead letters: %w", err)
	}
	for _, l := range letters {
		c.lose("event %s is a dead letter of %s: %s", l.Event, l.Service, l.Reason)
	}
	return c, nil
}

// collect reads rows into structs, columns to fields by their names.
func collect[T any](ctx context.Context, db *pgxpool.Pool, sql string) ([]T, error) {
	rows, err := db.Query(ctx, sql)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[T])
}
