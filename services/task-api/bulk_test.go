package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/page"
)

type bulkAnswer struct {
	Results []struct {
		Status  int
		Task    *event.Task
		Problem *struct {
			problem
			Index *int
		}
	}
}

func (c client) bulk(status int, body any) bulkAnswer {
	c.t.Helper()
	a := c.do(http.MethodPost, "/api/tasks/bulk", body)
	require.Equal(c.t, status, a.status, "%s", a.body)
	var out bulkAnswer
	require.NoError(c.t, json.Unmarshal(a.body, &out))
	return out
}

func TestSeveralChangesAreAllMadeOrNone(t *testing.T) {
	t.Parallel()
	s := start(t)
	u := s.newUser()
	one, two := u.create(object{"title": "one"}), u.create(object{"title": "two"})
	operations := []object{
		{"op": "create", "body": object{"title": "three"}},
		{"op": "update", "id": one.ID, "if_match": `"1"`, "body": object{"priority": "high"}},
		{"op": "complete", "id": one.ID, "body": object{"is_complete": true}},
		{"op": "move", "id": two.ID, "body": object{"before": one.ID}},
		{"op": "delete", "id": two.ID},
	}
	for name, c := range map[string]struct {
		last   object
		status int
		code   string
		at     string
	}{
		"one that is not there":       {object{"op": "delete", "id": uuid.New()}, http.StatusNotFound, "not-found", ""},
		"a version that is over":      {object{"op": "update", "id": one.ID, "if_match": `"1"`, "body": object{"title": "x"}}, http.StatusPreconditionFailed, "task-changed", ""},
		"a title that can not be":     {object{"op": "create", "body": object{"title": ""}}, http.StatusUnprocessableEntity, "invalid", "body.operations[5].body.title"},
		"what only the domain knows":  {object{"op": "create", "body": object{"title": "x", "list_id": uuid.New()}}, http.StatusUnprocessableEntity, "invalid", "body.operations[5].body.list_id"},
		"a member that there is not":  {object{"op": "create", "body": object{"title": "x", "colour": "red"}}, http.StatusUnprocessableEntity, "invalid", "body.operations[5].body.colour"},
		"a text that can not be kept": {object{"op": "create", "body": object{"title": "a\x00b"}}, http.StatusUnprocessableEntity, "invalid", "body.operations[5].body.title"},
		"no id":                       {object{"op": "delete"}, http.StatusUnprocessableEntity, "invalid", "body.operations[5].id"},
		"an id for a new one":         {object{"op": "create", "id": uuid.New(), "body": object{"title": "x"}}, http.StatusUnprocessableEntity, "invalid", "body.operations[5].id"},
	} {
		before := s.state()
		a := u.do(http.MethodPost, "/api/tasks/bulk", object{"operations": append(append([]object{}, operations...), c.last)})
		require.Equal(t, c.status, a.status, "%s: %s", name, a.body)
		require.Equal(t, c.code, a.problem().code(), name)
		var p struct{ Index int }
		require.NoError(t, json.Unmarshal(a.body, &p))
		require.Equal(t, 5, p.Index, name)
		if c.at != "" {
			require.Equal(t, c.at, a.problem().Errors[0].Location, name)
		}
		require.Equal(t, before, s.state(), "%s: nothing is changed", name)

		each := u.bulk(http.StatusOK, object{"atomic": false, "operations": []object{c.last, {"op": "create", "body": object{"title": "beside"}}}})
		if c.code != "task-changed" { // it is that version still
			require.Equal(t, c.status, each.Results[0].Status, name)
			require.Equal(t, c.code, each.Results[0].Problem.code(), name)
			require.Equal(t, 0, *each.Results[0].Problem.Index, name)
		}
		require.Equal(t, http.StatusCreated, each.Results[1].Status, name)
		one = u.task(http.StatusOK, http.MethodGet, at(one.ID), nil)
		operations[1]["if_match"] = fmt.Sprintf(`"%d"`, one.Version)
	}
	results := u.bulk(http.StatusOK, object{"operations": operations}).Results
	require.Len(t, results, 5)
	require.Equal(t, "three", results[0].Task.Title)
	require.Equal(t, "high", results[1].Task.Priority)
	require.True(t, results[2].Task.IsComplete)
	require.Less(t, results[3].Task.Position, results[2].Task.Position)
	require.Equal(t, http.StatusNoContent, results[4].Status)
	require.Nil(t, results[4].Task)
	require.Equal(t, http.StatusNotFound, u.do(http.MethodGet, at(two.ID), nil).status)
}

