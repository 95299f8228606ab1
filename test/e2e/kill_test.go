package e2e

import (
	"context"
	"fmt"
	"net/http"
	"syscall"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/test/suite"
)

// asked is a request that may never be answered.
type asked struct {
	answer suite.Answer
	err    error
}

// ask sends the creation of a task with a reminder that is due, and does not
// wait for the answer.
func (u *user) ask(title string) <-chan asked {
	done := make(chan asked, 1)
	go func() {
		a, err := u.Do(u.t.Context(), http.MethodPost, "/api/tasks", object{"title": title, "reminders": []object{{"at": "2020-01-01T00:00:00Z"}}})
		done <- asked{a, err}
	}()
	return done
}

// created waits for the answer of a request that must succeed.
func created(t *testing.T, request <-chan asked) event.Task {
	t.Helper()
	var task event.Task
	r := <-request
	require.NoError(t, r.err)
	require.Equal(t, http.StatusCreated, r.answer.Status, "%s", r.answer.Body)
	require.NoError(t, r.answer.JSON(&task))
	return task
}

// recordsOf reads the records of a task from the broker until its first event
// is among them, or until that of another task is.
func (s world) recordsOf(t *testing.T, task, until uuid.UUID) []suite.Record {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var found []suite.Record
	require.NoError(t, s.Read(ctx, event.TopicTasks, func(r suite.Record) bool {
		if r.Event.Subject == task.String() {
			found = append(found, r)
		}
		return r.Event.Subject == until.String()
	}))
	return found
}

// onceInEffect holds what a created task with a due reminder has for effects.
func (u *user) onceInEffect(task event.Task) {
	u.t.Helper()
	u.history(task, 1)
	u.delivered(1)
	u.s.drained(u.t)
	u.history(task, 1)
	u.delivered(1)
	found := u.s.recordsOf(u.t, task.ID, task.ID)
	for _, r := range found {
		require.Equal(u.t, found[0].Event.ID, r.Event.ID, "published again with its id")
	}
	require.Equal(u.t, 1, u.s.query(u.t, "SELECT count(*) FROM task.events WHERE topic = 'task-events' AND key = $1", task.ID.String()))
}

func (s world) kill(t *testing.T, name string) {
	t.Helper()
	require.NoError(t, s.Signal(name, syscall.SIGKILL))
}

// task-api is killed at each point between a request and the mark that says
// its events are published. A lock that the test takes keeps it at the point.
func TestTaskAPIKilledBeforeTheCommit(t *testing.T) {
	leaveOut(t)
	u := s.newUser(t, "UTC")
	release := s.hold(t, "task.events", "EXCLUSIVE")
	request := u.ask("never committed")
	s.waitsFor(t, "task.events", "task.tasks")
	s.kill(t, "task-api")
	require.Error(t, (<-request).err, "nobody can answer")
	release()
	after := s.newUser(t, "UTC").create(object{"title": "after"})
	s.drained(t)
	require.Zero(t, s.query(t, "SELECT count(*) FROM task.tasks t JOIN task.users u ON u.id = t.user_id WHERE u.email = $1", u.Email))
	require.Zero(t, s.query(t, "SELECT count(*) FROM task.events WHERE data LIKE '%never committed%'"))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	require.NoError(t, s.Read(ctx, event.TopicTasks, func(r suite.Record) bool {
		require.NotContains(t, string(r.Value), "never committed")
		return r.Event.Subject == after.ID.String()
	}))
}

// The COMMIT is on its way to the database when the process dies: nobody hears
// the answer, but the change stands, and so must its events.
func TestTaskAPIKilledDuringTheCommit(t *testing.T) {
	leaveOut(t)
	u := s.newUser(t, "UTC")
	release := s.holdCommits(t)
	request := u.ask(commitsLate)
	s.waitsAtCommit(t)
	s.kill(t, "task-api")
	require.Error(t, (<-request).err, "nobody can answer")
	release()
	var task event.Task
	eventually(t, func() error {
		a, err := u.Do(t.Context(), http.MethodGet, "/api/tasks", nil)
		if err != nil {
			return err
		}
		var p page[event.Task]
		if err := a.JSON(&p); err != nil || len(p.Items) != 1 {
			return fmt.Errorf("%d: %d tasks: %w", a.Status, len(p.Items), err)
		}
		task = p.Items[0]
		return nil
	})
	u.onceInEffect(task)
}

func TestTaskAPIKilledAfterTheCommit(t *testing.T) {
	u := s.newUser(t, "UTC")
	release := s.hold(t, "task.event_head", "EXCLUSIVE") // no event gets its place, and so none is published
	task := created(t, u.ask("committed"))
	s.waitsFor(t, "task.event_head", "")
	require.Equal(t, 1, s.query(t, "SELECT count(*) FROM task.events WHERE key = $1 AND topic = 'task-events' AND seq IS NULL", task.ID.String()))
	s.kill(t, "task-api")
	release()
	u.onceInEffect(task)
}

