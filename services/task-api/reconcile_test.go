package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/database/databasetest"
	"github.com/taskwire/taskwire/pkg/erasure"
	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/progress"
	"github.com/taskwire/taskwire/pkg/subscribe"
	"github.com/taskwire/taskwire/pkg/telemetry/metrictest"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/reconcile"
)

// consumers makes the schemas of the consumers beside the service's own.
func (s *running) consumers() {
	for _, schema := range []string{"audit", "recurring", "notification"} {
		s.execute("CREATE SCHEMA " + schema + ";" + fmt.Sprintf(subscribe.Tables, schema) + fmt.Sprintf(subscribe.Letters, schema) + fmt.Sprintf(erasure.Tables, schema))
	}
	s.execute(`CREATE TABLE audit.entries (id uuid PRIMARY KEY, sequence text NOT NULL, occurred_at timestamptz NOT NULL, action text NOT NULL);
		CREATE TABLE recurring.occurrences (series_id uuid, occurrence text, status text)`)
}

func (s *running) execute(sql string, args ...any) {
	s.t.Helper()
	_, err := s.db.ExecContext(s.t.Context(), sql, args...)
	require.NoError(s.t, err)
}

// publish does what the relay does with every event that has no place yet.
func (s *running) publish() {
	s.t.Helper()
	s.execute(`WITH fresh AS (
			SELECT position, (SELECT last_seq FROM task.event_head) + row_number() OVER (ORDER BY position) AS seq FROM task.events WHERE seq IS NULL
		), placed AS (UPDATE task.events e SET seq = f.seq FROM fresh f WHERE e.position = f.position)
		UPDATE task.event_head SET last_seq = last_seq + (SELECT count(*) FROM fresh)`)
	s.execute(`INSERT INTO task.event_cursors SELECT t, (SELECT last_seq FROM task.event_head) FROM unnest(ARRAY['task-events', 'audit-logs', 'reminders']) t
		ON CONFLICT (topic) DO UPDATE SET published_seq = excluded.published_seq`)
}

// consume does what relay and consumers do.
func (s *running) consume() {
	s.t.Helper()
	s.publish()
	for _, to := range [][3]string{
		{"audit", "audit-logs", "true"}, {"notification", "reminders", "true"},
		// What means nothing to them leaves no trace.
		{"recurring", "task-events", "(type = 'account.erased' OR data::json->'task_data'->>'series_id' IS NOT NULL)"}, {"notification", "task-events", "type NOT IN ('task.created', 'task.restored')"},
	} {
		s.execute("INSERT INTO ?.inbox SELECT ?, id::text, now() FROM task.events WHERE topic = ? AND seq IS NOT NULL AND "+to[2]+" ON CONFLICT DO NOTHING",
			bun.Ident(to[0]), event.Source, to[1])
	}
	s.execute(`INSERT INTO audit.entries SELECT id, lpad(seq::text, 19, '0'), occurred_at, type FROM task.events
		WHERE topic = 'audit-logs' AND seq IS NOT NULL ON CONFLICT DO NOTHING`)
}

// reconcile looks at everything as if it had happened some minutes ago.
func (s *running) reconcile() []reconcile.Result {
	s.t.Helper()
	r := &reconcile.Reconciler{DB: s.db, Since: time.Hour, Now: func() time.Time { return time.Now().Add(10 * time.Minute) }, Progress: progress.Silent}
	results, err := r.Run(s.t.Context())
	require.NoError(s.t, err)
	return results
}

// gaps is the part of the report that names what is missing.
func gaps(t *testing.T, results []reconcile.Result) string {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, reconcile.Print(&out, results))
	_, missing, _ := strings.Cut(out.String(), "\n\n")
	return missing
}

