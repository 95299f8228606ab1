package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/services/task-api/internal/rest"
)

// withCodes is a user who has a second factor.
type withCodes struct {
	client
	secret   string
	recovery []string
}

func (c client) beginCodes() (secret string) {
	c.t.Helper()
	a := c.do(http.MethodPost, "/api/auth/totp", nil)
	require.Equal(c.t, http.StatusOK, a.status, "%s", a.body)
	var body struct{ Secret, URL string }
	require.NoError(c.t, json.Unmarshal(a.body, &body))
	at, err := url.Parse(body.URL)
	require.NoError(c.t, err)
	require.Equal(c.t, []string{"otpauth", "totp", "/taskwire:" + c.email}, []string{at.Scheme, at.Host, at.Path})
	require.Equal(c.t, url.Values{"secret": {body.Secret}, "issuer": {"taskwire"}, "algorithm": {"SHA1"}, "digits": {"6"}, "period": {"30"}}, at.Query())
	return body.Secret
}

// newUserWithCodes confirms his second factor with the code of now.
func (s *running) newUserWithCodes() withCodes {
	s.t.Helper()
	u := withCodes{client: s.newUser()}
	u.secret = u.beginCodes()
	a := u.do(http.MethodPost, "/api/auth/totp/confirm", object{"code": u.code(0)})
	require.Equal(s.t, http.StatusOK, a.status, "%s", a.body)
	var body struct {
		Codes []string `json:"recovery_codes"`
	}
	require.NoError(s.t, json.Unmarshal(a.body, &body))
	u.recovery = body.Codes
	return u
}

// code is what the application shows, whose clock may be off.
func (u withCodes) code(off time.Duration) string { return codeOf(u.t, u.secret, off) }

func codeOf(t *testing.T, secret string, off time.Duration) string {
	t.Helper()
	code, err := totp.GenerateCode(secret, time.Now().Add(off))
	require.NoError(t, err)
	return code
}

// next is a code that was not used, and wrong one that is none of these minutes.
const next = 30 * time.Second

func (u withCodes) wrong() string {
	for _, code := range []string{"000000", "000001", "000002", "000003", "000004", "000005"} {
		good := false
		for off := -2 * time.Minute; off <= 2*time.Minute; off += next {
			good = good || u.code(off) == code
		}
		if !good {
			return code
		}
	}
	panic("more codes than there can be")
}

func (u withCodes) with(code, device string) answer {
	u.t.Helper()
	var header []string
	if device != "" {
		header = []string{"Cookie", rest.DeviceCookie + "=" + device}
	}
	return u.nobody().do(http.MethodPost, "/api/auth/login", object{"email": u.email, "password": password, "code": code}, header...)
}

func requireProblem(t *testing.T, status int, code string, a answer) {
	t.Helper()
	require.Equal(t, status, a.status, "%s", a.body)
	require.Equal(t, code, a.problem().code())
}

// audited are the audit events of a user's account, of one type. They keep to their schema.
func (c client) audited(kind string) (found []event.AuditEvent) {
	c.t.Helper()
	for _, e := range c.toldSince(0) {
		if e.Type == event.AuditPrefix+kind && e.Key == c.user.String() {
			requireSchema(c.t, e)
			var data event.AuditEvent
			require.NoError(c.t, json.Unmarshal([]byte(e.Data), &data))
			found = append(found, data)
		}
	}
	return found
}

func TestASignInAsksForACode(t *testing.T) {
	t.Parallel()
	s := start(t)
	u := s.newUserWithCodes()
	requireProblem(t, http.StatusUnauthorized, "second-factor-required", u.with("", ""))
	requireProblem(t, http.StatusUnauthorized, "wrong-code", u.with(u.wrong(), ""))
	a := u.nobody().do(http.MethodPost, "/api/auth/login", object{"email": u.email, "password": "a wrong password", "code": u.code(next)})
	requireProblem(t, http.StatusUnauthorized, "wrong-password", a)
	require.Empty(t, a.cookies())

	code := u.code(next) // that of now has confirmed it
	require.Equal(t, http.StatusOK, u.with(code[:3]+" "+code[3:], "").status)
	requireProblem(t, http.StatusUnauthorized, "wrong-code", u.with(code, ""))
	requireProblem(t, http.StatusUnauthorized, "wrong-code", u.with(u.code(0), ""))

	require.Len(t, u.audited("user.second_factor_added"), 1)
	eventually(t, "wrong codes are in the trail", func() bool {
		reasons := map[any]int{}
		for _, e := range u.audited("user.sign_in_failed") {
			reasons[e.Metadata["reason"]]++
		}
		return reasons["wrong_code"] == 3 && reasons["wrong_password"] == 1
	})
}

