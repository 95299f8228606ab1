package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/auth"
	"github.com/taskwire/taskwire/pkg/taskapi"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
)

func (s *running) verify(u client) {
	s.t.Helper()
	s.execute("UPDATE task.users SET verified = true WHERE id = ?", u.user)
}

// forgetful has a mail sent that sets a new password, and returns its token.
func (s *running) forgetful(email string) string {
	s.t.Helper()
	require.Equal(s.t, http.StatusAccepted, s.nobody().post("/api/auth/forgot", object{"email": email}).status)
	return s.mail(email).Token
}

// A mail that was asked for goes to the address that the account has, and not to one that is
// the same in small letters.
func TestAMailGoesToTheAccountsAddress(t *testing.T) {
	t.Parallel()
	s := start(t)
	u := s.newUser()
	s.forgetful(strings.ToUpper(u.email))
	require.Equal(t, u.email, s.mail(u.email).To)
	for _, path := range []string{"/api/auth/forgot", "/api/auth/verify/resend"} {
		for _, alike := range []string{"mi\u212Ae@example.org", "mike@g\u0130thub.example"} {
			require.Equal(t, http.StatusUnprocessableEntity, s.nobody().post(path, object{"email": alike}).status, "%s %q", path, alike)
		}
	}
	list := u.list(http.StatusCreated, http.MethodPost, "/api/lists", object{"name": "Garden"})
	require.Equal(t, http.StatusUnprocessableEntity, u.post(listAt(list.ID)+"/members", object{"email": "mi\u212Ae@example.org", "role": "viewer"}).status)
	require.Equal(t, http.StatusUnprocessableEntity, s.nobody().post("/api/auth/register", object{"email": "mi\u212Ae@example.org", "password": password}).status)
}

// Addresses that fold into one another, and are two in small letters, are two: to have shown
// one to be his shows nothing of the other.
func TestAnAddressThatFoldsIntoAnother(t *testing.T) {
	t.Parallel()
	s := start(t)
	u := s.newUser()
	s.execute("UPDATE task.users SET email = 'nikoς@example.org', verified = false WHERE id = ?", u.user)
	require.Equal(t, http.StatusAccepted, u.do(http.MethodPatch, "/api/auth/me", object{"email": "nikoσ@example.org"}).status)
	require.Equal(t, http.StatusNoContent, s.nobody().post("/api/auth/verify", object{"token": s.mail("nikoσ@example.org").Token}).status)
	var email string
	require.NoError(t, s.db.NewRaw("SELECT email FROM task.users WHERE id = ? AND verified", u.user).Scan(t.Context(), &email))
	require.Equal(t, "nikoσ@example.org", email)
}

// A sign-in whose password was looked at before it was changed, or before he was blocked,
// begins no session after that.
func TestASignInThatIsOvertaken(t *testing.T) {
	t.Parallel()
	for name, overtake := range map[string]func(s *running, u client){
		"by a reset": func(s *running, u client) {
			require.Equal(s.t, http.StatusNoContent, s.nobody().post("/api/auth/reset", object{"token": s.forgetful(u.email), "password": better}).status)
		},
		"by another password": func(s *running, u client) {
			require.Equal(s.t, http.StatusNoContent, u.post("/api/auth/password", object{"current": password, "new": better}).status)
		},
		"by a block": func(s *running, u client) { _, err := s.users.Block(s.t.Context(), u.email); require.NoError(s.t, err) },
		"by an erasure": func(s *running, u client) {
			s.execute("UPDATE task.users SET erase_at = now() - interval '1 minute' WHERE id = ?", u.user)
			require.Eventually(s.t, func() bool {
				var begun bool
				require.NoError(s.t, s.db.NewRaw("SELECT EXISTS (SELECT FROM task.erasures)").Scan(s.t.Context(), &begun))
				return begun
			}, patience, 10*time.Millisecond)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t)
			u := s.newUser()
			looked, err := s.users.ByEmail(t.Context(), u.email)
			require.NoError(t, err)
			overtake(s, u)
			_, err = s.users.OpenSession(t.Context(), s.keys.Stranger(access.Origin{IP: "127.0.0.1"}, ""), looked)
			require.ErrorContains(t, err, "changed a moment ago")
		})
	}
}

// Whoever has used an account with an address that he has not shown to be his is out once its
// owner sets a password.
func TestAResetThrowsOutWhoHasShownNothing(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, verified := range []bool{false, true} {
		u := s.newUser()
		s.execute("UPDATE task.users SET verified = ? WHERE id = ?", verified, u.user)
		s.execute("INSERT INTO task.identities (id, user_id, issuer, subject, email, created_at) VALUES (gen_random_uuid(), ?0, 'https://elsewhere.example', ?0::text, '', now())", u.user)
		s.execute(`INSERT INTO task.passkeys (id, user_id, name, credential, public_key, sign_count, backup_eligible, backed_up, transports, created_at)
			VALUES (gen_random_uuid(), ?0, '', decode(md5(?0::text), 'hex'), '\x01', 0, false, false, '{}', now())`, u.user)
		s.execute("INSERT INTO task.second_factors (user_id, secret, begun_at, confirmed_at) VALUES (?, 'JBSWY3DPEHPK3PXP', now(), now())", u.user)
		require.Equal(t, http.StatusNoContent, s.nobody().post("/api/auth/reset", object{"token": s.forgetful(u.email), "password": better}).status)
		for _, table := range []string{"identities", "passkeys", "second_factors"} {
			var there bool
			require.NoError(t, s.db.NewRaw("SELECT EXISTS (SELECT FROM task."+table+" WHERE user_id = ?)", u.user).Scan(t.Context(), &there))
			require.Equal(t, verified, there, table)
		}
	}
}

