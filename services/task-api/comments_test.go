package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/comment"
)

func commentsOn(task uuid.UUID) string { return at(task) + "/comments" }

func commentAt(id uuid.UUID) string { return "/api/comments/" + id.String() }

// comment makes a request that is answered with a comment.
func (c client) comment(status int, method, path string, body any, header ...string) comment.Comment {
	c.t.Helper()
	a := c.do(method, path, body, header...)
	require.Equal(c.t, status, a.status, "%s %s: %s", method, path, a.body)
	var got comment.Comment
	require.NoError(c.t, json.Unmarshal(a.body, &got))
	return got
}

// say comments on a task.
func (c client) say(task uuid.UUID, text string) comment.Comment {
	c.t.Helper()
	return c.comment(http.StatusCreated, http.MethodPost, commentsOn(task), object{"text": text})
}

type commentPage struct {
	Items      []comment.Comment
	NextCursor *string `json:"next_cursor"`
}

// comments reads a page of the comments on a task.
func (c client) comments(task uuid.UUID, query string) (page commentPage) {
	c.t.Helper()
	a := c.do(http.MethodGet, commentsOn(task)+query, nil)
	require.Equal(c.t, http.StatusOK, a.status, "%s", a.body)
	require.NoError(c.t, json.Unmarshal(a.body, &page))
	require.NotNil(c.t, page.Items)
	return page
}

// garden is a shared list with a task, and a client for each way to have to do with it.
func garden(s *running) (shared uuid.UUID, task event.Task, people map[string]client) {
	owner := s.newUser()
	shared = owner.list(http.StatusCreated, http.MethodPost, "/api/lists", object{"name": "Garden"}).ID
	people = map[string]client{"owner": owner, "stranger": s.newUser(), "removed": s.newUser(), "invited": s.newUser()}
	for _, role := range []access.Role{access.Editor, access.Viewer} {
		people[string(role)] = s.newUser()
		owner.join(people[string(role)], shared, role)
	}
	owner.join(people["removed"], shared, access.Owner)
	require.Equal(s.t, http.StatusNoContent, owner.do(http.MethodDelete, listAt(shared)+"/members/"+people["removed"].user.String(), nil).status)
	require.Equal(s.t, http.StatusCreated, owner.do(http.MethodPost, listAt(shared)+"/members", object{"email": people["invited"].email, "role": "editor"}).status)
	return shared, owner.create(object{"title": "Water", "list_id": shared}), people
}

func TestWhoMayComment(t *testing.T) {
	t.Parallel()
	s := start(t)
	_, task, people := garden(s)
	gone := []any{http.StatusNotFound, "not-found"}
	refused := func(code string) []any { return []any{http.StatusForbidden, code} }
	for name, c := range map[string]struct {
		method, path, author string // of the comment that the path's COMMENT is
		body                 any
		want                 map[string][]any // what is not said is done
	}{
		"read them": {http.MethodGet, commentsOn(task.ID), "owner", nil, nil},
		"comment":   {http.MethodPost, commentsOn(task.ID), "owner", object{"text": "x"}, map[string][]any{"viewer": refused("read-only")}},
		"change an owner's": {http.MethodPatch, "COMMENT", "owner", object{"text": "y"}, map[string][]any{
			"editor": refused("authors-only"), "viewer": refused("read-only"),
		}},
		"change an editor's": {http.MethodPatch, "COMMENT", "editor", object{"text": "y"}, map[string][]any{
			"owner": refused("authors-only"), "viewer": refused("read-only"),
		}},
		"delete an owner's": {http.MethodDelete, "COMMENT", "owner", nil, map[string][]any{
			"editor": refused("authors-only"), "viewer": refused("read-only"),
		}},
		"delete an editor's": {http.MethodDelete, "COMMENT", "editor", nil, map[string][]any{"viewer": refused("read-only")}},
	} {
		for who, client := range people {
			path := strings.Replace(c.path, "COMMENT", commentAt(people[c.author].say(task.ID, "x").ID), 1)
			want, said := c.want[who]
			if slices.Contains([]string{"stranger", "invited", "removed"}, who) {
				want, said = gone, true
			}
			before := s.toldSince(0)
			a := client.do(c.method, path, c.body)
			if !said {
				require.Less(t, a.status, 300, "%s may %s: %s", who, name, a.body)
				continue
			}
			require.Equal(t, want, []any{a.status, a.problem().code()}, "%s must not %s: %s", who, name, a.body)
			require.Len(t, s.toldSince(0), len(before), "%s must not %s", who, name)
		}
	}
	// Who may only read from now on changes nothing, not even what is his.
	owner, editor := people["owner"], people["editor"]
	own := editor.say(task.ID, "mine")
	require.Equal(t, http.StatusOK, owner.do(http.MethodPatch, listAt(task.ListID)+"/members/"+editor.user.String(), object{"role": "viewer"}).status)
	require.Equal(t, "read-only", editor.do(http.MethodPatch, commentAt(own.ID), object{"text": "x"}).problem().code())
	require.Equal(t, "read-only", editor.do(http.MethodDelete, commentAt(own.ID), nil).problem().code())
	// And who is gone does not even see it.
	require.Equal(t, http.StatusNoContent, owner.do(http.MethodDelete, listAt(task.ListID)+"/members/"+editor.user.String(), nil).status)
	require.Equal(t, http.StatusNotFound, editor.do(http.MethodPatch, commentAt(own.ID), object{"text": "x"}).status)
	require.Equal(t, "mine", owner.comments(task.ID, "?limit=200").Items[len(owner.comments(task.ID, "?limit=200").Items)-1].Text, "it stays")
}

