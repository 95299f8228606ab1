package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/taskapi"
)

// mail is what the latest mail that is to go to an address says, as the service that sends
// it is told.
func (s *running) mail(address string) taskapi.AccountMail {
	s.t.Helper()
	ids := s.mailsTo(address)
	require.NotEmpty(s.t, ids, "no mail is to go to %s", address)
	return s.written(ids[len(ids)-1])
}

func (s *running) mailsTo(address string) (ids []uuid.UUID) {
	s.t.Helper()
	require.NoError(s.t, s.db.NewRaw("SELECT id FROM task.account_mails WHERE lower(address) = lower(?) ORDER BY id", address).Scan(s.t.Context(), &ids))
	return ids
}

func (s *running) written(id uuid.UUID) taskapi.AccountMail {
	s.t.Helper()
	a := s.nobody().do(http.MethodPost, taskapi.AccountMailsPath, taskapi.WriteMails{Mails: []uuid.UUID{id}}, "dapr-api-token", appToken)
	require.Equal(s.t, http.StatusOK, a.status, "%s", a.body)
	var answer taskapi.WrittenMails
	require.NoError(s.t, json.Unmarshal(a.body, &answer))
	require.Len(s.t, answer.Mails, 1)
	return answer.Mails[0]
}

func (c client) post(path string, body any) answer {
	c.t.Helper()
	return c.do(http.MethodPost, path, body)
}

const better = "a better horse battery"

// Where addresses have to be verified, nobody learns who has an account, and nobody gets one
// with somebody else's address.
func TestRegisteringWhereAddressesAreVerified(t *testing.T) {
	t.Parallel()
	s := start(t, "MAIL_VERIFICATION=required")
	const ada = "ada@example.org"
	register := func(email, password string) answer {
		return s.nobody().post("/api/auth/register", object{"email": email, "password": password, "name": "Ada"})
	}
	first := register(ada, password)
	require.Equal(t, http.StatusAccepted, first.status, "%s", first.body)
	require.Empty(t, first.cookies(), "nobody is signed in")
	require.NotContains(t, string(first.body), "token")

	a := s.nobody().login(ada, password, "")
	require.Equal(t, http.StatusForbidden, a.status)
	require.Equal(t, "address-unverified", a.problem().code())
	require.Equal(t, http.StatusUnauthorized, s.nobody().login(ada, "wrong wrong wrong", "").status, "whoever guesses learns nothing")

	m := s.mail(ada)
	require.True(t, m.Stands)
	require.Equal(t, taskapi.MailVerify, m.Kind)
	require.Equal(t, ada, m.To)
	done := s.nobody().post("/api/auth/verify", object{"token": m.Token})
	require.Equal(t, http.StatusNoContent, done.status, "%s", done.body)
	require.NotEmpty(t, done.cookies()["taskwire_device"].Value, "the browser is known from now on")
	require.Equal(t, http.StatusUnprocessableEntity, s.nobody().post("/api/auth/verify", object{"token": m.Token}).status, "once")
	in, a := s.nobody().signIn(ada, password)
	require.Equal(t, http.StatusOK, a.status)
	require.Contains(t, string(in.do(http.MethodGet, "/api/auth/me", nil).body), `"verified":true`)

	again := register("Ada@Example.org", better)
	require.Equal(t, first.status, again.status)
	require.Equal(t, string(first.body), string(again.body), "the same answer")
	m = s.mail(ada)
	require.Equal(t, taskapi.NoticeRegisteredAgain, m.Notice)
	require.Empty(t, m.Token)
	require.Equal(t, http.StatusUnauthorized, s.nobody().login(ada, better, "").status, "the password is the owner's")
}