// Another password makes links of no use that somebody else may have asked for, and another
// address those that went to the one before.
func TestLinksOfBefore(t *testing.T) {
	t.Parallel()
	s := start(t)
	u := s.newUser()
	s.verify(u)
	require.Equal(t, http.StatusAccepted, u.do(http.MethodPatch, "/api/auth/me", object{"email": "evil@example.org"}).status)
	require.Equal(t, taskapi.NoticeAddressAsked, s.mail(u.email).Notice, "its owner is told")
	pending := s.mail("evil@example.org").Token
	require.Equal(t, http.StatusNoContent, u.post("/api/auth/password", object{"current": password, "new": better}).status)
	require.Equal(t, http.StatusUnprocessableEntity, s.nobody().post("/api/auth/verify", object{"token": pending}).status)

	old := s.forgetful(u.email)
	require.Equal(t, http.StatusAccepted, u.do(http.MethodPatch, "/api/auth/me", object{"email": "new@example.org"}).status)
	require.Equal(t, http.StatusNoContent, s.nobody().post("/api/auth/verify", object{"token": s.mail("new@example.org").Token}).status)
	require.Equal(t, http.StatusUnprocessableEntity, s.nobody().post("/api/auth/reset", object{"token": old, "password": password}).status)
	require.Equal(t, http.StatusOK, s.nobody().login("new@example.org", better, "").status)
}

// Nobody uses up the mails that its owner needs, and nobody's mailbox is filled.
func TestMailsAreCountedByWhatTheyAre(t *testing.T) {
	t.Parallel()
	s := start(t)
	u := s.newUser()
	s.verify(u)
	for range 6 {
		s.nobody().post("/api/auth/verify/resend", object{"email": u.email})
	}
	require.NotEmpty(t, s.forgetful(u.email))
	for range 24 {
		require.Equal(t, http.StatusAccepted, u.do(http.MethodDelete, "/api/auth/me", nil).status)
		require.Equal(t, http.StatusOK, s.nobody().login(u.email, password, "").status)
	}
	notices, enough := map[string]int{}, 0
	for _, id := range s.mailsTo(u.email) {
		switch m := s.written(id); {
		case m.Stands && m.Notice != "":
			notices[m.Notice]++
		case m.Reason == taskapi.MailTooMany:
			enough++
		}
	}
	require.Equal(t, map[string]int{taskapi.NoticeErasureAsked: 1, taskapi.NoticeNewDevice: 19}, notices)
	require.Positive(t, enough)
}

// A link of a mail is no second factor, and gives nobody guesses of his own at one.
func TestAMailIsNoSecondFactor(t *testing.T) {
	t.Parallel()
	s := start(t)
	u := s.newUser()
	s.verify(u)
	s.execute("INSERT INTO task.second_factors (user_id, secret, begun_at, confirmed_at) VALUES (?, 'JBSWY3DPEHPK3PXP', now(), now())", u.user)
	a := s.nobody().post("/api/auth/reset", object{"token": s.forgetful(u.email), "password": better})
	require.Equal(t, http.StatusNoContent, a.status)
	require.Empty(t, a.cookies())
	require.Equal(t, "second-factor-required", s.nobody().login(u.email, better, "").problem().code())
}

// What an outside issuer does not vouch for is not verified.
func TestAnOutsideAddressIsVerifiedByItsIssuerAlone(t *testing.T) {
	t.Parallel()
	s := start(t, "MAIL_VERIFICATION=required", "JWT_SECRET="+sharedSecret)
	owner := s.newUser()
	s.verify(owner)
	list := owner.list(http.StatusCreated, http.MethodPost, "/api/lists", object{"name": "Payroll"})
	require.Equal(t, http.StatusCreated, owner.post(listAt(list.ID)+"/members", object{"email": "out@example.org", "role": "editor"}).status)
	for name, c := range map[string]struct {
		claim any
		sees  int
	}{"says nothing": {nil, 1}, "says so": {true, 1}, "says so in a text": {"true", 1}, "says that not": {false, 0}} {
		claims := jwt.MapClaims{"sub": uuid.NewString(), "email": "out@example.org", "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix()}
		if c.claim != nil {
			claims["email_verified"] = c.claim
		}
		token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(sharedSecret))
		require.NoError(t, err)
		require.Len(t, items[object](client{running: s, token: token}, "/api/invitations"), c.sees, name)
	}
}

func TestWhoIsBlockedIsNotReminded(t *testing.T) {
	t.Parallel()
	s := start(t)
	u := s.newUser()
	task := u.create(object{"title": "x", "reminders": []object{{"at": time.Now().Add(time.Hour)}}})
	_, err := s.users.Block(t.Context(), u.email)
	require.NoError(t, err)
	a := s.nobody().do(http.MethodPost, taskapi.RemindersPath, taskapi.Check{Reminders: []taskapi.Reminder{{ID: task.Reminders[0].ID, At: *task.Reminders[0].At}}}, "dapr-api-token", appToken)
	require.Contains(t, string(a.body), `"stands":false,"reason":"blocked"`)
}

// Signing in again ends the session that the browser had, whichever way that is done.
func TestSigningInAgainAtAProvider(t *testing.T) {
	t.Parallel()
	o := theProvider(t, "company")
	s := start(t, o.setting("company"), "PUBLIC_URL="+publicly)
	o.person("ada", "ada@example.org", true)
	b := s.browser()
	requireIn(t, b.signInAt(o, "ada"))
	first := b.cookies[auth.Cookie]
	requireIn(t, b.signInAt(o, "ada"))
	require.Eventually(t, func() bool { // by the signal of the change
		return s.nobody().do(http.MethodGet, "/api/auth/me", nil, "Cookie", auth.Cookie+"="+first).status == http.StatusUnauthorized
	}, patience, 10*time.Millisecond)
}