// busy is a suite in which everything of note has happened once.
func busy(t *testing.T) (*running, client, map[string]event.Task) {
	s := start(t)
	s.consumers()
	u := s.newUser()
	tasks := map[string]event.Task{
		"plain": u.create(object{"title": "plain"}),
		"gone":  u.create(object{"title": "gone"}),
		"done":  u.create(object{"title": "done", "is_complete": true}),
		"reminded": u.create(object{"title": "reminded", "due_at": time.Now().Add(time.Hour), "reminders": []object{
			{"at": time.Now().Add(-time.Second)}, {"at": time.Now().Add(50 * time.Minute)},
		}}),
		"recurring": u.create(object{"title": "r", "due_at": "2027-01-31T09:00:00Z", "timezone": "UTC", "recurrence": object{"rrule": "FREQ=DAILY"}}),
		"ended":     u.create(object{"title": "e", "due_at": "2027-01-31T09:00:00Z", "timezone": "UTC", "recurrence": object{"rrule": "FREQ=DAILY;COUNT=1"}}),
	}
	shared, other := u.list(http.StatusCreated, http.MethodPost, "/api/lists", object{"name": "Ours"}), s.newUser()
	u.join(other, shared.ID, access.Editor)
	tasks["commented"] = u.create(object{"title": "commented", "list_id": shared.ID, "assignee_id": u.user})
	other.say(tasks["commented"].ID, "x")
	for i := range 5 {
		u.task(http.StatusOK, http.MethodPatch, at(tasks["plain"].ID), object{"title": fmt.Sprint("plain ", i)})
	}
	require.Equal(t, http.StatusNoContent, u.do(http.MethodDelete, at(tasks["gone"].ID), nil).status)
	for _, name := range []string{"recurring", "ended"} {
		u.task(http.StatusOK, http.MethodPatch, at(tasks[name].ID)+"/complete", nil)
	}
	s.follow(tasks["recurring"].ID)
	// A series in which everything has happened.
	series := u.create(object{"title": "s", "due_at": "2027-01-31T09:00:00Z", "timezone": "UTC", "recurrence": object{"rrule": "FREQ=DAILY"}})
	u.complete(series.ID)
	u.reopen(series.ID)
	again := u.complete(series.ID)
	u.task(http.StatusOK, http.MethodPost, at(again)+"/skip", nil)
	pending := u.create(object{"title": "p", "due_at": "2027-01-31T09:00:00Z", "timezone": "UTC", "recurrence": object{"rrule": "FREQ=DAILY"}})
	u.task(http.StatusOK, http.MethodPatch, at(pending.ID)+"/complete", nil)
	u.remove(pending.ID)
	require.Eventually(t, func() bool {
		var fired int
		require.NoError(t, s.db.NewRaw("SELECT count(*) FROM task.events WHERE type = 'reminder.due'").Scan(t.Context(), &fired))
		return fired == 1
	}, patience, 10*time.Millisecond)
	s.consume()
	return s, u, tasks
}

// An occurrence that was taken back comes again with versions that go on: the first of
// them may be older than what is looked at.
func TestAnOccurrenceThatCameAgainReconciles(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.consumers()
	u := s.newUser()
	series := u.create(object{"title": "s", "due_at": "2027-01-31T09:00:00Z", "timezone": "UTC", "recurrence": object{"rrule": "FREQ=DAILY"}})
	u.complete(series.ID)
	u.reopen(series.ID)
	s.execute("UPDATE task.events SET occurred_at = occurred_at - interval '3 hours'")
	s.execute("UPDATE task.tasks SET created_at = created_at - interval '3 hours'")
	again := u.complete(series.ID)
	require.EqualValues(t, 3, u.task(http.StatusOK, http.MethodGet, at(again), nil).Version)
	s.consume()
	results := s.reconcile()
	require.Empty(t, gaps(t, results))
}

func TestWhatIsInOrderReconciles(t *testing.T) {
	t.Parallel()
	s, u, _ := busy(t)
	results := s.reconcile()
	require.Empty(t, gaps(t, results))
	require.NoError(t, reconcile.Verdict(results))
	for _, r := range results {
		if !strings.HasSuffix(r.Check, "erased account") { // see TestWhoIsErasedIsGone
			require.NotZero(t, r.Looked, r.Check)
		}
		require.Empty(t, r.Undone, r.Check)
	}
	// What the relay has not published yet is in flight, and in no place.
	u.create(object{"title": "new", "due_at": "2027-01-31T09:00:00Z", "timezone": "UTC", "recurrence": object{"rrule": "FREQ=DAILY"}})
	results = s.reconcile()
	require.NoError(t, reconcile.Verdict(results), gaps(t, results))
	flying := map[string]int64{}
	for _, r := range results {
		flying[r.Check] = r.InFlight
	}
	require.EqualValues(t, 1, flying["every audit event has its entry"])
	require.EqualValues(t, 1, flying["every relevant event of task-events is in the inbox of recurring"])
	require.Zero(t, flying["every relevant event of task-events is in the inbox of notification"])
}

