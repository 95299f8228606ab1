package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
)

// everything is all that the client has, by kind and id, without what each change counts.
func (c client) everything() map[string]any {
	c.t.Helper()
	a := c.do(http.MethodGet, "/api/snapshot", nil)
	require.Equal(c.t, http.StatusOK, a.status, "%s", a.body)
	all := map[string]any{}
	lines := bufio.NewScanner(bytes.NewReader(a.body))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var thing struct {
			Kind string
			ID   string
			Data object
		}
		require.NoError(c.t, json.Unmarshal(lines.Bytes(), &thing))
		for _, counted := range []string{"version", "updated_at", "open_tasks"} {
			delete(thing.Data, counted)
		}
		if thing.Kind != "" {
			all[thing.Kind+"/"+thing.ID] = thing.Data
		}
	}
	return all
}

func (a answer) request() string { return a.header.Get("X-Request-Id") }

// undo undoes a request, and answers the request that did so.
func (c client) undo(request string) string {
	c.t.Helper()
	a := c.do(http.MethodPost, undoOf(request), nil)
	require.Equal(c.t, http.StatusOK, a.status, "%s", a.body)
	require.JSONEq(c.t, fmt.Sprintf(`{"undoes": %q, "request_id": %q}`, request, a.request()), lacking(c.t, a.body, "changed"))
	return a.request()
}

func undoOf(request string) string { return "/api/operations/" + request + "/undo" }

func lacking(t *testing.T, body []byte, part string) string {
	t.Helper()
	var o object
	require.NoError(t, json.Unmarshal(body, &o))
	delete(o, part)
	raw, err := json.Marshal(o)
	require.NoError(t, err)
	return string(raw)
}

// undone is what a case of undoing begins with.
type undone struct {
	client
	other           client // a member of shared
	shared, private uuid.UUID
	plain, behind   event.Task // in shared
	parent, sub     event.Task // in shared
	weekly          event.Task // in shared: a series with a checklist
	done            event.Task // in shared: its first occurrence, complete and followed
	comment         uuid.UUID  // on plain

	before map[string]any // everything, before the request
	made   uuid.UUID      // what a request of the case makes
}

// mark is the moment before the request.
func (u *undone) mark() { u.before = u.everything() }

func (s *running) undone() *undone {
	u := &undone{client: s.newUser(), other: s.newUser()}
	u.shared = u.list(http.StatusCreated, http.MethodPost, "/api/lists", object{"name": "Shared", "color": "#aabbcc"}).ID
	u.private = u.list(http.StatusCreated, http.MethodPost, "/api/lists", object{"name": "Private"}).ID
	u.join(u.other, u.shared, access.Editor)
	far := time.Now().AddDate(0, 0, 20).UTC().Truncate(24 * time.Hour).Add(9 * time.Hour)
	in := func(o object) object {
		o["list_id"] = u.shared
		return o
	}
	u.plain = u.create(in(object{
		"title": "Plain ?0 '", "description": strings.Repeat("日本語\n", 10), "priority": "high", "tags": []string{"a b", `"`},
		"due_at": far, "timezone": "Europe/Berlin", "assignee_id": u.user, "reminders": []object{{"before_due": "PT1H"}, {"at": far.AddDate(0, 0, -2)}},
	}))
	u.other.task(http.StatusOK, http.MethodPatch, at(u.plain.ID), object{"reminders": []object{{"before_due": "P1D"}}})
	u.behind = u.create(in(object{"title": "Behind"}))
	u.parent = u.create(in(object{"title": "Parent"}))
	u.sub = u.create(object{"title": "Sub", "parent_id": u.parent.ID})
	u.done = u.create(in(object{
		"title": "Weekly", "due_at": far, "timezone": "America/New_York", "recurrence": object{"rrule": "FREQ=WEEKLY;COUNT=9"},
		"reminders": []object{{"before_due": "PT2H"}},
	}))
	u.create(object{"title": "Item", "parent_id": u.done.ID})
	u.weekly = event.Task{ID: u.complete(u.done.ID)}
	u.comment = u.say(u.plain.ID, "Said").ID
	return u
}