// A stranger who registers first with somebody's address does not get the account that its
// owner wants: he sets a password of his own.
func TestAStrangerWhoRegistersFirst(t *testing.T) {
	t.Parallel()
	s := start(t, "MAIL_VERIFICATION=required")
	const ada = "ada@example.org"
	require.Equal(t, http.StatusAccepted, s.nobody().post("/api/auth/register", object{"email": ada, "password": "the stranger's own"}).status)
	require.Equal(t, http.StatusAccepted, s.nobody().post("/api/auth/register", object{"email": ada, "password": password}).status)
	m := s.mail(ada)
	require.Equal(t, taskapi.MailReset, m.Kind)
	require.Equal(t, http.StatusNoContent, s.nobody().post("/api/auth/reset", object{"token": m.Token, "password": better}).status)
	require.Equal(t, http.StatusUnauthorized, s.nobody().login(ada, "the stranger's own", "").status)
	require.Equal(t, http.StatusOK, s.nobody().login(ada, better, "").status)
	// The mail that asked to verify it is of no use any more.
	for _, id := range s.mailsTo(ada) {
		require.Empty(t, s.written(id).Token)
	}
}

func TestAForgottenPassword(t *testing.T) {
	t.Parallel()
	s := start(t)
	u := s.newUser()
	here, _ := u.signIn(u.email, password)
	program := u.apiToken(object{"name": "x", "scopes": []string{"account:read"}})
	known, unknown := s.nobody().post("/api/auth/forgot", object{"email": strings.ToUpper(u.email)}), s.nobody().post("/api/auth/forgot", object{"email": "nobody@example.org"})
	require.Equal(t, http.StatusAccepted, known.status)
	require.Equal(t, known.status, unknown.status)
	require.Equal(t, known.body, unknown.body)
	require.Equal(t, taskapi.MailNoAccount, s.mail("nobody@example.org").Reason)

	first := s.mail(u.email)
	require.Equal(t, taskapi.MailReset, first.Kind)
	require.WithinDuration(t, time.Now().Add(30*time.Minute), *first.ExpiresAt, time.Minute)
	m := s.mail(u.email) // the mail server's answer was lost: it is sent again
	require.NotEqual(t, first.Token, m.Token)
	for name, c := range map[string]struct {
		body     object
		location string
	}{
		"made up":                 {object{"token": "x", "password": better}, "body.token"},
		"another mail's":          {object{"token": strings.Repeat("A", len(m.Token)), "password": better}, "body.token"},
		"another secret":          {object{"token": m.Token[:len(m.Token)-4] + "AAAA", "password": better}, "body.token"},
		"a common password":       {object{"token": m.Token, "password": "password123"}, "body.password"},
		"the address":             {object{"token": m.Token, "password": u.email}, "body.password"},
		"a short one":             {object{"token": m.Token, "password": "short"}, "body.password"},
		"to verify, not to reset": {object{"token": m.Token}, "body"},
	} {
		a := s.nobody().post("/api/auth/reset", c.body)
		require.Equal(t, http.StatusUnprocessableEntity, a.status, "%s: %s", name, a.body)
		require.Equal(t, c.location, a.problem().Errors[0].Location, name)
	}
	require.Equal(t, http.StatusUnprocessableEntity, s.nobody().post("/api/auth/verify", object{"token": m.Token}).status, "a token of another kind")
	require.Equal(t, http.StatusNoContent, s.nobody().post("/api/auth/reset", object{"token": first.Token, "password": better}).status, "the first mail has come, too")
	require.Equal(t, http.StatusUnprocessableEntity, s.nobody().post("/api/auth/reset", object{"token": m.Token, "password": password}).status, "once")
	here.requireIn(http.StatusUnauthorized, "all sessions end")
	require.Equal(t, http.StatusUnauthorized, program.do(http.MethodGet, "/api/auth/me", nil).status, "and all API tokens")
	require.Equal(t, http.StatusUnauthorized, s.nobody().login(u.email, password, "").status)
	again, a := u.signIn(u.email, better)
	require.Equal(t, http.StatusOK, a.status)
	require.Contains(t, string(again.do(http.MethodGet, "/api/auth/me", nil).body), `"verified":true`, "the mail has come")
	notices := map[string]bool{}
	for _, id := range s.mailsTo(u.email) {
		notices[s.written(id).Notice] = true
	}
	require.True(t, notices[taskapi.NoticePasswordChanged])
	require.True(t, notices[taskapi.NoticeNewDevice])

	// No secret of a mail is kept, nor told.
	for _, secret := range []string{first.Token, m.Token} {
		var kept int
		require.NoError(t, s.db.NewRaw("SELECT (SELECT count(*) FROM task.account_mails x WHERE x::text LIKE ?0) + (SELECT count(*) FROM task.events x WHERE x::text LIKE ?0)", "%"+secret[22:]+"%").Scan(t.Context(), &kept))
		require.Zero(t, kept)
	}
	for _, e := range s.toldSince(0) {
		if e.Topic == "reminders" {
			require.NotContains(t, e.Data, "@", "no address is on the broker")
		}
	}
}

