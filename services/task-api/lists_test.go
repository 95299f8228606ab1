package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/list"
)

func (c client) list(status int, method, path string, body any, header ...string) list.List {
	c.t.Helper()
	a := c.do(method, path, body, header...)
	require.Equal(c.t, status, a.status, "%s %s: %s", method, path, a.body)
	var l list.List
	require.NoError(c.t, json.Unmarshal(a.body, &l))
	return l
}

func listAt(id uuid.UUID) string { return "/api/lists/" + id.String() }

// join has another user be a member of a list of c's.
func (c client) join(other client, list uuid.UUID, role access.Role) {
	c.t.Helper()
	a := c.do(http.MethodPost, listAt(list)+"/members", object{"email": other.email, "role": role})
	require.Equal(c.t, http.StatusCreated, a.status, "%s", a.body)
	var invited struct{ ID uuid.UUID }
	require.NoError(c.t, json.Unmarshal(a.body, &invited))
	other.list(http.StatusOK, http.MethodPost, "/api/invitations/"+invited.ID.String()+"/accept", nil)
}

func TestEveryUserHasAnInbox(t *testing.T) {
	t.Parallel()
	s := start(t)
	u := s.newUser()
	inbox := u.list(http.StatusOK, http.MethodGet, listAt(access.Inbox(u.user)), nil)
	require.True(t, inbox.IsInbox)
	require.Equal(t, access.Owner, inbox.Role)
	require.Equal(t, inbox.ID, u.create(object{"title": "without a list"}).ListID)
	for name, c := range map[string]struct {
		method, path string
		body         any
		status       int
	}{
		"shared":        {http.MethodPost, listAt(inbox.ID) + "/members", object{"email": "grace@example.org", "role": "viewer"}, http.StatusConflict},
		"archived":      {http.MethodPatch, listAt(inbox.ID), object{"is_archived": true}, http.StatusUnprocessableEntity},
		"left":          {http.MethodDelete, listAt(inbox.ID) + "/members/" + u.user.String(), nil, http.StatusConflict},
		"somebody's":    {http.MethodGet, listAt(access.Inbox(s.newUser().user)), nil, http.StatusNotFound},
		"called better": {http.MethodPatch, listAt(inbox.ID), object{"name": "Eingang", "color": "#00ff00"}, http.StatusOK},
	} {
		a := u.do(c.method, c.path, c.body)
		require.Equal(t, c.status, a.status, "%s: %s", name, a.body)
	}
	require.Equal(t, 1, u.list(http.StatusOK, http.MethodGet, listAt(inbox.ID), nil).OpenTasks)
}