func TestWhatARequestHasChangedIsUndoneAndDoneAgain(t *testing.T) {
	t.Parallel()
	s := start(t, "LIMIT_WRITES=0")
	for name, request := range map[string]func(u *undone) answer{
		"a task that was made": func(u *undone) answer {
			return u.do(http.MethodPost, "/api/tasks", object{"title": "New", "reminders": []object{{"at": time.Now().Add(time.Hour)}}})
		},
		"a subtask that was made": func(u *undone) answer {
			return u.do(http.MethodPost, "/api/tasks", object{"title": "New", "parent_id": u.parent.ID})
		},
		"a task of one's own id": func(u *undone) answer {
			return u.do(http.MethodPut, at(uuid.New()), object{"title": "New"}, "If-None-Match", "*")
		},
		"a series that was made": func(u *undone) answer {
			return u.do(http.MethodPost, "/api/tasks", object{"title": "New", "due_at": "2031-01-01T09:00:00Z", "recurrence": object{"rrule": "FREQ=DAILY"}})
		},
		"fields of all kinds": func(u *undone) answer {
			return u.do(http.MethodPatch, at(u.plain.ID), object{
				"title": "x", "description": nil, "priority": "low", "tags": []string{}, "due_at": nil, "timezone": "Asia/Tokyo", "all_day": false,
				"assignee_id": u.other.user, "reminders": []object{{"at": time.Now().AddDate(0, 0, 1)}}, "is_complete": true,
			})
		},
		"a task that was replaced": func(u *undone) answer {
			return u.do(http.MethodPut, at(u.plain.ID), object{"title": "x"})
		},
		"long texts": func(u *undone) answer {
			u.task(http.StatusOK, http.MethodPatch, at(u.plain.ID), object{"description": strings.Repeat("日本", 10_000)})
			u.mark()
			return u.do(http.MethodPatch, at(u.plain.ID), object{"description": strings.Repeat("語本", 10_000), "is_complete": true})
		},
		"a long text that was deleted": func(u *undone) answer {
			u.task(http.StatusOK, http.MethodPatch, at(u.plain.ID), object{"description": strings.Repeat("日本", 10_000)})
			u.mark()
			return u.do(http.MethodDelete, at(u.plain.ID), nil)
		},
		"a checklist that was done": func(u *undone) answer {
			return u.do(http.MethodPatch, at(u.parent.ID)+"/complete", object{"is_complete": true})
		},
		"a task that was reopened": func(u *undone) answer {
			u.task(http.StatusOK, http.MethodPatch, at(u.parent.ID)+"/complete", object{"is_complete": true})
			u.mark()
			return u.do(http.MethodPatch, at(u.parent.ID)+"/complete", object{"is_complete": false})
		},
		"an occurrence that was done": func(u *undone) answer {
			a := u.do(http.MethodPatch, at(u.weekly.ID)+"/complete", object{"is_complete": true})
			u.follow(u.weekly.ID)
			return a
		},
		"an occurrence that was reopened": func(u *undone) answer {
			return u.do(http.MethodPatch, at(u.done.ID)+"/complete", object{"is_complete": false})
		},
		"an occurrence that was skipped": func(u *undone) answer {
			u.say(u.weekly.ID, "Before it was skipped")
			u.mark()
			return u.do(http.MethodPost, at(u.weekly.ID)+"/skip", nil)
		},
		"the end of a series": func(u *undone) answer { return u.do(http.MethodDelete, at(u.weekly.ID), nil) },
		"another rule": func(u *undone) answer {
			return u.do(http.MethodPatch, at(u.weekly.ID), object{"recurrence": object{"rrule": "FREQ=MONTHLY", "month_end": "skip"}, "timezone": "Asia/Tokyo"})
		},
		"the days of all that follow": func(u *undone) answer {
			return u.do(http.MethodPatch, at(u.weekly.ID)+"?scope=following", object{"due_at": time.Now().AddDate(0, 0, 40)})
		},
		"the end of a rule":         func(u *undone) answer { return u.do(http.MethodPatch, at(u.weekly.ID), object{"recurrence": nil}) },
		"a task that was deleted":   func(u *undone) answer { return u.do(http.MethodDelete, at(u.plain.ID), nil) },
		"a parent that was deleted": func(u *undone) answer { return u.do(http.MethodDelete, at(u.parent.ID), nil) },
		"a task that was restored": func(u *undone) answer {
			u.do(http.MethodDelete, at(u.parent.ID), nil)
			u.mark()
			return u.do(http.MethodPost, inTrash(u.parent.ID)+"/restore", nil)
		},
		"a move in the list": func(u *undone) answer {
			return u.do(http.MethodPost, at(u.parent.ID)+"/move", object{"before": u.plain.ID})
		},
		"a move to another list": func(u *undone) answer {
			return u.do(http.MethodPost, at(u.plain.ID)+"/move", object{"list_id": u.private})
		},
		"a parent that went to another list": func(u *undone) answer {
			return u.do(http.MethodPatch, at(u.parent.ID), object{"list_id": u.private})
		},
		"a series that went to another list": func(u *undone) answer {
			return u.do(http.MethodPatch, at(u.weekly.ID), object{"list_id": u.private})
		},
		"a task that got a parent": func(u *undone) answer {
			return u.do(http.MethodPost, at(u.behind.ID)+"/move", object{"parent_id": u.parent.ID, "before": u.sub.ID})
		},
		"a subtask that got none": func(u *undone) answer {
			return u.do(http.MethodPost, at(u.sub.ID)+"/move", object{"parent_id": nil})
		},
		"several at once": func(u *undone) answer {
			defer func() { u.follow(u.weekly.ID) }()
			return u.do(http.MethodPost, "/api/tasks/bulk", object{"operations": []object{
				{"op": "create", "body": object{"title": "three", "list_id": u.shared}},
				{"op": "update", "id": u.plain.ID, "body": object{"priority": "none"}},
				{"op": "update", "id": u.plain.ID, "body": object{"title": "twice", "priority": "low"}},
				{"op": "delete", "id": u.sub.ID},
				{"op": "delete", "id": u.parent.ID},
				{"op": "complete", "id": u.weekly.ID, "body": object{"is_complete": true}},
				{"op": "move", "id": u.behind.ID, "body": object{"before": u.plain.ID}},
				{"op": "delete", "id": u.plain.ID},
			}})
		},
		"several, each for itself": func(u *undone) answer {
			return u.do(http.MethodPost, "/api/tasks/bulk", object{"atomic": false, "operations": []object{
				{"op": "create", "body": object{"title": "three"}},
				{"op": "create", "body": object{"title": ""}},
				{"op": "move", "id": u.behind.ID, "body": object{"parent_id": u.parent.ID}},
				{"op": "delete", "id": u.parent.ID},
			}})
		},
		"a rule, of a task that is done with it": func(u *undone) answer {
			a := u.do(http.MethodPatch, at(u.behind.ID), object{"due_at": "2031-01-01T09:00:00Z", "recurrence": object{"rrule": "FREQ=DAILY"}, "is_complete": true})
			u.follow(u.behind.ID)
			return a
		},
		"a series that was made, done": func(u *undone) answer {
			id := uuid.New()
			a := u.do(http.MethodPut, at(id), object{"title": "x", "due_at": "2031-01-01T09:00:00Z", "recurrence": object{"rrule": "FREQ=DAILY"}, "is_complete": true}, "If-None-Match", "*")
			u.follow(id)
			return a
		},
		"a subtask that was made and went with its parent": func(u *undone) answer {
			return u.do(http.MethodPost, "/api/tasks/bulk", object{"operations": []object{
				{"op": "create", "body": object{"title": "x", "parent_id": u.parent.ID}}, {"op": "delete", "id": u.parent.ID},
			}})
		},
		"a series that went to another list, in another zone": func(u *undone) answer {
			return u.do(http.MethodPatch, at(u.weekly.ID), object{"list_id": u.private, "timezone": "Asia/Tokyo"})
		},
		"an item of what follows": func(u *undone) answer {
			next := u.complete(u.weekly.ID)
			u.undo(u.do(http.MethodPost, "/api/tasks", object{"title": "Another item", "parent_id": next}).request())
			u.mark()
			return u.do(http.MethodPatch, at(u.weekly.ID)+"/complete", object{"is_complete": false})
		},
		"a subtask with a rule that was made and came along": func(u *undone) answer {
			a := u.do(http.MethodPost, "/api/tasks/bulk", object{"operations": []object{
				{"op": "create", "body": object{"title": "x", "parent_id": u.weekly.ID, "due_at": "2031-01-01T09:00:00Z", "recurrence": object{"rrule": "FREQ=DAILY"}}},
				{"op": "complete", "id": u.weekly.ID, "body": object{"is_complete": true}},
			}})
			u.follow(u.weekly.ID)
			return a
		},
		"an occurrence that was done, and what follows it was moved after its checklist was": func(u *undone) answer {
			a := u.do(http.MethodPatch, at(u.weekly.ID)+"/complete", object{"is_complete": true})
			next := u.spawnedBy(u.weekly.ID)
			item := u.do(http.MethodPost, at(u.behind.ID)+"/move", object{"parent_id": next})
			u.undo(u.do(http.MethodPost, at(next)+"/move", object{"before": u.plain.ID}).request())
			u.undo(item.request())
			return a
		},
		"a parent that went to another list, and an occurrence under it then, without the others of its series": func(u *undone) answer {
			first := u.create(object{"title": "x", "parent_id": u.parent.ID, "due_at": "2031-01-01T09:00:00Z", "recurrence": object{"rrule": "FREQ=DAILY"}})
			next := u.complete(first.ID)
			u.task(http.StatusOK, http.MethodPatch, at(first.ID), object{"parent_id": nil})
			u.mark()
			a := u.do(http.MethodPatch, at(u.parent.ID), object{"list_id": u.private})
			u.undo(u.do(http.MethodPatch, at(next), object{"list_id": access.Inbox(u.user), "parent_id": nil}).request())
			return a
		},
		"a rule, of a task that was done, in another list": func(u *undone) answer {
			u.task(http.StatusOK, http.MethodPatch, at(u.behind.ID)+"/complete", object{"is_complete": true})
			u.mark()
			a := u.do(http.MethodPatch, at(u.behind.ID), object{"list_id": u.private, "due_at": "2031-01-01T09:00:00Z", "recurrence": object{"rrule": "FREQ=DAILY"}})
			u.follow(u.behind.ID)
			return a
		},
		"an occurrence that was done while the next one was open": func(u *undone) answer {
			next := u.complete(u.weekly.ID)
			u.task(http.StatusOK, http.MethodPatch, at(next), object{"title": "Mine"})
			u.reopen(u.weekly.ID)
			u.mark()
			a := u.do(http.MethodPatch, at(u.weekly.ID)+"/complete", object{"is_complete": true})
			u.follow(u.weekly.ID)
			return a
		},
		"the end of a series, of which what was done went to another list": func(u *undone) answer {
			return u.do(http.MethodPost, "/api/tasks/bulk", object{"operations": []object{
				{"op": "delete", "id": u.weekly.ID}, {"op": "move", "id": u.done.ID, "body": object{"list_id": u.private}},
			}})
		},
		"an occurrence that was done in another list, in another zone": func(u *undone) answer {
			a := u.do(http.MethodPatch, at(u.weekly.ID), object{"list_id": u.private, "timezone": "Asia/Tokyo", "is_complete": true})
			u.follow(u.weekly.ID)
			return a
		},
		"an occurrence that was reopened, with a subtask with a rule that came when it was done": func(u *undone) answer {
			u.create(object{"title": "x", "parent_id": u.done.ID, "due_at": "2031-01-01T09:00:00Z", "recurrence": object{"rrule": "FREQ=DAILY"}})
			u.mark()
			return u.do(http.MethodPatch, at(u.done.ID)+"/complete", object{"is_complete": false})
		},
		"a list that was made": func(u *undone) answer { return u.do(http.MethodPost, "/api/lists", object{"name": "New"}) },
		"a list that was changed": func(u *undone) answer {
			return u.do(http.MethodPatch, "/api/lists/"+u.shared.String(), object{"name": "x", "color": nil, "is_archived": true})
		},
		"a list that was deleted": func(u *undone) answer { return u.do(http.MethodDelete, "/api/lists/"+u.shared.String(), nil) },
		"a list that was restored": func(u *undone) answer {
			u.do(http.MethodDelete, "/api/lists/"+u.shared.String(), nil)
			u.mark()
			return u.do(http.MethodPost, inTrash(u.shared)+"/restore", nil)
		},
		"a list that was restored, of which a task was changed and changed back": func(u *undone) answer {
			u.do(http.MethodDelete, listAt(u.shared), nil)
			u.mark()
			a := u.do(http.MethodPost, inTrash(u.shared)+"/restore", nil)
			u.undo(u.do(http.MethodPatch, at(u.plain.ID), object{"title": "x", "description": strings.Repeat("日本", 10_000)}).request())
			u.undo(u.do(http.MethodPatch, at(u.weekly.ID)+"/complete", object{"is_complete": true}).request())
			return a
		},
		"a comment": func(u *undone) answer { return u.do(http.MethodPost, commentsOn(u.plain.ID), object{"text": "New"}) },
		"a comment that was edited": func(u *undone) answer {
			return u.do(http.MethodPatch, "/api/comments/"+u.comment.String(), object{"text": strings.Repeat("語", 10_000)})
		},
		"a long comment that was deleted": func(u *undone) answer {
			require.Equal(u.t, http.StatusOK, u.do(http.MethodPatch, "/api/comments/"+u.comment.String(), object{"text": strings.Repeat("\x01", 10_000)}).status)
			u.mark()
			return u.do(http.MethodDelete, "/api/comments/"+u.comment.String(), nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := *s
			s.t = t
			u := s.undone()
			u.mark()
			a := request(u)
			require.Less(t, a.status, http.StatusMultipleChoices, "%s", a.body)
			before, after := u.before, u.everything()
			require.NotEqual(t, before, after)
			undo := u.undo(a.request())
			require.Equal(t, before, u.everything(), "undone")
			redo := u.undo(undo)
			require.Equal(t, after, u.everything(), "done again")
			u.undo(redo)
			require.Equal(t, before, u.everything(), "and undone again")
			require.Equal(t, http.StatusConflict, u.do(http.MethodPost, undoOf(redo), nil).status, "twice")
			require.Equal(t, before, u.everything(), "a refusal changes nothing")
		})
	}
}

