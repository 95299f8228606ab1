package main

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/auth"
	"github.com/taskwire/taskwire/pkg/membership"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/account"
)

// apiToken is an API token of a user's, who asks by it.
type apiToken struct {
	client
	id uuid.UUID
}

func (c client) apiToken(body object) apiToken {
	c.t.Helper()
	a := c.do(http.MethodPost, "/api/auth/tokens", body)
	require.Equal(c.t, http.StatusCreated, a.status, "%s", a.body)
	var made struct {
		ID    uuid.UUID
		Token string
	}
	require.NoError(c.t, json.Unmarshal(a.body, &made))
	c.token = made.Token
	return apiToken{c, made.ID}
}

// stream opens a stream, for as long as the test takes, with one more header if there is one.
func (c client) stream(header ...string) (status int, body io.Reader) {
	c.t.Helper()
	request, err := http.NewRequestWithContext(c.t.Context(), http.MethodGet, c.base+"/api/stream", nil)
	require.NoError(c.t, err)
	request.Header.Set("Authorization", "Bearer "+c.token)
	if len(header) > 0 {
		request.Header.Set(header[0], header[1])
	}
	response, err := http.DefaultClient.Do(request)
	require.NoError(c.t, err)
	c.t.Cleanup(func() { _ = response.Body.Close() }) // nothing more is read
	return response.StatusCode, response.Body
}

// allBut are all scopes but some.
func allBut(some ...auth.Scope) []auth.Scope {
	return slices.DeleteFunc(slices.Clone(auth.Scopes), func(s auth.Scope) bool { return slices.Contains(some, s) })
}

func basicOf(name, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(name+":"+password))
}

// shownAs are all ways in which an API token is shown.
func shownAs(secret string) map[string][]string {
	return map[string][]string{
		"Bearer":                 {"Authorization", "Bearer " + secret},
		"the cookie":             {"Cookie", auth.Cookie + "=" + secret},
		"Basic":                  {"Authorization", basicOf("ada@example.org", secret)},
		"Basic, in small":        {"Authorization", strings.Replace(basicOf("x", secret), "Basic", "basic", 1)},
		"Basic, without a name":  {"Authorization", basicOf("", secret)},
		"Basic, with a bad name": {"Authorization", basicOf("no\x00body", secret)},
	}
}

// An API token may do what its scopes are for. None is for what is not in this table, or has
// nothing there.
var scopesOfOperations = map[string][]auth.Scope{
	"me": {auth.AccountRead},

	"list-lists": {auth.ListsRead}, "get-list": {auth.ListsRead}, "list-invitations": {auth.ListsRead},
	"create-list": {auth.ListsWrite}, "update-list": {auth.ListsWrite}, "move-list": {auth.ListsWrite}, "delete-list": {auth.ListsWrite},
	"invite-member": {auth.ListsWrite}, "update-member": {auth.ListsWrite}, "remove-member": {auth.ListsWrite},
	"accept-invitation": {auth.ListsWrite}, "decline-invitation": {auth.ListsWrite}, "withdraw-invitation": {auth.ListsWrite},

	"list-tasks": {auth.TasksRead}, "get-task": {auth.TasksRead}, "list-comments": {auth.TasksRead}, "list-trash": {auth.TasksRead},
	"create-task": {auth.TasksWrite}, "replace-task": {auth.TasksWrite}, "update-task": {auth.TasksWrite}, "complete-task": {auth.TasksWrite},
	"skip-task": {auth.TasksWrite}, "delete-task": {auth.TasksWrite}, "move-task": {auth.TasksWrite}, "quick-add": {auth.TasksWrite}, "change-tasks": {auth.TasksWrite},
	"add-comment": {auth.TasksWrite}, "update-comment": {auth.TasksWrite}, "delete-comment": {auth.TasksWrite},
	"restore": {auth.TasksWrite}, "purge": {auth.TasksWrite}, "undo": {auth.TasksWrite},

	// They tell of lists and of what is in them.
	"list-changes": {auth.TasksRead, auth.ListsRead}, "snapshot": {auth.TasksRead, auth.ListsRead}, "stream": {auth.TasksRead, auth.ListsRead},

	"task-history": {auth.AuditRead}, "list-audit": {auth.AuditRead},
	"list-occurrences": {auth.TasksRead}, "preview-recurrence": {auth.TasksRead},
	"list-notifications": {auth.Notifications}, "read-all-notifications": {auth.Notifications},
	"mark-notification": {auth.Notifications}, "read-notification": {auth.Notifications},

	"list-sessions": nil, "end-session": nil, "end-other-sessions": nil, "change-password": nil, "update-me": nil,
	"list-identities": nil, "remove-identity": nil, "begin-passkey": nil, "add-passkey": nil, "list-passkeys": nil, "remove-passkey": nil,
	"get-totp": nil, "begin-totp": nil, "confirm-totp": nil, "remove-totp": nil,
	"operator-state": nil, "operator-dead-letters": nil, "operator-replay": nil, "operator-discard": nil,
	"export": nil, "erase-me": nil, "restore-me": nil,
	"list-api-tokens": nil, "create-api-token": nil, "revoke-api-token": nil,
}

