package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/test/suite"
)

func errNotYet(what any) error { return fmt.Errorf("not yet: %v", what) }

// drained waits until every event is published and consumed by all.
func (s world) drained(t *testing.T) {
	t.Helper()
	s.arrived(t, func(ctx context.Context, conn *pgx.Conn) error {
		left, err := suite.ReadLeft(ctx, conn)
		if err == nil && left.Unpublished+left.Unconsumed > 0 {
			err = errNotYet(left.String())
		}
		return err
	})
}

// load creates and changes tasks at a rate, and remembers what was acknowledged.
type load struct {
	mu       sync.Mutex
	versions map[uuid.UUID]int64 // the version that each acknowledged task was last answered with
	refused  map[string]int
	slowest  time.Duration // answer
}

// run sends rate requests a second as u until ctx ends.
func (l *load) run(ctx context.Context, u *user, rate int) {
	l.versions, l.refused = map[uuid.UUID]int64{}, map[string]int{}
	var sending sync.WaitGroup
	defer sending.Wait()
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	var tasks []uuid.UUID
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		method, path := http.MethodPost, "/api/tasks"
		l.mu.Lock()
		if n%2 == 1 && len(tasks) > 0 {
			method, path = http.MethodPatch, "/api/tasks/"+tasks[n%len(tasks)].String()
		}
		l.mu.Unlock()
		sending.Go(func() {
			sent := time.Now()
			a, err := u.Do(context.WithoutCancel(ctx), method, path, object{"title": fmt.Sprint("load ", n)})
			l.mu.Lock()
			defer l.mu.Unlock()
			l.slowest = max(l.slowest, time.Since(sent))
			var answered event.Task
			switch {
			case err != nil:
				l.refused["no answer"]++
			case a.Status/100 != 2:
				l.refused[http.StatusText(a.Status)]++
			case a.JSON(&answered) == nil:
				if _, ok := l.versions[answered.ID]; !ok {
					tasks = append(tasks, answered.ID)
				}
				l.versions[answered.ID] = max(l.versions[answered.ID], answered.Version)
			}
		})
	}
}

// holds checks what the suite promises once all is drained: each acknowledged
// change is a row, has its event, and one audit entry.
func (l *load) holds(t *testing.T, u *user) {
	t.Helper()
	s.drained(t)
	require.NotEmpty(t, l.versions)
	ids, versions := make([]uuid.UUID, 0, len(l.versions)), make([]int64, 0, len(l.versions))
	for id, version := range l.versions {
		ids, versions = append(ids, id), append(versions, version)
	}
	require.Zero(t, s.query(t, `SELECT count(*) FROM unnest($1::uuid[], $2::bigint[]) AS told (id, version)
		LEFT JOIN task.tasks t USING (id) WHERE t.id IS NULL OR t.version < told.version`, ids, versions), "acknowledged changes that the row does not have")
	owner := s.query(t, "SELECT count(*) FROM task.tasks t JOIN task.users u ON u.id = t.user_id WHERE u.email = $1", u.Email)
	require.GreaterOrEqual(t, owner, len(l.versions))
	gaps := s.query(t, `SELECT count(*) FROM task.tasks t JOIN task.users u ON u.id = t.user_id
		LEFT JOIN (SELECT key, count(*) AS n FROM task.events WHERE topic = 'task-events' GROUP BY key) e ON e.key = t.id::text
		WHERE u.email = $1 AND t.version <> coalesce(e.n, 0)`, u.Email)
	require.Zero(t, gaps, "tasks without an event for each version")
	wrong := s.query(t, `SELECT count(*) FROM task.tasks t JOIN task.users u ON u.id = t.user_id
		LEFT JOIN (SELECT task_id, count(*) AS n FROM audit.entries GROUP BY task_id) a ON a.task_id = t.id
		WHERE u.email = $1 AND t.version <> coalesce(a.n, 0)`, u.Email)
	require.Zero(t, wrong, "tasks without exactly one audit entry for each change")
}

// orderIsPromised says whether the broker keeps the order of the events of one
// task. Redis streams do not: Dapr's component hands out events side by side,
// and puts one that failed behind those that came after it (docs/events.md).
// What is demanded there is that every event comes, and has one effect.
func (s world) orderIsPromised(t *testing.T) bool {
	t.Helper()
	if s.Broker.Kind == suite.Redis {
		t.Log("Redis promises no order per task: it is not asked for here")
		return false
	}
	return true
}

