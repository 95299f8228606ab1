package main

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/auth"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/account"
)

// session is a session of a user's: its cookie, and a token of it.
type session struct {
	client
	cookie string
}

func (c client) signIn(email, password string) (in session, a answer) {
	c.t.Helper()
	a = c.login(email, password, "")
	if a.status != http.StatusOK {
		return in, a
	}
	var body struct {
		Token string
		User  struct{ ID uuid.UUID }
	}
	require.NoError(c.t, json.Unmarshal(a.body, &body))
	in = session{client{running: c.running, token: body.Token, user: body.User.ID, email: email}, a.cookies()[auth.Cookie].Value}
	return in, a
}

// by are all ways in which a session is shown.
func (in session) by() map[string][]string {
	return map[string][]string{
		"the cookie":               {"Cookie", auth.Cookie + "=" + in.cookie},
		"the cookie's value":       {"Authorization", "Bearer " + in.cookie},
		"the token":                {"Authorization", "Bearer " + in.token},
		"the token, in the cookie": {"Cookie", auth.Cookie + "=" + in.token},
	}
}

func claimsOf(t *testing.T, token string) jwt.MapClaims {
	t.Helper()
	claims := jwt.MapClaims{}
	_, _, err := jwt.NewParser().ParseUnverified(token, claims)
	require.NoError(t, err)
	return claims
}

// subjectOf is the user that a token names, which another service was shown.
func subjectOf(t *testing.T, authorization string) string {
	t.Helper()
	subject, err := claimsOf(t, strings.TrimPrefix(authorization, "Bearer ")).GetSubject()
	require.NoError(t, err)
	return subject
}

func (in session) requireIn(status int, why string) {
	in.t.Helper()
	for name, header := range in.by() {
		require.Equal(in.t, status, in.nobody().do(http.MethodGet, "/api/auth/me", nil, header...).status, "%s: %s", why, name)
	}
}

// Sessions, of all things, were answered in the zone of the machine.
func TestTimesAreInUTCOnAnyMachine(t *testing.T) {
	t.Parallel()
	s := start(t, "TZ=Asia/Tokyo")
	u, other := s.newUser(), s.newUser()
	list := u.list(http.StatusCreated, http.MethodPost, "/api/lists", object{"name": "Garden"}).ID
	u.join(other, list, access.Editor)
	task := u.create(object{"title": "x", "due_at": time.Now(), "reminders": []object{{"at": time.Now().Add(time.Hour)}}}).ID
	u.say(task, "x")
	u.apiToken(object{"name": "x", "scopes": []string{"tasks:read"}})
	thrown := u.create(object{"title": "y"}).ID
	require.Equal(t, http.StatusNoContent, u.do(http.MethodDelete, at(thrown), nil).status)
	aTime := regexp.MustCompile(`"\d{4}-\d\d-\d\dT[^"]*"`)
	for _, path := range []string{"/api/auth/sessions", "/api/auth/tokens", "/api/auth/me", "/api/lists", listAt(list), "/api/tasks", at(task), at(task) + "/comments", "/api/trash", "/api/snapshot"} {
		told := aTime.FindAllString(string(u.do(http.MethodGet, path, nil).body), -1)
		require.NotEmpty(t, told, path)
		for _, at := range told {
			require.True(t, strings.HasSuffix(at, `Z"`), "%s: %s", path, at)
		}
	}
}

func (in session) sessions() []account.Session {
	return items[account.Session](in.client, "/api/auth/sessions")
}

