package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/auth"
	"github.com/taskwire/taskwire/pkg/membership"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
)

// Who may do what, as the description of the API has it: everybody tries each operation,
// with each id in it. What an operation or an id needs is in the table below; one that is
// not there fails the test.

// need is what somebody has to be to the thing that an id is of, or the caller to what
// an operation without ids is about.
type need string

const (
	open     need = "open"      // nothing, not even an account
	signedIn need = "signed in" // somebody: it is about what is his own

	reads   need = "reads"   // a member of its list
	writes  need = "writes"  // an editor of its list, or an owner
	owns    need = "owns"    // an owner of the list
	wrote   need = "wrote"   // who wrote it: here the owner
	invited need = "invited" // who is asked to be a member
	hers    need = "hers"    // whose request it was: here the owner's

	apart   need = "apart"   // it can not be had here: what it has to belong to is the caller's own
	taken   need = "taken"   // it is to name something new: what is there is answered to who sees it, and nothing is changed
	ignored need = "ignored" // answers have it, so that requests may
	passed  need = "passed"  // another service keeps things of each user, and asks whose it is itself
)

// thing is what an id is of.
type thing string

const (
	theList       thing = "list"
	theTask       thing = "task" // or its subtask
	theReminder   thing = "reminder"
	theSeries     thing = "series"
	theMember     thing = "member"
	theInvitation thing = "invitation"
	theNotice     thing = "notification"
	theTrash      thing = "thing in the trash"
	theComment    thing = "comment"
	theRequest    thing = "request"
	theSession    thing = "session"
	theAPIToken   thing = "API token"
	thePasskey    thing = "passkey"
	theIdentity   thing = "link to a provider"
)

// expected is what an operation needs: of what its path names, by parameter, or else of
// who asks. The only parameter decides, or that called id; what another one names is looked
// for in what that one does. ids are those in the query and in the body.
type expected struct {
	needs need
	path  map[string]thing
	ids   map[string]use
	body  string // in which the ids are tried; "": the example of the description
	since bool   // it goes on from a place that a snapshot gave
	// elsewhere is the test that tries it, of an answer that does not end, or a request that
	// the example is not enough for.
	elsewhere string
}

type use struct {
	of    thing
	needs need
	// asInPath says that it is answered like an id in a path: not found.
	asInPath bool
}

var (
	aTask       = map[string]thing{"id": theTask}
	aList       = map[string]thing{"id": theList}
	aMember     = map[string]thing{"id": theList, "user_id": theMember}
	aInvitation = map[string]thing{"id": theInvitation}
	aNotice     = map[string]thing{"id": theNotice}
	aComment    = map[string]thing{"id": theComment}
	aTrash      = map[string]thing{"id": theTrash}
	aSession    = map[string]thing{"id": theSession}
	anAPIToken  = map[string]thing{"id": theAPIToken}
	aPasskey    = map[string]thing{"id": thePasskey}
	aIdentity   = map[string]thing{"id": theIdentity}
	aRequest    = map[string]thing{"request_id": theRequest}

	inATask = map[string]use{
		"body.list_id":             {of: theList, needs: writes},
		"body.parent_id":           {of: theTask, needs: writes},
		"body.assignee_id":         {of: theMember, needs: apart},
		"body.reminders[].id":      {of: theReminder, needs: apart},
		"body.reminders[].user_id": {of: theMember, needs: ignored},
	}
)