func TestACommentIsWrittenChangedAndDeleted(t *testing.T) {
	t.Parallel()
	s := start(t)
	_, task, people := garden(s)
	owner, editor := people["owner"], people["editor"]
	require.Equal(t, http.StatusOK, editor.do(http.MethodPatch, "/api/auth/me", object{"name": "Grace"}).status)
	require.Empty(t, owner.comments(task.ID, "").Items)
	c := editor.say(task.ID, " The ferns, too? \n")
	require.Equal(t, []any{task.ID, editor.user, "Grace", " The ferns, too? \n"}, []any{c.TaskID, c.Author.UserID, c.Author.Name, c.Text})
	require.Nil(t, c.EditedAt)
	require.Equal(t, []comment.Comment{c}, owner.comments(task.ID, "").Items)

	told := s.toldSince(0)
	changed := editor.comment(http.StatusOK, http.MethodPatch, commentAt(c.ID), object{"text": "The moss"})
	require.Equal(t, "The moss", changed.Text)
	require.Equal(t, c.CreatedAt, changed.CreatedAt)
	require.NotNil(t, changed.EditedAt)
	require.Equal(t, changed, editor.comment(http.StatusOK, http.MethodPatch, commentAt(c.ID), object{"text": "The moss"}))
	require.Equal(t, changed, editor.comment(http.StatusOK, http.MethodPatch, commentAt(c.ID), object{}))
	require.Equal(t, []comment.Comment{changed}, owner.comments(task.ID, "").Items)
	require.Equal(t, http.StatusNoContent, owner.do(http.MethodDelete, commentAt(c.ID), nil).status)
	require.Equal(t, http.StatusNotFound, owner.do(http.MethodDelete, commentAt(c.ID), nil).status)
	require.Empty(t, owner.comments(task.ID, "").Items)

	// The audit trail tells of it, in the order of the task.
	since := s.toldSince(told[len(told)-1].Position)
	require.Equal(t, []string{"audit.comment.updated", "audit.comment.deleted"}, types(since), "what changes nothing is not told")
	for i, e := range append(told[len(told)-1:], since...) {
		var audit event.AuditEvent
		require.NoError(t, json.Unmarshal([]byte(e.Data), &audit))
		require.Equal(t, []any{event.TopicAudit, task.ID.String()}, []any{e.Topic, e.Key})
		require.Equal(t, []any{task.ID, task.ListID, "comment/" + c.ID.String()}, []any{audit.TaskID, *audit.ListID, audit.Target})
		require.Equal(t, []uuid.UUID{editor.user, editor.user, owner.user}[i], audit.Actor.UserID)
		require.Equal(t, [][]string{{}, {"edited_at", "text"}, {}}[i], audit.Changed)
		require.Equal(t, i == 0, string(audit.Before) == "null")
		require.Equal(t, i == 2, string(audit.After) == "null")
	}
}