// An occurrence that comes again is the same one, but for the ids of what belongs to it, and
// as old as it was once that is undone.
func TestAnOccurrenceThatWasLetGoTwiceComesBack(t *testing.T) {
	t.Parallel()
	u := start(t, "LIMIT_WRITES=0").undone()
	before, was := u.shape(), u.task(http.StatusOK, http.MethodGet, at(u.weekly.ID), nil)
	complete := func(is bool) string {
		a := u.do(http.MethodPatch, at(u.done.ID)+"/complete", object{"is_complete": is})
		require.Equal(t, http.StatusOK, a.status, "%s", a.body)
		if is {
			u.follow(u.done.ID)
		}
		return a.request()
	}
	requests := []string{complete(false), complete(true), complete(false)}
	open := u.shape()
	require.NotEqual(t, before, open)
	without := []map[string]int{before, open, before}
	for i := len(requests) - 1; i >= 0; i-- {
		requests[i] = u.undo(requests[i])
		require.Equal(t, without[i], u.shape(), "request %d undone", i)
	}
	require.Equal(t, was.CreatedAt, u.task(http.StatusOK, http.MethodGet, at(u.weekly.ID), nil).CreatedAt)
	with := []map[string]int{open, before, open}
	for i, request := range requests {
		u.undo(request)
		require.Equal(t, with[i], u.shape(), "request %d done again", i)
	}
}

// shape counts what the client has, whatever its ids, and whenever it was made and done.
func (c client) shape() map[string]int {
	c.t.Helper()
	shape := map[string]int{}
	for _, thing := range c.everything() {
		raw, err := json.Marshal(thing)
		require.NoError(c.t, err)
		shape[string(madeAnew.ReplaceAll(raw, nil))]++
	}
	return shape
}

var madeAnew = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|"(created|completed)_at":"[^"]*",`)

