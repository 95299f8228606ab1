package trail_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/httpapi"
	"github.com/taskwire/taskwire/pkg/membership"
	"github.com/taskwire/taskwire/services/audit-log/internal/trail"
)

// Ada made a task before there were lists, moved it from a list of her own into one with
// Bob and Eve, and then into one with Bob alone. Eve left.
func TestWhoReadsTheTrail(t *testing.T) {
	s := newService(t)
	ada, bob, eve := uuid.New(), uuid.New(), uuid.New()
	task, private, shared, last := uuid.New(), uuid.New(), uuid.New(), uuid.New()
	account := newChange(ada, uuid.Nil, "user.updated", 10*time.Hour)
	ofBefore := newChange(ada, task, "task.created", 9*time.Hour)
	alone := newChange(ada, task, "task.updated", 8*time.Hour).in(private)
	moved := alone.as("task.updated", 7*time.Hour).to(shared)
	joined := newChange(eve, uuid.Nil, "member.joined", 6*time.Hour).in(shared)
	byEve := newChange(ada, task, "task.updated", 5*time.Hour).in(shared)
	byEve.data.Actor.UserID = eve
	eves := newChange(eve, uuid.New(), "task.created", 4*time.Hour).in(shared)
	movedOn := byEve.as("task.updated", 3*time.Hour).to(last)
	gone := newChange(ada, task, "task.deleted", 2*time.Hour).in(last)
	signIn := newChange(eve, uuid.Nil, "user.signed_in", time.Hour)
	all := []change{account, ofBefore, alone, moved, joined, byEve, eves, movedOn, gone, signIn}
	s.keep(all...)

	for name, k := range map[string]struct {
		user    uuid.UUID
		lists   []uuid.UUID
		trail   []change // the earliest first
		history []change // none: there is no such task
	}{
		"the owner":                {ada, []uuid.UUID{private, shared, last}, []change{account, ofBefore, alone, moved, joined, byEve, eves, movedOn, gone}, []change{ofBefore, alone, moved, byEve, movedOn, gone}},
		"a member of both":         {bob, []uuid.UUID{uuid.New(), last, shared}, []change{moved, joined, byEve, eves, movedOn, gone}, []change{moved, byEve, movedOn, gone}},
		"a member of where it was": {bob, []uuid.UUID{shared}, []change{moved, joined, byEve, eves}, []change{moved, byEve}},
		"a member of where it is":  {bob, []uuid.UUID{last}, []change{movedOn, gone}, []change{movedOn, gone}},
		"who left":                 {eve, []uuid.UUID{uuid.New()}, []change{signIn}, nil},
		"an owner who left":        {ada, []uuid.UUID{private}, []change{account, ofBefore, alone}, []change{ofBefore, alone}},
		"a stranger":               {uuid.New(), []uuid.UUID{uuid.New()}, nil, nil},
		"a member of nothing":      {uuid.New(), nil, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := &service{t: t, router: s.router}
			door := s.by(k.lists...)
			want := idsOf(k.trail...)
			slices.Reverse(want)
			for _, limit := range []string{"1", "2", "200"} {
				require.Equal(t, want, append([]string{}, door.all(k.user, "/api/audit?limit="+limit, none)...), "by pages of %s", limit)
			}
			for _, list := range []uuid.UUID{private, shared, last} {
				path := "/api/audit?limit=1&list_id=" + list.String()
				if !slices.Contains(k.lists, list) {
					var p httpapi.Problem
					door.get(k.user, path, http.StatusUnprocessableEntity, &p)
					require.Equal(t, []httpapi.FieldError{{Location: "query.list_id", Message: "is none of your lists"}}, p.Errors)
					continue
				}
				in := idsOf(slices.DeleteFunc(slices.Clone(all), func(c change) bool { return c.data.ListID == nil || *c.data.ListID != list })...)
				slices.Reverse(in)
				require.Equal(t, in, door.all(k.user, path, none), "of a list")
			}
			path := "/api/tasks/" + task.String() + "/history"
			ofTask := idsOf(k.history...)
			if k.history == nil {
				require.Equal(t, door.answer(k.user, "/api/tasks/"+uuid.NewString()+"/history"), door.answer(k.user, path), "as if it had never been")
				require.Equal(t, door.answer(k.user, "/api/tasks/"+uuid.NewString()+"/history?action=x"), door.answer(k.user, path+"?action=x"))
			} else {
				require.Equal(t, ofTask, door.all(k.user, path+"?limit=1", none))
			}
			slices.Reverse(ofTask)
			require.Equal(t, ofTask, append([]string{}, door.all(k.user, "/api/audit?limit=2&task_id="+task.String(), none)...))

			// Who does not come by the front door is a member of nothing.
			s.header = map[string]string{membership.Header: membership.Encode([]uuid.UUID{private, shared, last})}
			own := idsOf(slices.DeleteFunc(slices.Clone(k.trail), func(c change) bool { return c.data.ListID != nil })...)
			slices.Reverse(own)
			require.Equal(t, own, append([]string{}, s.all(k.user, "/api/audit", none)...))
		})
	}
}

