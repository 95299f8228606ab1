package main

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/httpapi/costtest"
)

// Neither an answer nor its time tells who has an account. Of n requests about an address
// that has one and n about one that has none, taken by turns, it is counted how often the
// first is the slower one: in half of the pairs, if the time tells nothing. By chance alone
// it is beyond the bounds less than once in a million runs; where a password is hashed for
// an account alone, or a row is looked at, it is nearly all or none.
func TestTheTimeTellsNothing(t *testing.T) {
	costtest.WithoutRace(t)
	s := start(t, "MAIL_VERIFICATION=required", "LIMIT_SIGN_INS=0", "LIMIT_ACCOUNT_MAILS=0")
	const ada = "ada@example.org"
	require.Equal(t, http.StatusAccepted, s.nobody().post("/api/auth/register", object{"email": ada, "password": password}).status)
	s.execute("UPDATE task.users SET verified = true")
	const n = 80
	ask := func(path string, body func(email string) object, status int, known, unknown func() string) func(t *testing.T) {
		return func(t *testing.T) {
			took := func(email string) time.Duration {
				began := time.Now()
				a := s.nobody().post(path, body(email))
				took := time.Since(began)
				require.Equal(t, status, a.status, "%s", a.body)
				return took
			}
			var with, without []time.Duration
			for i := range n + 8 {
				// The first few warm up; and none is always the one that comes after the other.
				first, second := known, unknown
				if i%2 == 1 {
					first, second = unknown, known
				}
				a, b := took(first()), took(second())
				if i%2 == 1 {
					a, b = b, a
				}
				if i >= 8 {
					with, without = append(with, a), append(without, b)
				}
			}
			slower := 0.0
			for _, a := range with {
				for _, b := range without {
					switch {
					case a > b:
						slower++
					case a == b:
						slower += 0.5
					}
				}
			}
			share := slower / float64(len(with)*len(without))
			require.InDelta(t, 0.5, share, 0.25, "an account is slower in %.2f of the pairs", share)
		}
	}
	known := func() string { return ada }
	unknown := func() string { return uuid.NewString() + "@example.org" }
	count := 0
	t.Run("login", ask("/api/auth/login", func(email string) object {
		count++
		return object{"email": email, "password": fmt.Sprintf("a wrong password %d", count)}
	}, http.StatusUnauthorized, known, unknown))
	t.Run("forgot", ask("/api/auth/forgot", func(email string) object { return object{"email": email} }, http.StatusAccepted, known, unknown))
	t.Run("register", ask("/api/auth/register", func(email string) object { return object{"email": email, "password": password} }, http.StatusAccepted, known, unknown))
}