// What each role may do with what is in a list; who is no member finds nothing there.
func TestWhatAMemberMayDo(t *testing.T) {
	t.Parallel()
	s := start(t)
	owner := s.newUser()
	shared := owner.list(http.StatusCreated, http.MethodPost, "/api/lists", object{"name": "Garden"})
	task := owner.create(object{"title": "Water", "list_id": shared.ID})
	people := map[string]client{"owner": owner}
	for _, role := range []access.Role{access.Editor, access.Viewer} {
		people[string(role)] = s.newUser()
		owner.join(people[string(role)], shared.ID, role)
	}
	people["stranger"], people["invited"] = s.newUser(), s.newUser()
	require.Equal(t, http.StatusCreated, owner.do(http.MethodPost, listAt(shared.ID)+"/members", object{"email": people["invited"].email, "role": "editor"}).status)
	people["removed"] = s.newUser()
	owner.join(people["removed"], shared.ID, access.Owner)
	require.Equal(t, http.StatusNoContent, owner.do(http.MethodDelete, listAt(shared.ID)+"/members/"+people["removed"].user.String(), nil).status)

	const read, write, rule = 0, 1, 2
	may := map[string]int{"owner": rule, "editor": write, "viewer": read, "stranger": -1, "invited": -1, "removed": -1}
	for name, c := range map[string]struct {
		needs        int
		method, path string
		body         any
		inBody       bool // a list that is not seen is a field that is wrong
	}{
		"read a task":       {read, http.MethodGet, at(task.ID), nil, false},
		"read the list":     {read, http.MethodGet, listAt(shared.ID), nil, false},
		"filter by it":      {read, http.MethodGet, "/api/tasks?list_id=" + shared.ID.String(), nil, true},
		"add a task":        {write, http.MethodPost, "/api/tasks", object{"title": "x", "list_id": shared.ID}, true},
		"add a subtask":     {write, http.MethodPost, "/api/tasks", object{"title": "x", "parent_id": task.ID}, true},
		"change a task":     {write, http.MethodPatch, at(task.ID), object{"priority": "high"}, false},
		"set a reminder":    {write, http.MethodPatch, at(task.ID), object{"reminders": []object{{"at": "2030-01-01T00:00:00Z"}}}, false},
		"complete it":       {write, http.MethodPatch, at(task.ID) + "/complete", object{"is_complete": true}, false},
		"move it":           {write, http.MethodPost, at(task.ID) + "/move", object{}, false},
		"rename the list":   {rule, http.MethodPatch, listAt(shared.ID), object{"name": "The garden"}, false},
		"invite":            {rule, http.MethodPost, listAt(shared.ID) + "/members", object{"email": "alan@example.org", "role": "viewer"}, false},
		"give a role":       {rule, http.MethodPatch, listAt(shared.ID) + "/members/" + people["viewer"].user.String(), object{"role": "viewer"}, false},
		"group it, oneself": {read, http.MethodPatch, listAt(shared.ID), object{"group": "Home"}, false},
		"place it, oneself": {read, http.MethodPost, listAt(shared.ID) + "/move", object{}, false},
	} {
		for who, client := range people {
			a := client.do(c.method, c.path, c.body)
			switch {
			case may[who] >= c.needs:
				require.Contains(t, []int{http.StatusOK, http.StatusCreated}, a.status, "%s may %s: %s", who, name, a.body)
			case may[who] >= 0:
				require.Equal(t, http.StatusForbidden, a.status, "%s must not %s: %s", who, name, a.body)
			case c.inBody:
				require.Equal(t, http.StatusUnprocessableEntity, a.status, "%s must not %s: %s", who, name, a.body)
			default:
				require.Equal(t, http.StatusNotFound, a.status, "%s must not %s: %s", who, name, a.body)
			}
		}
	}
	// Nothing of the list is in another's lists.
	for _, who := range []string{"stranger", "invited", "removed"} {
		var page struct{ Items []event.Task }
		require.NoError(t, json.Unmarshal(people[who].do(http.MethodGet, "/api/tasks?sort=position", nil).body, &page))
		require.Empty(t, page.Items, who)
	}
}

func TestAListKeepsAnOwner(t *testing.T) {
	t.Parallel()
	s := start(t)
	a, b := s.newUser(), s.newUser()
	shared := a.list(http.StatusCreated, http.MethodPost, "/api/lists", object{"name": "Ours"})
	a.join(b, shared.ID, access.Editor)
	self := listAt(shared.ID) + "/members/" + a.user.String()
	require.Equal(t, "last-owner", a.do(http.MethodDelete, self, nil).problem().code())
	require.Equal(t, "last-owner", a.do(http.MethodPatch, self, object{"role": "editor"}).problem().code())
	require.Equal(t, http.StatusOK, a.do(http.MethodPatch, listAt(shared.ID)+"/members/"+b.user.String(), object{"role": "owner"}).status)
	require.Equal(t, http.StatusNoContent, a.do(http.MethodDelete, self, nil).status)
	require.Equal(t, http.StatusNotFound, a.do(http.MethodGet, listAt(shared.ID), nil).status)
	require.Len(t, b.list(http.StatusOK, http.MethodGet, listAt(shared.ID), nil).Members, 1)
}

