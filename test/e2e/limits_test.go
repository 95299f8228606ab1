package e2e

import (
	"net/http"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// Whoever guesses is told when to come again, and the account's owner sees each
// guess in his audit trail. The device that he has signed in on is not held up.
func TestGuessesAreSlowedDownAndSeenByTheOwner(t *testing.T) {
	leaveOut(t)
	u, other := s.newUser(t, "UTC"), s.newUser(t, "UTC")
	signIn := func(password, device string) (status int, header http.Header) {
		var cookie []string
		if device != "" {
			cookie = []string{"Cookie", device}
		}
		stranger := *u.Client
		stranger.Token = ""
		a, err := stranger.Do(t.Context(), http.MethodPost, "/api/auth/login", object{"email": u.Email, "password": password}, cookie...)
		require.NoError(t, err)
		return a.Status, a.Header
	}
	status, header := signIn("correct horse battery", "")
	require.Equal(t, http.StatusOK, status)
	device := ""
	for _, c := range (&http.Response{Header: header}).Cookies() {
		if c.Name == "taskwire_device" {
			device = c.Name + "=" + c.Value
		}
	}
	require.NotEmpty(t, device)
	guesses := 0
	for ; guesses < 1000; guesses++ {
		if status, header = signIn("a wrong password", ""); status != http.StatusUnauthorized {
			break
		}
	}
	require.Equal(t, http.StatusTooManyRequests, status)
	require.GreaterOrEqual(t, guesses, 10)
	seconds, err := strconv.Atoi(header.Get("Retry-After"))
	require.NoError(t, err)
	require.Positive(t, seconds)
	status, _ = signIn("correct horse battery", device)
	require.Equal(t, http.StatusOK, status)

	failed := func(u *user) int {
		a := must[page[auditEntry]](u, http.StatusOK, http.MethodGet, "/api/audit?limit=100&action=user.sign_in_failed", nil)
		return len(a.Items)
	}
	eventually(t, func() error {
		if n := failed(u); n < guesses+1 { // each, and that more were refused
			return errNotYet(n)
		}
		return nil
	})
	require.Zero(t, failed(other))
	refused, known, err := s.Metric(t.Context(), "task-api", "taskwire_limit_refusals_total", "limit", "sign_ins")
	require.NoError(t, err)
	require.True(t, known)
	require.Positive(t, refused)
}