// A link is good for so long, and what comes too late is not sent.
func TestWhatIsLateIsNotSent(t *testing.T) {
	t.Parallel()
	s := start(t)
	u := s.newUser()
	require.Equal(t, http.StatusAccepted, u.post("/api/auth/verify/resend", nil).status, "who is signed in need not say which")
	m := s.mail(u.email)
	s.execute("UPDATE task.account_mails SET expires_at = now() - interval '1 second' WHERE id = ?", m.ID)
	require.Equal(t, http.StatusUnprocessableEntity, s.nobody().post("/api/auth/verify", object{"token": m.Token}).status)
	s.execute("UPDATE task.account_mails SET created_at = now() - interval '73 hours' WHERE id = ?", m.ID)
	require.Equal(t, taskapi.MailExpired, s.written(m.ID).Reason)
	require.Equal(t, taskapi.Deleted, s.written(uuid.New()).Reason, "there never was one")

	require.Equal(t, http.StatusAccepted, s.nobody().post("/api/auth/verify/resend", object{"email": u.email}).status)
	before := s.mail(u.email)
	require.Equal(t, http.StatusAccepted, s.nobody().post("/api/auth/verify/resend", object{"email": u.email}).status)
	require.NotEmpty(t, s.mail(u.email).Token)
	require.Equal(t, http.StatusNoContent, s.nobody().post("/api/auth/verify", object{"token": before.Token}).status, "whichever mail is opened first")
	require.Equal(t, http.StatusAccepted, s.nobody().post("/api/auth/verify/resend", object{"email": u.email}).status)
	require.Equal(t, taskapi.MailUsed, s.mail(u.email).Reason, "there is nothing left to verify")
	require.Equal(t, http.StatusUnprocessableEntity, s.nobody().post("/api/auth/verify/resend", nil).status, "which?")
}

func TestAnotherAddress(t *testing.T) {
	t.Parallel()
	s := start(t)
	u, other := s.newUser(), s.newUser()
	s.execute("UPDATE task.users SET verified = true WHERE id IN (?, ?)", u.user, other.user)
	const wanted = "Ada@new.example.org"
	a := u.do(http.MethodPatch, "/api/auth/me", object{"email": wanted, "name": "Ada"})
	require.Equal(t, http.StatusAccepted, a.status, "%s", a.body)
	require.Contains(t, string(a.body), u.email, "it is not changed yet")
	require.Contains(t, string(a.body), `"Ada"`, "what needs no mail is")
	m := s.mail(wanted)
	require.Equal(t, taskapi.MailVerify, m.Kind)
	require.Equal(t, http.StatusNoContent, s.nobody().post("/api/auth/verify", object{"token": m.Token}).status)
	require.Contains(t, string(u.do(http.MethodGet, "/api/auth/me", nil).body), wanted)
	require.Equal(t, http.StatusOK, s.nobody().login(wanted, password, "").status)
	require.Equal(t, http.StatusUnauthorized, s.nobody().login(u.email, password, "").status)
	notice := s.mail(u.email)
	require.True(t, notice.Stands)
	require.Equal(t, taskapi.NoticeAddressChanged, notice.Notice)

	// That of another account: he is not told, its owner is.
	a = u.do(http.MethodPatch, "/api/auth/me", object{"email": other.email})
	require.Equal(t, http.StatusAccepted, a.status)
	require.Equal(t, taskapi.NoticeAddressTaken, s.mail(other.email).Notice)
	// One that somebody else registers meanwhile.
	require.Equal(t, http.StatusAccepted, u.do(http.MethodPatch, "/api/auth/me", object{"email": "soon@example.org"}).status)
	token := s.mail("soon@example.org").Token
	require.Equal(t, http.StatusCreated, s.nobody().post("/api/auth/register", object{"email": "soon@example.org", "password": password}).status)
	a = s.nobody().post("/api/auth/verify", object{"token": token})
	require.Equal(t, http.StatusConflict, a.status)
	require.Equal(t, "email-taken", a.problem().code())

	require.Equal(t, http.StatusOK, u.do(http.MethodPatch, "/api/auth/me", object{"email": wanted}).status, "it is his already")
	for _, wrong := range []string{"nobody", "a@b\r\nBcc: c@d", "<script>@example.org"} {
		require.Equal(t, http.StatusUnprocessableEntity, u.do(http.MethodPatch, "/api/auth/me", object{"email": wrong}).status, wrong)
	}
}