func TestWhatEachScopeIsFor(t *testing.T) {
	t.Parallel()
	away := newStandIn(t)
	s := start(t, "DAPR_HTTP_PORT="+away.port(), "LIMIT_WRITES=0", "LOG_LEVEL=debug")
	u := s.newUser()
	w := &world{t: t, s: s, away: away}
	tokens := map[string]apiToken{}
	with := func(scopes ...auth.Scope) person {
		if _, ok := tokens[fmt.Sprint(scopes)]; !ok {
			tokens[fmt.Sprint(scopes)] = u.apiToken(object{"name": "x", "scopes": scopes})
		}
		return person{client: tokens[fmt.Sprint(scopes)].client}
	}
	known := map[string]bool{}
	for _, op := range describedOperations(t, s) {
		if len(op.Security) == 0 {
			continue
		}
		known[op.ID] = true
		needs, ok := scopesOfOperations[op.ID]
		if !ok {
			t.Fatalf("%s %s: say in scopesOfOperations in api_tokens_test.go which scopes %s needs of an API token, or nil where it is for none", op.method, op.path, op.ID)
		}
		require.ElementsMatch(t, needs, op.Scopes, "%s: what its description says", op.ID)
		t.Run(op.ID, func(t *testing.T) {
			w.t, w.s.t = t, t
			ids := map[string]string{"path.id": uuid.NewString(), "path.notification": uuid.NewString(), "path.request_id": uuid.NewString(), "path.user_id": uuid.NewString()}
			if op.ID == "stream" {
				ids["query.list_id"] = uuid.NewString() // an answer that ends
			}
			if op.ID == "list-changes" {
				ids["query.since"] = "x"
			}
			if needs == nil {
				a := w.ask(op, with(auth.Scopes...), ids)
				require.Equal(t, http.StatusForbidden, a.status, "with all scopes: %s", a.body)
				require.Equal(t, "not-for-tokens", a.problem().code())
				return
			}
			for _, need := range needs {
				a := w.ask(op, with(allBut(need)...), ids)
				require.Equal(t, http.StatusForbidden, a.status, "with all but %s: %s", need, a.body)
				require.Equal(t, "scope-missing", a.problem().code())
				require.Contains(t, a.problem().Detail, need)
				require.Equal(t, `Bearer realm="taskwire", error="insufficient_scope", scope="`+string(need)+`"`, a.header.Get("WWW-Authenticate"))
				require.Empty(t, away.last(), "it is not passed on")
			}
			a := w.ask(op, with(needs...), ids)
			require.NotEqual(t, http.StatusForbidden, a.status, "with these alone: %s", a.body)
			require.NotEqual(t, http.StatusUnauthorized, a.status, "with these alone: %s", a.body)
			require.Less(t, a.status, http.StatusInternalServerError, "%s", a.body)
		})
	}
	w.t, w.s.t = t, t
	for id := range scopesOfOperations {
		require.True(t, known[id], "there is no operation %s any more", id)
	}
}

