package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/database/databasetest"
	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/test/suite"
)

// consumers are the services that handle events.
var consumers = []string{"audit-log", "recurring-task", "notification"}

// published waits until the broker has every event.
func (s world) published(t *testing.T) {
	t.Helper()
	s.arrived(t, func(ctx context.Context, conn *pgx.Conn) error {
		n, err := suite.ReadUnpublished(ctx, conn)
		if err == nil && n > 0 {
			err = fmt.Errorf("%d events to publish", n)
		}
		return err
	})
}

// deadLetters counts those of all consumers.
func (s world) deadLetters(t *testing.T) int {
	t.Helper()
	return s.query(t, `SELECT (SELECT count(*) FROM audit.dead_letters) + (SELECT count(*) FROM recurring.dead_letters)
		+ (SELECT count(*) FROM notification.dead_letters)`)
}

// The first deployment of the consumers comes after the events: the suite runs
// without them, and then once more with them.
func TestEventsFromBeforeAConsumersFirstStartAreHandled(t *testing.T) {
	t.Parallel()
	const tasks, reminders, recurring = 250, 20, 10
	dir := newDir(t)
	s, stop := ownSuite(t, dir, "REPLICAS=audit-log=0,recurring-task=0,notification=0")
	u := s.newUser(t, "UTC")
	created := make([]event.Task, tasks)
	each(tasks, func(i int) {
		task := object{"title": fmt.Sprint("early ", i)}
		if i < reminders {
			task["reminders"] = []object{{"at": "2020-01-01T00:00:00Z"}}
		}
		if i < recurring {
			task["due_at"], task["recurrence"] = "2030-06-01T09:00:00Z", object{"rrule": "FREQ=DAILY"}
		}
		created[i] = u.create(task)
		if i < recurring {
			u.complete(created[i])
		}
	})
	s.published(t)
	require.GreaterOrEqual(t, s.query(t, "SELECT count(*) FROM task.events"), 500)
	stop()

	s, _ = ownSuite(t, dir)
	u.s, u.Base = s, s.API // its ports are others now
	s.drained(t)
	require.Equal(t, tasks+2*recurring, s.query(t, "SELECT count(*) FROM audit.entries WHERE task_id IS NOT NULL"), "a creation each, a completion and a successor of those that recur")
	for i := range recurring {
		require.Equal(t, "2030-06-02T09:00:00Z", u.next(created[i]).DueAt.UTC().Format(time.RFC3339))
	}
	u.delivered(reminders)
	require.Zero(t, s.deadLetters(t))
}