// Whatever is added to the name of a mailbox: its mails are counted together.
func TestMailsToOneMailboxAreFew(t *testing.T) {
	s := start(t, "MAIL_VERIFICATION=required", "LIMIT_ACCOUNT_MAILS=3")
	for i := range 5 {
		for _, email := range []string{fmt.Sprintf("Ada+%d@example.org", i), fmt.Sprintf("bob+%d@example.org", i)} {
			require.Equal(t, http.StatusAccepted, s.nobody().post("/api/auth/register", object{"email": email, "password": password}).status)
		}
		require.Equal(t, http.StatusAccepted, s.nobody().post("/api/auth/forgot", object{"email": fmt.Sprintf("eve+%d@example.org", i)}).status)
	}
	for _, name := range []string{"ada", "bob", "eve"} {
		n, err := s.db.NewSelect().Table("task.account_mails").Where("lower(address) LIKE ?", name+"+%").Count(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 3, n, name)
	}
	require.Equal(t, http.StatusAccepted, s.nobody().post("/api/auth/forgot", object{"email": "adam+1@example.org"}).status)
	require.Len(t, s.mailsTo("adam+1@example.org"), 1)
}

// Who sends mails to others by us sends few.
func TestMailsAreFew(t *testing.T) {
	t.Parallel()
	s := start(t, "LIMIT_REGISTRATIONS=8", "LIMIT_ACCOUNT_MAILS=3")
	for range 5 {
		require.Equal(t, http.StatusAccepted, s.nobody().post("/api/auth/forgot", object{"email": "ada@example.org"}).status, "nobody is told")
	}
	require.Len(t, s.mailsTo("ada@example.org"), 3)
	for range 3 {
		require.Equal(t, http.StatusAccepted, s.nobody().post("/api/auth/forgot", object{"email": uuid.NewString() + "@example.org"}).status)
	}
	a := s.nobody().post("/api/auth/verify/resend", object{"email": "bob@example.org"})
	require.Equal(t, http.StatusTooManyRequests, a.status)
	require.NotEmpty(t, a.header.Get("Retry-After"))
}

func TestAnInvitationIsMailedOnce(t *testing.T) {
	t.Parallel()
	s := start(t, "LIMIT_INVITATIONS=2")
	owner := s.newUser()
	list := owner.list(http.StatusCreated, http.MethodPost, "/api/lists", object{"name": "Garden"}).ID
	invite := func(email, role string) {
		require.Equal(t, http.StatusCreated, owner.post("/api/lists/"+list.String()+"/members", object{"email": email, "role": role}).status)
	}
	invite("grace@example.org", "viewer")
	m := s.mail("grace@example.org")
	require.True(t, m.Stands)
	require.Equal(t, "Garden", m.List)
	require.Equal(t, owner.email, m.InvitedBy)
	require.Empty(t, m.Token)
	invite("grace@example.org", "editor")
	require.Len(t, s.mailsTo("grace@example.org"), 1, "another role is not another invitation")
	invite("b@example.org", "viewer")
	invite("c@example.org", "viewer")
	require.Empty(t, s.mailsTo("c@example.org"), "beyond what a user may have sent")
	require.Equal(t, http.StatusNoContent, owner.do(http.MethodDelete, "/api/lists/"+list.String(), nil).status)
	require.Equal(t, taskapi.Deleted, s.mail("grace@example.org").Reason, "the list is in the trash")
}

