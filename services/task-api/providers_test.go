package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/auth"
	"github.com/taskwire/taskwire/services/task-api/internal/account"
	"github.com/taskwire/taskwire/services/task-api/internal/rest"
)

// Where users reach the suite in these tests, as their browsers know it.
const publicly = "https://tasks.example.org"

// openID is an OpenID provider, a process of its own.
type openID struct {
	t      *testing.T
	issuer string
}

// theProvider starts one that sends browsers back to a provider with an id.
func theProvider(t *testing.T, ids ...string) *openID {
	t.Helper()
	program := filepath.Join(t.TempDir(), "provider")
	build := exec.CommandContext(t.Context(), "go", "build", "-C", "../../test/provider", "-o", program, ".")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	args := []string{"taskwire", "the client's secret"}
	for _, id := range ids {
		args = append(args, publicly+"/api/auth/oidc/"+id+"/callback")
	}
	cmd := exec.Command(program, args...) //nolint:noctx // it ends with its stdin
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = stdin.Close() // which ends it
		_ = cmd.Wait()    // however it ended
	})
	issuer, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	return &openID{t, strings.TrimSpace(issuer)}
}

// setting is OIDC_PROVIDERS with it under an id.
func (o *openID) setting(id string) string {
	raw, err := json.Marshal([]object{{"id": id, "issuer": o.issuer, "client_id": "taskwire", "client_secret": "the client's secret"}})
	require.NoError(o.t, err)
	return "OIDC_PROVIDERS=" + string(raw)
}

// person has somebody be known there, by a name that is the subject.
func (o *openID) person(name, email string, verified bool) {
	o.t.Helper()
	raw, err := json.Marshal(object{"Email": email, "EmailVerified": verified, "FirstName": "Ada", "LastName": "Lovelace"})
	require.NoError(o.t, err)
	req, err := http.NewRequestWithContext(o.t.Context(), http.MethodPut, o.issuer+"/users/"+name, bytes.NewReader(raw))
	require.NoError(o.t, err)
	res, err := http.DefaultClient.Do(req)
	require.NoError(o.t, err)
	require.NoError(o.t, res.Body.Close())
	require.Equal(o.t, http.StatusOK, res.StatusCode)
}