func TestWhatACommentCanSay(t *testing.T) {
	t.Parallel()
	s := start(t)
	u := s.newUser()
	task := u.create(object{"title": "x"})
	there := u.say(task.ID, "x")
	for name, c := range map[string]struct {
		text any
		ok   bool
	}{
		"a letter":                 {"a", true},
		"10,000 characters":        {strings.Repeat("💥", 10_000), true},
		"10,000 that are escaped":  {strings.Repeat("<", 10_000), true},
		"10,001 characters":        {strings.Repeat("a", 10_001), false},
		"nothing":                  {"", false},
		"spaces":                   {" \n\t", false},
		"null":                     {nil, false},
		"a number":                 {7, false},
		"what Postgres can't keep": {"a\x00b", false},
	} {
		t.Run(name, func(t *testing.T) {
			before := s.toldSince(0)
			a, b := u.do(http.MethodPost, commentsOn(task.ID), object{"text": c.text}), u.do(http.MethodPatch, commentAt(there.ID), object{"text": c.text})
			if !c.ok {
				require.Equal(t, []int{http.StatusUnprocessableEntity, http.StatusUnprocessableEntity}, []int{a.status, b.status}, "%s %s", a.body, b.body)
				require.Equal(t, []string{"body.text", "body.text"}, []string{a.problem().Errors[0].Location, b.problem().Errors[0].Location})
				require.Len(t, s.toldSince(0), len(before))
				return
			}
			require.Equal(t, []int{http.StatusCreated, http.StatusOK}, []int{a.status, b.status}, "%s %s", a.body, b.body)
		})
	}
	require.Equal(t, http.StatusUnprocessableEntity, u.do(http.MethodPost, commentsOn(task.ID), object{}).status)
	require.Equal(t, http.StatusUnprocessableEntity, u.do(http.MethodPost, commentsOn(task.ID), object{"text": "x", "author": "Ada"}).status)
	for _, query := range []string{"limit=0", "limit=201", "cursor=x", "cursor=" + "eyJhIjoiMDAwMS0wMS0wMVQwMDowMDowMFoifQ"} {
		require.Equal(t, http.StatusUnprocessableEntity, u.do(http.MethodGet, commentsOn(task.ID)+"?"+query, nil).status, query)
	}
}

// An event has no room for two long texts. What it lacks it says.
func TestALongCommentIsShortenedInTheAuditTrail(t *testing.T) {
	t.Parallel()
	u := start(t).newUser()
	c := u.say(u.create(object{"title": "x"}).ID, strings.Repeat("<", 10_000))
	long := strings.Repeat("<", 9_000) + strings.Repeat("💥", 1_000)
	require.Equal(t, long, u.comment(http.StatusOK, http.MethodPatch, commentAt(c.ID), object{"text": long}).Text)
	told := u.toldSince(0)
	last := told[len(told)-1]
	require.Less(t, len(last.Data), event.MaxSize-2<<10)
	var audit event.AuditEvent
	require.NoError(t, json.Unmarshal([]byte(last.Data), &audit))
	require.Equal(t, []any{"text"}, audit.Metadata["truncated"])
	require.Equal(t, []string{"edited_at", "text"}, audit.Changed, "also where what is left of the texts is the same")
	var before, after comment.Comment
	require.NoError(t, json.Unmarshal(audit.Before, &before))
	require.NoError(t, json.Unmarshal(audit.After, &after))
	require.Equal(t, before.Text, after.Text)
	require.Greater(t, len(before.Text), 5_000)
}