func TestWhoMayRegister(t *testing.T) {
	t.Parallel()
	s := start(t, "REGISTRATION=invite")
	register := func(s *running, email string) answer {
		return s.nobody().post("/api/auth/register", object{"email": email, "password": password})
	}
	require.Equal(t, "registration-closed", register(s, "ada@example.org").problem().code())
	out, code := s.command("users", "invite", "ada@example.org", "--name", "Ada")
	require.Zero(t, code, out)
	require.Equal(t, http.StatusUnauthorized, s.nobody().login("ada@example.org", password, "").status)
	m := s.mail("ada@example.org")
	require.Equal(t, taskapi.MailWelcome, m.Kind)
	require.Equal(t, "Ada", m.Name)
	_, code = s.command("users", "invite", "Ada@example.org")
	require.Zero(t, code, "another mail")
	require.Len(t, s.mailsTo("ada@example.org"), 2)
	require.Equal(t, http.StatusNoContent, s.nobody().post("/api/auth/reset", object{"token": m.Token, "password": better}).status)
	ada, a := s.nobody().signIn("ada@example.org", better)
	require.Equal(t, http.StatusOK, a.status)
	out, code = s.command("users", "invite", "ada@example.org")
	require.Equal(t, 1, code, out)
	require.Contains(t, out, "there is an account")

	list := ada.list(http.StatusCreated, http.MethodPost, "/api/lists", object{"name": "Garden"}).ID
	require.Equal(t, http.StatusCreated, ada.post("/api/lists/"+list.String()+"/members", object{"email": "Grace@example.org", "role": "viewer"}).status)
	require.Equal(t, http.StatusCreated, register(s, "grace@example.org").status, "who is invited to a list")

	closed := start(t, "REGISTRATION=closed", "MAIL_VERIFICATION=required")
	require.Equal(t, "registration-closed", register(closed, "ada@example.org").problem().code())
}

// Whoever is blocked is out, whatever he shows.
func TestABlockedUser(t *testing.T) {
	t.Parallel()
	s := start(t, "JWT_SECRET="+sharedSecret)
	u := s.newUser()
	here, _ := u.signIn(u.email, password)
	outside := client{running: s, user: uuid.New()}
	var err error
	outside.token, err = jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"sub": outside.user.String(), "email": "out@example.org", "exp": time.Now().Add(time.Hour).Unix()}).SignedString([]byte(sharedSecret))
	require.NoError(t, err)
	program := u.apiToken(object{"name": "x", "scopes": []string{"account:read"}})
	here.requireIn(http.StatusOK, "before")
	require.Equal(t, http.StatusOK, outside.do(http.MethodGet, "/api/tasks", nil).status)
	for _, who := range []string{strings.ToUpper(u.email), outside.user.String()} {
		out, code := s.command("users", "block", who)
		require.Zero(t, code, out)
		out, code = s.command("users", "block", who)
		require.Zero(t, code, "again: %s", out)
	}
	require.Eventually(t, func() bool { // by the signal of another process
		return here.do(http.MethodGet, "/api/auth/me", nil).status == http.StatusUnauthorized && outside.do(http.MethodGet, "/api/tasks", nil).status == http.StatusUnauthorized
	}, patience, 10*time.Millisecond)
	here.requireIn(http.StatusUnauthorized, "blocked")
	require.Equal(t, http.StatusUnauthorized, program.do(http.MethodGet, "/api/auth/me", nil).status)
	for _, e := range s.toldSince(0) { // else audit-log could not keep it
		var data struct {
			UserID uuid.UUID `json:"user_id"`
		}
		require.NoError(t, json.Unmarshal([]byte(e.Data), &data))
		require.False(t, e.Topic == event.TopicAudit && data.UserID == uuid.Nil, e.Type)
	}
	a := s.nobody().login(u.email, password, "")
	require.Equal(t, "account-blocked", a.problem().code())
	require.Equal(t, http.StatusUnauthorized, s.nobody().login(u.email, "wrong wrong wrong", "").status)
	require.Equal(t, http.StatusAccepted, s.nobody().post("/api/auth/forgot", object{"email": u.email}).status)
	require.Equal(t, taskapi.MailBlocked, s.mail(u.email).Reason)

	out, code := s.command("users", "list", "--email", u.email[:8])
	require.Zero(t, code, out)
	require.Contains(t, out, "blocked")
	require.NotContains(t, out, outside.user.String())
	for _, who := range []string{u.email, outside.user.String()} {
		_, code = s.command("users", "unblock", who)
		require.Zero(t, code)
	}
	require.Equal(t, http.StatusOK, s.nobody().login(u.email, password, "").status)
	require.Eventually(t, func() bool { return outside.do(http.MethodGet, "/api/tasks", nil).status == http.StatusOK }, patience, 10*time.Millisecond)

	for _, wrong := range [][]string{{}, {"list", "--limit", "0"}, {"list", "x"}, {"block"}, {"block", "--name", "x"}, {"frobnicate"}, {"invite", ""}} {
		out, code := s.command(append([]string{"users"}, wrong...)...)
		require.Equal(t, 2, code, "%q: %s", wrong, out)
	}
	out, code = s.command("users", "block", "nobody@example.org")
	require.Equal(t, 1, code)
	require.Contains(t, out, "there is no such user")
	out, code = s.command("users", "invite", "no address")
	require.Equal(t, 1, code)
	require.Contains(t, out, "must be an email address")
}