func TestASecondFactorBeginsAndEnds(t *testing.T) {
	t.Parallel()
	s := start(t)
	u := withCodes{client: s.newUser()}
	confirm := func(code string) answer {
		return u.do(http.MethodPost, "/api/auth/totp/confirm", object{"code": code})
	}
	remove := func() { require.Equal(t, http.StatusNoContent, u.do(http.MethodDelete, "/api/auth/totp", nil).status) }
	requireProblem(t, http.StatusNotFound, "not-found", confirm("123456"))
	there := func(enabled bool, left int) {
		t.Helper()
		a := u.do(http.MethodGet, "/api/auth/totp", nil)
		require.Equal(t, http.StatusOK, a.status)
		require.JSONEq(t, fmt.Sprintf(`{"enabled": %t, "recovery_codes_left": %d}`, enabled, left), string(a.body))
	}
	there(false, 0)
	remove()
	first := u.beginCodes()
	require.Equal(t, http.StatusOK, u.with("", "").status, "it is not confirmed")
	there(false, 0)
	u.secret = u.beginCodes()
	require.NotEqual(t, first, u.secret)
	a := confirm(codeOf(t, first, 0))
	requireProblem(t, http.StatusUnprocessableEntity, "invalid", a)
	require.Equal(t, "body.code", a.problem().Errors[0].Location)
	require.Equal(t, http.StatusUnprocessableEntity, confirm(u.wrong()).status)
	require.Equal(t, http.StatusOK, u.with("", "").status, "it is not confirmed yet")
	require.Equal(t, http.StatusOK, confirm(u.code(0)).status)
	there(true, 10)
	requireProblem(t, http.StatusConflict, "second-factor-exists", confirm(u.code(next)))
	requireProblem(t, http.StatusConflict, "second-factor-exists", u.do(http.MethodPost, "/api/auth/totp", nil))
	requireProblem(t, http.StatusUnauthorized, "second-factor-required", u.with("", ""))
	remove()
	remove()
	there(false, 0)
	require.Equal(t, http.StatusOK, u.with("", "").status)
	require.Equal(t, http.StatusOK, u.with(u.code(next), "").status, "a code that nothing asks for")
	require.Len(t, u.audited("user.second_factor_removed"), 1)
	var left int
	require.NoError(t, s.db.NewRaw("SELECT (SELECT count(*) FROM task.second_factors) + (SELECT count(*) FROM task.recovery_codes)").Scan(t.Context(), &left))
	require.Zero(t, left)
}

func TestARecoveryCodeSignsInOnce(t *testing.T) {
	t.Parallel()
	s := start(t)
	u := s.newUserWithCodes()
	require.Len(t, u.recovery, 10)
	distinct := map[string]bool{}
	for _, code := range u.recovery {
		require.Regexp(t, `^([A-Z2-7]{4}-){3}[A-Z2-7]{4}$`, code)
		distinct[code] = true
	}
	require.Len(t, distinct, 10)
	var kept string
	require.NoError(t, s.db.NewRaw("SELECT string_agg(c::text, ' ') FROM task.recovery_codes c").Scan(t.Context(), &kept))
	for _, code := range u.recovery {
		require.NotContains(t, kept, code)
		require.NotContains(t, kept, strings.ReplaceAll(code, "-", ""))
	}
	requireProblem(t, http.StatusUnauthorized, "wrong-code", u.with(strings.Repeat("A", 16), ""))
	require.Equal(t, http.StatusOK, u.with(u.recovery[0], "").status)
	require.JSONEq(t, `{"enabled": true, "recovery_codes_left": 9}`, string(u.do(http.MethodGet, "/api/auth/totp", nil).body))
	requireProblem(t, http.StatusUnauthorized, "wrong-code", u.with(u.recovery[0], ""))
	require.Equal(t, http.StatusOK, u.with(strings.ToLower(strings.ReplaceAll(u.recovery[1], "-", " ")), "").status)
	other := s.newUserWithCodes()
	requireProblem(t, http.StatusUnauthorized, "wrong-code", other.with(u.recovery[2], ""))
	var left []any
	for _, e := range u.audited("user.signed_in") {
		left = append(left, e.Metadata[event.MetaRecoveryCodesLeft])
		require.NotEmpty(t, e.Metadata[event.MetaSession])
	}
	require.Equal(t, []any{9.0, 8.0}, left)
}

// Of many who come with a code at once, also to two replicas, one comes in.
func TestACodeLetsOneIn(t *testing.T) {
	t.Parallel()
	s := start(t, "LIMIT_SIGN_INS=100")
	there := *s
	there.base, _ = s.beside()
	u := s.newUserWithCodes()
	for name, code := range map[string]string{"of the application": u.code(next), "for recovery": u.recovery[0]} {
		t.Run(name, func(t *testing.T) {
			var all sync.WaitGroup
			answers := make(chan int, 8)
			for i := range cap(answers) {
				at := s.nobody()
				if i%2 == 1 {
					at.running = &there
				}
				all.Go(func() {
					a, err := at.send(t.Context(), http.MethodPost, "/api/auth/login", object{"email": u.email, "password": password, "code": code})
					if err != nil {
						t.Errorf("sign in: %v", err)
					}
					answers <- a.status
				})
			}
			all.Wait()
			close(answers)
			in := 0
			for status := range answers {
				if status == http.StatusOK {
					in++
				} else {
					require.Equal(t, http.StatusUnauthorized, status)
				}
			}
			require.Equal(t, 1, in)
		})
	}
}

// Who knows the password does not guess a code, and keeps out nobody whose device has
// signed in before.
func TestWrongCodesAreCounted(t *testing.T) {
	t.Parallel()
	s := start(t, "LIMIT_SIGN_INS=5")
	u := s.newUserWithCodes()
	a := u.with(u.recovery[0], "")
	require.Equal(t, http.StatusOK, a.status)
	device := a.cookies()[rest.DeviceCookie].Value
	for range 3 {
		require.Equal(t, http.StatusUnauthorized, u.with("", "").status, "nothing was guessed")
	}
	for range 5 {
		requireProblem(t, http.StatusUnauthorized, "wrong-code", u.with(u.wrong(), ""))
	}
	requireTooMany(t, u.with(u.recovery[1], ""))
	requireTooMany(t, u.with(u.code(next), ""))
	a = u.with(u.recovery[1], device)
	require.Equal(t, http.StatusOK, a.status, "%s", a.body)
	for range 5 {
		requireProblem(t, http.StatusUnauthorized, "wrong-code", u.with(u.wrong(), device))
	}
	requireTooMany(t, u.with(u.recovery[2], device))
	other := s.newUserWithCodes()
	require.Equal(t, http.StatusOK, other.with(other.recovery[0], "").status, "another account")
}
