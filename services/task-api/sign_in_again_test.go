package main

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// mattersMost are the requests that ask for a recent sign-in.
var mattersMost = []struct {
	name, method, path string
	body               any
}{
	{"another password", http.MethodPost, "/api/auth/password", object{"current": password, "new": "a better horse battery"}},
	{"an export", http.MethodPost, "/api/auth/export", nil},
	{"erasing the account", http.MethodDelete, "/api/auth/me", nil},
}

func TestWhatMattersMostAsksForARecentSignIn(t *testing.T) {
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
