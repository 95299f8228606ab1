package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"reflect"
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/services/task-api/internal/access"
)

var (
	undoSeed      = flag.Uint64("undo-seed", 1, "the seed of TestAnyRequestsAreUndoneStepByStep; 0 takes a new one")
	undoSequences = flag.Int("undo-sequences", 2, "how many sequences of requests it undoes, each of a seed of its own")
	undoLength    = flag.Int("undo-length", 15, "how many requests each of them has")
)

// Any requests of a user, undone one by one from the last, give back each state before.
func TestAnyRequestsAreUndoneStepByStep(t *testing.T) {
	t.Parallel()
	seed := *undoSeed
	if seed == 0 {
		seed = rand.Uint64() >> 32
	}
	s := start(t, "LIMIT_WRITES=0", "LIMIT_IN_FLIGHT=0")
	for n := range *undoSequences {
		seed := seed + uint64(n)
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Logf("repeat with -undo-seed %d -undo-sequences 1", seed)
			s := *s
			s.t = t
			u := s.newUser()
			r := &randomRequests{Rand: rand.New(rand.NewPCG(seed, 0)), client: u}
			r.lists = []uuid.UUID{access.Inbox(u.user)}
			for _, name := range []string{"A", "B"} {
				r.lists = append(r.lists, u.list(http.StatusCreated, http.MethodPost, "/api/lists", object{"name": name}).ID)
			}
			type step struct {
				said, request string
				before        map[string]any
			}
			var steps []step
			for tries := 0; len(steps) < *undoLength && tries < 10**undoLength; tries++ {
				before := u.everything()
				said, a := r.any()
				require.Less(t, a.status, http.StatusInternalServerError, "%s: %s", said, a.body)
				s.followAll()
				if a.status < http.StatusMultipleChoices && !reflect.DeepEqual(before, u.everything()) {
					steps = append(steps, step{said, a.request(), before})
				}
			}
			require.Len(t, steps, *undoLength)
			for i, st := range slices.Backward(steps) {
				a := u.do(http.MethodPost, undoOf(st.request), nil)
				s.followAll()
				is := u.everything()
				if a.status == http.StatusOK && reflect.DeepEqual(st.before, is) {
					continue
				}
				for j, of := range steps {
					t.Logf("request %d: %s", j, of.said)
				}
				for name, thing := range st.before {
					if !reflect.DeepEqual(thing, is[name]) {
						t.Logf("%s\n  is to be %v\n  and is   %v", name, thing, is[name])
					}
				}
				for name, thing := range is {
					if st.before[name] == nil {
						t.Logf("%s\n  is not to be, and is %v", name, thing)
					}
				}
				require.FailNow(t, "not as before", "request %d undone: %d %s", i, a.status, a.body)
			}
		})
	}
}

// followAll has all followed that was completed, as recurring-task does.
func (s *running) followAll() {
	s.t.Helper()
	for range 5 { // what follows may be complete, too
		var ids []uuid.UUID
		require.NoError(s.t, s.db.NewRaw("SELECT id FROM task.tasks WHERE is_complete AND NOT followed AND recurrence IS NOT NULL ORDER BY created_at, id").Scan(s.t.Context(), &ids))
		if len(ids) == 0 {
			return
		}
		for _, id := range ids {
			a := s.follow(id)
			require.Less(s.t, a.status, http.StatusInternalServerError, "%s", a.body)
		}
	}
}

// randomRequests are what somebody asks for, sense or not. Left out are recurrences from the time
// of a completion; reminders and the deletion of lists have their cases in undo_test.go.
type randomRequests struct {
	*rand.Rand
	client

	lists []uuid.UUID
}

func one[T any](r *randomRequests, of ...T) T { return of[r.IntN(len(of))] }

// in says yes once in n times.
func (r *randomRequests) in(n int) bool { return r.IntN(n) == 0 }

// from is one of the ids that a query finds, which is to name them in an order that a seed repeats.
func (r *randomRequests) from(query string) uuid.UUID {
	var ids []uuid.UUID
	require.NoError(r.t, r.db.NewRaw(query, r.user).Scan(r.t.Context(), &ids))
	if len(ids) == 0 {
		return uuid.New()
	}
	return one(r, ids...)
}

func (r *randomRequests) task() uuid.UUID {
	return r.from("SELECT id FROM task.tasks WHERE user_id = ? ORDER BY created_at, position, id")
}