func TestAGapIsNamed(t *testing.T) {
	t.Parallel()
	// The service is not asked any more: each case has a copy of what it left.
	left, _, tasks := busy(t)
	left.end()
	require.NoError(t, left.db.Close())
	for name, c := range map[string]struct {
		sql    string // takes the id of the task that is named, where it has a ?
		task   string
		says   []string // %s is the id
		events int      // that a replay would bring back
	}{
		"an event of the log": {
			"DELETE FROM task.events WHERE topic = 'task-events' AND key = ? AND data::json->'task_data'->>'version' = '3'", "plain",
			[]string{"task %s: no event on task-events tells of version 3"}, 0,
		},
		"two events of the log": {
			"DELETE FROM task.events WHERE topic = 'audit-logs' AND key = ? AND data::json->'after'->>'version' IN ('3', '4')", "plain",
			[]string{"task %s: no event on audit-logs tells of versions 3 to 4"}, 0,
		},
		"the first event": {
			"DELETE FROM task.events WHERE topic = 'task-events' AND key = ? AND type = 'task.created'", "plain",
			[]string{"task %s: no event on task-events tells of version 1"}, 0,
		},
		"the last event": {
			"DELETE FROM task.events WHERE topic = 'audit-logs' AND key = ? AND data::json->'after'->>'version' = '6'", "plain",
			[]string{"task %s: no event on audit-logs tells of version 6"}, 0,
		},
		"every event": {
			"DELETE FROM task.events WHERE key = ?", "plain",
			[]string{"task %s: no event on task-events tells of versions 1 to 6", "task %s: no event on audit-logs tells of versions 1 to 6"}, 0,
		},
		"the deletion": {
			"DELETE FROM task.events WHERE key = ? AND type LIKE '%task.deleted'", "gone",
			[]string{"task %s is gone, and no event on task-events", "task %s is gone, and no event on audit-logs"}, 0,
		},
		"the deletion on one topic": {
			"DELETE FROM task.events WHERE key = ? AND type = 'task.deleted'", "gone",
			[]string{"task %s: no event on task-events tells of version 2"}, 0,
		},
		"the task itself": {
			"DELETE FROM task.tasks WHERE id = ?", "done",
			[]string{"task %s is gone, and no event on task-events", "task %s is gone, and no event on audit-logs"}, 0,
		},
		"an event that is there twice": {
			`INSERT INTO task.events (seq, id, topic, type, key, trace_parent, occurred_at, data)
				SELECT (SELECT last_seq FROM task.event_head), gen_random_uuid(), topic, type, key, trace_parent, occurred_at, data
				FROM task.events WHERE key = ? AND type = 'task.created'`, "recurring",
			[]string{"task %s: task-events tells of version 1 again"}, 1,
		},
		"a reminder's event": {
			"DELETE FROM task.events WHERE topic = 'reminders' AND key = ?", "reminded", []string{"not true: every fired reminder is told"}, 0,
		},
		"an audit entry": {
			"DELETE FROM audit.entries WHERE action = 'audit.task.deleted' AND id IN (SELECT id FROM task.events WHERE key = ?)", "gone",
			[]string{"audit event has its entry", "(audit.task.deleted of %s", "which audit has for handled"}, 1,
		},
		"an audit entry's event": {
			"UPDATE audit.entries SET sequence = '0000000000000999999' WHERE id IN (SELECT id FROM task.events WHERE key = ? AND type = 'audit.task.deleted')", "gone",
			[]string{"every audit entry has its event"}, 0,
		},
		"an inbox row": {
			"DELETE FROM recurring.inbox WHERE id IN (SELECT id::text FROM task.events WHERE key = ? AND type = 'task.created')", "recurring",
			[]string{"event of task-events is in the inbox of recurring", "(task.created of %s"}, 1,
		},
		"a reminder's inbox row": {
			"DELETE FROM notification.inbox WHERE id IN (SELECT id::text FROM task.events WHERE key = ? AND topic = 'reminders')", "reminded",
			[]string{"event of reminders is in the inbox of notification", "(reminder.due of %s"}, 1,
		},
		"a comment's inbox row": {
			"DELETE FROM notification.inbox WHERE id IN (SELECT id::text FROM task.events WHERE key = ? AND topic = 'reminders')", "commented",
			[]string{"event of reminders is in the inbox of notification", "(comment.added of %s"}, 1,
		},
		"a successor": {
			"WITH gone AS (DELETE FROM task.tasks WHERE follows_id = ?0 RETURNING id) UPDATE task.tasks SET followed = false WHERE id = ?0", "recurring",
			[]string{"task %s was completed and is not followed", "which recurring has for handled"}, 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			db, err := database.Open(t.Context(), databasetest.Copy(t, left.url))
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, db.Close()) })
			s := &running{t: t, db: db}
			s.execute(c.sql, tasks[c.task].ID.String())
			results := s.reconcile()
			found := gaps(t, results)
			for _, says := range c.says {
				if strings.Contains(says, "%s") {
					says = fmt.Sprintf(says, tasks[c.task].ID)
				}
				require.Contains(t, found, says)
			}
			require.Equal(t, strings.Count(found, "not true: "), strings.Count(found, "what to do: "), found)
			if c.events > 0 {
				require.Contains(t, found, "what to do: task-api reconcile --replay")
			}
			require.ErrorContains(t, reconcile.Verdict(results), "gaps: ")
			require.Len(t, reconcile.Events(results), c.events)
		})
	}
}

