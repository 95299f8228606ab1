package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/pquerna/otp/totp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/test/suite"
)

// Every type of event is made, and whatever lies on the broker is held against
// its schema.
func TestEveryEventKeepsToItsSchema(t *testing.T) {
	// First, since it takes longest.
	leaves := s.newUser(t, "UTC")
	must[any](leaves, http.StatusAccepted, http.MethodDelete, "/api/auth/me", nil)
	must[any](leaves, http.StatusNoContent, http.MethodPost, "/api/auth/me/restore", nil)
	left := leaves.willBeErased()
	u := s.newUser(t, "Europe/Berlin")
	must[any](u, http.StatusOK, http.MethodPost, "/api/auth/login", object{"email": u.Email, "password": "correct horse battery"})
	must[any](u, http.StatusUnauthorized, http.MethodPost, "/api/auth/login", object{"email": u.Email, "password": "wrong wrong wrong"})
	must[any](u, http.StatusNoContent, http.MethodPost, "/api/auth/password", object{"current": "correct horse battery", "new": "a better horse battery"})
	must[any](u, http.StatusOK, http.MethodPost, "/api/auth/totp/confirm", object{"code": u.beginCodes()})
	must[any](u, http.StatusNoContent, http.MethodDelete, "/api/auth/totp", nil)
	must[any](u, http.StatusOK, http.MethodPatch, "/api/auth/me", object{"name": "Ada"})
	token := must[struct{ ID string }](u, http.StatusCreated, http.MethodPost, "/api/auth/tokens", object{"name": "Phone", "scopes": []string{"tasks:read"}})
	must[any](u, http.StatusNoContent, http.MethodDelete, "/api/auth/tokens/"+token.ID, nil)
	full := u.create(object{
		"title": "Full", "description": "…", "priority": "urgent", "tags": []string{"a"}, "due_at": "2027-01-31T10:00:00Z", "all_day": true,
		"recurrence": object{"rrule": "FREQ=MONTHLY"}, "reminders": []object{{"before_due": "P1D"}, {"at": time.Now()}},
	})
	plain := u.create(object{"title": "Plain", "is_complete": true})
	sub := u.create(object{"title": "Sub", "parent_id": full.ID})
	must[event.Task](u, http.StatusOK, http.MethodPatch, "/api/tasks/"+plain.ID.String(), object{"is_complete": false})
	must[any](u, http.StatusNoContent, http.MethodDelete, "/api/tasks/"+plain.ID.String(), nil)
	u.complete(sub)
	u.complete(full)
	u.next(full)
	other := s.newUser(t, "UTC")
	share(u, other)
	mailsOfAccounts(u, other)
	operates := s.newUser(t, "UTC")
	operates.operates()
	must[any](operates, http.StatusNotFound, http.MethodPost, "/api/operator/dead-letters/notification/999999999/replay", nil)
	must[any](operates, http.StatusNotFound, http.MethodPost, "/api/operator/dead-letters/notification/999999999/discard", object{"reason": "a test"})
	operates.operates("--revoke")
	eventually(t, func() error { // it is written beside the request
		if s.query(t, "SELECT count(*) FROM task.events e JOIN task.users u ON e.key = u.id::text WHERE u.email = $1 AND type = 'audit.user.sign_in_failed'", u.Email) == 0 {
			return errNotYet("the failed sign-in")
		}
		return nil
	})
	eventually(t, func() error { // the services besides task-api do so later, and tell nobody
		if s.query(t, "SELECT count(*) FROM task.erasures WHERE id = sha256(uuid_send($1::uuid)) AND done_at IS NOT NULL", left) == 0 {
			return errNotYet("who leaves is not erased")
		}
		return nil
	})
	s.drained(t)

	schemas, err := event.Schemas()
	require.NoError(t, err)
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	for name, raw := range schemas {
		document, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
		require.NoError(t, err)
		require.NoError(t, compiler.AddResource(event.SchemaBase+name, document))
	}
	envelope := compiler.MustCompile(event.SchemaBase + "envelope/v1")
	for _, topic := range event.Topics {
		expected := s.column(t, "SELECT id::text FROM task.events WHERE topic = $1", topic)
		kinds := map[string]bool{}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		require.NoError(t, s.Read(ctx, topic, func(r suite.Record) bool {
			e, err := event.Decode(r.Value)
			if err != nil || !expected[e.ID()] {
				return false // a repetition, or what another test has put there
			}
			delete(expected, e.ID())
			kinds[e.Type()] = true
			whole, err := jsonschema.UnmarshalJSON(bytes.NewReader(r.Value))
			require.NoError(t, err)
			require.NoError(t, envelope.Validate(whole), "%s", r.Value)
			schema := compiler.MustCompile(event.SchemaURI(topic, e.Type()))
			require.NoError(t, schema.Validate(whole.(map[string]any)["data"]), "%s %s", e.Type(), e.Data())
			return len(expected) == 0
		}))
		cancel()
		for _, kind := range event.Types {
			if elsewhere[kind.Name] {
				continue
			}
			require.Equal(t, kind.Topic == topic, kinds[kind.Name], "%s on %s", kind.Name, topic)
			delete(kinds, kind.Name)
		}
		require.Empty(t, kinds, "types that event.Types does not list")
	}
}