// signIn is where a browser is sent back to that has been sent to an address, once its
// user has signed in there.
func (o *openID) signIn(address, name string) (back *url.URL) {
	o.t.Helper()
	at, err := url.Parse(address)
	require.NoError(o.t, err)
	browser := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	var form url.Values
	for range 10 {
		if strings.HasPrefix(at.String(), publicly) {
			return at
		}
		req, err := http.NewRequestWithContext(o.t.Context(), http.MethodGet, at.String(), nil)
		if form != nil {
			req, err = http.NewRequestWithContext(o.t.Context(), http.MethodPost, at.String(), strings.NewReader(form.Encode()))
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		require.NoError(o.t, err)
		res, err := browser.Do(req)
		require.NoError(o.t, err)
		require.NoError(o.t, res.Body.Close())
		if form = nil; res.StatusCode == http.StatusOK { // the page with the form
			form = url.Values{"username": {name}, "password": {name}, "id": {at.Query().Get("authRequestID")}}
			continue
		}
		require.Equal(o.t, http.StatusFound, res.StatusCode, "%s", at)
		at, err = res.Location()
		require.NoError(o.t, err)
	}
	o.t.Fatalf("the provider sends the browser on and on, at last to %s", at)
	return nil
}

// browser is one that goes to a provider.
type browser struct {
	client
	cookies map[string]string
}

func (s *running) browser() *browser { return &browser{s.nobody(), map[string]string{}} }

// visit asks for a page of the suite as browsers do, and does not go on from there.
func (b *browser) visit(path string, header ...string) answer {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, b.base+path, nil)
	require.NoError(b.t, err)
	for name, value := range b.cookies {
		req.AddCookie(&http.Cookie{Name: name, Value: value}) //nolint:gosec // it is sent, not set
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := (&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Do(req)
	require.NoError(b.t, err)
	var body bytes.Buffer
	_, err = body.ReadFrom(res.Body)
	require.NoError(b.t, err)
	require.NoError(b.t, res.Body.Close())
	a := answer{res.StatusCode, res.Header, body.Bytes()}
	for name, c := range a.cookies() {
		if b.cookies[name] = c.Value; c.MaxAge < 0 {
			delete(b.cookies, name)
		}
	}
	return a
}

// begin is where a provider is.
func (b *browser) begin(id string) (address string) {
	b.t.Helper()
	a := b.visit("/api/auth/oidc/" + id)
	require.Equal(b.t, http.StatusFound, a.status, "%s", a.body)
	c := a.cookies()["oidc_errand"]
	require.True(b.t, c.HttpOnly)
	require.Equal(b.t, []any{http.SameSiteLaxMode, "/api/auth/oidc"}, []any{c.SameSite, c.Path})
	return a.header.Get("Location")
}

func (b *browser) finish(back *url.URL) answer {
	b.t.Helper()
	return b.visit(back.RequestURI())
}

// signInAt goes to a provider, and comes back.
func (b *browser) signInAt(o *openID, name string) answer {
	b.t.Helper()
	return b.finish(o.signIn(b.begin("company"), name))
}

// me is whose browser it is.
func (b *browser) me() (u account.User) {
	b.t.Helper()
	a := b.visit("/api/auth/me")
	require.Equal(b.t, http.StatusOK, a.status, "%s", a.body)
	require.NoError(b.t, json.Unmarshal(a.body, &u))
	return u
}

func requireIn(t *testing.T, a answer) {
	t.Helper()
	require.Equal(t, http.StatusFound, a.status, "%s", a.body)
	require.Equal(t, "/", a.header.Get("Location"))
	require.NotEmpty(t, a.cookies()[auth.Cookie].Value)
	require.NotEmpty(t, a.cookies()[rest.DeviceCookie].Value)
	require.Negative(t, a.cookies()["oidc_errand"].MaxAge)
}

func TestAProviderSignsIn(t *testing.T) {
	t.Parallel()
	o := theProvider(t, "company")
	s := start(t, o.setting("company"), "PUBLIC_URL="+publicly)
	require.JSONEq(t, `{"items": [{"id": "company", "name": "company", "url": "/api/auth/oidc/company"}]}`, string(s.nobody().do(http.MethodGet, "/api/auth/oidc", nil).body))
	o.person("ada", "ada@example.org", true)
	b := s.browser()
	requireIn(t, b.signInAt(o, "ada"))
	ada := b.me()
	require.Equal(t, []string{"ada@example.org", "Ada Lovelace"}, []string{ada.Email, ada.Name})
	who := client{running: s, user: ada.ID}
	require.Equal(t, o.issuer, who.audited("user.registered")[0].Metadata["issuer"])

	again := s.browser()
	back := o.signIn(again.begin("company"), "ada")
	back.RawQuery += "&session_state=x&scope=openid&state_of=" // as some have it
	requireIn(t, again.finish(back))
	require.Equal(t, ada.ID, again.me().ID)
	require.Equal(t, o.issuer, who.audited("user.signed_in")[0].Metadata["issuer"])

	// Another address there is none here, and whoever has the old one there now is another.
	o.person("ada", "lovelace@example.org", true)
	o.person("eve", "ada@example.org", true)
	requireIn(t, again.signInAt(o, "ada"))
	require.Equal(t, []any{ada.ID, "ada@example.org"}, []any{again.me().ID, again.me().Email})
	requireProblem(t, http.StatusConflict, "link-first", s.browser().signInAt(o, "eve"))
	person := s.browser()
	a := person.visit(o.signIn(person.begin("company"), "eve").RequestURI(), "Accept", "text/html,*/*;q=0.8")
	require.Equal(t, http.StatusFound, a.status, "%s", a.body)
	require.Equal(t, "/#/problems/link-first", a.header.Get("Location"))
	require.Empty(t, person.cookies[auth.Cookie])

	// There is no password, and nobody else gets the address.
	for _, guess := range []string{"", password} {
		requireProblem(t, http.StatusUnauthorized, "wrong-password", s.nobody().login(ada.Email, guess, ""))
	}
	a = s.nobody().do(http.MethodPost, "/api/auth/password", object{"current": password, "new": "a better horse battery"}, "Cookie", auth.Cookie+"="+b.cookies[auth.Cookie])
	requireProblem(t, http.StatusUnprocessableEntity, "invalid", a)
	a = s.nobody().do(http.MethodPost, "/api/auth/register", object{"email": "Ada@example.org", "password": password})
	requireProblem(t, http.StatusConflict, "email-taken", a)
}

// An address that a provider names makes nobody the owner of the account with it.
func TestAProviderTakesOverNoAccount(t *testing.T) {
	t.Parallel()
	o := theProvider(t, "company")
	s := start(t, o.setting("company"), "PUBLIC_URL="+publicly)
	u := s.newUser()
	for name, c := range map[string]struct {
		email    string
		verified bool
	}{
		"that of an account":                {u.email, true},
		"that of an account, in capitals":   {strings.ToUpper(u.email), true},
		"that of an account, not verified":  {u.email, false},
		"that of nobody here, not verified": {"grace@example.org", false},
		"none":                              {"", true},
		"no address":                        {"Grace <grace@example.org>", true},
		"one that is too long":              {strings.Repeat("a", 250) + "@example.org", true},
		"one that Postgres does not keep":   {"a\x00@example.org", true},
	} {
		t.Run(name, func(t *testing.T) {
			before := s.state()
			subject := uuid.NewString()
			o.person(subject, c.email, c.verified)
			b := s.browser()
			requireProblem(t, http.StatusConflict, "link-first", b.signInAt(o, subject))
			require.Empty(t, b.cookies[auth.Cookie])
			require.Equal(t, before, s.state())
		})
	}
	var kept int
	require.NoError(t, s.db.NewRaw("SELECT count(*) FROM task.identities").Scan(t.Context(), &kept))
	require.Zero(t, kept)
}

func TestWhatComesBackFromAProviderIsOfThisBrowser(t *testing.T) {
	t.Parallel()
	o := theProvider(t, "company", "other")
	raw := strings.TrimSuffix(strings.TrimPrefix(o.setting("company"), "OIDC_PROVIDERS=["), "]")
	s := start(t, "OIDC_PROVIDERS=["+raw+`, {"id": "other", "issuer": "http://127.0.0.1:1", "client_id": "taskwire"}]`, "PUBLIC_URL="+publicly)
	o.person("ada", "ada@example.org", true)
	with := func(at *url.URL, name, value string) *url.URL {
		changed, query := *at, at.Query()
		if query.Set(name, value); value == "" {
			query.Del(name)
		}
		changed.RawQuery = query.Encode()
		return &changed
	}
	parse := func(address string) *url.URL {
		at, err := url.Parse(address)
		require.NoError(t, err)
		return at
	}
	for name, c := range map[string]struct {
		status int
		code   string
		finish func(b *browser) answer
	}{
		"another state": {http.StatusBadRequest, "sign-in-not-begun", func(b *browser) answer {
			return b.finish(with(o.signIn(b.begin("company"), "ada"), "state", strings.Repeat("A", 43)))
		}},
		"no state": {http.StatusBadRequest, "sign-in-not-begun", func(b *browser) answer {
			return b.finish(with(o.signIn(b.begin("company"), "ada"), "state", ""))
		}},
		"no request": {http.StatusBadRequest, "sign-in-not-begun", func(b *browser) answer {
			back := o.signIn(b.begin("company"), "ada")
			delete(b.cookies, "oidc_errand")
			return b.finish(back)
		}},
		"a token instead of a request": {http.StatusBadRequest, "sign-in-not-begun", func(b *browser) answer {
			back := o.signIn(b.begin("company"), "ada")
			b.cookies["oidc_errand"] = s.newUser().token
			return b.finish(back)
		}},
		"another browser's": {http.StatusBadRequest, "sign-in-not-begun", func(b *browser) answer {
			b.begin("company")
			return b.finish(o.signIn(s.browser().begin("company"), "ada"))
		}},
		"another browser's code": {http.StatusUnauthorized, "provider-refused", func(b *browser) answer {
			own := parse(b.begin("company"))
			theirs := o.signIn(s.browser().begin("company"), "ada")
			return b.finish(with(theirs, "state", own.Query().Get("state")))
		}},
		"one that was begun at another provider": {http.StatusBadRequest, "sign-in-not-begun", func(b *browser) answer {
			back := o.signIn(b.begin("company"), "ada")
			back.Path = strings.ReplaceAll(back.Path, "company", "other")
			return b.finish(back)
		}},
		"another nonce": {http.StatusUnauthorized, "provider-refused", func(b *browser) answer {
			return b.finish(o.signIn(with(parse(b.begin("company")), "nonce", "another").String(), "ada"))
		}},
		"another issuer": {http.StatusUnauthorized, "provider-refused", func(b *browser) answer {
			return b.finish(with(o.signIn(b.begin("company"), "ada"), "iss", "http://127.0.0.1:1"))
		}},
		"a code that was used": {http.StatusUnauthorized, "provider-refused", func(b *browser) answer {
			back := o.signIn(b.begin("company"), "ada")
			request := b.cookies["oidc_errand"]
			requireIn(t, b.finish(back))
			again := s.browser()
			again.cookies["oidc_errand"] = request
			return again.finish(back)
		}},
		"a code that is made up": {http.StatusUnauthorized, "provider-refused", func(b *browser) answer {
			return b.finish(with(o.signIn(b.begin("company"), "ada"), "code", "made up"))
		}},
		"no code": {http.StatusUnauthorized, "provider-refused", func(b *browser) answer {
			return b.finish(with(o.signIn(b.begin("company"), "ada"), "code", ""))
		}},
		"a refusal": {http.StatusUnauthorized, "provider-refused", func(b *browser) answer {
			back := parse(publicly + "/api/auth/oidc/company/callback?error=access_denied")
			return b.finish(with(back, "state", parse(b.begin("company")).Query().Get("state")))
		}},
		"somebody of a provider that there is not": {http.StatusNotFound, "not-found", func(b *browser) answer {
			return b.visit("/api/auth/oidc/nobody/callback?code=x&state=y")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			b := s.browser()
			a := c.finish(b)
			requireProblem(t, c.status, c.code, a)
			require.Empty(t, a.cookies())
		})
	}
}

func TestAProviderIsLinked(t *testing.T) {
	t.Parallel()
	o := theProvider(t, "company")
	s := start(t, o.setting("company"), "PUBLIC_URL="+publicly)
	o.person("ada", "elsewhere@example.org", false)
	const link = "/api/auth/oidc/company?link=true"
	ours := []string{"Sec-Fetch-Site", "same-origin"}
	signedIn := func(u client) *browser {
		in, _ := u.signIn(u.email, password)
		b := s.browser()
		b.cookies[auth.Cookie] = in.cookie
		return b
	}
	u := s.newUser()
	b := signedIn(u)
	for name, c := range map[string]struct {
		status int
		code   string
		header []string
		who    *browser
	}{
		"by a link in a mail":                 {http.StatusForbidden, "foreign-origin", []string{"Sec-Fetch-Site", "none"}, b},
		"by another page":                     {http.StatusForbidden, "foreign-origin", []string{"Sec-Fetch-Site", "cross-site"}, b},
		"by another page of the same company": {http.StatusForbidden, "foreign-origin", []string{"Sec-Fetch-Site", "same-site", "Referer", publicly + "/"}, b},
		"by another page, in an old browser":  {http.StatusForbidden, "foreign-origin", []string{"Referer", "https://evil.example/"}, b},
		"by nobody knows whom":                {http.StatusForbidden, "foreign-origin", nil, b},
		"by nobody":                           {http.StatusUnauthorized, "unauthenticated", ours, s.browser()},
	} {
		t.Run(name, func(t *testing.T) { requireProblem(t, c.status, c.code, c.who.visit(link, c.header...)) })
	}
	a := b.visit(link, ours...)
	require.Equal(t, http.StatusFound, a.status, "%s", a.body)
	a = b.finish(o.signIn(a.header.Get("Location"), "ada"))
	require.Equal(t, []any{http.StatusFound, "/"}, []any{a.status, a.header.Get("Location")}, "%s", a.body)
	require.NotContains(t, a.cookies(), auth.Cookie)
	require.Equal(t, o.issuer, u.audited("user.identity_added")[0].Metadata["issuer"])
	a = b.visit(link, "Referer", publicly+"/settings")
	require.Equal(t, http.StatusFound, a.status, "%s", a.body)
	require.Equal(t, http.StatusFound, b.finish(o.signIn(a.header.Get("Location"), "ada")).status, "once more")
	identities := items[account.Identity](u, "/api/auth/identities")
	require.Len(t, identities, 1)
	require.Equal(t, []string{o.issuer, "elsewhere@example.org"}, []string{identities[0].Issuer, identities[0].Email})

	other := s.browser()
	requireIn(t, other.signInAt(o, "ada"))
	require.Equal(t, []any{u.user, u.email}, []any{other.me().ID, other.me().Email})

	// It is his alone.
	thief := s.newUser()
	tries := signedIn(thief)
	a = tries.visit(link, ours...)
	requireProblem(t, http.StatusConflict, "identity-taken", tries.finish(o.signIn(a.header.Get("Location"), "ada")))

	// Whoever came back is who went.
	o.person("grace", "grace@example.org", true)
	a = tries.visit(link, ours...)
	back := o.signIn(a.header.Get("Location"), "grace")
	session := tries.cookies[auth.Cookie]
	tries.cookies[auth.Cookie] = signedIn(u).cookies[auth.Cookie]
	requireProblem(t, http.StatusBadRequest, "sign-in-not-begun", tries.finish(back))
	a = tries.visit(link, ours...)
	back = o.signIn(a.header.Get("Location"), "grace")
	delete(tries.cookies, auth.Cookie)
	requireProblem(t, http.StatusUnauthorized, "unauthenticated", tries.finish(back))
	tries.cookies[auth.Cookie] = session

	// The password is left.
	require.Equal(t, http.StatusNoContent, u.do(http.MethodDelete, "/api/auth/identities/"+identities[0].ID.String(), nil).status)
	requireProblem(t, http.StatusNotFound, "not-found", u.do(http.MethodDelete, "/api/auth/identities/"+identities[0].ID.String(), nil))
	requireProblem(t, http.StatusConflict, "link-first", s.browser().signInAt(o, "ada"))
	require.Len(t, u.audited("user.identity_removed"), 1)

	// Of who has no password, one link stays.
	requireIn(t, other.signInAt(o, "grace"))
	grace := client{running: s, token: other.cookies[auth.Cookie]}
	only := items[account.Identity](grace, "/api/auth/identities")
	require.Len(t, only, 1)
	requireProblem(t, http.StatusConflict, "last-way-in", grace.do(http.MethodDelete, "/api/auth/identities/"+only[0].ID.String(), nil))
	require.Len(t, items[account.Identity](grace, "/api/auth/identities"), 1)
}

// task-api starts without a provider, and says so to whoever needs it.
func TestAProviderMayBeAway(t *testing.T) {
	t.Parallel()
	s := start(t, `OIDC_PROVIDERS=[{"id": "company", "issuer": "http://127.0.0.1:1", "client_id": "taskwire", "client_secret": "hunter2"}]`)
	for range 2 {
		a := s.browser().visit("/api/auth/oidc/company")
		requireProblem(t, http.StatusServiceUnavailable, "unavailable", a)
		require.Equal(t, "1", a.header.Get("Retry-After"))
	}
	requireProblem(t, http.StatusNotFound, "not-found", s.browser().visit("/api/auth/oidc/other"))
	warned := 0
	for _, line := range s.logged() {
		if strings.HasPrefix(line.Msg, "an OpenID provider can not be asked") {
			warned++
		}
	}
	require.Equal(t, 1, warned)
}