// From where somebody works is seen by himself, and by nobody else who is in the list.
func TestWhereAMemberWorksIsNotShown(t *testing.T) {
	s := newService(t)
	ada, bob, list := uuid.New(), uuid.New(), uuid.New()
	shared := newChange(ada, uuid.New(), "task.updated", time.Hour).in(list)
	account := newChange(ada, uuid.Nil, "user.sign_in_failed", 2*time.Hour)
	account.data.Actor.UserID = uuid.Nil
	s.keep(shared, account)
	door := s.by(list)
	for name, k := range map[string]struct {
		user uuid.UUID
		want []string
	}{
		"who did it":       {ada, []string{"192.0.2.7 curl/8", "192.0.2.7 curl/8"}}, // whoever tried to sign in as him, too
		"a member besides": {bob, []string{" "}},
	} {
		t.Run(name, func(t *testing.T) {
			var p trail.AuditPage
			door.get(k.user, "/api/audit", http.StatusOK, &p)
			var from []string
			for _, e := range p.Items {
				from = append(from, e.IP+" "+e.UserAgent)
			}
			require.Equal(t, k.want, from)
		})
	}
}

// What a task was in a list of before is not for the members of the one that it came into.
func TestAMoveTellsNothingOfWhereATaskWas(t *testing.T) {
	s := newService(t)
	ada, bob := uuid.New(), uuid.New()
	private, shared := uuid.New(), uuid.New()
	moved := newChange(ada, uuid.New(), "task.updated", time.Hour).in(private).to(shared)
	unlisted := newChange(ada, uuid.New(), "task.updated", time.Hour).to(shared) // its state knew of no list
	odd := newChange(ada, uuid.New(), "task.updated", time.Hour).to(shared)
	odd.data.Before = json.RawMessage(`{"title":"tea","list_id":7}`)
	within := newChange(ada, uuid.New(), "task.updated", time.Hour).in(shared)
	member := newChange(ada, uuid.Nil, "member.updated", time.Hour).in(shared)
	named := newChange(ada, uuid.Nil, "list.updated", time.Hour).to(shared) // a list's state has no list
	s.keep(moved, unlisted, odd, within, member, named)
	for name, k := range map[string]struct {
		user  uuid.UUID
		lists []uuid.UUID
		shown []change
	}{
		"who moved it":             {ada, []uuid.UUID{private, shared}, []change{moved, unlisted, within, member, named}},
		"its owner, of one list":   {ada, []uuid.UUID{shared}, []change{unlisted, within, member, named}},
		"a member of the new list": {bob, []uuid.UUID{shared}, []change{within, member, named}},
		"a member of both":         {bob, []uuid.UUID{private, shared}, []change{moved, within, member, named}},
	} {
		t.Run(name, func(t *testing.T) {
			var p answered
			s.by(k.lists...).get(k.user, "/api/audit", http.StatusOK, &p)
			require.Len(t, p.Items, 6)
			var shown []string
			for _, item := range p.Items {
				if item["before"] != nil {
					shown = append(shown, item["id"].(string))
				}
				require.Equal(t, "coffee", item["after"].(map[string]any)["title"])
			}
			require.ElementsMatch(t, idsOf(k.shown...), shown)
		})
	}
}