// Where addresses have to be verified, an unverified one gets no reminder, and no invitation
// is for it.
func TestWhatAnUnverifiedAddressDoesNotGet(t *testing.T) {
	t.Parallel()
	s := start(t) // they need not be
	owner, u := s.newUser(), s.newUser()
	list := owner.list(http.StatusCreated, http.MethodPost, "/api/lists", object{"name": "Garden"}).ID
	require.Equal(t, http.StatusCreated, owner.post("/api/lists/"+list.String()+"/members", object{"email": u.email, "role": "viewer"}).status)
	require.Len(t, items[object](u, "/api/invitations"), 1)
	task := u.create(object{"title": "x", "reminders": []object{{"at": time.Now().Add(-time.Minute)}}})
	check := taskapi.Check{Reminders: []taskapi.Reminder{{ID: task.Reminders[0].ID, At: *task.Reminders[0].At}}}
	to := func(s *running) string {
		var checked taskapi.Checked
		a := s.nobody().do(http.MethodPost, taskapi.RemindersPath, check, "dapr-api-token", appToken)
		require.NoError(t, json.Unmarshal(a.body, &checked))
		require.True(t, checked.Reminders[0].Stands)
		return checked.Reminders[0].User.Email
	}
	require.Equal(t, u.email, to(s))

	strict := s.with("MAIL_VERIFICATION=required")
	require.Empty(t, to(strict))
	same := u
	same.running = strict
	require.Equal(t, http.StatusUnauthorized, same.do(http.MethodGet, "/api/invitations", nil).status, "nor is he let in")
	s.execute("UPDATE task.users SET verified = true WHERE id = ?", u.user)
	require.Equal(t, u.email, to(strict))
	require.Len(t, items[object](same, "/api/invitations"), 1)
}

// The links of mails lead to pages, which show nothing and change nothing by themselves.
func TestThePagesOfMails(t *testing.T) {
	t.Parallel()
	s := start(t)
	pages, err := filepath.Glob("internal/mailpage/*.html")
	require.NoError(t, err)
	require.NotEmpty(t, pages)
	for _, file := range pages {
		name := strings.TrimSuffix(filepath.Base(file), ".html")
		a := s.nobody().do(http.MethodGet, "/account/"+name, nil)
		require.Equal(t, http.StatusOK, a.status)
		want, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Equal(t, string(want), string(a.body))
		require.NotContains(t, a.header.Get("Content-Security-Policy"), "unsafe")
		require.Equal(t, "no-referrer", a.header.Get("Referrer-Policy"))
	}
	require.Contains(t, s.nobody().do(http.MethodGet, "/account/page.js", nil).header.Get("Content-Type"), "javascript")
}

// with is another replica, with other settings.
func (s *running) with(settings ...string) *running {
	s.t.Helper()
	other := *s
	other.env = append(slices.Clone(s.env), settings...)
	other.base, _ = other.beside()
	return &other
}