func TestASessionEndsAtOnce(t *testing.T) {
	t.Parallel()
	s := start(t)
	for name, end := range map[string]func(here, other session) (ended, stays session){
		"by its logout": func(here, other session) (session, session) {
			a := here.nobody().do(http.MethodPost, "/api/auth/logout", nil, "Cookie", auth.Cookie+"="+here.cookie)
			require.Equal(t, http.StatusNoContent, a.status)
			require.Empty(t, a.cookies()[auth.Cookie].Value)
			return here, other
		},
		"by the logout of its token": func(here, other session) (session, session) {
			require.Equal(t, http.StatusNoContent, here.do(http.MethodPost, "/api/auth/logout", nil).status)
			return here, other
		},
		"from another": func(here, other session) (session, session) {
			for _, one := range here.sessions() {
				if !one.Current && one.Device == "other" {
					require.Equal(t, http.StatusNoContent, here.do(http.MethodDelete, "/api/auth/sessions/"+one.ID.String(), nil).status)
				}
			}
			return other, here
		},
		"with all others": func(here, other session) (session, session) {
			require.Equal(t, http.StatusNoContent, here.do(http.MethodDelete, "/api/auth/sessions", nil).status)
			return other, here
		},
		"with the old password": func(here, other session) (session, session) {
			change := object{"current": password, "new": "a better horse battery"}
			require.Equal(t, http.StatusNoContent, here.do(http.MethodPost, "/api/auth/password", change).status)
			return other, here
		},
		"by signing in again in its browser": func(here, other session) (session, session) {
			a := here.nobody().do(http.MethodPost, "/api/auth/login", object{"email": here.email, "password": password}, "Cookie", auth.Cookie+"="+here.cookie)
			require.Equal(t, http.StatusOK, a.status)
			// Somebody else's session is not ended by who signs in.
			stranger := s.newUser()
			a = here.nobody().do(http.MethodPost, "/api/auth/login", object{"email": stranger.email, "password": password}, "Cookie", auth.Cookie+"="+other.cookie)
			require.Equal(t, http.StatusOK, a.status)
			return here, other
		},
		"with its account's row": func(here, other session) (session, session) {
			s.execute("DELETE FROM task.users WHERE id = ?", here.user)
			// No replica has said so.
			require.Eventually(t, func() bool {
				return here.do(http.MethodGet, "/api/auth/sessions", nil).status == http.StatusUnauthorized
			}, patience, 100*time.Millisecond)
			return here, session{}
		},
	} {
		t.Run(name, func(t *testing.T) {
			u := s.newUser()
			here, _ := u.signIn(u.email, password)
			a := u.nobody().do(http.MethodPost, "/api/auth/login", object{"email": u.email, "password": password}, "User-Agent", "other")
			require.Equal(t, http.StatusOK, a.status)
			other := here
			other.cookie = a.cookies()[auth.Cookie].Value
			var body struct{ Token string }
			require.NoError(t, json.Unmarshal(a.body, &body))
			other.token = body.Token
			here.requireIn(http.StatusOK, "before")
			other.requireIn(http.StatusOK, "before")
			ended, stays := end(here, other)
			ended.requireIn(http.StatusUnauthorized, "ended")
			if stays.token != "" {
				stays.requireIn(http.StatusOK, "stays")
			}
		})
	}
}

