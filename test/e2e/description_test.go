package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/test/openapi"
)

// Each operation is tried with the example that is shown of it, and answers as it is
// described: those that delete come last, so that the others find what they name.
func TestTheExampleOfEachOperation(t *testing.T) {
	u := s.newUser(t, "Europe/Berlin")
	operations := slices.Clone(contract.Operations)
	slices.SortStableFunc(operations, func(a, b openapi.Operation) int {
		last := func(o openapi.Operation) int { return strings.Compare(o.Method, http.MethodDelete) & 1 }
		return last(b) - last(a)
	})
	for _, op := range operations {
		switch op.ID {
		case "stream", "begin-provider", "finish-provider", "remove-identity", "add-passkey", "finish-passkey-login", "remove-passkey":
			continue // it does not end, or needs an OpenID provider or a browser: task-api's own tests have them
		case "operator-dead-letters", "operator-replay", "operator-discard":
			continue // for operators alone: TestAnOperatorReplaysAndDiscardsOnThePage
		}
		t.Run(op.ID, func(t *testing.T) {
			u := u
			if op.ID == "logout" {
				u = s.newUser(t, "UTC") // the other stays signed in
			}
			body, want := op.Request, op.Success
			switch op.ID {
			case "quick-add":
				want = http.StatusCreated // 200 is of a dry run
			case "register":
				body = bytes.ReplaceAll(body, []byte("ada@"), []byte("ada-"+strings.ReplaceAll(u.Email, "@", "-")+"@"))
			case "confirm-totp":
				u = s.newUser(t, "UTC") // the other signs in without a code
				body = []byte(`{"code": "` + u.beginCodes() + `"}`)
			case "verify-address", "reset-password":
				u = s.newUser(t, "UTC") // the other stays signed in
				asks := "/api/auth/forgot"
				if op.ID == "verify-address" {
					asks = "/api/auth/verify/resend"
				}
				must[any](u, http.StatusAccepted, http.MethodPost, asks, object{"email": u.Email})
				body = regexp.MustCompile(`"token": *"[^"]*"`).ReplaceAll(body, []byte(`"token": "`+u.mailedLink(1)+`"`))
			case "operator-state":
				u = s.newUser(t, "UTC")
				u.operates()
			case "login":
				body = bytes.ReplaceAll(body, []byte("ada@example.org"), []byte(u.Email))
			}
			var there map[string]string
			body, there = u.isThere(t, op, body)
			path, query := op.Path, url.Values{}
			for _, p := range op.Parameters {
				switch {
				case p.In == "path" && there[p.Name] != "":
					path = strings.Replace(path, "{"+p.Name+"}", there[p.Name], 1)
				case p.In == "path" && p.Name == "id":
					path = strings.Replace(path, "{id}", u.exampleOf(t, op), 1)
				case p.In == "path":
					path = strings.Replace(path, "{"+p.Name+"}", p.Example.(string), 1)
				case p.In == "query" && there[p.Name] != "":
					query.Add(p.Name, there[p.Name])
				case p.In == "query" && p.Example != nil:
					several, ok := p.Example.([]any)
					if !ok {
						several = []any{p.Example}
					}
					for _, one := range several {
						query.Add(p.Name, fmt.Sprint(one))
					}
				}
			}
			if len(query) > 0 {
				path += "?" + query.Encode()
			}
			var sent any
			var header []string
			if body != nil {
				sent, header = []byte(body), []string{"Content-Type", op.ContentType}
			}
			a, err := u.Do(t.Context(), op.Method, path, sent, header...)
			require.NoError(t, err)
			require.Equal(t, want, a.Status, "%s %s: %s", op.Method, path, a.Body)
		})
	}
}