// onTheBroker reads the user's task events from the broker until each task's
// versions are there without a gap, and checks that they rise: a repetition is
// allowed, a step back to what was not seen before is not.
func (s world) onTheBroker(t *testing.T, tasks map[uuid.UUID]int64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ordered := s.orderIsPromised(t)
	seen := map[uuid.UUID]map[int64]bool{}
	complete := 0
	require.NoError(t, s.Read(ctx, event.TopicTasks, func(r suite.Record) bool {
		var data event.TaskEvent
		if json.Unmarshal(r.Event.Data, &data) != nil {
			return false
		}
		want, ok := tasks[data.TaskID]
		if !ok {
			return false
		}
		versions := seen[data.TaskID]
		if versions == nil {
			versions = map[int64]bool{}
			seen[data.TaskID] = versions
		}
		if v := data.TaskData.Version; v <= want && !versions[v] {
			if ordered && v != int64(len(versions))+1 {
				t.Errorf("task %s: version %d comes after %d others", data.TaskID, v, len(versions))
			}
			versions[v] = true
			if int64(len(versions)) == want {
				complete++
			}
		}
		return complete == len(tasks)
	}), "not every event of every task is on the broker")
}

func TestKilledProcessesLoseAndDoubleNothing(t *testing.T) {
	for _, name := range []string{
		"task-api", "task-api-daprd", "broker", "postgres", "audit-log", "audit-log-daprd",
		"recurring-task", "recurring-task-daprd", "notification", "notification-daprd", "mail",
	} {
		t.Run(name, func(t *testing.T) {
			if name == "broker" {
				s.signalBroker(t, 0) // looks whether it is ours
			}
			u := s.newUser(t, "UTC")
			ctx, cancel := context.WithCancel(t.Context())
			var l load
			var running sync.WaitGroup
			running.Go(func() { l.run(ctx, u, 50) })
			acknowledged := func(n int) {
				eventually(t, func() error {
					l.mu.Lock()
					defer l.mu.Unlock()
					if len(l.versions) < n {
						return errNotYet(len(l.versions))
					}
					return nil
				})
			}
			acknowledged(25)
			require.NoError(t, s.Signal(name, syscall.SIGKILL))
			acknowledged(75) // and it goes on
			cancel()
			running.Wait()
			t.Logf("%d tasks acknowledged, refused while it was down: %v", len(l.versions), l.refused)
			l.holds(t, u)
			s.onTheBroker(t, l.versions)
		})
	}
}

// What waits in the log meanwhile keeps the trace of its request, there and on the broker: it
// waits longer than one attempt to publish takes, so that it is tried again (not where -short
// makes it 10 seconds).
func TestTheBrokerIsAwayFor30Seconds(t *testing.T) {
	u, v := s.newUser(t, "UTC"), s.newUser(t, "UTC")
	const trace = "0af7651916cd43dd8448eb211c80319c"
	s.signalBroker(t, syscall.SIGSTOP)
	defer s.signalBroker(t, syscall.SIGCONT)
	traced := must[event.Task](v, http.StatusCreated, http.MethodPost, "/api/tasks", object{"title": "Traced"},
		"traceparent", "00-"+trace+"-b7ad6b7169203331-01")
	away := 30 * time.Second
	if testing.Short() {
		away = 10 * time.Second
	}
	ctx, cancel := context.WithTimeout(t.Context(), away)
	defer cancel()
	var degraded atomic.Bool
	var l load
	var running sync.WaitGroup
	running.Go(func() { l.run(ctx, u, 50) })
	running.Go(func() {
		for ctx.Err() == nil {
			a, err := u.Do(ctx, http.MethodGet, "/readyz", nil)
			if err == nil && a.Status == http.StatusOK && bytes.Contains(a.Body, []byte(`"degraded"`)) {
				degraded.Store(true)
			}
			time.Sleep(200 * time.Millisecond) // between two looks at a condition
		}
	})
	running.Wait()
	require.Zero(t, s.query(t, "SELECT count(*) FROM audit.entries WHERE task_id = $1", traced.ID))
	s.signalBroker(t, syscall.SIGCONT)
	require.Equal(t, trace, v.history(traced, 1)[0].TraceID)
	require.Contains(t, s.recordsOf(t, traced.ID, traced.ID)[0].Event.TraceParent, trace)
	require.Empty(t, l.refused, "no request fails for want of a broker")
	t.Logf("the slowest answer came after %s", l.slowest)
	require.Less(t, l.slowest, 3*time.Second, "no request waits for the broker")
	require.True(t, degraded.Load(), "readiness says degraded, with status 200")
	l.holds(t, u)
	s.onTheBroker(t, l.versions)
	eventually(t, func() error {
		a, err := u.Do(t.Context(), http.MethodGet, "/readyz", nil)
		if err != nil || !bytes.Contains(a.Body, []byte(`"ready"`)) {
			return fmt.Errorf("%s %w", a.Body, err)
		}
		return nil
	})
}