// deliverAgain does what audit-log does with events that come again: of one that its
// inbox has it takes no notice.
func (s *running) deliverAgain() {
	s.t.Helper()
	s.execute(`WITH fresh AS (
			INSERT INTO audit.inbox SELECT ?, id::text, now() FROM task.events WHERE topic = 'audit-logs' ON CONFLICT DO NOTHING RETURNING id
		) INSERT INTO audit.entries SELECT e.id, lpad(e.seq::text, 19, '0'), e.occurred_at, e.type FROM task.events e JOIN fresh f ON f.id = e.id::text`, event.Source)
}

// An effect may be gone while the consumer has its event for handled: to publish it
// again closes no such gap, until the consumer was made to forget it.
func TestAConsumerIsMadeToForgetWhatHasNoEffect(t *testing.T) {
	t.Parallel()
	s, _, tasks := busy(t)
	s.execute("DELETE FROM audit.entries WHERE id IN (SELECT id FROM task.events WHERE key = ?)", tasks["plain"].ID.String())
	s.execute("DELETE FROM audit.inbox WHERE id IN (SELECT id::text FROM task.events WHERE key = ? AND type = 'audit.task.created')", tasks["plain"].ID.String())
	results := s.reconcile()
	events := reconcile.Events(results)
	require.Len(t, events, 6)
	handled := 0
	for _, e := range events {
		if e.HandledBy == "audit" {
			handled++
		}
	}
	require.Equal(t, 5, handled)

	r := &reconcile.Reconciler{DB: s.db}
	forgotten, err := r.Forget(t.Context(), events)
	require.NoError(t, err)
	require.Equal(t, map[string]int64{"audit": 5}, forgotten)
	s.deliverAgain()
	results = s.reconcile()
	require.NoError(t, reconcile.Verdict(results), gaps(t, results))
}