// What somebody has changed since is left as it is, and the refusal names it.
func TestWhatWasChangedSinceIsNotUndone(t *testing.T) {
	t.Parallel()
	s := start(t, "LIMIT_WRITES=0")
	var next uuid.UUID // the occurrence that has come
	for name, c := range map[string]struct {
		request, since func(u *undone) answer
		fields         func(u *undone) []string
	}{
		"a field of several": {
			func(u *undone) answer {
				return u.do(http.MethodPatch, at(u.plain.ID), object{"title": "x", "priority": "low"})
			},
			func(u *undone) answer { return u.other.do(http.MethodPatch, at(u.plain.ID), object{"title": "y"}) },
			func(u *undone) []string { return []string{"task/" + u.plain.ID.String() + ".title"} },
		},
		"a task of several": {
			func(u *undone) answer {
				return u.do(http.MethodPost, "/api/tasks/bulk", object{"operations": []object{
					{"op": "update", "id": u.plain.ID, "body": object{"title": "x"}}, {"op": "delete", "id": u.parent.ID}, {"op": "update", "id": u.behind.ID, "body": object{"tags": []string{"x"}}},
				}})
			},
			func(u *undone) answer {
				return u.other.do(http.MethodPatch, at(u.behind.ID), object{"tags": []string{"y"}})
			},
			func(u *undone) []string { return []string{"task/" + u.behind.ID.String() + ".tags"} },
		},
		"what was made": {
			func(u *undone) answer {
				return u.do(http.MethodPut, at(u.made), object{"title": "x", "list_id": u.shared}, "If-None-Match", "*")
			},
			func(u *undone) answer { return u.other.do(http.MethodPatch, at(u.made), object{"description": "y"}) },
			func(u *undone) []string { return []string{"task/" + u.made.String() + ".description"} },
		},
		"the parent of what was made, and came along with it": {
			func(u *undone) answer {
				a := u.do(http.MethodPost, "/api/tasks/bulk", object{"operations": []object{
					{"op": "create", "body": object{"title": "x", "parent_id": u.weekly.ID, "due_at": "2031-01-01T09:00:00Z", "recurrence": object{"rrule": "FREQ=DAILY"}}},
					{"op": "complete", "id": u.weekly.ID, "body": object{"is_complete": true}},
				}})
				var made bulkAnswer
				require.NoError(u.t, json.Unmarshal(a.body, &made))
				u.made = made.Results[0].Task.ID
				u.follow(u.weekly.ID)
				next = *u.task(http.StatusOK, http.MethodGet, at(u.made), nil).ParentID
				return a
			},
			func(u *undone) answer {
				return u.other.do(http.MethodPatch, at(u.made), object{"parent_id": u.parent.ID})
			},
			func(u *undone) []string {
				return []string{"task/" + u.made.String() + ".parent_id", "task/" + next.String()}
			},
		},
		"a subtask of what was made": {
			func(u *undone) answer {
				return u.do(http.MethodPut, at(u.made), object{"title": "x", "list_id": u.shared}, "If-None-Match", "*")
			},
			func(u *undone) answer {
				return u.other.do(http.MethodPost, "/api/tasks", object{"title": "y", "parent_id": u.made})
			},
			func(u *undone) []string { return []string{"task/" + u.made.String() + ".subtasks"} },
		},
		"a comment on what was made": {
			func(u *undone) answer {
				return u.do(http.MethodPut, at(u.made), object{"title": "x", "list_id": u.shared}, "If-None-Match", "*")
			},
			func(u *undone) answer { return u.other.do(http.MethodPost, commentsOn(u.made), object{"text": "y"}) },
			func(u *undone) []string { return []string{"task/" + u.made.String() + ".comments"} },
		},
		"what was deleted, and is back": {
			func(u *undone) answer { return u.do(http.MethodDelete, at(u.plain.ID), nil) },
			func(u *undone) answer { return u.other.do(http.MethodPost, inTrash(u.plain.ID)+"/restore", nil) },
			func(u *undone) []string { return []string{"task/" + u.plain.ID.String()} },
		},
		"what was changed, and is deleted": {
			func(u *undone) answer { return u.do(http.MethodPatch, at(u.plain.ID), object{"title": "x"}) },
			func(u *undone) answer { return u.other.do(http.MethodDelete, at(u.plain.ID), nil) },
			func(u *undone) []string { return []string{"task/" + u.plain.ID.String()} },
		},
		"the next occurrence of what was done": {
			func(u *undone) answer {
				defer func() { u.made = u.spawnedBy(u.weekly.ID) }()
				return u.do(http.MethodPatch, at(u.weekly.ID)+"/complete", object{"is_complete": true})
			},
			func(u *undone) answer { return u.do(http.MethodPatch, at(u.made), object{"title": "y"}) },
			func(u *undone) []string { return []string{"task/" + u.made.String() + ".title"} },
		},
		"the next occurrence, which is done too": {
			func(u *undone) answer {
				defer func() { u.made = u.spawnedBy(u.weekly.ID) }()
				return u.do(http.MethodPatch, at(u.weekly.ID)+"/complete", object{"is_complete": true})
			},
			func(u *undone) answer {
				return u.do(http.MethodPatch, at(u.made)+"/complete", object{"is_complete": true})
			},
			func(u *undone) []string { return []string{"task/" + u.made.String() + ".is_complete"} },
		},
		"the next occurrence, which is gone": {
			func(u *undone) answer {
				defer func() { u.made = u.spawnedBy(u.weekly.ID) }()
				return u.do(http.MethodPatch, at(u.weekly.ID)+"/complete", object{"is_complete": true})
			},
			func(u *undone) answer { return u.do(http.MethodDelete, at(u.made), nil) },
			func(u *undone) []string { return []string{"task/" + u.weekly.ID.String() + ".followed_by"} },
		},
		"the rule of a series whose zone is another": {
			func(u *undone) answer {
				return u.do(http.MethodPatch, at(u.weekly.ID), object{"recurrence": object{"rrule": "FREQ=DAILY"}})
			},
			func(u *undone) answer {
				return u.do(http.MethodPatch, at(u.weekly.ID), object{"timezone": "Asia/Tokyo"})
			},
			func(u *undone) []string {
				w := "task/" + u.weekly.ID.String()
				return []string{w + ".occurrence", w + ".recurrence", w + ".timezone"}
			},
		},
		"the rule of what was reopened": {
			func(u *undone) answer {
				return u.do(http.MethodPatch, at(u.done.ID)+"/complete", object{"is_complete": false})
			},
			func(u *undone) answer {
				return u.do(http.MethodPatch, at(u.done.ID), object{"recurrence": object{"rrule": "FREQ=DAILY"}})
			},
			func(u *undone) []string { return []string{"task/" + u.done.ID.String() + ".recurrence"} },
		},
		"what follows by another rule": {
			func(u *undone) answer {
				return u.do(http.MethodPatch, at(u.weekly.ID), object{"recurrence": object{"rrule": "FREQ=DAILY"}})
			},
			func(u *undone) answer {
				defer func() { u.follow(u.weekly.ID) }()
				return u.do(http.MethodPatch, at(u.weekly.ID)+"/complete", object{"is_complete": true})
			},
			func(u *undone) []string {
				return []string{"task/" + u.weekly.ID.String() + ".is_complete", "task/" + u.weekly.ID.String() + ".followed_by"}
			},
		},
		"the parent of what was moved with another": {
			func(u *undone) answer { return u.do(http.MethodPatch, at(u.parent.ID), object{"list_id": u.private}) },
			func(u *undone) answer {
				parent := u.create(object{"title": "x", "list_id": u.private})
				return u.do(http.MethodPatch, at(u.sub.ID), object{"parent_id": parent.ID})
			},
			func(u *undone) []string { return []string{"task/" + u.sub.ID.String() + ".parent_id"} },
		},
		"what was deleted, by another's deletion of its parent": {
			func(u *undone) answer { return u.do(http.MethodDelete, at(u.sub.ID), nil) },
			func(u *undone) answer {
				u.other.do(http.MethodPost, inTrash(u.sub.ID)+"/restore", nil)
				return u.other.do(http.MethodDelete, at(u.parent.ID), nil)
			},
			func(u *undone) []string { return []string{"task/" + u.sub.ID.String()} },
		},
		"what was deleted, restored, changed and deleted": {
			func(u *undone) answer { return u.do(http.MethodDelete, at(u.plain.ID), nil) },
			func(u *undone) answer {
				u.other.do(http.MethodPost, inTrash(u.plain.ID)+"/restore", nil)
				u.other.task(http.StatusOK, http.MethodPatch, at(u.plain.ID), object{"title": "y"})
				return u.other.do(http.MethodDelete, at(u.plain.ID), nil)
			},
			func(u *undone) []string { return []string{"task/" + u.plain.ID.String() + ".title"} },
		},
		"the tasks of a list that was restored": {
			func(u *undone) answer {
				u.do(http.MethodDelete, listAt(u.shared), nil)
				return u.do(http.MethodPost, inTrash(u.shared)+"/restore", nil)
			},
			func(u *undone) answer {
				return u.other.do(http.MethodPost, "/api/tasks", object{"title": "y", "list_id": u.shared})
			},
			func(u *undone) []string { return []string{"list/" + u.shared.String() + ".tasks"} },
		},
		"an assignee, who has left": {
			func(u *undone) answer {
				u.task(http.StatusOK, http.MethodPatch, at(u.behind.ID), object{"assignee_id": u.other.user})
				return u.do(http.MethodPatch, at(u.behind.ID), object{"assignee_id": nil})
			},
			func(u *undone) answer {
				return u.do(http.MethodDelete, listAt(u.shared)+"/members/"+u.other.user.String(), nil)
			},
			func(u *undone) []string { return []string{"task/" + u.behind.ID.String() + ".assignee_id"} },
		},
		"reminders, of which there are as many as can be": {
			func(u *undone) answer {
				u.task(http.StatusOK, http.MethodPatch, at(u.behind.ID), object{"reminders": daily(20, 1)})
				return u.do(http.MethodPatch, at(u.behind.ID), object{"reminders": []object{}})
			},
			func(u *undone) answer {
				return u.do(http.MethodPatch, at(u.behind.ID), object{"reminders": daily(1, 30)})
			},
			func(u *undone) []string { return []string{"task/" + u.behind.ID.String() + ".reminders"} },
		},
		"a list's name and color": {
			func(u *undone) answer {
				return u.do(http.MethodPatch, listAt(u.shared), object{"name": "x", "color": nil})
			},
			func(u *undone) answer {
				return u.do(http.MethodPatch, listAt(u.shared), object{"name": "y", "color": "#000000"})
			},
			func(u *undone) []string {
				return []string{"list/" + u.shared.String() + ".color", "list/" + u.shared.String() + ".name"}
			},
		},
		"a list's name": {
			func(u *undone) answer {
				return u.do(http.MethodPatch, listAt(u.shared), object{"name": "x", "color": nil})
			},
			func(u *undone) answer { return u.do(http.MethodPatch, listAt(u.shared), object{"name": "y"}) },
			func(u *undone) []string { return []string{"list/" + u.shared.String() + ".name"} },
		},
		"a comment": {
			func(u *undone) answer {
				return u.do(http.MethodPatch, "/api/comments/"+u.comment.String(), object{"text": "x"})
			},
			func(u *undone) answer {
				return u.do(http.MethodPatch, "/api/comments/"+u.comment.String(), object{"text": "y"})
			},
			func(u *undone) []string { return []string{"comment/" + u.comment.String() + ".text"} },
		},
		"the list that it was in": {
			func(u *undone) answer { return u.do(http.MethodPatch, at(u.plain.ID), object{"list_id": u.private}) },
			func(u *undone) answer { return u.do(http.MethodDelete, listAt(u.shared), nil) },
			func(u *undone) []string { return []string{"task/" + u.plain.ID.String() + ".list_id"} },
		},
		"the parent that it had": {
			func(u *undone) answer { return u.do(http.MethodPatch, at(u.sub.ID), object{"parent_id": nil}) },
			func(u *undone) answer { return u.do(http.MethodDelete, at(u.parent.ID), nil) },
			func(u *undone) []string { return []string{"task/" + u.sub.ID.String() + ".parent_id"} },
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := *s
			s.t = t
			u := s.undone()
			u.made = uuid.New()
			a := c.request(u)
			require.Less(t, a.status, http.StatusMultipleChoices, "%s", a.body)
			since := c.since(u)
			require.Less(t, since.status, http.StatusMultipleChoices, "%s", since.body)
			u.mark()
			refused := u.do(http.MethodPost, undoOf(a.request()), nil)
			require.Equal(t, http.StatusConflict, refused.status, "%s", refused.body)
			require.Equal(t, "changed-since", refused.problem().code())
			var fields []string
			for _, e := range refused.problem().Errors {
				fields = append(fields, e.Location)
			}
			require.Equal(t, c.fields(u), fields)
			require.Equal(t, u.before, u.everything())
		})
	}
}