// The token of a user who sees another list of hers alone is, for what is in a list, as a
// stranger. (The operations are tried as in TestWhoMayDoWhat.)
func TestATokenOfSomeListsIsAStrangerInOthers(t *testing.T) {
	t.Parallel()
	away := newStandIn(t)
	s := start(t, "DAPR_HTTP_PORT="+away.port(), "LIMIT_WRITES=0", "LOG_LEVEL=debug")
	operations := describedOperations(t, s)
	w := newWorld(s, away)
	owner := w.people[len(w.people)-1]
	only := owner.list(http.StatusCreated, http.MethodPost, "/api/lists", object{"name": "Only"}).ID
	restricted := person{client: owner.apiToken(object{"name": "x", "scopes": auth.Scopes, "list_ids": []uuid.UUID{only}}).client, name: "restricted", only: &only}
	tried := 0
	for _, op := range operations {
		want := expectations[op.ID]
		if len(op.Scopes) == 0 || want.elsewhere != "" {
			continue
		}
		t.Run(op.ID, func(t *testing.T) {
			w.t, w.s.t = t, t
			switch op.ID {
			case "create-list", "list-notifications", "read-all-notifications", "mark-notification", "read-notification":
				a := w.ask(op, restricted, map[string]string{"path.id": uuid.NewString(), "path.notification": uuid.NewString()})
				require.Equal(t, http.StatusForbidden, a.status, "%s", a.body)
				require.Equal(t, "not-for-tokens", a.problem().code())
				require.Empty(t, away.last(), "it is not passed on")
				return
			case "change-tasks": // its example adds to the inbox
				a := w.ask(op, restricted, nil)
				require.Equal(t, http.StatusUnprocessableEntity, a.status, "%s", a.body)
			default:
				if len(want.path) == 0 {
					w.tryWithoutIDs(op, want.needs, person{client: restricted.client, name: restricted.name, only: &only})
				}
			}
			if len(want.path) > 0 {
				w.tryPath(op, want, restricted)
			}
			for _, id := range slices.Sorted(maps.Keys(want.ids)) {
				w.tryID(op, want, restricted, id)
			}
			tried++
		})
	}
	w.t, w.s.t = t, t
	require.Greater(t, tried, 25)
}

