package e2e

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/taskwire/taskwire/pkg/event"
)

// A program with a token of one list reads the trail of that list, by the services as they
// are, and nothing of the account, whose owner reads that it was made.
func TestWhatATokenReadsOfTheTrail(t *testing.T) {
	u := s.newUser(t, "UTC")
	list := must[struct{ ID string }](u, http.StatusCreated, http.MethodPost, "/api/lists", object{"name": "Shown"}).ID
	shown, hidden := u.create(object{"title": "Shown", "list_id": list}), u.create(object{"title": "Hidden"})
	made := must[struct{ Token string }](u, http.StatusCreated, http.MethodPost, "/api/auth/tokens",
		object{"name": "Trail", "scopes": []string{"audit:read", "tasks:read"}, "list_ids": []string{list}})
	u.history(shown, 1)
	u.history(hidden, 1)
	trail := func(of *user) []auditEntry {
		return must[page[auditEntry]](of, http.StatusOK, http.MethodGet, "/api/audit?limit=100", nil).Items
	}
	eventually(t, func() error {
		told := trail(u)
		i := slices.IndexFunc(told, func(e auditEntry) bool { return e.Action == event.UserTokenCreated })
		if i < 0 {
			return errNotYet("that the token was made")
		}
		if after := string(told[i].After); !strings.Contains(after, `"Trail"`) || strings.Contains(after, made.Token) {
			t.Fatalf("which token it is, and not what it says: %s", after)
		}
		return nil
	})
	c := *u.Client
	c.Token = made.Token
	program := &user{&c, u.s, t}
	var found []string
	for _, e := range trail(program) {
		found = append(found, e.Action)
	}
	if !slices.Equal(found, []string{event.TaskCreated, event.ListCreated}) {
		t.Fatalf("the token reads of %v", found)
	}
	must[any](program, http.StatusOK, http.MethodGet, "/api/tasks/"+shown.ID.String()+"/history", nil)
	must[any](program, http.StatusNotFound, http.MethodGet, "/api/tasks/"+hidden.ID.String()+"/history", nil)
	must[any](program, http.StatusForbidden, http.MethodGet, "/api/notifications", nil)
	must[any](program, http.StatusForbidden, http.MethodPost, "/api/tasks", object{"title": "x", "list_id": list})
}