// expectations are of each operation in internal/docs/openapi.json, by its operationId.
var expectations = map[string]expected{
	"register":      {needs: open},
	"login":         {needs: open},
	"logout":        {needs: open},
	"list-problems": {needs: open},

	"forgot-password":     {needs: open},
	"reset-password":      {needs: open},
	"verify-address":      {needs: open},
	"resend-verification": {needs: open},

	"get-problem": {needs: open},

	"list-sessions":      {needs: signedIn},
	"end-session":        {needs: apart, path: aSession},
	"end-other-sessions": {needs: signedIn},
	"change-password":    {needs: signedIn},

	"list-api-tokens":  {needs: signedIn},
	"create-api-token": {needs: signedIn, ids: map[string]use{"body.list_ids[]": {of: theList, needs: reads}}},
	"revoke-api-token": {needs: apart, path: anAPIToken},
	"list-providers":   {needs: open},
	"begin-provider":   {needs: open},
	"finish-provider":  {needs: open},
	"list-identities":  {needs: signedIn},
	"remove-identity":  {needs: apart, path: aIdentity},

	"begin-passkey-login":  {needs: open},
	"finish-passkey-login": {needs: open},
	"begin-passkey":        {needs: signedIn},
	"add-passkey":          {needs: signedIn, elsewhere: "TestAPasskeySignsIn"}, // it takes a browser
	"list-passkeys":        {needs: signedIn},
	"remove-passkey":       {needs: apart, path: aPasskey},

	"get-totp":     {needs: signedIn},
	"begin-totp":   {needs: signedIn},
	"confirm-totp": {needs: signedIn, elsewhere: "TestASecondFactorBeginsAndEnds"}, // it takes a code of now
	"remove-totp":  {needs: signedIn},

	"me":        {needs: signedIn},
	"update-me": {needs: signedIn},

	"operator-state":        {needs: signedIn, elsewhere: "TestTheOperatorsCorner"}, // for operators alone
	"operator-dead-letters": {needs: signedIn, elsewhere: "TestTheOperatorsCorner"},
	"operator-replay":       {needs: signedIn, elsewhere: "TestTheOperatorsCorner"},
	"operator-discard":      {needs: signedIn, elsewhere: "TestTheOperatorsCorner"},

	"erase-me":   {needs: signedIn},
	"restore-me": {needs: signedIn},
	"export":     {needs: apart},

	"list-lists":    {needs: reads},
	"create-list":   {needs: signedIn},
	"get-list":      {needs: reads, path: aList},
	"update-list":   {needs: owns, path: aList},
	"move-list":     {needs: reads, path: aList, ids: map[string]use{"body.before": {of: theList, needs: reads}, "body.after": {of: theList, needs: reads}}},
	"delete-list":   {needs: owns, path: aList},
	"invite-member": {needs: owns, path: aList},
	"update-member": {needs: owns, path: aMember},
	"remove-member": {needs: owns, path: aMember},

	"list-invitations":    {needs: invited},
	"accept-invitation":   {needs: invited, path: aInvitation},
	"decline-invitation":  {needs: invited, path: aInvitation},
	"withdraw-invitation": {needs: owns, path: aInvitation},

	"list-tasks": {needs: reads, ids: map[string]use{
		"query.list_id":   {of: theList, needs: reads},
		"query.parent_id": {of: theTask, needs: reads},
		"query.series_id": {of: theSeries, needs: reads},
		"query.assignee":  {of: theMember, needs: reads},
	}},
	"create-task": {needs: signedIn, ids: inATask},
	"quick-add":   {needs: signedIn, ids: map[string]use{"body.list_id": {of: theList, needs: writes}, "body.id": {of: theTask, needs: taken}}},
	"get-task":    {needs: reads, path: aTask},
	"replace-task": {needs: writes, path: aTask, ids: and(inATask, map[string]use{
		"body.id": {of: theTask, needs: ignored}, "body.user_id": {of: theMember, needs: ignored}, "body.series_id": {of: theSeries, needs: ignored},
	})},
	"update-task":   {needs: writes, path: aTask, ids: inATask},
	"complete-task": {needs: writes, path: aTask},
	"skip-task":     {needs: writes, path: aTask},
	"delete-task":   {needs: writes, path: aTask},
	"move-task": {needs: writes, path: aTask, ids: map[string]use{
		"body.list_id":   {of: theList, needs: writes},
		"body.parent_id": {of: theTask, needs: writes},
		"body.before":    {of: theTask, needs: apart},
		"body.after":     {of: theTask, needs: apart},
	}},

	"change-tasks": {
		needs: signedIn, ids: map[string]use{"body.operations[].id": {of: theTask, needs: writes, asInPath: true}},
		body: `{"operations": [{"op": "complete", "body": {"is_complete": true}}]}`,
	},

	"list-changes": {needs: reads, since: true, ids: map[string]use{"query.list_id": {of: theList, needs: reads}}},
	"snapshot":     {needs: reads, ids: map[string]use{"query.list_id": {of: theList, needs: reads}}},
	"stream":       {needs: reads, ids: map[string]use{"query.list_id": {of: theList, needs: reads}}, elsewhere: "TestAClientHasWhatTheServerHas"},

	"list-comments":  {needs: reads, path: aTask},
	"add-comment":    {needs: writes, path: aTask},
	"update-comment": {needs: wrote, path: aComment},
	"delete-comment": {needs: wrote, path: aComment},

	"list-trash": {needs: reads},
	"restore":    {needs: writes, path: aTrash},
	"purge":      {needs: owns, path: aTrash},

	"undo": {needs: hers, path: aRequest},

	// Of other services, through the front door.
	"task-history":           {needs: passed, path: aTask}, // with the lists of who asks
	"list-occurrences":       {needs: reads, path: aTask},
	"list-audit":             {needs: signedIn, ids: map[string]use{"query.task_id": {of: theTask, needs: passed}, "query.list_id": {of: theList, needs: passed}}},
	"list-notifications":     {needs: signedIn},
	"read-all-notifications": {needs: signedIn},
	"mark-notification":      {needs: passed, path: aNotice},
	"read-notification":      {needs: passed, path: aNotice},
	"preview-recurrence":     {needs: signedIn},
}