// Pages of several lists have one order, and end where they ended also when entries come
// in, and when the reader becomes a member of more.
func TestTheListsOfAReaderAreOneTrail(t *testing.T) {
	s := newService(t)
	ada, lists := uuid.New(), []uuid.UUID{uuid.New(), uuid.New(), uuid.New()}
	var mine []change
	for i := range 40 {
		c := newChange(uuid.New(), uuid.New(), "task.updated", -time.Duration(i/4)*time.Minute).in(lists[i%3])
		if i%10 == 0 {
			c = newChange(ada, uuid.Nil, "user.signed_in", -time.Duration(i/4)*time.Minute)
		}
		mine = append(mine, c)
	}
	s.keep(mine...)
	want := idsOf(mine...)
	slices.Reverse(want)
	for _, limit := range []int{1, 7, 200} {
		reader := s.by(lists...)
		between := func() {
			latecomer := uuid.New()
			s.keep(newChange(ada, uuid.New(), "task.updated", -time.Hour).in(lists[0]), newChange(ada, uuid.New(), "task.updated", -time.Hour).in(latecomer))
			reader.header = s.by(append(lists, latecomer)...).header
		}
		require.Equal(t, want, reader.all(ada, fmt.Sprintf("/api/audit?to=2027-01-04T10:30:00Z&limit=%d", limit), between))
	}
}

// answer is all that a client can see of an answer, but for what names the request.
func (s *service) answer(user uuid.UUID, path string) string {
	s.t.Helper()
	req := httptest.NewRequest(http.MethodGet, path, nil)
	req.Header.Set("X-Test-User", user.String())
	for k, v := range s.header {
		req.Header.Set(k, v)
	}
	rec := httptest.NewRecorder()
	s.router.ServeHTTP(rec, req)
	var document map[string]any
	require.NoError(s.t, json.Unmarshal(rec.Body.Bytes(), &document), "%s", rec.Body)
	require.Equal(s.t, rec.Header().Get("X-Request-Id"), document["request_id"])
	delete(document, "request_id")
	rec.Header().Del("X-Request-Id")
	task, _, _ := strings.Cut(strings.TrimPrefix(path, "/api/tasks/"), "/")
	return strings.ReplaceAll(fmt.Sprint(rec.Code, rec.Header(), document), task, "ID")
}

// Who is restricted to lists reads what happened in them, and nothing of his account, nor of
// before there were lists.
func TestWhoIsRestrictedToListsReadsNothingElse(t *testing.T) {
	s := newService(t)
	ada := uuid.New()
	task, old, named, other := uuid.New(), uuid.New(), uuid.New(), uuid.New()
	account := newChange(ada, uuid.Nil, "user.updated", 10*time.Hour)
	ofBefore := newChange(ada, task, "task.created", 9*time.Hour)
	forgotten := newChange(ada, old, "task.created", 8*time.Hour)
	moved := ofBefore.as("task.updated", 7*time.Hour).to(named)
	elsewhere := newChange(ada, uuid.New(), "task.created", 6*time.Hour).in(other)
	s.keep(account, ofBefore, forgotten, moved, elsewhere)
	history := func(of uuid.UUID) string { return "/api/tasks/" + of.String() + "/history" }
	require.Equal(t, idsOf(ofBefore, moved), s.by(named).all(ada, history(task), none), "who is not")

	door := s.restrictedTo(named)
	require.Equal(t, idsOf(moved), door.all(ada, "/api/audit?limit=1", none))
	require.Equal(t, idsOf(moved), door.all(ada, history(task), none))
	var read answered
	door.get(ada, history(task), http.StatusOK, &read)
	require.Nil(t, read.Items[0]["before"], "what it was before it came into the list")
	require.Equal(t, door.answer(ada, history(uuid.New())), door.answer(ada, history(old)), "as if it had never been")
	require.Empty(t, s.restrictedTo().all(ada, "/api/audit", none))
}