func TestFiveHundredChangesAtOnce(t *testing.T) {
	t.Parallel()
	u := start(t).newUser()
	var operations []object
	for i := range 500 {
		operations = append(operations, object{"op": "create", "body": object{"title": fmt.Sprint(i)}})
	}
	results := u.bulk(http.StatusOK, object{"operations": operations}).Results
	require.Len(t, results, 500)
	seen := map[uuid.UUID]bool{}
	for i, r := range results {
		require.Equal(t, fmt.Sprint(i), r.Task.Title)
		seen[r.Task.ID] = true
	}
	require.Len(t, seen, 500)
	operations = append(operations, operations[0])
	require.Equal(t, http.StatusUnprocessableEntity, u.do(http.MethodPost, "/api/tasks/bulk", object{"operations": operations}).status)
	require.Equal(t, http.StatusUnprocessableEntity, u.do(http.MethodPost, "/api/tasks/bulk", object{"operations": []object{}}).status)
	// In the order in which they were made.
	var page struct{ Items []event.Task }
	require.NoError(t, json.Unmarshal(u.do(http.MethodGet, "/api/tasks?sort=position&limit=200", nil).body, &page))
	for i, task := range page.Items {
		require.Equal(t, fmt.Sprint(i), task.Title)
	}
}

// Few words that change many large tasks are answered with no more than a page of them,
// and of what is too much to be read again at once nothing is undone.
func TestAnAnswerToManyChangesIsBounded(t *testing.T) {
	t.Parallel()
	s := start(t)
	u := s.newUser()
	u.create(object{"title": "first"}) // which makes the inbox
	_, err := s.db.NewRaw(`INSERT INTO task.tasks (id, user_id, list_id, title, description, is_complete, priority, tags, all_day, timezone, version, position, created_at, updated_at)
		SELECT gen_random_uuid(), user_id, list_id, n::text, repeat('💥', 20000), false, 0, '{}', false, 'UTC', 1, n, created_at, created_at
		FROM task.tasks, generate_series(1, 40) n WHERE user_id = ?`, u.user).Exec(t.Context())
	require.NoError(t, err)
	var ids []uuid.UUID
	require.NoError(t, s.db.NewRaw("SELECT id FROM task.tasks WHERE title <> 'first' ORDER BY position").Scan(t.Context(), &ids))
	change := func(ids []uuid.UUID, atomic bool) answer {
		operations := []object{}
		for _, id := range ids {
			operations = append(operations, object{"op": "complete", "id": id})
		}
		operations = append(operations, object{"op": "create", "body": object{"title": "new"}})
		a := u.do(http.MethodPost, "/api/tasks/bulk", object{"operations": operations, "atomic": atomic})
		require.Equal(t, http.StatusOK, a.status, "%.500s", a.body)
		require.Less(t, len(a.body), page.Bytes+100_000)
		var out bulkAnswer
		require.NoError(t, json.Unmarshal(a.body, &out))
		shown := 0
		for _, r := range out.Results[:len(ids)] {
			require.Equal(t, http.StatusOK, r.Status)
			if r.Task != nil {
				require.Len(t, []rune(r.Task.Description), 20_000)
				shown++
			}
		}
		require.Contains(t, []int{25, 26}, shown, "as many as there is room for")
		require.Equal(t, "new", out.Results[len(ids)].Task.Title, "nothing else says its id")
		return a
	}
	undo := func(a answer) answer {
		return u.do(http.MethodPost, "/api/operations/"+a.header.Get("X-Request-Id")+"/undo", nil)
	}
	few := undo(change(ids, true))
	require.Equal(t, http.StatusOK, few.status, "%.500s", few.body)
	change(ids, false)
	many := change(ids, true)
	// As if it had been of seven times as many.
	_, err = s.db.NewRaw(`INSERT INTO task.events (id, recorded_at, topic, type, key, trace_parent, occurred_at, data)
		SELECT gen_random_uuid(), e.recorded_at, e.topic, e.type, e.key, e.trace_parent, e.occurred_at, e.data
		FROM task.operations o JOIN task.events e USING (recorded_at), generate_series(2, 7) WHERE o.request_id = ? AND e.topic = 'audit-logs'`,
		many.header.Get("X-Request-Id")).Exec(t.Context())
	require.NoError(t, err)
	before := s.state()
	refused := undo(many)
	require.Equal(t, "not-undoable", refused.problem().code(), "%.500s", refused.body)
	require.Contains(t, refused.problem().Detail, "too much")
	require.Equal(t, before, s.state())
}