// What a restricted token is told, and what it may do, in a list of its own and around it.
func TestWhatATokenOfSomeListsSees(t *testing.T) {
	away := newStandIn(t)
	s := start(t, "DAPR_HTTP_PORT="+away.port())
	u, other := s.newUser(), s.newUser()
	mine := u.list(http.StatusCreated, http.MethodPost, "/api/lists", object{"name": "Mine"}).ID
	shared := other.list(http.StatusCreated, http.MethodPost, "/api/lists", object{"name": "Shared"}).ID
	other.join(u, shared, access.Editor)
	inbox := access.Inbox(u.user)
	in := map[uuid.UUID]uuid.UUID{}
	for _, list := range []uuid.UUID{inbox, mine, shared} {
		in[list] = u.create(object{"title": "In " + list.String(), "list_id": list}).ID
		gone := u.create(object{"title": "Gone of " + list.String(), "list_id": list}).ID
		require.Equal(t, http.StatusNoContent, u.do(http.MethodDelete, at(gone), nil).status)
		u.say(in[list], "Said in "+list.String())
	}
	place := u.place()
	one := u.apiToken(object{"name": "one", "scopes": auth.Scopes, "list_ids": []uuid.UUID{shared}})
	renamed := u.do(http.MethodPatch, at(in[mine]), object{"title": "Renamed in " + mine.String()})
	require.Equal(t, http.StatusOK, renamed.status)
	done := u.do(http.MethodPatch, at(in[shared]), object{"title": "Renamed in " + shared.String()})
	require.Equal(t, http.StatusOK, done.status)
	// Of her memberships she is told by the feed, too, and of invitations.
	later := u.list(http.StatusCreated, http.MethodPost, "/api/lists", object{"name": "Later"}).ID
	tempting := other.list(http.StatusCreated, http.MethodPost, "/api/lists", object{"name": "Tempting"}).ID
	require.Equal(t, http.StatusCreated, other.do(http.MethodPost, listAt(tempting)+"/members", object{"email": u.email, "role": access.Editor}).status)
	invitations := items[struct{ ID string }](u, "/api/invitations")
	require.Len(t, invitations, 1)
	require.Empty(t, items[struct{ ID string }](one.client, "/api/invitations"))
	for _, answer := range []string{"accept", "decline"} {
		require.Equal(t, http.StatusNotFound, one.do(http.MethodPost, "/api/invitations/"+invitations[0].ID+"/"+answer, nil).status)
	}

	for _, path := range []string{"/api/tasks", "/api/lists", "/api/trash", "/api/snapshot", "/api/changes?since=" + place, "/api/tasks?q=in", at(in[shared]) + "/comments"} {
		a := one.do(http.MethodGet, path, nil)
		require.Equal(t, http.StatusOK, a.status, "%s: %s", path, a.body)
		require.Contains(t, string(a.body), shared.String(), path)
		for _, hidden := range []uuid.UUID{inbox, mine, later, in[inbox], in[mine]} {
			require.NotContains(t, string(a.body), hidden.String(), path)
		}
	}
	for _, path := range []string{"/api/audit", at(in[shared]) + "/history"} {
		require.Less(t, one.do(http.MethodGet, path, nil).status, http.StatusInternalServerError)
		told, err := membership.Decode(away.last().lists)
		require.NoError(t, err)
		require.Equal(t, []uuid.UUID{shared}, told)
		require.Equal(t, true, claimsOf(t, strings.TrimPrefix(away.last().by, "Bearer "))["lists_alone"])
		u.do(http.MethodGet, path, nil)
		require.NotContains(t, claimsOf(t, strings.TrimPrefix(away.last().by, "Bearer ")), "lists_alone", "of a session")
	}

	// Without a list it would be the inbox.
	a := one.do(http.MethodPost, "/api/tasks", object{"title": "x"})
	require.Equal(t, http.StatusUnprocessableEntity, a.status)
	require.Equal(t, "body.list_id", a.problem().Errors[0].Location)
	for _, hidden := range []uuid.UUID{inbox, mine} {
		a := one.do(http.MethodPost, "/api/tasks", object{"title": "x", "list_id": hidden})
		require.Equal(t, http.StatusUnprocessableEntity, a.status)
		a = one.do(http.MethodPost, at(in[shared])+"/move", object{"list_id": hidden})
		require.Equal(t, http.StatusUnprocessableEntity, a.status, "%s", a.body)
		require.Equal(t, "body.list_id", a.problem().Errors[0].Location)
	}
	one.task(http.StatusCreated, http.MethodPost, "/api/tasks", object{"title": "x", "list_id": shared})
	withInbox := u.apiToken(object{"name": "inbox", "scopes": auth.Scopes, "list_ids": []uuid.UUID{inbox}})
	require.Equal(t, inbox, withInbox.create(object{"title": "x"}).ListID)

	// The answer to a request that its user has made is not for the token.
	keyed := []string{"Idempotency-Key", "k"}
	require.Equal(t, http.StatusCreated, u.do(http.MethodPost, "/api/tasks", object{"title": "Secret"}, keyed...).status)
	again := one.do(http.MethodPost, "/api/tasks", object{"title": "Secret"}, keyed...)
	require.Equal(t, http.StatusUnprocessableEntity, again.status)
	require.Equal(t, "idempotency-key-used", again.problem().code())

	require.Equal(t, http.StatusNotFound, one.do(http.MethodPost, "/api/operations/"+renamed.request()+"/undo", nil).status)
	require.Equal(t, http.StatusOK, one.do(http.MethodPost, "/api/operations/"+done.request()+"/undo", nil).status)

	// Who is out of the list is out with the token.
	require.Equal(t, http.StatusNoContent, other.do(http.MethodDelete, listAt(shared)+"/members/"+u.user.String(), nil).status)
	require.Equal(t, http.StatusNotFound, one.do(http.MethodGet, at(in[shared]), nil).status)
	require.JSONEq(t, `{"items":[],"next_cursor":null}`, string(one.do(http.MethodGet, "/api/lists", nil).body))
	require.JSONEq(t, `{"items":[],"next_cursor":null}`, string(one.do(http.MethodGet, "/api/tasks", nil).body))
}

// place is where the feed is now.
func (c client) place() string {
	c.t.Helper()
	first, _, _ := strings.Cut(string(c.do(http.MethodGet, "/api/snapshot", nil).body), "\n")
	var from struct{ Next string }
	require.NoError(c.t, json.Unmarshal([]byte(first), &from))
	return from.Next
}

// A token that may write tasks does not, by way of the trash or of undo, change lists.
func TestAWriterOfTasksLeavesListsAlone(t *testing.T) {
	t.Parallel()
	s := start(t)
	u := s.newUser()
	l := u.list(http.StatusCreated, http.MethodPost, "/api/lists", object{"name": "A"}).ID
	renamed := u.do(http.MethodPatch, listAt(l), object{"name": "B"})
	deleted := u.do(http.MethodDelete, listAt(l), nil)
	require.Equal(t, http.StatusNoContent, deleted.status)
	writer := u.apiToken(object{"name": "x", "scopes": []auth.Scope{auth.TasksWrite}})
	both := u.apiToken(object{"name": "x", "scopes": []auth.Scope{auth.TasksWrite, auth.ListsWrite}})
	for name, path := range map[string]string{
		"restore": "/api/trash/" + l.String() + "/restore", "undo the deletion": "/api/operations/" + deleted.request() + "/undo", "undo the name": "/api/operations/" + renamed.request() + "/undo",
	} {
		a := writer.do(http.MethodPost, path, nil)
		require.Equal(t, http.StatusForbidden, a.status, "%s: %s", name, a.body)
		require.Equal(t, "scope-missing", a.problem().code(), name)
	}
	require.Equal(t, http.StatusForbidden, writer.do(http.MethodDelete, "/api/trash/"+l.String(), nil).status)
	require.Equal(t, http.StatusOK, both.do(http.MethodPost, "/api/trash/"+l.String()+"/restore", nil).status)
}