func TestWhoIsSignedIn(t *testing.T) {
	t.Parallel()
	s := start(t)
	u := s.register()
	here, a := u.signIn(u.email, password)
	cookie := a.cookies()[auth.Cookie]
	require.True(t, cookie.HttpOnly)
	require.Greater(t, time.Until(cookie.Expires), 29*24*time.Hour)
	require.NotContains(t, string(a.body), here.cookie, "the cookie is for the browser alone")
	sessions := here.sessions()
	require.Len(t, sessions, 2, "that of the registration, too")
	require.True(t, sessions[0].Current)
	require.Equal(t, "Go-http-client/1.1", sessions[0].Device)
	require.Equal(t, "127.0.0.1", sessions[0].IP)
	require.False(t, sessions[1].Current)

	claims := claimsOf(t, here.token)
	require.Equal(t, sessions[0].ID.String(), claims["sid"])
	require.InDelta(t, 3600, claims["exp"].(float64)-claims["iat"].(float64), 0)

	var kept int
	require.NoError(t, s.db.NewRaw("SELECT count(*) FROM task.sessions x WHERE x::text LIKE ?", "%"+strings.TrimPrefix(here.cookie, "tws_")+"%").Scan(t.Context(), &kept))
	require.Zero(t, kept, "its secret is kept nowhere")

	stranger, _ := s.nobody().signIn(s.newUser().email, password)
	require.Len(t, stranger.sessions(), 2)
	require.Equal(t, http.StatusNotFound, stranger.do(http.MethodDelete, "/api/auth/sessions/"+sessions[0].ID.String(), nil).status, "somebody else's")
	here.requireIn(http.StatusOK, "not ended by a stranger")
	for name, made := range map[string]string{"up": "tws_" + strings.Repeat("A", 43), "short": "tws_A", "another's form": "tws_" + strings.Repeat("?", 43)} {
		require.Equal(t, http.StatusUnauthorized, s.nobody().do(http.MethodGet, "/api/auth/me", nil, "Cookie", auth.Cookie+"="+made).status, name)
	}
	require.Equal(t, http.StatusNoContent, s.nobody().do(http.MethodPost, "/api/auth/logout", nil).status, "whoever is not signed in is out")
	require.Equal(t, http.StatusNoContent, s.nobody().do(http.MethodPost, "/api/auth/logout", nil, "Cookie", auth.Cookie+"=garbage").status)
}

// Who does not come is out.
func TestASessionExpires(t *testing.T) {
	t.Parallel()
	s := start(t)
	u := s.newUser()
	here, _ := u.signIn(u.email, password)
	id := here.sessions()[0].ID
	// No replica has said so.
	require.Eventually(t, func() bool {
		// Each time: that it was used may be written a moment after that.
		s.execute("UPDATE task.sessions SET expires_at = now() - interval '1 second' WHERE id = ?", id)
		for _, header := range here.by() {
			if here.nobody().do(http.MethodGet, "/api/auth/me", nil, header...).status != http.StatusUnauthorized {
				return false
			}
		}
		return true
	}, patience, 100*time.Millisecond)
}

func TestAnotherPassword(t *testing.T) {
	t.Parallel()
	s := start(t)
	u := s.register()
	for name, c := range map[string]struct {
		body     object
		location string
	}{
		"not the current one": {object{"current": "wrong horse battery", "new": "a better horse battery"}, "body.current"},
		"too short":           {object{"current": password, "new": "123456789"}, "body.new"},
		"too long":            {object{"current": password, "new": strings.Repeat("x", 201)}, "body.new"},
		"a common one":        {object{"current": password, "new": "Q1W2E3R4T5"}, "body.new"},
		"a word of the place": {object{"current": password, "new": "TaskWire-2027!"}, "body.new"},
		"the address":         {object{"current": password, "new": strings.ToUpper(u.email)}, "body.new"},
		"none":                {object{"current": password}, "body"},
	} {
		a := u.do(http.MethodPost, "/api/auth/password", c.body)
		require.Equal(t, http.StatusUnprocessableEntity, a.status, "%s: %s", name, a.body)
		require.Equal(t, c.location, a.problem().Errors[0].Location, name)
	}
	require.Equal(t, http.StatusNoContent, u.do(http.MethodPost, "/api/auth/password", object{"current": password, "new": "日本語の長いパスワード"}).status)
	_, a := u.signIn(u.email, password)
	require.Equal(t, http.StatusUnauthorized, a.status)
	_, a = u.signIn(u.email, "日本語の長いパスワード")
	require.Equal(t, http.StatusOK, a.status)

	for _, common := range []string{"password123", "Ada Lovelace"} {
		refused := s.nobody().do(http.MethodPost, "/api/auth/register", object{"email": "x@example.org", "name": "Ada Lovelace", "password": common})
		require.Equal(t, http.StatusUnprocessableEntity, refused.status)
		require.Equal(t, "body.password", refused.problem().Errors[0].Location)
	}
	// Who guesses is slowed down, and told when to come back.
	var last answer
	for range 12 {
		last = u.do(http.MethodPost, "/api/auth/password", object{"current": "guess guess guess", "new": "a better horse battery"})
	}
	require.Equal(t, http.StatusTooManyRequests, last.status)
	require.NotEmpty(t, last.header.Get("Retry-After"))
}