// decides is the parameter of the path that decides.
func (e expected) decides() string {
	if names := slices.Collect(maps.Keys(e.path)); len(names) == 1 {
		return names[0]
	}
	return "id"
}

func and(some, more map[string]use) map[string]use {
	all := maps.Clone(some)
	maps.Copy(all, more)
	return all
}

// person is somebody, with the role that he has in the list.
type person struct {
	client
	name string
	role access.Role // "" for who is no member
	// only is the list that a person is restricted to, by an API token; nil for none.
	only *uuid.UUID
}

// may says whether a person is what is needed.
func (p person) may(n need) bool {
	switch n {
	case reads:
		return p.role != ""
	case writes:
		return p.role.Writes()
	case owns, wrote:
		return p.role.Rules()
	case invited:
		return p.name == "invited"
	case hers:
		return p.role.Rules()
	case apart:
		return false
	}
	return true
}

// forbidden is the code of the problem for a person who may see a thing, but no more.
func (p person) forbidden(n need) string {
	if p.role == "" {
		return ""
	}
	if n == wrote && !p.role.Writes() {
		n = writes
	}
	return map[need]string{writes: "read-only", owns: "owners-only", wrote: "authors-only"}[n]
}

func TestWhoMayDoWhat(t *testing.T) {
	away := newStandIn(t)
	s := start(t, "DAPR_HTTP_PORT="+away.port(), "LIMIT_WRITES=0", "LOG_LEVEL=debug")
	operations := describedOperations(t, s)
	known := map[string]bool{}
	for _, op := range operations {
		known[op.ID] = true
		want, ok := expectations[op.ID]
		if !ok {
			t.Fatalf("%s %s: nothing is expected of the operation %s; add it to expectations in permissions_test.go, with what it needs (reads, writes, owns, signedIn, …) and what its ids (%s) are of",
				op.method, op.path, op.ID, strings.Join(slices.Sorted(maps.Keys(op.ids)), ", "))
		}
		require.Equal(t, want.needs == open, len(op.Security) == 0, "%s: nobody has to be signed in for what is open, and for nothing else", op.ID)
		expectedIDs := maps.Clone(want.ids)
		if expectedIDs == nil {
			expectedIDs = map[string]use{}
		}
		for name, of := range want.path {
			expectedIDs["path."+name] = use{of: of, needs: want.needs}
			require.Contains(t, want.path, want.decides(), "%s: the parameter that decides is the only one, or called id", op.ID)
		}
		for id := range op.ids {
			if _, ok := expectedIDs[id]; !ok {
				t.Fatalf("%s takes an id in %s that nothing is expected of; add it to its entry in expectations in permissions_test.go, with what it is of (theTask, theList, …) and what that needs", op.ID, id)
			}
		}
		for id, use := range expectedIDs {
			if _, ok := op.ids[id]; !ok {
				t.Fatalf("%s takes no id in %s any more; take it out of expectations in permissions_test.go", op.ID, id)
			}
			if op.ids[id] && use.needs != ignored {
				t.Fatalf("%s says that %s is readOnly, which requests may have and is ignored; expect that of it in permissions_test.go", op.ID, id)
			}
		}
	}
	for id := range expectations {
		require.True(t, known[id], "there is no operation %s any more; take it out of expectations in permissions_test.go", id)
	}
	w := newWorld(s, away)
	for _, op := range operations {
		if expectations[op.ID].elsewhere != "" {
			continue
		}
		t.Run(op.ID, func(t *testing.T) {
			w.t, w.s.t = t, t
			w.try(op, expectations[op.ID])
		})
	}
	w.s.t = t
}