// What others have changed of a task beside stays, and so do their reminders.
func TestAnUndoLeavesWhatOthersHaveChangedBeside(t *testing.T) {
	t.Parallel()
	u := start(t).undone()
	a := u.do(http.MethodPatch, at(u.plain.ID), object{"title": "x", "reminders": []object{}})
	require.Equal(t, http.StatusOK, a.status, "%s", a.body)
	u.other.task(http.StatusOK, http.MethodPatch, at(u.plain.ID), object{"priority": "low", "reminders": []object{{"before_due": "PT3H"}}})
	u.undo(a.request())
	is := u.task(http.StatusOK, http.MethodGet, at(u.plain.ID), nil)
	require.Equal(t, []any{"Plain ?0 '", "low"}, []any{is.Title, is.Priority})
	mine, theirs := []event.Reminder{}, []string{}
	for _, r := range is.Reminders {
		if r.UserID == u.user {
			mine = append(mine, r)
		} else {
			theirs = append(theirs, r.BeforeDue)
		}
	}
	require.Equal(t, u.plain.Reminders, mine)
	require.Equal(t, []string{"PT3H"}, theirs)
}

func TestWhoMayUndo(t *testing.T) {
	t.Parallel()
	s := start(t)
	u := s.undone()
	viewer := s.newUser()
	u.join(viewer, u.shared, access.Editor)
	changed := func(c client) string {
		return c.do(http.MethodPatch, at(u.behind.ID), object{"title": uuid.NewString()}).request()
	}
	mine := changed(u.client)
	require.Equal(t, http.StatusNotFound, u.other.do(http.MethodPost, undoOf(mine), nil).status, "somebody else's request")
	require.Equal(t, http.StatusNotFound, u.do(http.MethodPost, undoOf(uuid.NewString()), nil).status, "one that never was")
	require.Equal(t, http.StatusNotFound, u.do(http.MethodPost, undoOf(u.do(http.MethodGet, at(u.behind.ID), nil).request()), nil).status, "one that has changed nothing")
	require.Equal(t, http.StatusUnauthorized, s.nobody().do(http.MethodPost, undoOf(mine), nil).status)

	as := changed(viewer)
	require.Equal(t, http.StatusOK, u.do(http.MethodPatch, listAt(u.shared)+"/members/"+viewer.user.String(), object{"role": "viewer"}).status)
	require.Equal(t, http.StatusForbidden, viewer.do(http.MethodPost, undoOf(as), nil).status)
	as = changed(u.other)
	deleted := u.other.do(http.MethodDelete, at(u.plain.ID), nil).request()
	gone := u.do(http.MethodDelete, listAt(u.shared)+"/members/"+u.other.user.String(), nil)
	require.Equal(t, http.StatusNoContent, gone.status)
	require.Equal(t, http.StatusNotFound, u.other.do(http.MethodPost, undoOf(as), nil).status, "he sees the task no more")
	require.Equal(t, http.StatusNotFound, u.other.do(http.MethodPost, undoOf(deleted), nil).status)
	require.Equal(t, "not-undoable", u.do(http.MethodPost, undoOf(gone.request()), nil).problem().code())
}