// body is of a task that is made, or changed.
func (r *randomRequests) body(made bool) object {
	o := object{}
	switch {
	case made && r.in(3):
		o["parent_id"] = r.task()
	case made || r.in(6):
		o["list_id"] = one(r, r.lists...)
	case r.in(6):
		o["parent_id"] = one[any](r, nil, r.task())
	}
	if made || r.in(3) {
		o["title"] = fmt.Sprint("t", r.IntN(1000))
	}
	if r.in(6) {
		o["description"], o["priority"], o["tags"] = fmt.Sprint("d", r.IntN(10)), one(r, "none", "high"), []string{"a", "b"}[:r.IntN(3)]
	}
	if made && r.IntN(3) > 0 || r.in(4) {
		o["due_at"] = one(r, "2031-01-31T09:00:00Z", "2031-03-30T01:30:00Z", "2031-01-02T23:30:00Z", "2031-01-05T00:00:00Z")
		if r.in(2) {
			o["recurrence"] = object{"rrule": one(r, "FREQ=DAILY", "FREQ=DAILY;COUNT=3", "FREQ=MONTHLY", "FREQ=WEEKLY;UNTIL=20310301T000000Z", "FREQ=MONTHLY;BYMONTHDAY=31")}
		}
	}
	if r.in(5) {
		o["timezone"] = one(r, "Europe/Berlin", "America/New_York", "Asia/Tokyo", "UTC")
	}
	if r.in(6) {
		o["all_day"] = r.in(2)
	}
	if r.in(8) {
		o["is_complete"] = r.in(2)
	}
	if r.in(8) {
		o["assignee_id"] = one[any](r, nil, r.user)
	}
	if !made && r.in(6) {
		o["recurrence"] = nil
	}
	return o
}

// any makes some request, and says which.
func (r *randomRequests) any() (string, answer) {
	do := func(method, path string, body any) (string, answer) {
		raw, err := json.Marshal(body)
		require.NoError(r.t, err)
		return method + " " + path + " " + string(raw), r.do(method, path, body)
	}
	id := r.task()
	switch r.IntN(18) {
	case 0, 1:
		return do(http.MethodPost, "/api/tasks", r.body(true))
	case 2, 3, 4:
		return do(http.MethodPatch, at(id), r.body(false))
	case 5:
		return do(http.MethodPatch, at(id)+"?scope=following", r.body(false))
	case 6, 7:
		return do(http.MethodPatch, at(id)+"/complete", nil)
	case 8:
		return do(http.MethodPost, at(id)+"/skip", nil)
	case 9:
		return do(http.MethodDelete, at(id), nil)
	case 10:
		// One whose series is in another list by now comes back as one of another series.
		return do(http.MethodPost, inTrash(r.from(`SELECT id FROM task.trash x WHERE deleted_by = ? AND id = root_id AND NOT let_go
			AND NOT EXISTS (SELECT FROM task.trash s JOIN task.tasks t USING (series_id) WHERE s.root_id = x.id AND t.list_id <> s.list_id) ORDER BY deleted_at, id`))+"/restore", nil)
	case 11:
		return do(http.MethodPost, at(id)+"/move", one(r, object{"list_id": one(r, r.lists...)}, object{"before": r.task()}, object{"parent_id": r.task()}, object{"parent_id": nil}))
	case 12, 13:
		// Each once: a bulk that reopens and completes the same has what follows come anew.
		var all []object
		var ids []uuid.UUID
		for range 2 + r.IntN(4) {
			of := r.task()
			if slices.Contains(ids, of) {
				continue
			}
			ids = append(ids, of)
			all = append(all, one(r,
				object{"op": "create", "body": r.body(true)}, object{"op": "update", "id": of, "body": r.body(false)},
				object{"op": "complete", "id": of, "body": object{"is_complete": r.in(2)}},
				object{"op": "move", "id": of, "body": object{"list_id": one(r, r.lists...)}}, object{"op": "delete", "id": of}))
		}
		return do(http.MethodPost, "/api/tasks/bulk", object{"operations": all, "atomic": r.in(2)})
	case 14:
		return do(http.MethodPost, commentsOn(id), object{"text": fmt.Sprint("said ", r.IntN(1000))})
	case 15:
		said := r.from("SELECT id FROM task.comments WHERE author_id = ? ORDER BY created_at, id")
		if r.in(2) {
			return do(http.MethodDelete, commentAt(said), nil)
		}
		return do(http.MethodPatch, commentAt(said), object{"text": fmt.Sprint("said otherwise ", r.IntN(1000))})
	case 16:
		return do(http.MethodPatch, "/api/lists/"+one(r, r.lists[1:]...).String(), object{"name": fmt.Sprint("l", r.IntN(1000)), "color": one[any](r, nil, "#aabbcc")})
	default:
		return do(http.MethodPut, at(id), r.body(true))
	}
}