// Whoever reads on while others comment reads each comment once, the oldest first.
func TestPagesOfCommentsWhileTheyAreAdded(t *testing.T) {
	t.Parallel()
	s := start(t)
	_, task, people := garden(s)
	want := []string{}
	add := func(n int) {
		for range n {
			who := []string{"owner", "editor"}[len(want)%2]
			want = append(want, people[who].say(task.ID, fmt.Sprint(len(want))).Text)
		}
	}
	add(7)
	got, query := []string{}, "?limit=3"
	for pages := 0; ; pages++ {
		page := people["viewer"].comments(task.ID, query)
		for _, c := range page.Items {
			got = append(got, c.Text)
		}
		if page.NextCursor == nil {
			break
		}
		require.Len(t, page.Items, 3)
		query = "?limit=3&cursor=" + *page.NextCursor
		if pages < 4 {
			add(2)
		}
	}
	require.Equal(t, want, got)
	require.Len(t, want, 15)
	// However early a clock says that it is.
	_, err := s.db.NewRaw("UPDATE task.comments SET created_at = now() + interval '1 hour' WHERE text = '14'").Exec(t.Context())
	require.NoError(t, err)
	add(2)
	all := people["viewer"].comments(task.ID, "").Items
	require.Equal(t, []string{"14", "15", "16"}, []string{all[14].Text, all[15].Text, all[16].Text})
}

func TestACommentIsMadeOnce(t *testing.T) {
	t.Parallel()
	u := start(t).newUser()
	task, other := u.create(object{"title": "x"}), u.create(object{"title": "y"})
	key := []string{"Idempotency-Key", "k"}
	one := u.comment(http.StatusCreated, http.MethodPost, commentsOn(task.ID), object{"text": "x"}, key...)
	before := u.toldSince(0)
	require.Equal(t, one, u.comment(http.StatusCreated, http.MethodPost, commentsOn(task.ID), object{"text": "x"}, key...))
	require.Equal(t, "idempotency-key-used", u.do(http.MethodPost, commentsOn(task.ID), object{"text": "y"}, key...).problem().code())
	require.Equal(t, "idempotency-key-used", u.do(http.MethodPost, commentsOn(other.ID), object{"text": "x"}, key...).problem().code())
	require.Len(t, u.toldSince(0), len(before))
	require.Len(t, u.comments(task.ID, "").Items, 1)
	require.Empty(t, u.comments(other.ID, "").Items)
}

// Who is mentioned and whoever is to do the task have an event each, the author none. The
// text is not in it.
func TestWhoIsToldOfAComment(t *testing.T) {
	t.Parallel()
	s := start(t)
	shared, task, people := garden(s)
	owner, editor, viewer := people["owner"], people["editor"], people["viewer"]
	require.Equal(t, http.StatusOK, editor.do(http.MethodPatch, "/api/auth/me", object{"name": "Grace"}).status)
	assigned := owner.task(http.StatusOK, http.MethodPatch, at(owner.create(object{"title": "Weed", "list_id": shared}).ID), object{"assignee_id": viewer.user})
	everybody := []string{}
	for _, p := range people {
		everybody = append(everybody, "@"+p.email)
	}
	for name, c := range map[string]struct {
		task event.Task
		text string
		want map[string]bool // whether he is mentioned
	}{
		"nobody":             {task, "surprise", nil},
		"a member":           {task, "surprise @" + owner.email, map[string]bool{"owner": true}},
		"in capitals, twice": {task, "surprise @" + strings.ToUpper(owner.email) + ", @" + owner.email + ".", map[string]bool{"owner": true}},
		"the assignee":       {assigned, "surprise", map[string]bool{"viewer": false}},
		"both in one":        {assigned, "surprise @" + viewer.email, map[string]bool{"viewer": true}},
		"one and the other":  {assigned, "surprise @" + owner.email, map[string]bool{"viewer": false, "owner": true}},
		"everybody":          {task, "surprise " + strings.Join(everybody, " "), map[string]bool{"owner": true, "viewer": true}},
	} {
		t.Run(name, func(t *testing.T) {
			before := s.toldSince(0)
			said := editor.say(c.task.ID, c.text)
			got := map[string]bool{}
			for _, e := range s.toldSince(before[len(before)-1].Position) {
				if e.Topic != event.TopicReminders {
					require.Equal(t, "audit.comment.created", e.Type)
					continue
				}
				require.Equal(t, []any{event.CommentAdded, c.task.ID.String()}, []any{e.Type, e.Key})
				require.NotContains(t, e.Data, "surprise")
				require.NotContains(t, e.Data, "@")
				var told event.CommentEvent
				require.NoError(t, json.Unmarshal([]byte(e.Data), &told))
				require.Equal(t, []any{said.ID, c.task.ID, c.task.Title, editor.user, "Grace"}, []any{told.CommentID, told.TaskID, told.Title, told.Author.UserID, told.Author.Name})
				for who, p := range people {
					if p.user == told.UserID {
						require.NotContains(t, got, who, "once")
						got[who] = told.Mentioned
					}
				}
			}
			require.Len(t, got, len(c.want))
			for who, mentioned := range c.want {
				require.Equal(t, mentioned, got[who], who)
			}
		})
	}
	before := s.toldSince(0)
	said := viewer.comments(task.ID, "").Items[0]
	editor.comment(http.StatusOK, http.MethodPatch, commentAt(said.ID), object{"text": "@" + owner.email})
	require.Equal(t, []string{"audit.comment.updated"}, types(s.toldSince(before[len(before)-1].Position)), "nobody is told of a change")
}

