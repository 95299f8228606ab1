package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
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
)

// change is what the audit trail must say of one request.
type change struct {
	Action        string
	Actor         string // email
	Target        string
	Before, After string // JSON
	IP            string
	RequestID     string
	TraceID       string
}

// normal is a JSON document in the one form that documents are compared in.
func normal(t *testing.T, document []byte) string {
	var v any
	if len(document) > 0 {
		if err := json.Unmarshal(document, &v); err != nil {
			t.Errorf("%v in %s", err, document)
		}
	}
	out, err := json.Marshal(v)
	if err != nil {
		t.Error(err)
	}
	return string(out)
}

// alter makes n random changes of the user's tasks, one after another, and
// returns what each was.
func (u *user) alter(n int, random *rand.Rand, done *atomic.Int64) ([]change, error) {
	type task struct {
		event.Task
		document string
	}
	var tasks []task
	changes := make([]change, 0, n)
	for i := range n {
		trace := strings.ReplaceAll(uuid.NewString(), "-", "")
		at := 0
		if len(tasks) > 0 {
			at = random.IntN(len(tasks))
		}
		method, path, status, action := http.MethodPost, "/api/tasks", http.StatusCreated, "task.created"
		var body any = object{"title": fmt.Sprint("change ", i), "tags": []string{"a"}}
		if kind := random.IntN(10); len(tasks) > 0 && kind > 2 {
			path, status = "/api/tasks/"+tasks[at].ID.String(), http.StatusOK
			switch kind {
			case 3:
				method, status, action, body = http.MethodDelete, http.StatusNoContent, "task.deleted", nil
			case 4, 5:
				method, path, action, body = http.MethodPatch, path+"/complete", "task.completed", object{}
				if tasks[at].IsComplete {
					action = "task.updated" // it is reopened
				}
			case 6:
				method, action, body = http.MethodPut, "task.updated", object{"title": fmt.Sprint("change ", i), "is_complete": tasks[at].IsComplete}
			default:
				method, action = http.MethodPatch, "task.updated"
				body = object{"title": fmt.Sprint("change ", i), "priority": []string{"low", "urgent"}[random.IntN(2)], "description": strings.Repeat("x", random.IntN(200))}
			}
		}
		a, err := u.Do(u.t.Context(), method, path, body, "traceparent", "00-"+trace+"-00f067aa0ba902b7-01")
		if err != nil {
			return changes, err
		}
		if a.Status != status {
			return changes, fmt.Errorf("%s %s: %d %s", method, path, a.Status, a.Body)
		}
		var now task
		if action != "task.deleted" {
			now.document = normal(u.t, a.Body)
			if err := a.JSON(&now.Task); err != nil {
				return changes, err
			}
		}
		c := change{Action: action, Actor: u.Email, Before: "null", After: "null", IP: "127.0.0.1", RequestID: a.Header.Get("X-Request-Id"), TraceID: trace}
		switch action {
		case "task.created":
			c.Target, c.After = "task/"+now.ID.String(), now.document
			tasks = append(tasks, now)
		case "task.deleted":
			c.Target, c.Before = "task/"+tasks[at].ID.String(), tasks[at].document
			tasks[at] = tasks[len(tasks)-1]
			tasks = tasks[:len(tasks)-1]
		default:
			c.Target, c.Before, c.After = "task/"+now.ID.String(), tasks[at].document, now.document
			tasks[at] = now
		}
		changes = append(changes, c)
		done.Add(1)
	}
	return changes, nil
}

// Ten thousand random changes of fifty users, with their consumer killed now and then.
func TestEachOfTenThousandChangesIsOneAuditEntryThoughItsConsumerIsKilled(t *testing.T) {
	const people, kills = 50, 5
	changesOfEach := 200
	if testing.Short() {
		changesOfEach = 40
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	var mu sync.Mutex
	expected := map[string]change{} // by request id
	var done atomic.Int64
	var emails []string
	var working sync.WaitGroup
	for i := range people {
		u := s.newUser(t, "UTC")
		emails = append(emails, u.Email)
		working.Go(func() {
			changes, err := u.alter(changesOfEach, rand.New(rand.NewPCG(seed, uint64(i))), &done)
			if err != nil {
				t.Errorf("%s: %v", u.Email, err)
			}
			mu.Lock()
			defer mu.Unlock()
			for _, c := range changes {
				expected[c.RequestID] = c
			}
		})
	}
	for k := range kills {
		for done.Load() < int64((k+1)*people*changesOfEach/(kills+1)) && !t.Failed() {
			time.Sleep(10 * time.Millisecond) // between two looks at a condition
		}
		// It may not be back from its last death yet.
		eventually(t, func() error { return s.Signal("audit-log", syscall.SIGKILL) })
	}
	working.Wait()
	require.False(t, t.Failed())
	require.Len(t, expected, people*changesOfEach)
	s.drained(t)

	conn, err := pgx.Connect(t.Context(), s.Database.OwnerURL)
	require.NoError(t, err)
	defer conn.Close(t.Context())
	rows, err := conn.Query(t.Context(), `
		SELECT a.action, a.actor_email, a.actor_id = u.id AND a.user_id = u.id, a.target, coalesce(a.before, 'null')::text,
			coalesce(a.after, 'null')::text, a.ip, a.request_id, a.trace_id
		FROM audit.entries a JOIN task.users u ON u.email = a.actor_email
		WHERE a.task_id IS NOT NULL AND u.email = ANY($1)`, emails)
	require.NoError(t, err)
	var c change
	var own bool
	entries := 0
	_, err = pgx.ForEachRow(rows, []any{&c.Action, &c.Actor, &own, &c.Target, &c.Before, &c.After, &c.IP, &c.RequestID, &c.TraceID}, func() error {
		entries++
		c.Before, c.After = normal(t, []byte(c.Before)), normal(t, []byte(c.After))
		require.True(t, own, "the ids of the actor and of the owner")
		require.Equal(t, expected[c.RequestID], c)
		delete(expected, c.RequestID) // a second entry of it would find nothing
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, people*changesOfEach, entries)
	require.Empty(t, expected, "changes without an entry")
}
