package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/event"
)

// Requests of all kinds at once on a few tasks and their subtasks, while
// reminders fire: none is answered with a failure of the server, and each
// version of each task is told once, in order.
func TestAStormOnFewTasks(t *testing.T) {
	t.Parallel()
	s := start(t)
	u := s.newUser()
	var mu sync.Mutex
	var ids []uuid.UUID
	pick := func() uuid.UUID {
		mu.Lock()
		defer mu.Unlock()
		return ids[rand.IntN(len(ids))]
	}
	keep := func(a answer) {
		var task event.Task
		if a.status == http.StatusCreated && json.Unmarshal(a.body, &task) == nil && task.ID != uuid.Nil {
			mu.Lock()
			defer mu.Unlock()
			ids[rand.IntN(len(ids))] = task.ID
		}
	}
	for range 8 {
		ids = append(ids, u.create(object{"title": "first"}).ID)
	}
	soon := func() time.Time { return time.Now().Add(time.Duration(rand.IntN(300)-100) * time.Millisecond) }
	var storm sync.WaitGroup
	for worker := range 8 {
		storm.Go(func() {
			for i := range 120 {
				var a answer
				var err error
				switch rand.IntN(9) {
				case 0:
					a, err = u.send(t.Context(), http.MethodPost, "/api/tasks", object{"title": "new", "due_at": soon(), "recurrence": object{"rrule": "FREQ=DAILY"}, "reminders": []object{{"at": soon()}, {"before_due": "PT0S"}}})
					keep(a)
				case 1:
					a, err = u.send(t.Context(), http.MethodPost, "/api/tasks", object{"title": "sub", "parent_id": pick(), "reminders": []object{{"at": soon()}}})
					keep(a)
				case 2:
					a, err = u.send(t.Context(), http.MethodPatch, at(pick()), object{"parent_id": pick()})
				case 3:
					a, err = u.send(t.Context(), http.MethodPatch, at(pick()), object{"parent_id": nil, "due_at": soon(), "reminders": []object{{"before_due": "PT0S"}, {"at": soon()}}})
				case 4:
					a, err = u.send(t.Context(), http.MethodPatch, at(pick())+"/complete", nil)
				case 5:
					a, err = u.send(t.Context(), http.MethodPut, at(pick()), object{"title": fmt.Sprint(worker, " ", i), "is_complete": i%2 == 0})
				case 6:
					a, err = s.nobody().send(t.Context(), http.MethodPost, "/internal/occurrences", object{"after_task_id": pick(), "occurrence": fmt.Sprintf("2027-06-%02dT09:00:00", 1+rand.IntN(28)), "due_at": soon()}, "dapr-api-token", appToken)
				case 7:
					a, err = u.send(t.Context(), http.MethodDelete, at(pick()), nil)
				case 8:
					a, err = u.send(t.Context(), http.MethodPost, "/api/tasks", object{"title": "keyed"}, "Idempotency-Key", fmt.Sprint("k", rand.IntN(20)))
					keep(a)
				}
				if err != nil || a.status >= 500 {
					t.Errorf("%v: %d %s", err, a.status, a.body)
				}
			}
		})
	}
	storm.Wait()

	versions := map[uuid.UUID]int64{}
	deleted := map[uuid.UUID]bool{}
	for _, e := range s.toldSince(0) {
		if e.Topic != event.TopicTasks {
			continue
		}
		var data event.TaskEvent
		require.NoError(t, json.Unmarshal([]byte(e.Data), &data))
		require.Equal(t, versions[data.TaskID]+1, data.TaskData.Version, "%s of %s", e.Type, data.TaskID)
		versions[data.TaskID] = data.TaskData.Version
		deleted[data.TaskID] = e.Type == event.TaskDeleted
	}
	var left []struct {
		ID      uuid.UUID `bun:"id"`
		Version int64     `bun:"version"`
	}
	require.NoError(t, s.db.NewRaw("SELECT id, version FROM task.tasks").Scan(t.Context(), &left))
	for _, task := range left {
		require.Equal(t, versions[task.ID], task.Version)
		require.False(t, deleted[task.ID])
		delete(versions, task.ID)
	}
	for id := range versions {
		require.True(t, deleted[id], "a task is gone without a word")
	}
	// What has fired has its event, once for each moment that it was set to.
	var wrong int
	require.NoError(t, s.db.NewRaw(`SELECT count(*) FROM (SELECT data::json->>'reminder_id', data::json->>'remind_at' FROM task.events
		WHERE topic = 'reminders' GROUP BY 1, 2 HAVING count(*) > 1) twice`).Scan(t.Context(), &wrong))
	require.Zero(t, wrong, "reminders that fired twice for one moment")
	require.NoError(t, s.db.NewRaw(`SELECT count(*) FROM (SELECT parent_id FROM task.tasks WHERE parent_id IN (SELECT id FROM task.tasks WHERE parent_id IS NOT NULL)) nested`).Scan(t.Context(), &wrong))
	require.Zero(t, wrong, "subtasks of subtasks")
}