// Whether a task is in the trash of somebody else, gone for good or in another's list, is
// not told.
func TestWhatIsNotThereAnyMoreIsNotUndone(t *testing.T) {
	t.Parallel()
	s := start(t)
	said := map[string]bool{}
	for name, since := range map[string]func(u *undone){
		"gone for good": func(u *undone) {
			u.do(http.MethodDelete, at(u.plain.ID), nil)
			u.do(http.MethodDelete, inTrash(u.plain.ID), nil)
		},
		"in another's list": func(u *undone) {
			u.other.task(http.StatusOK, http.MethodPatch, at(u.plain.ID), object{"list_id": access.Inbox(u.other.user)})
		},
		"in another's trash": func(u *undone) {
			u.other.task(http.StatusOK, http.MethodPatch, at(u.plain.ID), object{"list_id": access.Inbox(u.other.user)})
			u.other.remove(u.plain.ID)
		},
		"in the trash": func(u *undone) { u.remove(u.plain.ID) },
	} {
		u := s.undone()
		a := u.do(http.MethodPatch, at(u.plain.ID), object{"title": "x"})
		since(u)
		refused := u.do(http.MethodPost, undoOf(a.request()), nil)
		require.Equal(t, http.StatusConflict, refused.status, "%s: %s", name, refused.body)
		require.Equal(t, "task/"+u.plain.ID.String(), refused.problem().Errors[0].Location)
		said[refused.problem().Errors[0].Message] = true
	}
	require.Len(t, said, 1)
}

// Who repeats a request, or an undo, by its key has had one of it, by either id.
func TestAnUndoIsDoneOnce(t *testing.T) {
	t.Parallel()
	s := start(t)
	u := s.newUser()
	first := u.do(http.MethodPost, "/api/tasks", object{"title": "x"}, "Idempotency-Key", "k")
	again := u.do(http.MethodPost, "/api/tasks", object{"title": "x"}, "Idempotency-Key", "k")
	require.JSONEq(t, string(first.body), string(again.body))
	require.NotEqual(t, first.request(), again.request())
	done := u.do(http.MethodPost, undoOf(again.request()), nil, "Idempotency-Key", "u")
	require.Equal(t, http.StatusOK, done.status, "%s", done.body)
	repeated := u.do(http.MethodPost, undoOf(again.request()), nil, "Idempotency-Key", "u")
	require.Equal(t, http.StatusOK, repeated.status)
	require.JSONEq(t, string(done.body), string(repeated.body))
	require.Len(t, u.trash(), 1)
	u.undo(done.request())
	require.Empty(t, u.trash())
	require.Equal(t, http.StatusUnprocessableEntity, u.do(http.MethodPost, undoOf(first.request()), nil, "Idempotency-Key", "u").status)
}

// A reminder whose time has passed does not come because something was undone.
func TestAnUndoRemindsOfNothingThatHasPassed(t *testing.T) {
	t.Parallel()
	s := start(t)
	u := s.newUser()
	past, far := time.Now().Add(-time.Hour).UTC(), time.Now().AddDate(0, 0, 3).UTC()
	task := u.create(object{"title": "x", "due_at": far, "reminders": []object{{"before_due": "PT1H"}}})
	s.execute(`UPDATE task.reminders SET remind_at = ?, armed = false, fired_for = ?`, past.Add(-time.Hour), past.Add(-time.Hour))
	s.execute(`UPDATE task.tasks SET due_at = ?`, past)
	late := u.do(http.MethodPatch, at(task.ID), object{"due_at": far})
	require.Equal(t, http.StatusOK, late.status)
	s.execute(`UPDATE task.reminders SET fired_for = NULL`)
	u.undo(late.request())
	var armed int
	require.NoError(t, s.db.NewRaw("SELECT count(*) FROM task.reminders WHERE armed").Scan(t.Context(), &armed))
	require.Zero(t, armed)
	// What had not passed is armed again.
	s.execute(`UPDATE task.tasks SET due_at = ?`, far)
	gone := u.do(http.MethodPatch, at(task.ID), object{"reminders": []object{}, "due_at": far.Add(time.Hour)})
	u.undo(gone.request())
	require.NoError(t, s.db.NewRaw("SELECT count(*) FROM task.reminders WHERE armed").Scan(t.Context(), &armed))
	require.Equal(t, 1, armed)
}