// A reminder is one member's: a request sets his own and leaves those of others alone,
// and whoever leaves takes his along.
func TestAReminderIsOnePersons(t *testing.T) {
	t.Parallel()
	s := start(t)
	a, b := s.newUser(), s.newUser()
	shared := a.list(http.StatusCreated, http.MethodPost, "/api/lists", object{"name": "Ours"})
	a.join(b, shared.ID, access.Editor)
	task := a.create(object{"title": "x", "list_id": shared.ID, "due_at": "2030-01-01T12:00:00Z", "reminders": []object{{"before_due": "PT1H"}, {"at": "2029-12-31T00:00:00Z"}}})
	of := func(task event.Task) string {
		out := ""
		for _, who := range []client{a, b} {
			for _, r := range task.Reminders {
				if r.UserID == who.user {
					out += map[uuid.UUID]string{a.user: "a", b.user: "b"}[who.user] + ":" + r.BeforeDue + " "
				}
			}
		}
		return out
	}
	require.Equal(t, "a:PT1H a: ", of(task))
	task = a.task(http.StatusOK, http.MethodPatch, at(task.ID), object{"assignee_id": b.user})
	require.Equal(t, "a:PT1H a: b:PT1H ", of(task), "the assignee has those that count from the due time")
	// Sent back as it was read, it is as it was.
	raw := b.do(http.MethodGet, at(task.ID), nil).body
	require.Equal(t, of(task), of(b.task(http.StatusOK, http.MethodPut, at(task.ID), json.RawMessage(raw))))
	task = b.task(http.StatusOK, http.MethodPatch, at(task.ID), object{"reminders": []object{{"before_due": "PT5M"}}})
	require.Equal(t, "a:PT1H a: b:PT5M ", of(task))
	task = b.task(http.StatusOK, http.MethodPatch, at(task.ID), object{"reminders": []object{}})
	require.Equal(t, "a:PT1H a: ", of(task))
	require.Equal(t, http.StatusUnprocessableEntity, b.do(http.MethodPatch, at(task.ID), object{"reminders": []object{{"id": task.Reminders[0].ID, "before_due": "PT2H"}}}).status)
	require.Equal(t, http.StatusUnprocessableEntity, a.do(http.MethodPatch, at(task.ID), object{"assignee_id": s.newUser().user}).status)
	b.task(http.StatusOK, http.MethodPatch, at(task.ID), object{"reminders": []object{{"before_due": "PT5M"}}})
	require.Equal(t, http.StatusNoContent, b.do(http.MethodDelete, listAt(shared.ID)+"/members/"+b.user.String(), nil).status)
	task = a.task(http.StatusOK, http.MethodGet, at(task.ID), nil)
	require.Equal(t, "a:PT1H a: ", of(task))
	require.Nil(t, task.AssigneeID)
	require.Equal(t, int64(7), task.Version, "each change is a version")
}

// However often tasks are put in one place, the order is what was asked for.
func TestTasksAreOrderedByMoves(t *testing.T) {
	t.Parallel()
	u := start(t).newUser()
	order := []uuid.UUID{}
	for i := range 40 {
		order = append(order, u.create(object{"title": fmt.Sprint(i)}).ID)
	}
	read := func() []uuid.UUID {
		var page struct{ Items []event.Task }
		require.NoError(u.t, json.Unmarshal(u.do(http.MethodGet, "/api/tasks?sort=position&limit=200", nil).body, &page))
		ids := []uuid.UUID{}
		for _, task := range page.Items {
			ids = append(ids, task.ID)
		}
		return ids
	}
	require.Equal(t, order, read())
	// The last one goes before the second, again and again.
	for range 400 {
		last := order[len(order)-1]
		u.task(http.StatusOK, http.MethodPost, at(last)+"/move", object{"before": order[1]})
		order = append(append([]uuid.UUID{order[0], last}, order[1:len(order)-1]...), []uuid.UUID{}...)
	}
	require.Equal(t, order, read())
	u.task(http.StatusOK, http.MethodPost, at(order[0])+"/move", object{})
	order = append(order[1:], order[0])
	require.Equal(t, order, read())
	u.task(http.StatusOK, http.MethodPost, at(order[3])+"/move", object{"after": order[0]})
	require.Equal(t, order[3], read()[1])
	require.Equal(t, u.create(object{"title": "new"}).ID, read()[40])
}