// operation is one of the API's description.
type operation struct {
	ID         string `json:"operationId"`
	Security   []any
	Scopes     []auth.Scope `json:"x-scopes"`
	Parameters []struct {
		In, Name string
		Schema   schema
	}
	RequestBody struct {
		Content map[string]struct {
			Schema  schema
			Example json.RawMessage
		}
	}

	method, path string
	// Where it takes an id, such as path.id, query.list_id or body.reminders[].id, and
	// whether that is readOnly.
	ids map[string]bool
}

type schema struct {
	Ref                 string `json:"$ref"`
	Format              string
	MaxLength           int
	ReadOnly            bool
	Properties          map[string]schema
	Items               *schema
	AnyOf, OneOf, AllOf []schema
	Examples            []any
}

// describedOperations are those in the description that the service serves. All that it
// answers under /api is there, but for the links of mails.
func describedOperations(t *testing.T, s *running) []operation {
	t.Helper()
	var document struct {
		Paths      map[string]map[string]operation
		Components struct{ Schemas map[string]schema }
	}
	require.NoError(t, json.Unmarshal(s.nobody().do(http.MethodGet, "/openapi.json", nil).body, &document))
	var found []operation
	parameter := regexp.MustCompile(`\{[^}]*\}`)
	described := map[route]bool{}
	for path, methods := range document.Paths {
		for method, op := range methods {
			op.method, op.path, op.ids = strings.ToUpper(method), path, map[string]bool{}
			described[route{op.method, parameter.ReplaceAllString(path, "{}")}] = true
			for _, p := range op.Parameters {
				findIDs(document.Components.Schemas, p.Schema, p.In+"."+p.Name, false, nil, op.ids)
			}
			for _, content := range op.RequestBody.Content {
				findIDs(document.Components.Schemas, content.Schema, "body", false, nil, op.ids)
			}
			found = append(found, op)
		}
	}
	for _, r := range s.routes {
		if strings.HasPrefix(r.pattern, "/api/") && !slices.Contains(openRoutes, r) {
			require.True(t, described[route{r.method, parameter.ReplaceAllString(r.pattern, "{}")}], "%s %s is not in /openapi.json (make openapi)", r.method, r.pattern)
		}
	}
	// What only reads comes first, while everybody has few tasks and lists: no page ends.
	order := func(o operation) string { return fmt.Sprintf("%v %s %s", o.method != http.MethodGet, o.path, o.method) }
	slices.SortFunc(found, func(a, b operation) int { return cmp.Compare(order(a), order(b)) })
	return found
}

// findIDs finds the ids that a schema has: what is a UUID, is called so, or is as long as
// one since a word may stand for it.
func findIDs(schemas map[string]schema, of schema, place string, readOnly bool, within []string, found map[string]bool) {
	readOnly = readOnly || of.ReadOnly
	if name := strings.TrimPrefix(of.Ref, "#/components/schemas/"); name != "" {
		if !slices.Contains(within, name) {
			findIDs(schemas, schemas[name], place, readOnly, append(slices.Clone(within), name), found)
		}
		return
	}
	name := place[strings.LastIndexByte(place, '.')+1:]
	if of.Format == "uuid" || of.MaxLength == len(uuid.Nil.String()) || name == "id" || strings.HasSuffix(name, "_id") {
		found[place] = readOnly
		return
	}
	for _, one := range slices.Concat(of.AnyOf, of.OneOf, of.AllOf) {
		findIDs(schemas, one, place, readOnly, within, found)
	}
	if of.Items != nil && strings.HasPrefix(place, "body") {
		place += "[]"
	}
	if of.Items != nil {
		findIDs(schemas, *of.Items, place, readOnly, within, found)
	}
	for name, property := range of.Properties {
		findIDs(schemas, property, place+"."+name, readOnly, within, found)
	}
}