func TestPoisonOnATopicBlocksNothing(t *testing.T) {
	for _, c := range []struct {
		topic, kind, schema string
		consumers           []string // by their schemas
	}{
		{event.TopicAudit, "audit.task.created", "audit-event", []string{"audit"}},
		{event.TopicTasks, event.TaskCompleted, "task-event", []string{"recurring", "notification"}},
		{event.TopicReminders, event.ReminderDue, "reminder-event", []string{"notification"}},
	} {
		t.Run(c.topic, func(t *testing.T) {
			u := s.newUser(t, "UTC")
			key := "poison-" + uuid.NewString() // the same for all: they lie in front of each other
			good := func() (string, []byte) {
				id := uuid.Must(uuid.NewV7())
				value, err := event.Encode(event.Header{ID: id, Topic: c.topic, Type: c.kind, Subject: "s", Time: time.Now(), PartitionKey: "s", Sequence: 1}, json.RawMessage(`{}`))
				require.NoError(t, err)
				return id.String(), value
			}
			replaced := func(old, replacement string) (string, []byte) {
				id, value := good()
				require.Contains(t, string(value), old)
				return id, bytes.Replace(value, []byte(old), []byte(replacement), 1)
			}
			unnamed := func(value string) func() (string, []byte) {
				return func() (string, []byte) { return "", []byte(value) }
			}
			deadLettered := map[string]string{} // reason's origin by what is known of the event
			for name, make := range map[string]func() (id string, value []byte){
				"malformed JSON":       unnamed(`{"id": `),
				"an empty body":        unnamed(""),
				"2 MiB of something":   unnamed(strings.Repeat("x", 2<<20)),
				"a missing type":       func() (string, []byte) { return replaced(`"type"`, `"tipe"`) },
				"an unknown major":     func() (string, []byte) { return replaced(c.schema+"/v1", c.schema+"/v9") },
				"a numeric traceid":    func() (string, []byte) { return replaced(`{`, `{"traceid":17,"type":5,`) },
				"data of another kind": func() (string, []byte) { return replaced(`"data":{}`, `"data":[1,2]`) },
			} {
				id, value := make()
				if err := s.Produce(t.Context(), c.topic, key, value); err != nil {
					// The broker itself may refuse what is too large.
					require.Greater(t, len(value), 1<<20, "%s: %v", name, err)
					t.Logf("%s: refused by the broker: %v", name, err)
					continue
				}
				deadLettered[name] = id
			}
			task := u.create(object{"title": "Behind the poison", "reminders": []object{{"at": "2020-01-01T00:00:00Z"}}})
			u.onceInEffect(task)
			for _, schema := range c.consumers {
				letters := "SELECT count(*) FROM " + schema + ".dead_letters WHERE topic = $1 AND key = $2"
				eventually(t, func() error {
					if n := s.query(t, letters, c.topic, key); n != len(deadLettered) {
						return fmt.Errorf("%d dead letters of %s, not %d", n, schema, len(deadLettered))
					}
					return nil
				})
				require.Zero(t, s.query(t, letters+" AND reason = ''", c.topic, key), "each has its reason")
				for name, id := range deadLettered {
					require.NotZero(t, s.query(t, letters+" AND event_id = $3", c.topic, key, id), "%s: known by its id", name)
				}
			}
		})
	}
}

// A consumer answers RETRY for a while: what it may write to is taken away.
func TestAConsumerThatFailsForAWhileLosesNothing(t *testing.T) {
	u := s.newUser(t, "UTC")
	first := u.create(object{"title": "Before"})
	u.history(first, 1)
	refused := func() float64 {
		n, _, err := s.Metric(t.Context(), "audit-log", "taskwire_events_consumed_total", "outcome", "retry")
		require.NoError(t, err)
		return n
	}
	before := refused()
	s.execute(t, "REVOKE INSERT ON audit.entries FROM audit_log")
	failed := make([]event.Task, 5)
	for i := range failed {
		failed[i] = u.create(object{"title": "Meanwhile"})
	}
	// More often than there are events.
	eventually(t, func() error {
		if n := refused() - before; n < 3*float64(len(failed)) {
			return fmt.Errorf("refused %v times", n)
		}
		return nil
	})
	told, err := s.LogLines("audit-log", "it will be delivered again")
	require.NoError(t, err)
	require.Positive(t, told)
	require.LessOrEqual(t, told, 5, "each cause once, not each delivery")
	s.execute(t, "GRANT INSERT ON audit.entries TO audit_log")
	for _, task := range failed {
		u.history(task, 1)
	}
	require.Zero(t, s.query(t, "SELECT count(*) FROM audit.dead_letters WHERE reason LIKE '%permission%'"))
}