// Comments are where their task is, and go with it.
func TestCommentsBelongToTheirTask(t *testing.T) {
	t.Parallel()
	s := start(t)
	_, task, people := garden(s)
	owner, editor := people["owner"], people["editor"]
	c := editor.say(task.ID, "x")
	other := owner.list(http.StatusCreated, http.MethodPost, "/api/lists", object{"name": "Mine"}).ID
	owner.task(http.StatusOK, http.MethodPost, at(task.ID)+"/move", object{"list_id": other})
	require.Equal(t, http.StatusNotFound, editor.do(http.MethodGet, commentsOn(task.ID), nil).status)
	require.Equal(t, http.StatusNotFound, editor.do(http.MethodPatch, commentAt(c.ID), object{"text": "y"}).status)
	require.Equal(t, []comment.Comment{c}, owner.comments(task.ID, "").Items)
	require.Equal(t, http.StatusNoContent, owner.do(http.MethodDelete, at(task.ID), nil).status)
	require.Equal(t, http.StatusNotFound, owner.do(http.MethodGet, commentsOn(task.ID), nil).status)
	require.Equal(t, http.StatusNotFound, owner.do(http.MethodDelete, commentAt(c.ID), nil).status)
	left, err := s.db.NewSelect().Table("task.comments").Count(t.Context())
	require.NoError(t, err)
	require.Zero(t, left)
	require.Equal(t, http.StatusNotFound, owner.do(http.MethodGet, commentsOn(uuid.New()), nil).status)
}

// Reopening a task takes what follows it back, but not what somebody has said there.
func TestATaskThatWasCommentedOnIsNotTakenBack(t *testing.T) {
	t.Parallel()
	u := start(t).newUser()
	for name, commented := range map[string]bool{"commented on": true, "not": false} {
		t.Run(name, func(t *testing.T) {
			task := u.create(object{"title": "x", "due_at": "2030-01-01T12:00:00Z", "recurrence": object{"rrule": "FREQ=DAILY"}})
			u.task(http.StatusOK, http.MethodPatch, at(task.ID)+"/complete", object{"is_complete": true})
			next := u.follow(task.ID).spawned(t)
			if commented {
				u.say(next, "Not on Sundays")
			}
			u.task(http.StatusOK, http.MethodPatch, at(task.ID), object{"is_complete": false})
			want := http.StatusNotFound
			if commented {
				want = http.StatusOK
			}
			require.Equal(t, want, u.do(http.MethodGet, at(next), nil).status)
		})
	}
}

func TestATaskHasSoManyComments(t *testing.T) {
	t.Parallel()
	u := start(t, "LIMIT_COMMENTS=2").newUser()
	task := u.create(object{"title": "x"})
	first := u.say(task.ID, "1")
	u.say(task.ID, "2")
	a := u.do(http.MethodPost, commentsOn(task.ID), object{"text": "3"})
	require.Equal(t, []any{http.StatusForbidden, "limit-reached"}, []any{a.status, a.problem().code()})
	u.say(u.create(object{"title": "y"}).ID, "another task's")
	require.Equal(t, http.StatusNoContent, u.do(http.MethodDelete, commentAt(first.ID), nil).status)
	u.say(task.ID, "3")
	// 0 is no limit.
	u = start(t, "LIMIT_COMMENTS=0").newUser()
	task = u.create(object{"title": "x"})
	u.say(task.ID, "1")
	u.say(task.ID, "2")
}