// Whatever is shown as an API token, and however, the answer of task-api and of the front
// door to another service is the same. (In which states: TestEachCredentialInEachState.)
func TestWhichTokensAreTaken(t *testing.T) {
	t.Parallel()
	away := newStandIn(t)
	s := start(t, "DAPR_HTTP_PORT="+away.port())
	all := object{"name": "x", "scopes": auth.Scopes}
	var list uuid.UUID
	for name, c := range map[string]struct {
		token func(u client) string
		want  int
		audit int // through the front door; 0: the same
	}{
		"good": {func(u client) string { return u.apiToken(all).token }, http.StatusOK, 0},
		"of the list": {func(u client) string {
			return u.apiToken(object{"name": "x", "scopes": auth.Scopes, "list_ids": []uuid.UUID{list}}).token
		}, http.StatusOK, 0},
		"of another list": {func(u client) string {
			return u.apiToken(object{"name": "x", "scopes": auth.Scopes, "list_ids": []uuid.UUID{access.Inbox(u.user)}}).token
		}, http.StatusNotFound, http.StatusOK}, // the service is told of no list
		"whose owner is gone": {func(u client) string {
			made := u.apiToken(all)
			s.execute("DELETE FROM task.users WHERE id = ?", u.user)
			return made.token
		}, http.StatusUnauthorized, 0},
		"made up": {func(client) string { return "tw_" + strings.Repeat("0", 30) + "2C8GjS" }, http.StatusUnauthorized, 0},
		"with a wrong check": {func(u client) string {
			secret := u.apiToken(all).token
			other := "A"
			if strings.HasSuffix(secret, other) {
				other = "B"
			}
			return secret[:len(secret)-1] + other
		}, http.StatusUnauthorized, 0},
		"cut off": {func(u client) string { return strings.TrimSuffix(u.apiToken(all).token[:30], " ") }, http.StatusUnauthorized, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s.t = t
			u := s.newUser()
			list = u.list(http.StatusCreated, http.MethodPost, "/api/lists", object{"name": "L"}).ID
			task := u.create(object{"title": "x", "list_id": list}).ID
			secret := c.token(u)
			for way, header := range shownAs(secret) {
				a := s.nobody().do(http.MethodGet, at(task), nil, header...)
				require.Equal(t, c.want, a.status, "%s: %s", way, a.body)
				away.forget()
				want := c.want
				if c.audit != 0 {
					want = c.audit
				}
				b := s.nobody().do(http.MethodGet, "/api/audit", nil, header...)
				require.Equal(t, want, b.status, "%s: %s", way, b.body)
				require.Equal(t, want == http.StatusOK, away.last().target != "", "%s: passed on only where it is good", way)
				require.NotContains(t, away.last().by, secret)
				if c.want == http.StatusUnauthorized {
					require.Equal(t, strings.HasPrefix(way, "Basic"), strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Basic "), "%s asks for %s", way, a.header.Get("WWW-Authenticate"))
				}
			}
		})
	}
	s.t = t
}

// HTTP Basic is for API tokens alone.
func TestBasicIsForTokensAlone(t *testing.T) {
	t.Parallel()
	s := start(t)
	u := s.newUser()
	here, _ := u.signIn(u.email, password)
	token := u.apiToken(object{"name": "x", "scopes": auth.Scopes})
	for name, header := range map[string]string{
		"the password": basicOf(u.email, password), "a JWT": basicOf(u.email, here.token), "a session": basicOf(u.email, here.cookie),
		"a token as the name": basicOf(token.token, ""), "nothing": "Basic", "no base64": "Basic " + token.token, "no colon": "Basic " + base64.StdEncoding.EncodeToString([]byte(token.token)),
	} {
		a := u.nobody().do(http.MethodGet, "/api/auth/me", nil, "Authorization", header)
		require.Equal(t, http.StatusUnauthorized, a.status, name)
		require.Equal(t, `Basic realm="taskwire", charset="UTF-8"`, a.header.Get("WWW-Authenticate"), name)
		// What it stands beside is not looked at.
		require.Equal(t, http.StatusUnauthorized, u.nobody().do(http.MethodGet, "/api/auth/me", nil, "Authorization", header, "Cookie", auth.Cookie+"="+here.cookie).status, name)
	}
	require.Equal(t, `Bearer realm="taskwire"`, u.nobody().do(http.MethodGet, "/api/auth/me", nil).header.Get("WWW-Authenticate"), "browsers are not to ask for a password")
	// Browsers send Basic of their own accord.
	by := []string{"Authorization", basicOf("x", token.token)}
	require.Equal(t, http.StatusCreated, u.nobody().do(http.MethodPost, "/api/tasks", object{"title": "x"}, by...).status)
	a := u.nobody().do(http.MethodPost, "/api/tasks", object{"title": "x"}, append(by, "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site")...)
	require.Equal(t, http.StatusForbidden, a.status)
	require.Equal(t, "foreign-origin", a.problem().code())
}