// What is to be done by hand, according to the report, mends what it is said for.
func TestAReminderWithoutAnEventIsFiredAgain(t *testing.T) {
	t.Parallel()
	s, _, _ := busy(t)
	s.execute("DELETE FROM task.events WHERE topic = 'reminders'")
	said := gaps(t, s.reconcile())
	_, rest, ok := strings.Cut(said, "\n  reminder ")
	require.True(t, ok, said)
	_, statement, ok := strings.Cut(said, "as the owner of the tables: ")
	require.True(t, ok, said)
	statement, _, _ = strings.Cut(statement, "\n")
	s.execute(strings.Replace(statement, "…", rest[:36], 1))
	s.execute("SELECT pg_notify('taskwire_reminders', '')")
	require.Eventually(t, func() bool {
		s.consume()
		return reconcile.Verdict(s.reconcile()) == nil
	}, patience, 100*time.Millisecond)
}

// Before anything is changed it is known that something can come of it.
func TestNothingIsForgottenThatIsNotPublishedAgain(t *testing.T) {
	t.Parallel()
	s, _, tasks := busy(t)
	s.execute("UPDATE task.events SET occurred_at = occurred_at - interval '10 minutes'")
	s.execute("DELETE FROM audit.entries WHERE id IN (SELECT id FROM task.events WHERE key = ? AND type = 'audit.task.deleted')", tasks["gone"].ID.String())
	inbox := func() (n int) {
		require.NoError(t, s.db.NewRaw("SELECT count(*) FROM audit.inbox").Scan(t.Context(), &n))
		return n
	}
	before := inbox()
	said, code := s.command("reconcile", "--since", "1h", "--replay", "--dry-run")
	require.Equal(t, 1, code)
	require.Regexp(t, "would be published again: [0-9a-f-]{36}, after audit was made to forget it\n", said)
	said, code = s.command("reconcile", "--since", "1h", "--replay")
	require.Equal(t, 1, code)
	require.Contains(t, said, "EVENT_PUBLISHING_ENABLED is false")
	require.Equal(t, before, inbox())
}

func TestArgumentsThatAreNoneAreRefused(t *testing.T) {
	t.Parallel()
	s := start(t)
	for args, says := range map[string]string{
		"replay":                  "replay needs --from",
		"replay --from yesterday": "not a time such as",
		"replay --from 2027-01-01T00:00:00Z --topic t": "--topic must be one of",
		"replay now":           "replay takes no argument now",
		"reconcile --since 0s": "--since must be more than 0",
		"reconcile --wait -1s": "--wait and --every can not be below 0",
		"reconcile --dry-run":  "--dry-run goes with --replay",
		"reconcile everything": "reconcile takes no argument everything",
		"rezone Europe/Berlin": "rezone takes no argument Europe/Berlin",
		"rezone --all":         "flag provided but not defined: -all",
		"migrate --force":      "migrate takes no argument --force",
	} {
		said, code := s.command(strings.Fields(args)...)
		require.Equal(t, 2, code, args)
		require.Contains(t, said, says, args)
	}
}

func TestADeadLetterIsNoGapAndAYoungEventNeither(t *testing.T) {
	t.Parallel()
	s, _, tasks := busy(t)
	deadLetter := func(state string) {
		s.execute("DELETE FROM recurring.inbox WHERE id IN (SELECT id::text FROM task.events WHERE key = ? AND type = 'task.created')", tasks["recurring"].ID.String())
		s.execute(`INSERT INTO recurring.dead_letters (fingerprint, topic, key, event_id, source, type, reason, payload, metadata, received_at, resolved_at, resolution)
			SELECT sha256(?::text::bytea), topic, key, id::text, ?, type, 'r', '', '{}', now(), `+state+`
			FROM task.events WHERE key = ? AND type = 'task.created'`, state, event.Source, tasks["recurring"].ID.String())
	}
	letters := func(results []reconcile.Result) (n int64) {
		for _, r := range results {
			n += r.Letters
		}
		return n
	}
	deadLetter("now(), 'discarded'")
	results := s.reconcile()
	require.NoError(t, reconcile.Verdict(results), gaps(t, results))
	require.Zero(t, letters(results), "it was decided upon")
	deadLetter("NULL, NULL")
	results = s.reconcile()
	require.NoError(t, reconcile.Verdict(results), gaps(t, results))
	require.EqualValues(t, 1, letters(results))

	s.execute("DELETE FROM recurring.dead_letters")
	require.Error(t, reconcile.Verdict(s.reconcile()))
	r := &reconcile.Reconciler{DB: s.db, Since: time.Hour, Now: time.Now, Progress: progress.Silent}
	results, err := r.Run(t.Context())
	require.NoError(t, err)
	require.NoError(t, reconcile.Verdict(results), "it may still come")
}