// world is a list with what can be in one, and the people who try to get at it.
type world struct {
	t      *testing.T
	s      *running
	away   *standIn
	people []person
	guest  client // a member who tries nothing
	secret string // what only those who may see the list may be told
	place  string // in the feed, of before there was the list
	ids    map[thing][]string
}

func newWorld(s *running, away *standIn) *world {
	w := &world{t: s.t, s: s, away: away, guest: s.newUser()}
	for _, p := range []person{{name: "stranger"}, {name: "invited"}, {name: "removed"}, {name: "viewer", role: access.Viewer}, {name: "editor", role: access.Editor}, {name: "owner", role: access.Owner}} {
		p.client = s.newUser()
		w.people = append(w.people, p)
	}
	w.renew()
	return w
}

// renew makes another list, after somebody who may has done something to the last one.
func (w *world) renew() {
	w.t.Helper()
	w.secret = "secret-" + uuid.NewString()
	first, _, _ := strings.Cut(string(w.guest.do(http.MethodGet, "/api/snapshot", nil).body), "\n")
	var from struct{ Next string }
	require.NoError(w.t, json.Unmarshal([]byte(first), &from))
	w.place = from.Next
	person := map[string]person{}
	for _, p := range w.people {
		person[p.name] = p
	}
	owner := person["owner"].client
	l := owner.list(http.StatusCreated, http.MethodPost, "/api/lists", object{"name": w.secret})
	for _, name := range []string{"viewer", "editor"} {
		owner.join(person[name].client, l.ID, person[name].role)
	}
	owner.join(w.guest, l.ID, access.Viewer)
	owner.join(person["removed"].client, l.ID, access.Owner)
	require.Equal(w.t, http.StatusNoContent, owner.do(http.MethodDelete, listAt(l.ID)+"/members/"+person["removed"].user.String(), nil).status)
	a := owner.do(http.MethodPost, listAt(l.ID)+"/members", object{"email": person["invited"].email, "role": access.Owner})
	require.Equal(w.t, http.StatusCreated, a.status, "%s", a.body)
	var invitation struct{ ID string }
	require.NoError(w.t, json.Unmarshal(a.body, &invitation))
	task := owner.create(object{
		"title": w.secret, "list_id": l.ID, "assignee_id": w.guest.user, "due_at": "2030-06-01T09:00:00Z", "recurrence": object{"rrule": "FREQ=DAILY"},
		"reminders": []object{{"before_due": "PT1H"}},
	})
	sub := owner.create(object{"title": w.secret, "parent_id": task.ID})
	said := owner.say(task.ID, w.secret)
	owner.say(sub.ID, w.secret)
	gone := owner.create(object{"title": w.secret, "list_id": l.ID})
	require.Equal(w.t, http.StatusNoContent, owner.do(http.MethodDelete, at(gone.ID), nil).status)
	asked := owner.do(http.MethodPatch, at(sub.ID), object{"priority": "low"})
	require.Equal(w.t, http.StatusOK, asked.status, "%s", asked.body)
	var guests string
	require.NoError(w.t, w.s.db.NewRaw("SELECT id FROM task.sessions WHERE user_id = ? LIMIT 1", w.guest.user).Scan(w.t.Context(), &guests))
	identity := uuid.New()
	w.s.execute("INSERT INTO task.identities (id, user_id, issuer, subject, email, created_at) VALUES (?, ?, 'https://id.example.org', ?, ?, now())", identity, w.guest.user, identity.String(), w.secret)
	passkey := uuid.New()
	w.s.execute("INSERT INTO task.passkeys (id, user_id, name, credential, public_key, sign_count, backup_eligible, backed_up, transports, created_at) VALUES (?, ?, ?, ?, '', 0, false, false, '{}', now())", passkey, w.guest.user, w.secret, passkey[:])
	w.ids = map[thing][]string{
		thePasskey: {passkey.String()}, theIdentity: {identity.String()},
		theSession: {guests}, theAPIToken: {w.guest.apiToken(object{"name": "x", "scopes": []string{"tasks:read"}}).id.String()}, theRequest: {asked.request()}, theTrash: {gone.ID.String()}, theComment: {said.ID.String()},
		theList: {l.ID.String()}, theTask: {task.ID.String(), sub.ID.String()}, theReminder: {task.Reminders[0].ID.String()}, theSeries: {task.SeriesID.String()},
		theMember: {w.guest.user.String()}, theInvitation: {invitation.ID}, theNotice: {uuid.NewString()},
	}
	w.away.has(w.secret, w.ids[theTask]...)
}