// A task takes its subtasks and its series along to another list.
func TestATaskMovesWithWhatBelongsToIt(t *testing.T) {
	t.Parallel()
	s := start(t)
	u := s.newUser()
	other := u.list(http.StatusCreated, http.MethodPost, "/api/lists", object{"name": "Other"}).ID
	task := u.create(object{"title": "x", "due_at": "2030-01-01T12:00:00Z", "recurrence": object{"rrule": "FREQ=DAILY"}})
	sub := u.create(object{"title": "sub", "parent_id": task.ID})
	require.Equal(t, http.StatusUnprocessableEntity, u.do(http.MethodPatch, at(sub.ID), object{"list_id": other}).status)
	u.task(http.StatusOK, http.MethodPatch, at(task.ID)+"/complete", object{"is_complete": true})
	moved := u.task(http.StatusOK, http.MethodPost, at(task.ID)+"/move", object{"list_id": other})
	require.Equal(t, other, moved.ListID)
	require.Equal(t, other, u.task(http.StatusOK, http.MethodGet, at(sub.ID), nil).ListID)
	require.Equal(t, 0, u.list(http.StatusOK, http.MethodGet, listAt(access.Inbox(u.user)), nil).OpenTasks)
	require.Equal(t, http.StatusUnprocessableEntity, u.do(http.MethodPost, at(task.ID)+"/move", object{"before": u.create(object{"title": "elsewhere"}).ID}).status)
}

func TestAListIsMadeOnceAndChangedOnce(t *testing.T) {
	t.Parallel()
	u := start(t).newUser()
	one := u.list(http.StatusCreated, http.MethodPost, "/api/lists", object{"name": "One", "color": "#aabbcc", "group": "Home"}, "Idempotency-Key", "k")
	require.Equal(t, one.ID, u.list(http.StatusCreated, http.MethodPost, "/api/lists", object{"name": "One", "color": "#aabbcc", "group": "Home"}, "Idempotency-Key", "k").ID)
	require.Equal(t, http.StatusUnprocessableEntity, u.do(http.MethodPost, "/api/lists", object{"name": "Two"}, "Idempotency-Key", "k").status)
	require.Equal(t, http.StatusUnprocessableEntity, u.do(http.MethodPost, "/api/lists", object{"name": "  "}).status)
	require.Equal(t, http.StatusUnprocessableEntity, u.do(http.MethodPost, "/api/lists", object{"name": "x", "color": "red"}).status)
	two := u.list(http.StatusOK, http.MethodPatch, listAt(one.ID), object{"color": nil, "group": nil}, "If-Match", `"1"`)
	require.Nil(t, two.Color)
	require.Nil(t, two.Group)
	require.Equal(t, "list-changed", u.do(http.MethodPatch, listAt(one.ID), object{"name": "x"}, "If-Match", `"1"`).problem().code())
	require.Equal(t, http.StatusNotModified, u.do(http.MethodGet, listAt(one.ID), nil, "If-None-Match", `"2"`).status)
	before := u.toldSince(0)
	require.Equal(t, two.Version, u.list(http.StatusOK, http.MethodPatch, listAt(one.ID), object{"name": "One"}).Version)
	require.Empty(t, u.toldSince(before[len(before)-1].Position), "what changes nothing is not told")
	var page struct {
		Items      []list.List
		NextCursor *string `json:"next_cursor"`
	}
	require.NoError(t, json.Unmarshal(u.do(http.MethodGet, "/api/lists?limit=1", nil).body, &page))
	require.True(t, page.Items[0].IsInbox)
	require.NoError(t, json.Unmarshal(u.do(http.MethodGet, "/api/lists?limit=1&cursor="+*page.NextCursor, nil).body, &page))
	require.Equal(t, one.ID, page.Items[0].ID)
	require.Nil(t, page.NextCursor)
}