// All that an undo does is told of with the request that it undoes.
func TestTheEventsOfAnUndoSaySo(t *testing.T) {
	t.Parallel()
	s := start(t)
	u := s.undone()
	a := u.do(http.MethodPost, "/api/tasks/bulk", object{"operations": []object{
		{"op": "create", "body": object{"title": "x"}}, {"op": "update", "id": u.plain.ID, "body": object{"title": "y"}}, {"op": "delete", "id": u.parent.ID},
	}})
	before := u.toldSince(0)
	undo := u.undo(a.request())
	types := map[string]int{}
	for _, e := range u.toldSince(before[len(before)-1].Position) {
		var data struct {
			Metadata  map[string]any
			RequestID string `json:"request_id"`
		}
		require.NoError(t, json.Unmarshal([]byte(e.Data), &data))
		require.Equal(t, a.request(), data.Metadata[event.MetaUndoes], e.Type)
		if e.Topic == event.TopicAudit {
			require.Equal(t, undo, data.RequestID)
		}
		types[e.Type]++
	}
	require.Equal(t, map[string]int{
		event.TaskDeleted: 1, event.TaskUpdated: 1, event.TaskRestored: 2,
		"audit.task.deleted": 1, "audit.task.updated": 1, "audit.task.restored": 2,
	}, types)
}

// Step by step back, as by Ctrl+Z.
func TestOneRequestAfterTheOtherIsUndone(t *testing.T) {
	t.Parallel()
	s := start(t, "LIMIT_WRITES=0")
	u := s.undone()
	var next uuid.UUID
	states, requests := []map[string]any{}, []string{}
	for _, request := range []func() answer{
		func() answer { return u.do(http.MethodPatch, at(u.weekly.ID), object{"title": "x"}) },
		func() answer {
			defer func() { next = u.spawnedBy(u.weekly.ID) }()
			return u.do(http.MethodPatch, at(u.weekly.ID)+"/complete", object{"is_complete": true})
		},
		func() answer { return u.do(http.MethodPatch, at(next), object{"title": "y", "priority": "low"}) },
		func() answer { return u.do(http.MethodPost, at(next)+"/skip", nil) },
		func() answer {
			return u.do(http.MethodPatch, at(u.weekly.ID)+"/complete", object{"is_complete": false})
		},
		func() answer { return u.do(http.MethodDelete, at(u.weekly.ID), nil) },
	} {
		states = append(states, u.everything())
		a := request()
		require.Less(t, a.status, http.StatusMultipleChoices, "%s", a.body)
		requests = append(requests, a.request())
	}
	for i := len(requests) - 1; i >= 0; i-- {
		u.undo(requests[i])
		require.Equal(t, states[i], u.everything(), "back to before request %d", i)
	}
}

// What a series has let go is not in the trash, and not there for anybody.
func TestWhatASeriesHasLetGoIsNotInTheTrash(t *testing.T) {
	t.Parallel()
	s := start(t)
	u := s.undone()
	skipped := u.do(http.MethodPost, at(u.weekly.ID)+"/skip", nil)
	require.Equal(t, http.StatusOK, skipped.status)
	require.Empty(t, u.trash())
	require.Equal(t, http.StatusNotFound, u.do(http.MethodPost, inTrash(u.weekly.ID)+"/restore", nil).status)
	require.Equal(t, http.StatusNotFound, u.do(http.MethodDelete, inTrash(u.weekly.ID), nil).status)
	require.Equal(t, http.StatusNotFound, u.do(http.MethodGet, at(u.weekly.ID), nil).status)
}

// spawnedBy is what follows a completed task.
func (u *undone) spawnedBy(id uuid.UUID) uuid.UUID { return u.follow(id).spawned(u.t) }

// As many changes as can be made at once, of all kinds, are undone at once.
func TestFiveHundredChangesAreUndone(t *testing.T) {
	t.Parallel()
	s := start(t, "LIMIT_WRITES=0")
	u := s.newUser()
	other := u.list(http.StatusCreated, http.MethodPost, "/api/lists", object{"name": "Other"}).ID
	var made []object
	for range 500 {
		made = append(made, object{"op": "create", "body": object{"title": "x", "due_at": "2031-01-01T09:00:00Z", "reminders": []object{{"before_due": "PT1H"}}}})
	}
	results := u.bulk(http.StatusOK, object{"operations": made}).Results
	var changes []object
	for i, r := range results {
		op := []object{
			{"op": "update", "body": object{"title": "y", "tags": []string{"t"}, "due_at": nil}},
			{"op": "complete", "body": object{"is_complete": true}},
			{"op": "move", "body": object{"list_id": other}},
			{"op": "delete"},
			{"op": "update", "body": object{"recurrence": object{"rrule": "FREQ=DAILY"}}},
		}[i%5]
		op["id"] = r.Task.ID
		changes = append(changes, op)
	}
	before := u.everything()
	a := u.do(http.MethodPost, "/api/tasks/bulk", object{"operations": changes})
	require.Equal(t, http.StatusOK, a.status, "%s", a.body)
	after := u.everything()
	undo := u.undo(a.request())
	require.Equal(t, before, u.everything())
	u.undo(undo)
	require.Equal(t, after, u.everything())
}

// Whoever changes a task while a change of it is undone has done so before or after.
func TestAnUndoAndAnEditAtOnce(t *testing.T) {
	t.Parallel()
	s := start(t, "LIMIT_WRITES=0", "LIMIT_IN_FLIGHT=0")
	u := s.newUser()
	for range 20 {
		task := u.create(object{"title": "0"})
		request := u.do(http.MethodPatch, at(task.ID), object{"title": "1"}).request()
		var all sync.WaitGroup
		for i := range 4 {
			all.Go(func() { u.do(http.MethodPatch, at(task.ID), object{"title": fmt.Sprint(2 + i)}) })
			all.Go(func() { u.do(http.MethodPost, undoOf(request), nil) })
		}
		all.Wait()
	}
	var versions int
	require.NoError(t, s.db.NewRaw(`SELECT count(*) FROM (SELECT key, data::json #>> '{task_data,version}' FROM task.events WHERE topic = 'task-events'
		GROUP BY 1, 2 HAVING count(*) > 1) twice`).Scan(t.Context(), &versions))
	require.Zero(t, versions, "versions that were given twice")
}

// daily are so many reminders, a day apart, from a day on.
func daily(n, day int) []object {
	var all []object
	for i := range n {
		all = append(all, object{"at": time.Now().AddDate(0, 0, day+i)})
	}
	return all
}

// A task that has left its series, and is back in it, is there as one of it.
func TestATaskThatIsBackInItsSeriesGoesAsOneOfIt(t *testing.T) {
	t.Parallel()
	u := start(t).undone()
	moved := u.do(http.MethodPatch, at(u.weekly.ID)+"?scope=following", object{"due_at": u.done.DueAt})
	require.Equal(t, http.StatusOK, moved.status, "%s", moved.body)
	u.undo(moved.request())
	u.remove(u.weekly.ID)
}

func TestAnUndoDoesNotOverfillAList(t *testing.T) {
	t.Parallel()
	u := start(t, "LIMIT_TASKS=2").newUser()
	first, second := u.create(object{"title": "x"}), u.create(object{"title": "x"})
	deleted := u.do(http.MethodDelete, at(first.ID), nil)
	other := u.list(http.StatusCreated, http.MethodPost, "/api/lists", object{"name": "Other"}).ID
	moved := u.do(http.MethodPatch, at(second.ID), object{"list_id": other})
	u.create(object{"title": "x"})
	u.create(object{"title": "x"})
	for _, a := range []answer{deleted, moved} {
		require.Equal(t, "limit-reached", u.do(http.MethodPost, undoOf(a.request()), nil).problem().code())
	}
	require.Equal(t, "limit-reached", u.do(http.MethodPost, inTrash(first.ID)+"/restore", nil).problem().code())
}