func TestMakingAToken(t *testing.T) {
	t.Parallel()
	s := start(t, "LIMIT_TOKENS=3", "TZ=Asia/Tokyo")
	u, stranger := s.newUser(), s.newUser()
	year := time.Now().AddDate(1, 0, 0)
	for name, c := range map[string]struct {
		body     object
		location string
	}{
		"no name":            {object{"scopes": []string{"tasks:read"}}, "body"},
		"a blank name":       {object{"name": "  ", "scopes": []string{"tasks:read"}}, "body.name"},
		"a long name":        {object{"name": strings.Repeat("x", 101), "scopes": []string{"tasks:read"}}, "body.name"},
		"no scopes":          {object{"name": "x", "scopes": []string{}}, "body.scopes"},
		"an unknown scope":   {object{"name": "x", "scopes": []string{"tasks:read", "admin"}}, "body.scopes[1]"},
		"a scope twice":      {object{"name": "x", "scopes": []string{"tasks:read", "tasks:read"}}, "body.scopes"},
		"an object":          {object{"name": "x", "scopes": []object{{}}}, "body.scopes[0]"},
		"an array":           {object{"name": "x", "scopes": [][]string{{"tasks:read"}}}, "body.scopes[0]"},
		"no list":            {object{"name": "x", "scopes": []string{"tasks:read"}, "list_ids": []string{}}, "body.list_ids"},
		"a list twice":       {object{"name": "x", "scopes": []string{"tasks:read"}, "list_ids": []uuid.UUID{access.Inbox(u.user), access.Inbox(u.user)}}, "body.list_ids"},
		"a list's object":    {object{"name": "x", "scopes": []string{"tasks:read"}, "list_ids": []object{{"id": access.Inbox(u.user)}}}, "body.list_ids[0]"},
		"another's list":     {object{"name": "x", "scopes": []string{"tasks:read"}, "list_ids": []uuid.UUID{access.Inbox(u.user), access.Inbox(stranger.user)}}, "body.list_ids[1]"},
		"in the past":        {object{"name": "x", "scopes": []string{"tasks:read"}, "expires_at": time.Now().Add(-time.Second)}, "body.expires_at"},
		"for too long":       {object{"name": "x", "scopes": []string{"tasks:read"}, "expires_at": year.Add(time.Minute)}, "body.expires_at"},
		"in the year 10,000": {object{"name": "x", "scopes": []string{"tasks:read"}, "expires_at": "9999-12-31T23:59:59Z"}, "body.expires_at"},
	} {
		a := u.do(http.MethodPost, "/api/auth/tokens", c.body)
		require.Equal(t, http.StatusUnprocessableEntity, a.status, "%s: %s", name, a.body)
		require.Equal(t, c.location, a.problem().Errors[0].Location, name)
	}

	before := s.toldSince(0)
	first := u.apiToken(object{"name": " Phone ", "scopes": []string{"tasks:write", "tasks:read"}, "list_ids": []uuid.UUID{access.Inbox(u.user)}})
	second := u.apiToken(object{"name": "Watch", "scopes": []string{"tasks:read"}, "expires_at": year.Add(-time.Minute)})
	third := u.apiToken(object{"name": "Script", "scopes": []string{"tasks:read"}})
	tokens := items[account.APIToken](u, "/api/auth/tokens")
	require.Len(t, tokens, 3)
	require.Equal(t, []uuid.UUID{third.id, second.id, first.id}, []uuid.UUID{tokens[0].ID, tokens[1].ID, tokens[2].ID}, "the latest first")
	require.Equal(t, "Phone", tokens[2].Name)
	require.Equal(t, []auth.Scope{auth.TasksRead, auth.TasksWrite}, tokens[2].Scopes)
	require.Equal(t, []uuid.UUID{access.Inbox(u.user)}, tokens[2].ListIDs)
	require.Nil(t, tokens[0].ListIDs)
	require.Nil(t, tokens[0].LastUsedAt)
	require.WithinDuration(t, time.Now().AddDate(0, 0, 90), tokens[0].ExpiresAt, time.Minute)
	require.NotContains(t, string(u.do(http.MethodGet, "/api/auth/tokens", nil).body), "+09:00", "times are answered in UTC")
	var page struct {
		Items []account.APIToken
		Next  string `json:"next_cursor"`
	}
	require.NoError(t, json.Unmarshal(u.do(http.MethodGet, "/api/auth/tokens?limit=2", nil).body, &page))
	require.Len(t, page.Items, 2)
	require.Equal(t, tokens[2:], items[account.APIToken](u, "/api/auth/tokens?limit=2&cursor="+page.Next))

	full := u.do(http.MethodPost, "/api/auth/tokens", object{"name": "x", "scopes": []string{"tasks:read"}})
	require.Equal(t, http.StatusForbidden, full.status)
	require.Equal(t, "limit-reached", full.problem().code())
	s.execute("UPDATE task.api_tokens SET expires_at = now() - interval '1 second' WHERE id = ?", second.id)
	require.Len(t, items[account.APIToken](u, "/api/auth/tokens"), 3, "one that has expired is seen for a while")
	fourth := u.apiToken(object{"name": "x", "scopes": []string{"tasks:read"}})

	// It is another's own.
	require.Empty(t, items[account.APIToken](stranger, "/api/auth/tokens"))
	require.Equal(t, http.StatusNotFound, stranger.do(http.MethodDelete, "/api/auth/tokens/"+fourth.id.String(), nil).status)
	require.Equal(t, http.StatusOK, fourth.do(http.MethodGet, "/api/tasks", nil).status)
	require.Equal(t, http.StatusNoContent, u.do(http.MethodDelete, "/api/auth/tokens/"+fourth.id.String(), nil).status)
	require.Equal(t, http.StatusNotFound, u.do(http.MethodDelete, "/api/auth/tokens/"+fourth.id.String(), nil).status)

	// A logout ends no token.
	require.Equal(t, http.StatusNoContent, third.do(http.MethodPost, "/api/auth/logout", nil).status)
	require.Equal(t, http.StatusOK, third.do(http.MethodGet, "/api/tasks", nil).status)

	var types []string
	for _, e := range s.toldSince(before[len(before)-1].Position) {
		require.NotContains(t, e.Data, first.token)
		if e.Key == u.user.String() && strings.HasPrefix(e.Type, "audit.user.") {
			types = append(types, e.Type)
		}
		if e.Type == "audit.user.token_revoked" {
			require.NotContains(t, e.Data, "+09:00")
			require.Contains(t, e.Data, `"metadata":{"name":"x","scopes":["tasks:read"],"token":"`+fourth.id.String()+`"}`)
		}
	}
	require.Equal(t, []string{"audit.user.token_created", "audit.user.token_created", "audit.user.token_created", "audit.user.token_created", "audit.user.token_revoked"}, types)
	for _, secret := range []string{first.token, third.token} {
		for _, table := range []string{"api_tokens", "events", "idempotency_keys", "operations"} {
			var kept int
			require.NoError(t, s.db.NewRaw("SELECT count(*) FROM task."+table+" x WHERE x::text LIKE ?", "%"+secret[3:33]+"%").Scan(t.Context(), &kept))
			require.Zero(t, kept, "it is kept nowhere: %s", table)
		}
	}
}