func TestListsAndMembersAreBounded(t *testing.T) {
	t.Parallel()
	s := start(t, "LIMIT_LISTS=2", "LIMIT_MEMBERS=2")
	u, other := s.newUser(), s.newUser()
	one := u.list(http.StatusCreated, http.MethodPost, "/api/lists", object{"name": "One"})
	require.Equal(t, "limit-reached", u.do(http.MethodPost, "/api/lists", object{"name": "Two"}).problem().code())
	require.Equal(t, http.StatusCreated, u.do(http.MethodPost, listAt(one.ID)+"/members", object{"email": other.email, "role": "viewer"}).status)
	require.Equal(t, http.StatusCreated, u.do(http.MethodPost, listAt(one.ID)+"/members", object{"email": other.email, "role": "editor"}).status, "the same one, again")
	require.Equal(t, "limit-reached", u.do(http.MethodPost, listAt(one.ID)+"/members", object{"email": "more@example.org", "role": "viewer"}).problem().code())
	other.list(http.StatusCreated, http.MethodPost, "/api/lists", object{"name": "Mine"})
	var page struct{ Items []list.Invitation }
	require.NoError(t, json.Unmarshal(other.do(http.MethodGet, "/api/invitations", nil).body, &page))
	require.Equal(t, access.Editor, page.Items[0].Role)
	require.Equal(t, "limit-reached", other.do(http.MethodPost, "/api/invitations/"+page.Items[0].ID.String()+"/accept", nil).problem().code())
	require.Equal(t, http.StatusNoContent, other.do(http.MethodPost, "/api/invitations/"+page.Items[0].ID.String()+"/decline", nil).status)
	require.Equal(t, http.StatusNotFound, u.do(http.MethodDelete, "/api/invitations/"+page.Items[0].ID.String(), nil).status)
}

// Of two who order one list at once, each move is done, and both see the same order in the
// end: no two tasks are in one place.
func TestTwoOrderOneListAtOnce(t *testing.T) {
	t.Parallel()
	s := start(t, "LIMIT_WRITES=0")
	a, b := s.newUser(), s.newUser()
	shared := a.list(http.StatusCreated, http.MethodPost, "/api/lists", object{"name": "Ours"})
	a.join(b, shared.ID, access.Editor)
	var ids []uuid.UUID
	for i := range 12 {
		ids = append(ids, a.create(object{"title": fmt.Sprint(i), "list_id": shared.ID}).ID)
	}
	var moving sync.WaitGroup
	var failed atomic.Value
	for n, c := range []client{a, b} {
		moving.Go(func() {
			random := rand.New(rand.NewPCG(uint64(n), 1)) //nolint:gosec // not a secret
			for range 150 {
				which, beside := random.IntN(len(ids)), random.IntN(3) // mostly to one place
				if ids[which] == ids[beside] {
					continue
				}
				if answer := c.do(http.MethodPost, at(ids[which])+"/move", object{"before": ids[beside]}); answer.status != http.StatusOK {
					failed.Store(fmt.Sprint(answer.status, " ", string(answer.body)))
				}
			}
		})
	}
	moving.Wait()
	require.Nil(t, failed.Load())
	order := func(c client) (ids []uuid.UUID) {
		var page struct{ Items []event.Task }
		require.NoError(t, json.Unmarshal(c.do(http.MethodGet, "/api/tasks?sort=position&list_id="+shared.ID.String(), nil).body, &page))
		places := map[int64]bool{}
		for _, task := range page.Items {
			require.False(t, places[task.Position], "two in one place")
			places[task.Position] = true
			ids = append(ids, task.ID)
		}
		return ids
	}
	require.Equal(t, order(a), order(b))
	require.ElementsMatch(t, ids, order(a))
}