// beginCodes begins with a second factor, and is a code of it.
func (u *user) beginCodes() string {
	secret := must[struct{ Secret string }](u, http.StatusOK, http.MethodPost, "/api/auth/totp", nil).Secret
	code, err := totp.GenerateCode(secret, time.Now())
	require.NoError(u.t, err)
	return code
}

// elsewhere are types that need more than the suite: an OpenID provider, or a browser. They
// are told like the others of accounts; task-api's own tests hold them against their schema.
var elsewhere = map[string]bool{
	"audit.user.identity_added": true, "audit.user.identity_removed": true, "audit.user.passkey_added": true, "audit.user.passkey_removed": true,
}

// share has all happen that can with a list, its members and the comments in it.
func share(u, other *user) {
	type made struct{ ID uuid.UUID }
	list := "/api/lists/" + must[made](u, http.StatusCreated, http.MethodPost, "/api/lists", object{"name": "Shared"}).ID.String()
	must[any](u, http.StatusOK, http.MethodPatch, list, object{"name": "Ours"})
	invitation := func() string {
		return "/api/invitations/" + must[made](u, http.StatusCreated, http.MethodPost, list+"/members", object{"email": other.Email, "role": "viewer"}).ID.String()
	}
	must[any](other, http.StatusNoContent, http.MethodPost, invitation()+"/decline", nil)
	must[any](other, http.StatusOK, http.MethodPost, invitation()+"/accept", nil)
	member := list + "/members/" + must[made](other, http.StatusOK, http.MethodGet, "/api/auth/me", nil).ID.String()
	must[any](u, http.StatusOK, http.MethodPatch, member, object{"role": "editor"})
	task := u.create(object{"title": "Shared", "list_id": strings.TrimPrefix(list, "/api/lists/")})
	comment := must[made](other, http.StatusCreated, http.MethodPost, "/api/tasks/"+task.ID.String()+"/comments", object{"text": "@" + u.Email + " look"})
	must[any](other, http.StatusOK, http.MethodPatch, "/api/comments/"+comment.ID.String(), object{"text": "Look"})
	must[any](u, http.StatusNoContent, http.MethodDelete, "/api/comments/"+comment.ID.String(), nil)
	must[any](u, http.StatusNoContent, http.MethodDelete, member, nil)
	trash := "/api/trash/" + strings.TrimPrefix(list, "/api/lists/")
	must[any](u, http.StatusNoContent, http.MethodDelete, list, nil)
	must[any](u, http.StatusOK, http.MethodPost, trash+"/restore", nil)
	must[any](u, http.StatusNoContent, http.MethodDelete, list, nil)
	must[any](u, http.StatusNoContent, http.MethodDelete, trash, nil)
	// Who is mentioned is told in the application, once.
	eventually(u.t, func() error {
		n := u.s.query(u.t, "SELECT count(*) FROM notification.notifications WHERE comment_id = $1", comment.ID)
		if n != 1 {
			return fmt.Errorf("%d notifications", n)
		}
		return nil
	})
}