// What is written by way of a token counts to the limits of its user.
func TestATokenCountsToItsUser(t *testing.T) {
	t.Parallel()
	s := start(t, "LIMIT_WRITES=8")
	u := s.newUser()
	token := u.apiToken(object{"name": "x", "scopes": auth.Scopes}) // the first write
	write := func(c client) int { return c.do(http.MethodPost, "/api/tasks", object{"title": "x"}).status }
	for range 6 {
		require.Equal(t, http.StatusCreated, write(token.client))
	}
	require.Equal(t, http.StatusTooManyRequests, write(token.client), "a quarter is for the user himself")
	require.Equal(t, http.StatusCreated, write(u))
	require.Equal(t, http.StatusTooManyRequests, write(u))

	other := s.newUser()
	token = other.apiToken(object{"name": "x", "scopes": auth.Scopes})
	operations := slices.Repeat([]object{{"op": "create", "body": object{"title": "x"}}}, 50) // six writes
	require.Equal(t, http.StatusOK, token.do(http.MethodPost, "/api/tasks/bulk", object{"operations": operations}).status)
	require.Equal(t, http.StatusTooManyRequests, write(token.client))
	require.Equal(t, http.StatusCreated, write(other))
}

// Whoever had got hold of a token, of any scope, kept its owner out: from ending it, too.
func TestATokenThatTakesAllThatItCanIsEnded(t *testing.T) {
	t.Parallel()
	s := start(t, "LIMIT_IN_FLIGHT=4", "LIMIT_WRITES=8")
	u := s.newUser()
	thief := u.apiToken(object{"name": "x", "scopes": []auth.Scope{auth.TasksRead, auth.ListsRead}})
	for range 8 { // more than it may even be refused
		thief.do(http.MethodPost, "/api/tasks", object{"title": "x"})
	}
	var streams []io.Reader
	for range 3 {
		status, stream := thief.stream()
		require.Equal(t, http.StatusOK, status)
		streams = append(streams, stream)
	}
	for _, c := range []client{thief.client, u} {
		status, _ := c.stream()
		require.Equal(t, http.StatusTooManyRequests, status)
	}
	require.Equal(t, http.StatusTooManyRequests, thief.do(http.MethodGet, "/api/tasks", nil).status)
	require.Equal(t, http.StatusOK, u.do(http.MethodGet, "/api/tasks", nil).status)
	require.Equal(t, http.StatusNoContent, u.do(http.MethodDelete, "/api/auth/tokens/"+thief.id.String(), nil).status)
	for _, stream := range streams {
		_, err := io.Copy(io.Discard, stream)
		require.NoError(t, err, "it ends with its token")
	}
	status, _ := u.stream()
	require.Equal(t, http.StatusOK, status)
}