// A stream ends with the session of who has opened it.
func TestAStreamEndsWithItsSession(t *testing.T) {
	t.Parallel()
	s := start(t)
	u := s.newUser()
	here, _ := u.signIn(u.email, password)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.base+"/api/stream", nil)
	require.NoError(t, err)
	request.Header.Set("Cookie", auth.Cookie+"="+here.cookie)
	response, err := http.DefaultClient.Do(request) //nolint:bodyclose // it is closed below
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, http.StatusOK, response.StatusCode)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for buffer := make([]byte, 1<<10); err == nil; {
			_, err = response.Body.Read(buffer)
		}
	}()
	require.Equal(t, http.StatusNoContent, u.do(http.MethodDelete, "/api/auth/sessions", nil).status)
	u.create(object{"title": "x"})
	select {
	case <-ended:
	case <-time.After(patience):
		t.Fatal("the stream goes on")
	}
}

// Nobody is signed out who should not be.
func TestWhoStaysSignedIn(t *testing.T) {
	t.Parallel()
	s := start(t)
	for name, live := range map[string]func(t *testing.T, u client, here session){
		"two tabs that sign in again at once": func(t *testing.T, u client, here session) {
			answers := make(chan answer, 2)
			for range 2 {
				go func() {
					a, _ := u.nobody().send(t.Context(), http.MethodPost, "/api/auth/login", object{"email": u.email, "password": password}, "Cookie", auth.Cookie+"="+here.cookie)
					answers <- a
				}()
			}
			for range 2 { // whichever cookie the browser keeps
				a := <-answers
				require.Equal(t, http.StatusOK, a.status, "%s", a.body)
				require.Equal(t, http.StatusOK, u.nobody().do(http.MethodGet, "/api/auth/me", nil, "Cookie", auth.Cookie+"="+a.cookies()[auth.Cookie].Value).status)
			}
		},
		"a laptop that was asleep": func(t *testing.T, u client, here session) {
			u.execute("UPDATE task.sessions SET created_at = created_at - interval '40 days', last_seen_at = now() - interval '29 days', expires_at = now() + interval '1 day' WHERE user_id = ?", u.user)
			require.Equal(t, http.StatusOK, u.nobody().do(http.MethodGet, "/api/auth/me", nil, "Cookie", auth.Cookie+"="+here.cookie).status)
			a := u.nobody().do(http.MethodGet, "/api/auth/me", nil, "Cookie", auth.Cookie+"="+here.cookie)
			require.Empty(t, a.cookies(), "there is nothing to renew, so nothing that two tabs renew twice")
		},
		"a browser whose clock is wrong": func(t *testing.T, u client, here session) {
			a := u.nobody().login(u.email, password, "")
			for _, c := range a.cookies() {
				require.Greater(t, c.MaxAge, 29*24*60*60, "%s: by how long, not by when", c.Name)
			}
		},
		"an answer that is lost": func(t *testing.T, u client, here session) {
			again, a := u.signIn(u.email, password)
			require.Equal(t, http.StatusOK, a.status)
			again.requireIn(http.StatusOK, "the second one came")
			here.requireIn(http.StatusOK, "and of the first it is as if it had come")
			for range 2 {
				require.Equal(t, http.StatusNoContent, u.nobody().do(http.MethodPost, "/api/auth/logout", nil, "Cookie", auth.Cookie+"="+here.cookie).status, "a logout, too")
			}
			again.requireIn(http.StatusOK, "another session is not ended by that")
		},
	} {
		t.Run(name, func(t *testing.T) {
			u := s.newUser()
			here, _ := u.signIn(u.email, password)
			live(t, u, here)
		})
	}
}
