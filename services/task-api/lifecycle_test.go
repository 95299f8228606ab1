package main

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A reminder that an edit does not concern is no row that it writes.
func TestAnEditLeavesRemindersAlone(t *testing.T) {
	t.Parallel()
	s := start(t)
	u := s.register()
	task := u.create(object{"title": "t", "due_at": "2099-01-31T09:00:00Z", "reminders": []object{{"before_due": "PT15M"}, {"at": "2099-01-30T09:00:00+02:00"}}})
	rows := func() (all string) {
		require.NoError(t, s.db.NewRaw("SELECT string_agg(xmin::text || ctid::text, ' ' ORDER BY id) FROM task.reminders").Scan(t.Context(), &all))
		return all
	}
	before := rows()
	require.Equal(t, http.StatusOK, u.do(http.MethodPatch, at(task.ID), object{"title": "another"}).status)
	require.Equal(t, before, rows())
}

// Deletions, moves, completions and what follows them, of the same tasks at
// once, never wait for each other in a circle.
func TestLocksAreTakenInOneOrder(t *testing.T) {
	t.Parallel()
	s := start(t)
	u := s.newUser()
	recurs := object{"rrule": "FREQ=DAILY"}
	var asking sync.WaitGroup
	for range 8 {
		parent := u.create(object{"title": "parent"})
		other := u.create(object{"title": "other"})
		child := u.create(object{"title": "child", "parent_id": parent.ID, "due_at": "2099-01-31T09:00:00Z", "recurrence": recurs})
		u.do(http.MethodPatch, at(child.ID)+"/complete", nil)
		send := func(method, path string, body any, header ...string) {
			asking.Go(func() {
				if a, err := u.send(t.Context(), method, path, body, header...); err != nil || a.status >= 500 {
					t.Errorf("%s %s: %v %d %s", method, path, err, a.status, a.body)
				}
			})
		}
		for i := range 4 {
			send(http.MethodPost, "/internal/occurrences", object{"after_task_id": child.ID, "occurrence": "2099-02-01T09:00:00", "due_at": "2099-02-01T09:00:00Z"}, "dapr-api-token", appToken)
			send(http.MethodPatch, at(other.ID), object{"parent_id": parent.ID, "title": fmt.Sprint(i)})
			send(http.MethodPatch, at(parent.ID), object{"parent_id": other.ID})
		}
		send(http.MethodDelete, at(parent.ID), nil)
		send(http.MethodDelete, at(child.ID), nil)
	}
	asking.Wait()
	// Sessions tell their numbers a moment after they have come to rest.
	require.Never(t, func() bool {
		var n int
		err := s.db.NewRaw("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()").Scan(t.Context(), &n)
		return err != nil || n > 0
	}, 2*time.Second, 200*time.Millisecond)
}