// An id of nothing is no list; and what is one member's own is no change of the list.
func TestAListThatIsNoneIsRefused(t *testing.T) {
	t.Parallel()
	s := start(t)
	a, b := s.newUser(), s.newUser()
	shared := a.list(http.StatusCreated, http.MethodPost, "/api/lists", object{"name": "Ours"})
	a.join(b, shared.ID, access.Viewer)
	task := a.create(object{"title": "x", "list_id": shared.ID})
	for name, send := range map[string]func() answer{
		"create": func() answer { return a.do(http.MethodPost, "/api/tasks", object{"title": "x", "list_id": uuid.Nil}) },
		"patch":  func() answer { return a.do(http.MethodPatch, at(task.ID), object{"list_id": uuid.Nil}) },
		"put":    func() answer { return a.do(http.MethodPut, at(task.ID), object{"title": "x", "list_id": uuid.Nil}) },
		"move":   func() answer { return a.do(http.MethodPost, at(task.ID)+"/move", object{"list_id": uuid.Nil}) },
	} {
		refused := send()
		require.Equal(t, http.StatusUnprocessableEntity, refused.status, "%s: %s", name, refused.body)
		require.Equal(t, "body.list_id", refused.problem().Errors[0].Location, name)
	}
	before := a.list(http.StatusOK, http.MethodGet, listAt(shared.ID), nil).Version
	b.list(http.StatusOK, http.MethodPatch, listAt(shared.ID), object{"group": "Hers"})
	b.list(http.StatusOK, http.MethodPost, listAt(shared.ID)+"/move", object{"before": access.Inbox(b.user)})
	require.Equal(t, before, a.list(http.StatusOK, http.MethodGet, listAt(shared.ID), nil).Version)
}

// A recurring subtask that goes to another list leaves what it has been behind: a series is
// in one list.
func TestASeriesIsInOneList(t *testing.T) {
	t.Parallel()
	u := start(t).newUser()
	other := u.list(http.StatusCreated, http.MethodPost, "/api/lists", object{"name": "Other"}).ID
	parent := u.create(object{"title": "parent"})
	daily := object{"title": "sub", "parent_id": parent.ID, "due_at": "2030-01-01T12:00:00Z", "recurrence": object{"rrule": "FREQ=DAILY"}}
	sub := u.create(daily)
	next := u.complete(sub.ID)
	moved := u.task(http.StatusOK, http.MethodPatch, at(next), object{"parent_id": nil, "list_id": other})
	require.NotEqual(t, *sub.SeriesID, *moved.SeriesID)

	// One that comes back from the trash finds its series elsewhere.
	task := u.create(object{"title": "x", "due_at": "2030-01-01T12:00:00Z", "recurrence": object{"rrule": "FREQ=DAILY"}})
	next = u.complete(task.ID)
	require.Equal(t, http.StatusNoContent, u.do(http.MethodDelete, at(next), nil).status)
	u.task(http.StatusOK, http.MethodPatch, at(task.ID), object{"list_id": other})
	require.Equal(t, http.StatusOK, u.do(http.MethodPost, inTrash(next)+"/restore", nil).status)
	require.NotEqual(t, *task.SeriesID, *u.task(http.StatusOK, http.MethodGet, at(next), nil).SeriesID)

	// One that is a subtask no more stays where it is, whichever of the two goes elsewhere.
	for _, goes := range []func(sub, parent uuid.UUID) uuid.UUID{
		func(sub, _ uuid.UUID) uuid.UUID { return sub },
		func(_, parent uuid.UUID) uuid.UUID { return parent },
	} {
		parent := u.create(object{"title": "parent"})
		daily["parent_id"] = parent.ID
		first := u.create(daily)
		second := u.complete(first.ID)
		third := u.complete(second)
		u.task(http.StatusOK, http.MethodPatch, at(first.ID), object{"parent_id": nil})
		u.task(http.StatusOK, http.MethodPatch, at(goes(first.ID, parent.ID)), object{"list_id": other})
		series := func(id uuid.UUID) uuid.UUID { return *u.task(http.StatusOK, http.MethodGet, at(id), nil).SeriesID }
		require.NotEqual(t, series(first.ID), series(third))
		require.Equal(t, series(second), series(third), "what stays together is one series")
	}
}