func TestALateConsumerIsNoGap(t *testing.T) {
	t.Parallel()
	s, u, _ := busy(t)
	u.create(object{"title": "new"})
	s.execute("UPDATE task.events SET occurred_at = occurred_at - interval '1 hour'")
	r := &reconcile.Reconciler{DB: s.db, Since: 2 * time.Hour, Now: time.Now, Progress: progress.Silent}
	s.publish()
	results, err := r.Settle(t.Context(), 0, time.Millisecond)
	require.NoError(t, err)
	require.Error(t, reconcile.Verdict(results))

	// The consumers come to it between the first look (which asks for the time three
	// times) and the next.
	asked := 0
	r.Now = func() time.Time {
		if asked++; asked == 4 {
			s.consume()
		}
		return time.Now()
	}
	results, err = r.Settle(t.Context(), time.Hour, time.Millisecond)
	require.NoError(t, err)
	require.NoError(t, reconcile.Verdict(results), gaps(t, results))
}

// What users set for the past is told, too.
func TestAReminderThatWasLongDueIsLookedAt(t *testing.T) {
	t.Parallel()
	s, u, _ := busy(t)
	check := func() reconcile.Result {
		for _, r := range s.reconcile() {
			if r.Check == "every fired reminder is told" {
				return r
			}
		}
		t.Fatal("there is no such check")
		return reconcile.Result{}
	}
	before := check()
	u.create(object{"title": "late", "reminders": []object{{"at": "2020-01-01T00:00:00Z"}}})
	require.Eventually(t, func() bool { return check().Looked == before.Looked+1 }, patience, 10*time.Millisecond)
	require.Zero(t, check().Missing)
	s.execute("DELETE FROM task.events WHERE topic = 'reminders' AND data LIKE '%\"remind_at\":\"2020-01-01%'")
	require.EqualValues(t, 1, check().Missing)
}

func TestACheckThatCanNotBeMadeIsSaid(t *testing.T) {
	t.Parallel()
	s, _, _ := busy(t)
	s.execute("DROP SCHEMA notification CASCADE")
	results := s.reconcile()
	require.ErrorContains(t, reconcile.Verdict(results), "checks that could not be made: 3")
	var out bytes.Buffer
	require.NoError(t, reconcile.Print(&out, results))
	require.Contains(t, out.String(), "notification.inbox can not be seen with this login")
}

// command runs a command of the service as an operator does.
func (s *running) command(args ...string) (out string, code int) {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), os.Args[0], args...) //nolint:gosec // it is this test binary itself
	cmd.Env = s.env
	said, err := cmd.CombinedOutput()
	var failed *exec.ExitError
	require.True(s.t, err == nil || errors.As(err, &failed), "%v", err)
	return string(said), cmd.ProcessState.ExitCode()
}