// anothers is a thing of the list.
func (w *world) anothers(of thing) string {
	w.t.Helper()
	require.NotEmpty(w.t, w.ids[of], "there is no %s yet: have renew in permissions_test.go make one", of)
	return w.ids[of][0]
}

// ownOf is a thing that is the person's own.
func (w *world) ownOf(p person, of thing) string {
	w.t.Helper()
	switch of {
	case theTask:
		return p.create(object{"title": "His own", "due_at": "2030-01-01T12:00:00Z", "list_id": p.only}).ID.String()
	case theList:
		if p.only != nil {
			return p.only.String()
		}
		return access.Inbox(p.user).String()
	}
	w.t.Fatalf("nobody has a %s of his own yet: say in permissions_test.go how he gets one", of)
	return ""
}

// try has everybody do an operation, with each of its ids.
func (w *world) try(op operation, want expected) {
	for _, p := range w.people {
		if len(want.path) == 0 {
			w.tryWithoutIDs(op, want.needs, p)
		} else {
			w.tryPath(op, want, p)
		}
		for _, id := range slices.Sorted(maps.Keys(want.ids)) {
			w.tryID(op, want, p, id)
		}
	}
}

func (w *world) tryWithoutIDs(op operation, needs need, p person) {
	if op.ID == "logout" {
		p.client = w.s.newUser() // the others stay signed in
	}
	a := w.ask(op, p, nil)
	said := fmt.Sprintf("%s by %s: %d %s", op.ID, p.name, a.status, a.body)
	if needs == open {
		// The examples of some are of nobody who is there.
		require.Less(w.t, a.status, http.StatusInternalServerError, said)
		require.NotEqual(w.t, "unauthenticated", a.problem().code(), said)
	} else {
		require.Less(w.t, a.status, http.StatusMultipleChoices, said)
	}
	require.Equal(w.t, needs != open && needs != signedIn && p.may(needs), strings.Contains(string(a.body), w.secret), "what is told: %s", said)
}

// tryPath names what is in the path, and nothing else.
func (w *world) tryPath(op operation, want expected, p person) {
	whole := map[string]string{}
	for name, of := range want.path {
		whole["path."+name] = w.anothers(of)
	}
	decides := want.decides()
	w.compare(op, p, "path."+decides, use{of: want.path[decides], needs: want.needs}, whole)
	for name, of := range want.path {
		if name == decides {
			continue
		}
		ids := map[string]string{"path." + decides: w.ownOf(p, want.path[decides]), "path." + name: w.anothers(of)}
		w.compare(op, p, "path."+name, use{of: of, needs: apart}, ids)
	}
}

// tryID names one thing in the query or the body. What the path names is the person's own.
func (w *world) tryID(op operation, want expected, p person, id string) {
	ids := map[string]string{}
	for name, of := range want.path {
		ids["path."+name] = w.ownOf(p, of)
	}
	ids[id] = w.anothers(want.ids[id].of)
	w.compare(op, p, id, want.ids[id], ids)
}

