package reconcile

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun/dialect/pgdialect"

	"github.com/taskwire/taskwire/pkg/event"
)

// run is the versions of a task that a topic has events of.
type run struct {
	first, last int64
	began       time.Time // when the first of them happened
	created     bool      // and that was a creation
	deleted     bool
}

// history is what is known of a task.
type history struct {
	created time.Time
	version int64 // 0: no row was seen
	gone    bool
	tasks   run
	audit   run
	// expected is the last version on task-events when audit-logs was about to be
	// read: it must be there, too.
	expected int64
}

// row is a task as it is.
type row struct {
	ID        uuid.UUID `bun:"id"`
	Version   int64     `bun:"version"`
	CreatedAt time.Time `bun:"created_at"`
}

// tasks checks that each version of each task has one event on task-events and
// one on audit-logs, up to the version that the task has, and that a task which
// is gone has a deletion.
func (c *comparison) tasks(ctx context.Context, result *Result) error {
	known := map[uuid.UUID]*history{}
	// The tasks first: the events of whatever they are by now were written in the
	// same transaction.
	var after uuid.UUID
	for {
		rows, err := query[row](ctx, c.Reconciler, "SELECT id, version, created_at FROM task.tasks WHERE id > ? AND updated_at >= ? ORDER BY id LIMIT ?",
			after, c.horizon, batchRows)
		if err != nil {
			return fmt.Errorf("read the tasks: %w", err)
		}
		for _, t := range rows {
			known[t.ID] = &history{created: t.CreatedAt, version: t.Version}
			after = t.ID
		}
		if len(rows) < batchRows {
			break
		}
	}
	follow := func(topic string, of func(*history) *run) func(loggedEvent) {
		return func(e loggedEvent) {
			id, err := uuid.Parse(e.Key)
			if err != nil || topic == event.TopicAudit && !strings.HasPrefix(e.Type, event.AuditPrefix+"task.") {
				return // an account's, or a list's
			}
			if e.Type == event.AuditPrefix+event.TaskPurged || e.Type == event.AccountErased {
				return // no version of a task
			}
			h := known[id]
			if h == nil {
				h = &history{}
				known[id] = h
			}
			of(h).add(e, topic, result)
		}
	}
	tasks, n, err := c.begin(ctx, event.TopicTasks, taskVersion, follow(event.TopicTasks, func(h *history) *run { return &h.tasks }))
	if err != nil {
		return err
	}
	audit, m, err := c.begin(ctx, event.TopicAudit, auditVersion, follow(event.TopicAudit, func(h *history) *run { return &h.audit }))
	if err != nil {
		return err
	}
	bar := c.Progress.Begin(result.Check, n+m)
	defer bar.End()
	for _, s := range []*scan{tasks, audit} {
		if err := s.read(ctx, bar); err != nil {
			return err
		}
	}
	if err := c.unseen(ctx, known); err != nil {
		return err
	}
	// Once more, for what was written meanwhile. A change is on both topics at
	// once; they are read one after the other, so each is only asked for what
	// the other one had before.
	if err := tasks.read(ctx, bar); err != nil {
		return err
	}
	for _, h := range known {
		h.expected = h.tasks.last
	}
	if err := audit.read(ctx, bar); err != nil {
		return err
	}
	if err := tasks.read(ctx, bar); err != nil {
		return err
	}
	for id, h := range known {
		result.Looked++
		c.compareVersions(id, h, event.TopicTasks, h.tasks, h.audit, h.audit.last, result)
		c.compareVersions(id, h, event.TopicAudit, h.audit, h.tasks, h.expected, result)
	}
	return nil
}

// add takes an event into a run. Within a topic the versions of a task rise.
func (r *run) add(e loggedEvent, topic string, result *Result) {
	kind := strings.TrimPrefix(e.Type, event.AuditPrefix)
	if r.deleted && kind == event.TaskCreated && e.Version == 1 {
		*r = run{} // the same occurrence of a series, made again by a version of before
	}
	switch {
	case r.last == 0:
		r.first, r.began, r.created = e.Version, e.OccurredAt, kind == event.TaskCreated
	case e.Version <= r.last:
		result.missing("task %s: %s tells of version %d again (event %s)", e.Key, topic, e.Version, e.ID)
		return
	case e.Version > r.last+1:
		result.missing("task %s: no event on %s tells of %s", e.Key, topic, versions(r.last+1, e.Version-1))
	}
	r.last, r.deleted = e.Version, kind == event.TaskDeleted
}