// A client that chose the id asks as often as it likes, for ever.
func TestATaskIsCreatedOnceWithAnIdOfTheClients(t *testing.T) {
	t.Parallel()
	s := start(t)
	u, other := s.newUser(), s.newUser()
	id := uuid.Must(uuid.NewV7())
	var created sync.Map
	var asking sync.WaitGroup
	for i := range 10 {
		asking.Go(func() {
			a := u.do(http.MethodPut, at(id), object{"title": "Mine"}, "If-None-Match", "*")
			created.Store(i, a.status)
		})
	}
	asking.Wait()
	count := map[int]int{}
	created.Range(func(_, status any) bool { count[status.(int)]++; return true })
	require.Equal(t, map[int]int{http.StatusCreated: 1, http.StatusOK: 9}, count)
	u.task(http.StatusOK, http.MethodPatch, at(id), object{"title": "Changed"})
	require.Equal(t, "Changed", u.task(http.StatusOK, http.MethodPut, at(id), object{"title": "Mine"}, "If-None-Match", "*").Title)
	require.Equal(t, "id-taken", other.do(http.MethodPut, at(id), object{"title": "Mine"}, "If-None-Match", "*").problem().code())
	require.Equal(t, http.StatusNoContent, u.do(http.MethodDelete, at(id), nil).status)
	require.Equal(t, "in-trash", u.do(http.MethodPut, at(id), object{"title": "Mine"}, "If-None-Match", "*").problem().code())
	require.Equal(t, "id-taken", other.do(http.MethodPut, at(id), object{"title": "Mine"}, "If-None-Match", "*").problem().code())
	require.Equal(t, http.StatusCreated, u.do(http.MethodPut, at(uuid.New()), object{"title": "of version 4"}, "If-None-Match", "*").status)
	require.Equal(t, http.StatusUnprocessableEntity, u.do(http.MethodPut, at(uuid.NewSHA1(uuid.Nil, nil)), object{"title": "of version 5"}, "If-None-Match", "*").status)
	require.Equal(t, http.StatusNotFound, u.do(http.MethodPut, at(uuid.New()), object{"title": "x"}).status, "without the header it replaces")
}

// Several who change the same tasks at once, each in another order, wait for one another
// and not for ever.
func TestBulksOfTheSameTasksDoNotLockEachOtherOut(t *testing.T) {
	t.Parallel()
	u := start(t, "LIMIT_WRITES=0", "LIMIT_IN_FLIGHT=0").newUser()
	var ids []uuid.UUID
	for range 20 {
		ids = append(ids, u.create(object{"title": "x"}).ID)
	}
	var asking sync.WaitGroup
	statuses := make(chan int, 30)
	for n := range 5 {
		asking.Go(func() {
			random := rand.New(rand.NewPCG(uint64(n), 2)) //nolint:gosec // not a secret
			for i := range 6 {
				var operations []object
				for _, at := range random.Perm(len(ids)) {
					operations = append(operations, object{"op": "update", "id": ids[at], "body": object{"title": fmt.Sprint(n, i)}})
				}
				statuses <- u.do(http.MethodPost, "/api/tasks/bulk", object{"operations": operations}).status
			}
		})
	}
	asking.Wait()
	close(statuses)
	for status := range statuses {
		require.Equal(t, http.StatusOK, status)
	}
}