// What a user has made of an occurrence, and makes of it again, is his: it does not go with
// what it follows.
func TestWhatIsDoneAgainIsNotTheSeriesWork(t *testing.T) {
	t.Parallel()
	u := start(t).undone()
	done := u.do(http.MethodPatch, at(u.weekly.ID)+"/complete", object{"is_complete": true})
	next := u.spawnedBy(u.weekly.ID)
	undo := u.undo(u.do(http.MethodPatch, at(next), object{"title": "Mine"}).request())
	redo := u.undo(undo)
	refused := u.do(http.MethodPost, undoOf(done.request()), nil)
	require.Equal(t, http.StatusConflict, refused.status, "%s", refused.body)
	require.Equal(t, "task/"+next.String()+".title", refused.problem().Errors[0].Location)
	u.undo(redo)
	u.undo(done.request())
}

// What was said about an occurrence that was skipped comes back with it, also from another
// that was open already, and goes on there where it is skipped again.
func TestASkipIsUndoneWhereAnotherOccurrenceIsOpen(t *testing.T) {
	t.Parallel()
	u := start(t).undone()
	next := u.complete(u.weekly.ID)
	u.say(next, "Of the next one")
	u.reopen(u.weekly.ID)
	u.say(u.weekly.ID, "Of the skipped one")
	u.mark()
	skip := u.do(http.MethodPost, at(u.weekly.ID)+"/skip", nil)
	require.Equal(t, http.StatusOK, skip.status, "%s", skip.body)
	after := u.everything()
	undo := u.undo(skip.request())
	require.Equal(t, u.before, u.everything())
	redo := u.undo(undo)
	require.Equal(t, after, u.everything(), "done again")
	require.Empty(t, u.trash(), "its series has let it go")
	u.undo(redo)
	require.Equal(t, u.before, u.everything(), "and undone again")
}

// A rule that was taken away comes back to a task that is done since: what follows it comes
// then, and goes with the rule.
func TestARuleComesBackToATaskThatIsDone(t *testing.T) {
	t.Parallel()
	u := start(t).undone()
	ended := u.do(http.MethodPatch, at(u.weekly.ID), object{"recurrence": nil})
	require.Equal(t, http.StatusOK, ended.status, "%s", ended.body)
	u.task(http.StatusOK, http.MethodPatch, at(u.weekly.ID)+"/complete", object{"is_complete": true})
	without := u.everything()
	told := u.toldSince(0)
	undo := u.undo(ended.request())
	require.Subset(t, types(u.toldSince(told[len(told)-1].Position)), []string{event.TaskUpdated, event.TaskCompleted})
	is := u.task(http.StatusOK, http.MethodGet, at(u.weekly.ID), nil)
	require.Equal(t, "FREQ=WEEKLY;COUNT=9", is.Recurrence.RRule)
	next := u.spawnedBy(u.weekly.ID)
	with := u.everything()
	require.Contains(t, with, "task/"+next.String())

	redo := u.undo(undo)
	require.Equal(t, without, u.everything(), "the rule is gone again")
	undo = u.undo(redo)
	require.Equal(t, with, u.everything(), "and back again")

	u.task(http.StatusOK, http.MethodPatch, at(next), object{"title": "Mine"})
	refused := u.do(http.MethodPost, undoOf(undo), nil)
	require.Equal(t, http.StatusConflict, refused.status, "what follows is not as the series made it")
	require.Equal(t, "task/"+next.String()+".title", refused.problem().Errors[0].Location)
}

// A series that has ended, or gone on, does not begin anew because what became of one of
// its occurrences was undone.
func TestAnUndoHasNothingFollowedAgain(t *testing.T) {
	t.Parallel()
	u := start(t).undone()
	u.remove(u.complete(u.weekly.ID))
	ended := u.everything()
	var requests []string
	for _, body := range []object{{"recurrence": nil}, {"is_complete": false}} {
		a := u.do(http.MethodPatch, at(u.done.ID), body)
		require.Equal(t, http.StatusOK, a.status, "%s", a.body)
		requests = append(requests, a.request())
	}
	u.undo(requests[1])
	u.undo(requests[0])
	u.follow(u.done.ID)
	require.Equal(t, ended, u.everything())
}

// Nor does one that has been followed by what is of another series by now.
func TestAnUndoHasNothingFollowedAgainThatHasLeftTheSeries(t *testing.T) {
	t.Parallel()
	u := start(t).undone()
	daily := u.create(object{"title": "x", "due_at": "2031-01-01T09:00:00Z", "recurrence": object{"rrule": "FREQ=DAILY"}})
	next := u.complete(daily.ID)
	u.task(http.StatusOK, http.MethodPatch, at(next), object{"parent_id": u.parent.ID})
	u.mark()
	a := u.do(http.MethodPatch, at(daily.ID), object{"is_complete": false})
	require.Equal(t, http.StatusOK, a.status, "%s", a.body)
	u.undo(a.request())
	u.follow(daily.ID)
	require.Equal(t, u.before, u.everything())
}

// What was changed and deleted at once is in the trash as it was deleted, also when that is
// done again.
func TestWhatIsDeletedAgainIsInTheTrashAsItWas(t *testing.T) {
	t.Parallel()
	u := start(t).undone()
	a := u.do(http.MethodPost, "/api/tasks/bulk", object{"operations": []object{
		{"op": "update", "id": u.plain.ID, "body": object{"title": "Changed", "is_complete": true}}, {"op": "delete", "id": u.plain.ID},
	}})
	require.Equal(t, http.StatusOK, a.status, "%s", a.body)
	u.undo(u.undo(a.request()))
	u.do(http.MethodPost, inTrash(u.plain.ID)+"/restore", nil)
	is := u.task(http.StatusOK, http.MethodGet, at(u.plain.ID), nil)
	require.Equal(t, "Changed", is.Title)
	require.True(t, is.IsComplete)
}

// What follows a task may be its subtask: it does not become its own.
func TestAnOccurrenceUnderTheOneBeforeIsNotItsOwnParent(t *testing.T) {
	t.Parallel()
	u := start(t).newUser()
	first := u.create(object{"title": "x", "due_at": "2031-01-01T09:00:00Z", "recurrence": object{"rrule": "FREQ=DAILY"}})
	next := u.complete(first.ID)
	u.task(http.StatusOK, http.MethodPatch, at(next), object{"parent_id": first.ID})
	u.reopen(first.ID)
	require.Equal(t, next, u.complete(first.ID), "it stands")
	require.Equal(t, first.ID, *u.task(http.StatusOK, http.MethodGet, at(next), nil).ParentID)
}