// The broker takes nothing while the sidecar has the events, so that it has
// them only when the process that sent them is gone.
func TestTaskAPIKilledWhileItPublishes(t *testing.T) {
	u := s.newUser(t, "UTC")
	s.signalBroker(t, syscall.SIGSTOP)
	defer s.signalBroker(t, syscall.SIGCONT)
	task := created(t, u.ask("on its way"))
	eventually(t, func() error {
		if s.query(t, `SELECT count(*) FROM task.events e JOIN task.event_cursors c USING (topic)
			WHERE e.key = $1 AND e.topic = 'task-events' AND e.seq > c.published_seq`, task.ID.String()) == 0 {
			return errNotYet("in the hands of the relay")
		}
		return nil
	})
	s.kill(t, "task-api")
	s.signalBroker(t, syscall.SIGCONT)
	u.onceInEffect(task)
}

func TestTaskAPIKilledBeforeWhatIsPublishedIsMarked(t *testing.T) {
	u := s.newUser(t, "UTC")
	epoch := s.query(t, "SELECT epoch FROM task.event_head")
	release := s.hold(t, "task.event_cursors", "EXCLUSIVE")
	task := created(t, u.ask("published"))
	require.Len(t, s.recordsOf(t, task.ID, task.ID), 1, "the broker has it")
	s.waitsFor(t, "task.event_cursors", "")
	s.kill(t, "task-api")
	// The mark still waits in the database. A new owner of the log makes it void.
	eventually(t, func() error {
		if s.query(t, "SELECT epoch FROM task.event_head") == epoch {
			return errNotYet("owned anew")
		}
		return nil
	})
	release()
	u.onceInEffect(task)
	// Nothing said that it was published: the broker has the event twice.
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	times := 0
	require.NoError(t, s.Read(ctx, event.TopicTasks, func(r suite.Record) bool {
		if r.Event.Subject == task.ID.String() {
			times++
		}
		return times == 2
	}))
}

// commitsLate is the title of tasks whose transaction holdCommits holds.
const commitsLate = "commits late"

// commitLock is what such a transaction waits for: an advisory lock.
const commitLock = 4711

// holdCommits keeps the transactions that create a task of the title
// commitsLate in their COMMIT: all that they write has its serial number by
// then, and nobody sees it.
func (s world) holdCommits(t *testing.T) (release func()) {
	t.Helper()
	s.execute(t, fmt.Sprintf(`
		CREATE FUNCTION task.wait_at_commit() RETURNS trigger LANGUAGE plpgsql AS
			$$ BEGIN PERFORM pg_advisory_xact_lock_shared(%d); RETURN NULL; END $$;
		CREATE CONSTRAINT TRIGGER wait_at_commit AFTER INSERT ON task.tasks DEFERRABLE INITIALLY DEFERRED
			FOR EACH ROW WHEN (NEW.title = '%s') EXECUTE FUNCTION task.wait_at_commit()`, commitLock, commitsLate))
	conn, err := pgx.Connect(t.Context(), s.Database.OwnerURL)
	require.NoError(t, err)
	release = func() { _ = conn.Close(context.WithoutCancel(t.Context())) } // gives the lock back, also a second time
	t.Cleanup(func() {
		release()
		conn, err := pgx.Connect(context.WithoutCancel(t.Context()), s.Database.OwnerURL)
		require.NoError(t, err)
		defer conn.Close(context.WithoutCancel(t.Context()))
		_, err = conn.Exec(context.WithoutCancel(t.Context()), "DROP FUNCTION task.wait_at_commit CASCADE")
		require.NoError(t, err)
	})
	_, err = conn.Exec(t.Context(), "SELECT pg_advisory_lock($1)", commitLock)
	require.NoError(t, err)
	return release
}

func (s world) waitsAtCommit(t *testing.T) {
	t.Helper()
	eventually(t, func() error {
		if s.query(t, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = $1 AND NOT granted", commitLock) == 0 {
			return errNotYet("committing")
		}
		return nil
	})
}

// The first of two transactions takes its serial numbers first and commits
// last: a reader that goes by serial numbers would never see it.
func TestTransactionsThatCommitInTheOtherOrderAreBothPublished(t *testing.T) {
	u := s.newUser(t, "UTC")
	release := s.holdCommits(t)
	first := u.ask(commitsLate)
	s.waitsAtCommit(t)
	second := u.create(object{"title": "commits at once"})
	u.history(second, 1) // it has gone the whole way
	release()
	late := created(t, first)
	u.onceInEffect(late)
	position := func(task event.Task) int {
		return s.query(t, "SELECT position FROM task.events WHERE topic = 'task-events' AND key = $1", task.ID.String())
	}
	require.Less(t, position(late), position(second), "the order of the serial numbers")
	require.NotEmpty(t, s.recordsOf(t, late.ID, late.ID))
	require.NotEmpty(t, s.recordsOf(t, second.ID, second.ID))
}