// However often tasks make room at the end of a list, new ones go behind.
func TestANewTaskGoesToTheEnd(t *testing.T) {
	t.Parallel()
	u := start(t).newUser()
	var operations []object
	for i := range 40 {
		operations = append(operations, object{"op": "create", "body": object{"title": fmt.Sprint(i)}})
	}
	made := u.bulk(http.StatusOK, object{"operations": operations}).Results
	for range 60 {
		u.task(http.StatusOK, http.MethodPost, at(made[39].Task.ID)+"/move", object{"before": made[38].Task.ID})
		u.task(http.StatusOK, http.MethodPost, at(made[38].Task.ID)+"/move", object{"before": made[39].Task.ID})
	}
	last := u.create(object{"title": "new"})
	var page struct{ Items []event.Task }
	require.NoError(t, json.Unmarshal(u.do(http.MethodGet, "/api/tasks?sort=-position&limit=1", nil).body, &page))
	require.Equal(t, last.ID, page.Items[0].ID)
}

func TestAListHasSoManyTasks(t *testing.T) {
	t.Parallel()
	s := start(t, "LIMIT_TASKS=40")
	u := s.newUser()
	other := u.list(http.StatusCreated, http.MethodPost, "/api/lists", object{"name": "Other"}).ID
	for range 40 {
		u.create(object{"title": "x"})
	}
	before := s.state()
	elsewhere := u.create(object{"title": "x", "list_id": other})
	for name, a := range map[string]answer{
		"one more":          u.do(http.MethodPost, "/api/tasks", object{"title": "x"}),
		"with its own id":   u.do(http.MethodPut, at(uuid.New()), object{"title": "x"}, "If-None-Match", "*"),
		"one that moves in": u.do(http.MethodPost, at(elsewhere.ID)+"/move", object{"list_id": access.Inbox(u.user)}),
		"one that is moved": u.do(http.MethodPatch, at(elsewhere.ID), object{"list_id": access.Inbox(u.user)}),
		"one of several":    u.do(http.MethodPost, "/api/tasks/bulk", object{"operations": []object{{"op": "create", "body": object{"title": "x"}}}}),
	} {
		require.Equal(t, http.StatusForbidden, a.status, name)
		require.Equal(t, "limit-reached", a.problem().code(), name)
	}
	u.remove(elsewhere.ID)
	require.NotEqual(t, before, s.state())
	// What is in it can be changed, and where one goes another may come.
	var page struct{ Items []event.Task }
	require.NoError(t, json.Unmarshal(u.do(http.MethodGet, "/api/tasks?limit=1", nil).body, &page))
	u.task(http.StatusOK, http.MethodPatch, at(page.Items[0].ID), object{"title": "y"})
	u.remove(page.Items[0].ID)
	u.create(object{"title": "x"})
}

// What goes along into another list takes room there, too.
func TestSubtasksThatGoAlongNeedRoom(t *testing.T) {
	t.Parallel()
	u := start(t, "LIMIT_TASKS=2").newUser()
	other := u.list(http.StatusCreated, http.MethodPost, "/api/lists", object{"name": "Other"}).ID
	u.create(object{"title": "x", "list_id": other})
	parent := u.create(object{"title": "x"})
	sub := u.create(object{"title": "x", "parent_id": parent.ID})
	move := func() answer { return u.do(http.MethodPost, at(parent.ID)+"/move", object{"list_id": other}) }
	require.Equal(t, "limit-reached", move().problem().code())
	require.Equal(t, parent.ListID, u.task(http.StatusOK, http.MethodGet, at(parent.ID), nil).ListID, "all or nothing")
	u.remove(sub.ID)
	require.Equal(t, http.StatusOK, move().status)
}