// isThere makes what an operation on lists, or in an order, names: the parameters of its
// path, and the ids in its body.
func (u *user) isThere(t *testing.T, op openapi.Operation, body []byte) ([]byte, map[string]string) {
	t.Helper()
	type thing struct{ ID string }
	list := func(of *user) string {
		return must[thing](of, http.StatusCreated, http.MethodPost, "/api/lists", object{"name": "An example"}).ID
	}
	invite := func(by, whom *user, list string) string {
		return must[thing](by, http.StatusCreated, http.MethodPost, "/api/lists/"+list+"/members", object{"email": whom.Email, "role": "viewer"}).ID
	}
	there := map[string]string{}
	switch {
	case op.ID == "list-changes":
		a, err := u.Do(t.Context(), http.MethodGet, "/api/snapshot", nil)
		require.NoError(t, err)
		var first struct{ Next string }
		line, _, _ := bytes.Cut(a.Body, []byte("\n"))
		require.NoError(t, json.Unmarshal(line, &first))
		there["since"] = first.Next
	case op.ID == "end-session":
		must[any](u, http.StatusOK, http.MethodPost, "/api/auth/login", object{"email": u.Email, "password": "a better horse battery"})
		for _, session := range must[page[struct {
			ID      string
			Current bool
		}]](u, http.StatusOK, http.MethodGet, "/api/auth/sessions", nil).Items {
			if !session.Current {
				there["id"] = session.ID
			}
		}
	case op.ID == "revoke-api-token":
		there["id"] = must[thing](u, http.StatusCreated, http.MethodPost, "/api/auth/tokens", object{"name": "An example", "scopes": []string{"tasks:read"}}).ID
	case op.ID == "undo":
		a, err := u.Do(t.Context(), http.MethodPost, "/api/tasks", object{"title": "Made by mistake"})
		require.NoError(t, err)
		there["request_id"] = a.Header.Get("X-Request-Id")
	case op.ID == "move-task":
		body = anyID.ReplaceAll(body, []byte(u.create(object{"title": "Beside"}).ID.String()))
	case op.ID == "move-list":
		there["id"] = list(u)
		body = anyID.ReplaceAll(body, []byte(list(u)))
	case strings.Contains(op.Path, "{user_id}"):
		other := u.s.newUser(t, "UTC")
		there["id"], there["user_id"] = list(u), must[thing](other, http.StatusOK, http.MethodGet, "/api/auth/me", nil).ID
		must[thing](other, http.StatusOK, http.MethodPost, "/api/invitations/"+invite(u, other, there["id"])+"/accept", nil)
	case op.ID == "withdraw-invitation":
		there["id"] = invite(u, u.s.newUser(t, "UTC"), list(u))
	case strings.HasPrefix(op.Path, "/api/invitations/"):
		other := u.s.newUser(t, "UTC")
		there["id"] = invite(other, u, list(other))
	case strings.HasPrefix(op.Path, "/api/lists/{id}"):
		there["id"] = list(u)
	case strings.HasPrefix(op.Path, "/api/trash/"):
		there["id"] = u.create(object{"title": "Thrown away"}).ID.String()
		must[thing](u, http.StatusNoContent, http.MethodDelete, "/api/tasks/"+there["id"], nil)
	}
	return body, there
}

var anyID = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

// exampleOf makes what an operation names by its id: a task of the create operation's
// example, or its notification, or a comment on it.
func (u *user) exampleOf(t *testing.T, op openapi.Operation) string {
	t.Helper()
	at := slices.IndexFunc(contract.Operations, func(o openapi.Operation) bool { return o.ID == "create-task" })
	var example object
	require.NoError(t, json.Unmarshal(contract.Operations[at].Request, &example))
	if strings.HasPrefix(op.Path, "/api/notifications/") {
		example["reminders"] = []object{{"at": "2026-01-01T00:00:00Z"}}
		task := u.create(example)
		var id string
		eventually(t, func() error {
			list := must[page[struct{ ID, TaskID string }]](u, http.StatusOK, http.MethodGet, "/api/notifications", nil)
			if len(list.Items) == 0 {
				return errNotYet("the notification of " + task.ID.String())
			}
			id = list.Items[0].ID
			return nil
		})
		return id
	}
	task := u.create(example)
	if strings.HasPrefix(op.Path, "/api/comments/") {
		return must[struct{ ID string }](u, http.StatusCreated, http.MethodPost, "/api/tasks/"+task.ID.String()+"/comments", object{"text": "x"}).ID
	}
	if op.ID == "task-history" || op.ID == "list-occurrences" {
		eventually(t, func() error {
			a, err := u.Do(t.Context(), op.Method, strings.Replace(op.Path, "{id}", task.ID.String(), 1), nil)
			if err == nil && a.Status != http.StatusOK {
				err = errNotYet(op.ID)
			}
			return err
		})
	}
	return task.ID.String()
}
