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
	"github.com/taskwire/taskwire/pkg/membership"
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

// With as many lists as can be told, by way of real sidecars: what is in the header has to
// pass all of them.
func TestTheTrailOfAListIsForItsMembers(t *testing.T) {
	ada, bob, eve := s.newUser(t, "UTC"), s.newUser(t, "UTC"), s.newUser(t, "UTC")
	type named struct{ ID uuid.UUID }
	list := must[named](ada, http.StatusCreated, http.MethodPost, "/api/lists", object{"name": "Garden"})
	members := "/api/lists/" + list.ID.String() + "/members"
	for _, u := range []*user{bob, eve} {
		invited := must[named](ada, http.StatusCreated, http.MethodPost, members, object{"email": u.Email, "role": "editor"})
		must[named](u, http.StatusOK, http.MethodPost, "/api/invitations/"+invited.ID.String()+"/accept", nil)
	}
	conn, err := pgx.Connect(t.Context(), s.Database.OwnerURL)
	require.NoError(t, err)
	defer conn.Close(t.Context())
	_, err = conn.Exec(t.Context(), `WITH bob AS (SELECT id FROM task.users WHERE email = $1), made AS (
			INSERT INTO task.lists (id, created_by, name, version, created_at, updated_at) SELECT gen_random_uuid(), bob.id, 'x', 1, now(), now() FROM bob, generate_series(1, $2) RETURNING id
		)
		INSERT INTO task.members (user_id, list_id, role, position, since) SELECT bob.id, made.id, 'owner', 0, now() - interval '1 day' FROM bob, made`, bob.Email, membership.Most)
	require.NoError(t, err)

	private := ada.create(object{"title": "Hers alone"})
	task := must[event.Task](eve, http.StatusCreated, http.MethodPost, "/api/tasks", object{"title": "Water", "list_id": list.ID})
	must[event.Task](ada, http.StatusOK, http.MethodPatch, "/api/tasks/"+private.ID.String(), object{"title": "Weed", "list_id": list.ID})
	ada.history(private, 2)
	ofBob := bob.history(private, 1)[0]
	require.Equal(t, []string{"list_id", "position", "title"}, ofBob.Changed)
	require.Equal(t, "null", string(ofBob.Before), "it was in a list of Ada's alone")
	for _, u := range []*user{ada, bob, eve} {
		require.Len(t, u.history(task, 1), 1)
		trail := must[page[auditEntry]](u, http.StatusOK, http.MethodGet, "/api/audit?list_id="+list.ID.String(), nil)
		require.Len(t, trail.Items, 7, "the list, two invitations, two members, two tasks")
	}
	stranger := s.newUser(t, "UTC")
	for _, path := range []string{"/api/tasks/" + task.ID.String() + "/history", "/api/tasks/" + uuid.NewString() + "/history"} {
		must[object](stranger, http.StatusNotFound, http.MethodGet, path, nil)
	}

	must[any](eve, http.StatusNoContent, http.MethodDelete, members+"/"+task.UserID.String(), nil)
	must[object](eve, http.StatusNotFound, http.MethodGet, "/api/tasks/"+task.ID.String()+"/history", nil)
	must[object](eve, http.StatusUnprocessableEntity, http.MethodGet, "/api/audit?list_id="+list.ID.String(), nil)
	for _, e := range must[page[auditEntry]](eve, http.StatusOK, http.MethodGet, "/api/audit?limit=200", nil).Items {
		require.Nil(t, e.TaskID)
	}
	require.Len(t, bob.history(task, 1), 1)
}