// A stream that a token of one list has opened tells of that list alone, and ends with the
// token.
func TestAStreamOfAToken(t *testing.T) {
	s := start(t)
	u := s.newUser()
	shown := u.list(http.StatusCreated, http.MethodPost, "/api/lists", object{"name": "Shown"}).ID
	hidden := u.list(http.StatusCreated, http.MethodPost, "/api/lists", object{"name": "Hidden"}).ID
	token := u.apiToken(object{"name": "x", "scopes": auth.Scopes, "list_ids": []uuid.UUID{shown}})
	open := func(header ...string) (lines chan string) {
		status, body := u.stream(header...)
		require.Equal(t, http.StatusOK, status)
		lines = make(chan string, 1000)
		go func() {
			defer close(lines)
			for read := bufio.NewScanner(body); read.Scan(); {
				lines <- read.Text()
			}
		}()
		return lines
	}
	// Her session waits for both, so that what changes in either is told to all who wait.
	hers, lines := open(), open("Authorization", basicOf("x", token.token))
	until := func(lines chan string, id string, not ...string) {
		for patience := time.After(patience); ; {
			select {
			case line, open := <-lines:
				require.True(t, open)
				for _, text := range not {
					require.NotContains(t, line, text)
				}
				if strings.Contains(line, id) {
					return
				}
			case <-patience:
				t.Fatal("the stream does not tell")
			}
		}
	}
	for range 5 { // the first may have been read before they waited
		a := u.do(http.MethodPost, "/api/tasks/bulk", object{"operations": []object{
			{"op": "create", "body": object{"title": "x", "list_id": hidden}}, {"op": "create", "body": object{"title": "x", "list_id": shown}},
		}})
		require.Equal(t, http.StatusOK, a.status, "%s", a.body)
		var made struct {
			Results []struct{ Task struct{ ID string } }
		}
		require.NoError(t, json.Unmarshal(a.body, &made))
		until(hers, made.Results[1].Task.ID)
		until(lines, made.Results[1].Task.ID, hidden.String())
	}
	require.Equal(t, http.StatusNoContent, u.do(http.MethodDelete, "/api/auth/tokens/"+token.id.String(), nil).status)
	u.create(object{"title": "x", "list_id": shown})
	for ended := time.After(patience); ; {
		select {
		case line, open := <-lines:
			if !open {
				return
			}
			require.NotContains(t, line, hidden.String())
		case <-ended:
			t.Fatal("the stream goes on")
		}
	}
}