// compare names things by ids, one of which decides, and then in its place one that
// never was. Who may not know of it gets the same answer to both.
func (w *world) compare(op operation, p person, id string, of use, ids map[string]string) {
	w.t.Helper()
	said := func(a answer) string {
		return fmt.Sprintf("%s by %s, with another's %s in %s (needs: %s): %d %s", op.ID, p.name, of.of, id, of.needs, a.status, a.body)
	}
	before := w.s.state()
	never := maps.Clone(ids)
	never[id] = uuid.NewString()
	switch {
	case of.needs == passed:
		for _, asked := range []map[string]string{ids, never} {
			a := w.ask(op, p, asked)
			require.Contains(w.t, w.away.last().target, asked[id], "passed on as it came: "+said(a))
		}
		require.Equal(w.t, before, w.s.state())
		return
	case of.needs == taken:
		a := w.ask(op, p, ids)
		if p.may(reads) {
			require.Less(w.t, a.status, http.StatusMultipleChoices, said(a))
			require.Contains(w.t, string(a.body), w.secret, said(a))
		} else {
			require.Equal(w.t, "id-taken", a.problem().code(), said(a))
			require.NotContains(w.t, string(a.body), w.secret, said(a))
		}
		require.Equal(w.t, before, w.s.state(), said(a))
		return
	case of.needs == ignored:
		whole := w.seen()
		a := w.ask(op, p, ids)
		require.Less(w.t, a.status, http.StatusMultipleChoices, said(a))
		require.NotContains(w.t, string(a.body), ids[id], said(a))
		require.NotContains(w.t, string(a.body), w.secret, said(a))
		require.Equal(w.t, whole, w.seen(), said(a))
		return
	case p.may(of.needs):
		b := w.ask(op, p, never)
		w.refused(op, p, id, of.needs, b, said(b))
		require.Equal(w.t, before, w.s.state(), said(b))
		a := w.ask(op, p, ids)
		require.Less(w.t, a.status, http.StatusMultipleChoices, said(a))
		if op.method == http.MethodGet {
			require.Contains(w.t, string(a.body), w.secret, said(a))
			require.Equal(w.t, before, w.s.state(), said(a))
		} else {
			w.renew()
		}
		return
	}
	for _, header := range op.conditions(id) {
		b := w.ask(op, p, never, header...)
		w.refused(op, p, id, of.needs, b, said(b))
		for _, foreign := range w.ids[of.of] { // a task, and a subtask of it
			ids = maps.Clone(ids)
			ids[id] = foreign
			a := w.ask(op, p, ids, header...)
			require.NotContains(w.t, string(a.body), w.secret, said(a))
			if code := p.forbidden(of.needs); code != "" {
				require.Equal(w.t, http.StatusForbidden, a.status, said(a))
				require.Equal(w.t, code, a.problem().code(), said(a))
			} else {
				require.Equal(w.t, without(b, never), without(a, ids), "as if it had never been: "+said(a))
			}
			require.Equal(w.t, before, w.s.state(), "nothing is changed and nothing is told: "+said(a))
		}
	}
}

// conditions are the headers that an operation is tried with: none, and those that compare
// the version of what its path names, which is not to be found out that way.
func (o operation) conditions(id string) [][]string {
	all := [][]string{nil}
	for _, p := range o.Parameters {
		if strings.HasPrefix(id, "path.") && p.In == "header" && strings.HasPrefix(p.Name, "If-") {
			all = append(all, []string{p.Name, `"1"`}, []string{p.Name, `"99"`})
		}
	}
	return all
}

// refused is the answer to an id that never was.
func (w *world) refused(op operation, p person, id string, needs need, a answer, said string) {
	w.t.Helper()
	switch {
	case strings.HasPrefix(id, "path."), expectations[op.ID].ids[id].asInPath:
		require.Equal(w.t, http.StatusNotFound, a.status, said)
		require.Equal(w.t, "not-found", a.problem().code(), said)
	default:
		require.Equal(w.t, http.StatusUnprocessableEntity, a.status, said)
		require.Equal(w.t, "invalid", a.problem().code(), said)
		require.Len(w.t, a.problem().Errors, 1, said)
		require.Equal(w.t, strings.ReplaceAll(id, "[]", "[0]"), a.problem().Errors[0].Location, said)
	}
}

// without is an answer without what differs each time: the ids that were sent, and that of
// the request.
func without(a answer, ids map[string]string) string {
	text := fmt.Sprintf("%d %v %s", a.status, slices.Sorted(maps.Keys(a.header)), a.body)
	if id := a.problem().RequestID; id != "" {
		text = strings.ReplaceAll(text, id, "REQUEST")
	}
	for place, id := range ids {
		text = strings.ReplaceAll(text, id, place)
	}
	return text
}

// seen is the list and what is in it, as its owner sees them.
func (w *world) seen() string {
	w.t.Helper()
	owner, id := w.people[len(w.people)-1], w.ids[theList][0]
	return string(owner.do(http.MethodGet, "/api/lists/"+id, nil).body) + string(owner.do(http.MethodGet, "/api/tasks?list_id="+id, nil).body)
}

