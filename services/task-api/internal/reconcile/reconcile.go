// Package reconcile proves that what was changed has been logged, and that what
// was logged has had its effect: it compares the tasks with the event log, and
// the log with what the consumers made of it, and names what is missing.
//
// It only reads (but for its own result, see Record, and Forget), in short transactions,
// while the suite is at work. Where two sides change together it reads the cause
// first and what must have come of it after, so that nothing that happens
// meanwhile looks like a gap. What a consumer may still be about to do is counted
// as in flight for a while; Settle waits for one that is further behind.
package reconcile

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/progress"
)

const (
	// grace is how long an event may be on its way before it is missed, and how
	// far the clocks of two services may be apart.
	grace = time.Minute
	// batchRows is how many rows are compared at once.
	batchRows = 2000
	// shown is how many gaps of a check are named.
	shown = 20
)

// Reconciler compares the schemas of the suite.
type Reconciler struct {
	DB       *bun.DB       // with a login that may read all of them
	Since    time.Duration // how far back; not further than the event log is kept
	Now      func() time.Time
	Progress progress.Reporter
}

// Result is what a check has found.
type Result struct {
	Check    string
	Looked   int64 // how many were looked at
	InFlight int64 // how many are not missed yet
	Letters  int64 // how many are open dead letters
	Missing  int64
	Gaps     []string // the first of what is missing
	// Events are those that a replay brings to their consumer again.
	Events []Event
	// Remedy is what to do about what is missing.
	Remedy string
	// Undone says why the check could not be made; "" when it was.
	Undone string
}

// Event is an event behind a gap.
type Event struct {
	ID  uuid.UUID
	Seq int64
	// HandledBy is the schema of the consumer that has it for handled, though its effect
	// is missing; "" for none.
	HandledBy string
}

func (r *Result) missing(format string, args ...any) {
	r.Missing++
	if len(r.Gaps) < shown {
		r.Gaps = append(r.Gaps, fmt.Sprintf(format, args...))
	}
}

// check is a comparison and the tables that it reads.
type check struct {
	name   string
	tables []string
	run    func(context.Context, *Result) error
	remedy string
}

// What an operator does about the gaps of a check.
const (
	replayed    = "task-api reconcile --replay, with the same --since, publishes these events again; a consumer that has one for handled is made to forget it first"
	neverLogged = "no replay can mend this, since the log does not hold the event: it is written together with the change. Somebody has worked on the tables by hand, or it is a bug that should be reported. The next change of the task tells how it is then; the audit trail keeps its hole"
	unfired     = "no replay can mend this, since the log does not hold the event. To have such a reminder fire now, as the owner of the tables: UPDATE task.reminders SET armed = true WHERE id = '…'"
	unlogged    = "no replay can mend this, since the log does not hold the event, after the restore of an older backup of task-api, say. The entry stays, as the record of what was lost"
)

// Settle is Run, and Run again after each pause while something is missing,
// until wait has passed: what a late consumer has done by then is no gap.
func (r *Reconciler) Settle(ctx context.Context, wait, pause time.Duration) ([]Result, error) {
	until := r.Now().Add(wait)
	for {
		results, err := r.Run(ctx)
		missing := slices.ContainsFunc(results, func(r Result) bool { return r.Missing > 0 })
		if err != nil || !missing || r.Now().Add(pause).After(until) {
			return results, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
		}
	}
}

// Run makes every check, and says of those that could not be made why.
func (r *Reconciler) Run(ctx context.Context) ([]Result, error) {
	horizon := r.Now().Add(-r.Since)
	c := &comparison{Reconciler: r, horizon: horizon, recentFrom: r.Now().Add(-grace)}
	results := []Result{}
	for _, check := range c.checks() {
		result := Result{Check: check.name, Remedy: check.remedy}
		hidden, err := r.hidden(ctx, check.tables)
		if err != nil {
			return results, err
		}
		if hidden != "" {
			result.Undone = hidden + " can not be seen with this login"
			results = append(results, result)
			continue
		}
		if err := check.run(ctx, &result); err != nil {
			return results, fmt.Errorf("check %q: %w", check.name, err)
		}
		results = append(results, result)
	}
	return results, nil
}

// comparison is one run.
type comparison struct {
	*Reconciler
	horizon    time.Time // what happened before is not looked at
	recentFrom time.Time // what happened after may be in flight
}

func (c *comparison) checks() []check {
	checks := []check{
		{"every version of a task is told", []string{"task.tasks", "task.events"}, c.tasks, neverLogged},
		{"every fired reminder is told", []string{"task.reminders", "task.events"}, c.reminders, unfired},
		{"every audit event has its entry", []string{"task.events", "audit.entries", "audit.inbox", "audit.dead_letters"}, c.entries, replayed},
		{"every audit entry has its event", []string{"task.events", "audit.entries"}, c.entriesLogged, unlogged},
	}
	for _, s := range subscriptions {
		which := "every event of "
		if relevant[s] != nil {
			which = "every relevant event of "
		}
		checks = append(checks, check{
			which + s.topic + " is in the inbox of " + s.schema,
			[]string{"task.events", s.schema + ".inbox", s.schema + ".dead_letters"},
			func(ctx context.Context, result *Result) error { return c.inbox(ctx, s, result) },
			replayed,
		})
	}
	for _, s := range erasures {
		checks = append(checks, check{
			s.service + " has erased every erased account",
			[]string{"task.events", s.schema + ".erased", s.schema + ".inbox", s.schema + ".dead_letters"},
			func(ctx context.Context, result *Result) error { return c.erased(ctx, s.subscription, s.kind, result) },
			unerased,
		})
	}
	return append(checks, check{
		"every completed recurring task is followed",
		[]string{"task.tasks", "task.events", "recurring.occurrences", "recurring.inbox", "recurring.dead_letters"}, c.followed, replayed,
	})
}

// hidden names the first of the tables that the login can not read.
func (r *Reconciler) hidden(ctx context.Context, tables []string) (string, error) {
	for _, table := range tables {
		var visible bool
		err := r.reading(ctx, func(ctx context.Context, tx bun.Tx) error {
			return tx.NewRaw(`SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
				WHERE n.nspname || '.' || c.relname = ? AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT'))`,
				table).Scan(ctx, &visible)
		})
		if err != nil {
			return "", fmt.Errorf("look for %s: %w", table, err)
		}
		if !visible {
			return table, nil
		}
	}
	return "", nil
}

// reading runs queries that may take their time, and can change nothing.
func (r *Reconciler) reading(ctx context.Context, do func(context.Context, bun.Tx) error) error {
	return r.DB.RunInTx(ctx, &sql.TxOptions{ReadOnly: true}, func(ctx context.Context, tx bun.Tx) error {
		if _, err := tx.ExecContext(ctx, "SET LOCAL statement_timeout = 0"); err != nil {
			return err
		}
		return do(ctx, tx)
	})
}

// query reads rows.
func query[T any](ctx context.Context, r *Reconciler, text string, args ...any) ([]T, error) {
	var rows []T
	err := r.reading(ctx, func(ctx context.Context, tx bun.Tx) error { return tx.NewRaw(text, args...).Scan(ctx, &rows) })
	return rows, err
}