// unseen looks up the tasks that the log has events of and that were not read before.
func (c *comparison) unseen(ctx context.Context, known map[uuid.UUID]*history) error {
	var ids []uuid.UUID
	look := func() error {
		rows, err := query[row](ctx, c.Reconciler, "SELECT id, version, created_at FROM task.tasks WHERE id = ANY(?::uuid[])", pgdialect.Array(texts(ids)))
		if err != nil {
			return fmt.Errorf("look for tasks: %w", err)
		}
		for _, id := range ids {
			known[id].gone = true
		}
		for _, t := range rows {
			h := known[t.ID]
			h.gone, h.created, h.version = false, t.CreatedAt, t.Version
		}
		ids = ids[:0]
		return nil
	}
	for id, h := range known {
		if h.version > 0 {
			continue
		}
		if ids = append(ids, id); len(ids) == batchRows {
			if err := look(); err != nil {
				return err
			}
		}
	}
	return look()
}

// compareVersions compares the versions of a task on a topic with what the task is,
// and with those on the other topic, up to the one expected.
func (c *comparison) compareVersions(id uuid.UUID, h *history, topic string, run, other run, expected int64, result *Result) {
	last := max(h.version, expected)
	if last == 0 {
		return // it began while the log was read
	}
	// What happened about the horizon may lie before it in one topic alone.
	edge := c.horizon.Add(grace)
	first := last
	switch {
	case h.version > 0 && h.created.After(edge):
		first = 1
		if run.created {
			first = run.first // an occurrence that came again: its versions went on
		}
	case other.last > 0 && other.began.After(edge):
		first = other.first
	case run.last > 0:
		first = run.first
	case other.last > 0:
		return
	}
	switch {
	case run.last == 0:
		result.missing("task %s: no event on %s tells of %s", id, topic, versions(first, last))
	case run.first > first:
		result.missing("task %s: no event on %s tells of %s", id, topic, versions(first, run.first-1))
	case run.deleted:
	case run.last < last:
		result.missing("task %s: no event on %s tells of %s", id, topic, versions(run.last+1, last))
	case h.gone:
		result.missing("task %s is gone, and no event on %s tells that it was deleted", id, topic)
	}
}

func versions(from, to int64) string {
	if from >= to {
		return fmt.Sprintf("version %d", to)
	}
	return fmt.Sprintf("versions %d to %d", from, to)
}

// firing is a reminder and the moment that it has fired for.
type firing struct {
	reminder uuid.UUID
	at       int64 // in microseconds
}

// reminders checks that each reminder that has fired has its event.
func (c *comparison) reminders(ctx context.Context, result *Result) error {
	type row struct {
		ID       uuid.UUID `bun:"id"`
		FiredFor time.Time `bun:"fired_for"` // the moment that it was set for
	}
	fired := map[firing]bool{}
	var after uuid.UUID
	for {
		// The version before wrote no fired_at.
		rows, err := query[row](ctx, c.Reconciler, `SELECT id, fired_for FROM task.reminders
			WHERE id > ? AND fired_for IS NOT NULL AND coalesce(fired_at, fired_for) >= ? ORDER BY id LIMIT ?`,
			after, c.horizon, batchRows)
		if err != nil {
			return fmt.Errorf("read the reminders: %w", err)
		}
		for _, r := range rows {
			fired[firing{r.ID, r.FiredFor.UnixMicro()}] = true
			after = r.ID
		}
		if len(rows) < batchRows {
			break
		}
	}
	result.Looked = int64(len(fired))
	err := c.readAll(ctx, result, event.TopicReminders, whichReminder, func(e loggedEvent) {
		delete(fired, firing{e.ReminderID, e.RemindAt.UnixMicro()})
	})
	if err != nil {
		return err
	}
	for f := range fired {
		result.missing("reminder %s has no event for %s", f.reminder, time.UnixMicro(f.at).UTC().Format(time.RFC3339Nano))
	}
	return nil
}
