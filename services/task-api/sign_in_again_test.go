package main

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// mattersMost are the requests that ask for a recent sign-in.
var mattersMost = []struct {
	name, method, path string
	body               any
}{
	{"another password", http.MethodPost, "/api/auth/password", object{"current": password, "new": "a better horse battery"}},
	{"an API token", http.MethodPost, "/api/auth/tokens", object{"name": "x", "scopes": []string{"tasks:read"}}},
	{"an API token that is revoked", http.MethodDelete, "/api/auth/tokens/" + uuid.NewString(), nil},
	{"a second factor", http.MethodPost, "/api/auth/totp", nil},
	{"a second factor that works", http.MethodPost, "/api/auth/totp/confirm", object{"code": "123456"}},
	{"no link to a provider", http.MethodDelete, "/api/auth/identities/0190c8a0-0b10-7f4e-8d21-3a9c5b7e1f0b", nil},
	{"a passkey", http.MethodPost, "/api/auth/passkeys/register/begin", nil},
	{"a passkey that was made", http.MethodPost, "/api/auth/passkeys/register/finish", object{"credential": object{}}},
	{"no passkey", http.MethodDelete, "/api/auth/passkeys/0190c8a0-0b10-7f4e-8d21-3a9c5b7e1f0b", nil},
	{"no second factor", http.MethodDelete, "/api/auth/totp", nil},
	{"an export", http.MethodPost, "/api/auth/export", nil},
	{"erasing the account", http.MethodDelete, "/api/auth/me", nil},
}

func TestWhatMattersMostAsksForARecentSignIn(t *testing.T) {
	t.Parallel()
	s := start(t)
	u := s.newUser()
	s.execute("UPDATE task.sessions SET created_at = created_at - interval '10 minutes' WHERE user_id = ?", u.user)
	for _, c := range mattersMost {
		t.Run(c.name, func(t *testing.T) {
			var a answer
			// A session that was looked up a moment ago is known for a moment.
			require.Eventually(t, func() bool {
				a = u.do(c.method, c.path, c.body)
				return a.status == http.StatusForbidden
			}, patience, 100*time.Millisecond)
			require.Equal(t, "sign-in-again", a.problem().code())
		})
	}
	again, _ := u.signIn(u.email, password)
	require.Equal(t, http.StatusNoContent, again.do(http.MethodPost, "/api/auth/password", mattersMost[0].body).status)
}