// ask makes the request of an operation, with the example of its body.
func (w *world) ask(op operation, p person, ids map[string]string, header ...string) answer {
	w.t.Helper()
	path, query := op.path, url.Values{}
	for _, parameter := range op.Parameters {
		id := ids[parameter.In+"."+parameter.Name]
		switch {
		case parameter.In == "path" && id != "":
			path = strings.ReplaceAll(path, "{"+parameter.Name+"}", id)
		case parameter.In == "path":
			path = strings.ReplaceAll(path, "{"+parameter.Name+"}", fmt.Sprint(parameter.Schema.Examples[0]))
		case id != "":
			query.Set(parameter.Name, id)
		}
	}
	if expectations[op.ID].since {
		query.Set("since", w.place)
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	var body any
	if content, ok := op.RequestBody.Content["application/json"]; ok {
		require.NoError(w.t, json.Unmarshal(content.Example, &body), "%s: the example of its body", op.ID)
		body = withoutIDs(body)
	}
	if want := expectations[op.ID]; want.body != "" && len(ids) > 0 {
		require.NoError(w.t, json.Unmarshal([]byte(want.body), &body))
	}
	if p.only != nil && (op.ID == "create-task" || op.ID == "quick-add") { // none is in his inbox
		body = put(body, []string{"list_id"}, *p.only)
	}
	for place, id := range ids {
		if place, ok := strings.CutPrefix(place, "body."); ok {
			body = put(body, strings.Split(place, "."), id)
		}
	}
	p.client.t = w.t
	w.away.forget()
	a := p.do(op.method, path, body, header...)
	if asked := w.away.last(); asked.target != "" {
		require.Equal(w.t, p.user.String(), subjectOf(w.t, asked.by), "the other service is told who asks")
	}
	return a
}

// withoutIDs is an example without the ids in it, which are of nothing here.
func withoutIDs(example any) any {
	switch e := example.(type) {
	case object:
		for name, value := range e {
			if text, ok := value.(string); ok && uuid.Validate(text) == nil {
				delete(e, name)
				continue
			}
			e[name] = withoutIDs(value)
		}
	case []any:
		for i, value := range e {
			e[i] = withoutIDs(value)
		}
	}
	return example
}

// put puts a value at a place of a body, such as reminders[].id.
func put(body any, place []string, value any) any {
	if len(place) == 0 {
		return value
	}
	of, _ := body.(object)
	if of == nil {
		of = object{}
	}
	name, many := strings.CutSuffix(place[0], "[]")
	if !many {
		of[name] = put(of[name], place[1:], value)
		return of
	}
	items, _ := of[name].([]any)
	if len(items) == 0 {
		items = []any{nil}
	}
	items[0] = put(items[0], place[1:], value)
	of[name] = items
	return of
}

// standIn is a sidecar with the other services behind it. They keep something of the
// tasks that there are, and tell it to whoever asks: the front door keeps others out.
type standIn struct {
	*httptest.Server

	mu     sync.Mutex
	secret string
	tasks  []string
	asked  asked
}

// asked is a request that was passed on, with the lists that were told with it.
type asked struct{ target, by, lists string }

var anID = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

func newStandIn(t *testing.T) *standIn {
	t.Helper()
	s := &standIn{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.asked = asked{r.URL.RequestURI(), r.Header.Get("Authorization"), r.Header.Get(membership.Header)}
		id := anID.FindString(r.URL.Path)
		switch {
		case id == "":
			_, _ = w.Write([]byte(`{}`)) // the client is the test itself
		case slices.Contains(s.tasks, id):
			_, _ = w.Write([]byte(`{"items":["` + s.secret + `"]}`))
		default:
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write([]byte(`{"type":"/problems/not-found","status":404,"detail":"there is no such task"}`))
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *standIn) port() string { return s.URL[strings.LastIndexByte(s.URL, ':')+1:] }

// has says what the services keep something of.
func (s *standIn) has(secret string, tasks ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.secret, s.tasks = secret, tasks
}

// last is what was passed on since forget; nothing where nothing was.
func (s *standIn) last() asked {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

func (s *standIn) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = asked{}
}