// The alert of a gap is there until a run that looks as far finds none; that of
// a run that is missed knows when one could last be made.
func TestTheResultOfTheLastRunIsKeptAndShown(t *testing.T) {
	t.Parallel()
	s, _, tasks := busy(t)
	s.execute("UPDATE task.events SET occurred_at = occurred_at - interval '10 minutes'")
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	kept := func() (ago time.Duration, gaps int) {
		var at time.Time
		require.NoError(t, s.db.NewRaw("SELECT ended_at, gaps FROM task.reconciled").Scan(t.Context(), &at, &gaps))
		return time.Since(at), gaps
	}
	age := func() { s.execute("UPDATE task.reconciled SET ended_at = ended_at - interval '1 day'") }
	ago, gaps := kept()
	require.Less(t, ago, time.Hour, "a new suite is in order")
	require.Zero(t, gaps)

	s.execute("DELETE FROM notification.inbox WHERE id IN (SELECT id::text FROM task.events WHERE key = ?)", tasks["plain"].ID.String())
	age()
	out, code := s.command("reconcile", "--since", "23h")
	require.Equal(t, 1, code, out)
	ago, gaps = kept()
	require.Zero(t, gaps, "a short look is no proof")
	require.Greater(t, ago, 23*time.Hour)
	out, code = s.command("reconcile", "--since", "24h")
	require.Equal(t, 1, code, out)
	ago, gaps = kept()
	require.Equal(t, 5, gaps)
	require.Less(t, ago, time.Hour)
	last, err := reconcile.Last(t.Context(), s.db)
	require.NoError(t, err)
	require.Equal(t, int64(5), last.Gaps)
	missing := map[string]int64{}
	for _, c := range last.Checks {
		if c.Missing > 0 {
			missing[c.Check] = c.Missing
		}
	}
	require.Equal(t, map[string]int64{"every relevant event of task-events is in the inbox of notification": 5}, missing, "what operators are shown")
	require.Greater(t, len(last.Checks), 10)

	go func() { ended <- reconcile.Watch(ctx, s.db, slog.New(slog.DiscardHandler)) }()
	shown := func() map[string]float64 {
		values := map[string]float64{}
		for _, name := range []string{"taskwire_reconcile_gaps", "taskwire_reconcile_last_run_timestamp_seconds"} {
			for _, m := range metrictest.Of(t, name) {
				values[name] = m.GetGauge().GetValue()
			}
		}
		return values
	}
	require.Eventually(t, func() bool { return len(shown()) == 2 }, patience, 10*time.Millisecond)
	require.InDelta(t, 5, shown()["taskwire_reconcile_gaps"], 0)
	require.InDelta(t, float64(time.Now().Unix()), shown()["taskwire_reconcile_last_run_timestamp_seconds"], 3600)
	stop()
	require.NoError(t, <-ended)

	s.execute("DROP TABLE notification.inbox")
	age()
	out, code = s.command("reconcile", "--since", "24h")
	require.Equal(t, 1, code, out)
	ago, gaps = kept()
	require.Equal(t, 5, gaps)
	require.Greater(t, ago, 23*time.Hour, "a run that could not look everywhere is none")
	s.execute("CREATE TABLE notification.inbox AS SELECT * FROM recurring.inbox WHERE false")
	s.consume()
	out, code = s.command("reconcile", "--since", "24h")
	require.Zero(t, code, out)
	ago, gaps = kept()
	require.Zero(t, gaps)
	require.Less(t, ago, time.Hour)
}

// Nothing that happens while it looks is taken for a gap.
func TestReconcilingBesideChangesFindsNoGap(t *testing.T) {
	t.Parallel()
	s, u, _ := busy(t)
	ctx, stop := context.WithCancel(t.Context())
	var working sync.WaitGroup
	for range 4 {
		working.Go(func() {
			for ctx.Err() == nil {
				var task event.Task
				a, err := u.send(ctx, http.MethodPost, "/api/tasks", object{"title": "t", "reminders": []object{{"at": time.Now().Add(-time.Second)}}})
				if err == nil {
					err = json.Unmarshal(a.body, &task)
				}
				if err == nil {
					_, err = u.send(ctx, http.MethodPatch, at(task.ID), object{"title": "u"})
				}
				if err == nil && rand.N(2) == 0 {
					_, err = u.send(ctx, http.MethodDelete, at(task.ID), nil)
				}
				if err != nil && ctx.Err() == nil {
					t.Error(err)
				}
			}
		})
	}
	found := make(chan error, 1)
	working.Go(func() {
		defer close(found)
		for range 5 {
			r := &reconcile.Reconciler{DB: s.db, Since: time.Hour, Now: time.Now, Progress: progress.Silent}
			results, err := r.Run(ctx)
			if err == nil && reconcile.Verdict(results) != nil {
				var out bytes.Buffer
				_ = reconcile.Print(&out, results) // a buffer takes all
				err = errors.New(out.String())
			}
			if err != nil {
				found <- err
				return
			}
		}
	})
	var err error
	for running := true; running; {
		select {
		case err, running = <-found:
			running = running && err == nil
		default:
			s.consume()
		}
	}
	stop()
	working.Wait()
	require.NoError(t, err)
}