// A rolling restart replaces a service and its sidecar, one pod after another.
func TestARollingRestartOfTheSuiteUnderLoad(t *testing.T) {
	u := s.newUser(t, "UTC")
	before := s.deadLetters(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var l load
	var running sync.WaitGroup
	running.Go(func() { l.run(ctx, u, 100) })
	due := 0
	refused := func() int {
		l.mu.Lock()
		defer l.mu.Unlock()
		return len(l.refused)
	}
	for _, name := range append(slices.Clone(consumers), "task-api") {
		if name == "task-api" {
			require.Zero(t, refused(), "no request needs a consumer")
		}
		running := func(name string) string {
			pid, err := os.ReadFile(filepath.Join(s.RunDir, name+".pid"))
			require.NoError(t, err)
			return string(pid)
		}
		for _, process := range []string{name + "-daprd", name} {
			old := running(process)
			require.NoError(t, s.Signal(process, syscall.SIGTERM))
			if process != "task-api" { // which can not be asked now
				u.create(object{"title": "Meanwhile", "reminders": []object{{"at": "2020-01-01T00:00:00Z"}}})
				due++
			}
			eventually(t, func() error {
				if running(process) == old {
					return fmt.Errorf("%s has not been replaced", process)
				}
				return nil
			})
		}
		// The next one goes when this one works again.
		if name == "task-api" {
			eventually(t, func() error {
				a, err := u.Do(t.Context(), http.MethodGet, "/readyz", nil)
				if err == nil && a.Status != http.StatusOK {
					err = errNotYet(string(a.Body))
				}
				return err
			})
		}
		// Each has something to do about an occurrence that is completed.
		seen := u.create(object{"title": "Restarted " + name, "due_at": "2031-01-31T09:00:00Z", "recurrence": object{"rrule": "FREQ=YEARLY"}})
		u.complete(seen)
		handled := map[string]string{"audit-log": "audit", "recurring-task": "recurring", "notification": "notification", "task-api": "recurring"}[name]
		topic := map[string]string{"audit-log": event.TopicAudit}[name]
		if topic == "" {
			topic = event.TopicTasks
		}
		eventually(t, func() error {
			if s.query(t, "SELECT count(*) FROM task.events e JOIN "+handled+".inbox i ON i.id = e.id::text WHERE e.topic = $1 AND e.key = $2", topic, seen.ID.String()) == 0 {
				return fmt.Errorf("%s has not handled what came after its restart", name)
			}
			return nil
		})
	}
	cancel()
	running.Wait()
	l.holds(t, u)
	s.onTheBroker(t, l.versions)
	u.delivered(due)
	require.Equal(t, before, s.deadLetters(t))
}

// schemas are what a dump of the suite holds.
var schemas = []string{"task", "audit", "recurring", "notification"}

// tool runs a program of Postgres.
func tool(t *testing.T, name string, args ...string) {
	t.Helper()
	path, err := databasetest.Program(name)
	require.NoError(t, err)
	out, err := exec.CommandContext(t.Context(), path, args...).CombinedOutput()
	require.NoError(t, err, "%s: %s", name, out)
}

// dump writes all that the suite keeps to a file, as statements.
func (s world) dump(t *testing.T, file string) {
	t.Helper()
	args := []string{"--dbname", s.Database.OwnerURL, "--file", file}
	for _, schema := range schemas {
		args = append(args, "--schema", schema)
	}
	tool(t, "pg_dump", args...)
}

// The database is dumped while events wait, and restored into a cluster that
// knows nothing of the transactions of the first one.
func TestPublishingGoesOnAfterADumpAndARestore(t *testing.T) {
	leaveOut(t)
	t.Parallel()
	dir := newDir(t)
	dump := filepath.Join(dir, "dump.sql")
	s, stop := ownSuite(t, dir)
	u := s.newUser(t, "UTC")
	u.history(u.create(object{"title": "Before"}), 1)
	s.signalBroker(t, syscall.SIGSTOP)
	waiting := make([]event.Task, 20)
	for i := range waiting {
		waiting[i] = u.create(object{"title": "Waiting"})
	}
	s.dump(t, dump)
	// What happens from here on is lost with the first cluster.
	for _, name := range append([]string{"task-api"}, consumers...) {
		require.NoError(t, s.Signal(name, syscall.SIGSTOP))
	}
	s.signalBroker(t, syscall.SIGCONT)
	stop()
	cluster, err := filepath.EvalSymlinks(filepath.Join(dir, "postgres"))
	require.NoError(t, err)
	require.NoError(t, os.RemoveAll(cluster))

	s, _ = ownSuite(t, dir)
	u.s, u.Base = s, s.API // its ports are others now
	for _, name := range append([]string{"task-api"}, consumers...) {
		require.NoError(t, s.Signal(name, syscall.SIGSTOP))
	}
	for _, schema := range schemas {
		s.execute(t, "DROP SCHEMA "+schema+" CASCADE")
	}
	tool(t, "psql", "--dbname", s.Database.OwnerURL, "--set", "ON_ERROR_STOP=1", "--quiet", "--file", dump)
	for _, name := range append([]string{"task-api"}, consumers...) {
		s.kill(t, name)
	}
	for _, task := range waiting {
		u.history(task, 1)
	}
	after := must[event.Task](u, http.StatusCreated, http.MethodPost, "/api/tasks", object{"title": "After"})
	u.history(after, 1)
	s.drained(t)
	require.Equal(t, len(waiting)+2, s.query(t, "SELECT count(*) FROM audit.entries WHERE task_id IS NOT NULL"))
}
