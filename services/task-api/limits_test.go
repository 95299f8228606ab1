package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/services/task-api/internal/rest"
)

// login signs in; cookies are the device's, "" for a new one.
func (c client) login(email, password, device string) answer {
	c.t.Helper()
	var header []string
	if device != "" {
		header = []string{"Cookie", rest.DeviceCookie + "=" + device}
	}
	return c.nobody().do(http.MethodPost, "/api/auth/login", object{"email": email, "password": password}, header...)
}

// cookies are those that an answer sets.
func (a answer) cookies() map[string]*http.Cookie {
	found := map[string]*http.Cookie{}
	for _, c := range (&http.Response{Header: a.header}).Cookies() {
		found[c.Name] = c
	}
	return found
}

// requireTooMany says that a request was refused as the contract has it.
func requireTooMany(t *testing.T, a answer) {
	t.Helper()
	require.Equal(t, http.StatusTooManyRequests, a.status, "%s", a.body)
	require.Equal(t, "application/problem+json", a.header.Get("Content-Type"))
	require.Equal(t, http.StatusTooManyRequests, a.problem().Status)
	require.NotEmpty(t, a.problem().Detail)
	seconds, err := strconv.Atoi(a.header.Get("Retry-After"))
	require.NoError(t, err)
	require.Positive(t, seconds)
}

func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, patience, 5*time.Millisecond, what)
}

// Strangers' guesses are refused, the right one among them, and the owner gets
// in on the device that he has signed in on before.
func TestGuessesDoNotLockTheOwnerOut(t *testing.T) {
	t.Parallel()
	s := start(t)
	u := s.newUser()
	first := u.login(u.email, password, "")
	require.Equal(t, http.StatusOK, first.status)
	cookie := first.cookies()[rest.DeviceCookie]
	require.NotNil(t, cookie)
	require.Equal(t, []any{"/api/auth", true, http.SameSiteLaxMode}, []any{cookie.Path, cookie.HttpOnly, cookie.SameSite})
	require.Greater(t, time.Until(cookie.Expires), 170*24*time.Hour)
	require.NotContains(t, u.nobody().do(http.MethodPost, "/api/auth/logout", nil).cookies(), rest.DeviceCookie, "it outlives a logout")

	stranger := s.newUser()
	others := stranger.login(stranger.email, password, "").cookies()[rest.DeviceCookie].Value
	for _, email := range []string{u.email, "nobody@example.org"} {
		guesses := 0
		for u.login(email, "wrong", "").status == http.StatusUnauthorized {
			guesses++
		}
		require.Equal(t, 10, guesses, "the same for an address without an account")
		requireTooMany(t, u.login(email, password, ""))
		requireTooMany(t, u.login(strings.ToUpper(email), password, ""))
	}
	for name, device := range map[string]string{"made up": "x", "another account's": others, "a token of the owner's": u.token} {
		a := u.login(u.email, password, device)
		require.Equal(t, http.StatusTooManyRequests, a.status, name)
	}

	in := u.login(u.email, password, cookie.Value)
	require.Equal(t, http.StatusOK, in.status, "%s", in.body)
	renewed := in.cookies()[rest.DeviceCookie].Value
	require.Equal(t, http.StatusOK, u.login(u.email, password, renewed).status)
	// Who has taken the device guesses no faster than anybody else.
	guesses := 0
	for u.login(u.email, "wrong", cookie.Value).status == http.StatusUnauthorized {
		guesses++
	}
	require.Equal(t, 10, guesses)
	requireTooMany(t, u.login(u.email, password, renewed))
}

func TestADeviceIsNotSignedIn(t *testing.T) {
	t.Parallel()
	s := start(t)
	u := s.newUser()
	device := u.login(u.email, password, "").cookies()[rest.DeviceCookie].Value
	for _, header := range [][]string{{"Authorization", "Bearer " + device}, {"Cookie", "auth_token=" + device}, {"Cookie", rest.DeviceCookie + "=" + device}} {
		require.Equal(t, http.StatusUnauthorized, s.nobody().do(http.MethodGet, "/api/auth/me", nil, header...).status, "%v", header[0])
	}
}

func TestSignInsAndAccountsOfANetworkAreLimited(t *testing.T) {
	t.Parallel()
	s := start(t, "LIMIT_SIGN_INS_NETWORK=3", "LIMIT_REGISTRATIONS=2", "TRUSTED_PROXIES=127.0.0.0/8")
	u := s.newUser() // from 127.0.0.1
	device := u.login(u.email, password, "").cookies()[rest.DeviceCookie].Value
	from := func(address, path string, body object, header ...string) answer {
		return s.nobody().do(http.MethodPost, path, body, append(header, "X-Forwarded-For", address)...)
	}
	for i := range 3 {
		a := from("2001:db8::"+strconv.Itoa(i+1), "/api/auth/login", object{"email": fmt.Sprint(i, "@example.org"), "password": "wrong"})
		require.Equal(t, http.StatusUnauthorized, a.status)
	}
	login := object{"email": u.email, "password": password}
	requireTooMany(t, from("2001:db8::ffff", "/api/auth/login", login))
	require.Equal(t, http.StatusOK, from("2001:db8::ffff", "/api/auth/login", login, "Cookie", rest.DeviceCookie+"="+device).status, "a device that is known")
	require.Equal(t, http.StatusOK, from("2001:db8:0:1::1", "/api/auth/login", login).status, "another network")

	register := func(address string) answer {
		return from(address, "/api/auth/register", object{"email": uuid.NewString() + "@example.org", "password": password})
	}
	require.Equal(t, http.StatusCreated, register("203.0.113.9").status)
	require.Equal(t, http.StatusCreated, register("203.0.113.9").status)
	requireTooMany(t, register("203.0.113.9"))
	require.Equal(t, http.StatusCreated, register("203.0.113.10").status)
}

func TestWritesOfAUserAreLimited(t *testing.T) {
	t.Parallel()
	s := start(t, "LIMIT_WRITES=5")
	u, other := s.newUser(), s.newUser()
	for range 4 {
		u.create(object{"title": "t"})
	}
	// Those that the front door passes on count, too; there is no sidecar here.
	require.Equal(t, http.StatusServiceUnavailable, u.do(http.MethodPost, "/api/recurrence/preview", object{}).status)
	requireTooMany(t, u.do(http.MethodPost, "/api/tasks", object{"title": "t"}))
	requireTooMany(t, u.do(http.MethodPatch, "/api/notifications/"+uuid.NewString(), object{"read": true}))
	require.Equal(t, http.StatusOK, u.do(http.MethodGet, "/api/tasks", nil).status, "reading is not limited")
	other.create(object{"title": "t"})
}

// Five hundred creates in one request cost as much as a hundred requests, and were one.
func TestManyChangesAtOnceAreManyWrites(t *testing.T) {
	for _, atomic := range []bool{true, false} {
		s := start(t, "LIMIT_WRITES=60")
		u, other := s.newUser(), s.newUser()
		several := func(n int) answer {
			operations := make([]object, n)
			for i := range operations {
				operations[i] = object{"op": "create", "body": object{"title": "t"}}
			}
			return u.do(http.MethodPost, "/api/tasks/bulk", object{"operations": operations, "atomic": atomic})
		}
		require.Equal(t, http.StatusOK, several(500).status)
		before := s.state()
		requireTooMany(t, several(200))
		require.Equal(t, before, s.state(), "nothing of it was done")
		require.Equal(t, http.StatusOK, several(9).status)
		other.create(object{"title": "t"})
	}
}

// whileLocked runs f while the test holds a task's row, as a slow change would,
// and n requests wait for it.
func (s *running) whileLocked(task uuid.UUID, n int, change func(), f func()) {
	s.t.Helper()
	err := s.db.RunInTx(s.t.Context(), nil, func(ctx context.Context, tx bun.Tx) error {
		if _, err := tx.ExecContext(ctx, "SELECT FROM task.tasks WHERE id = ? FOR UPDATE", task); err != nil {
			return err
		}
		change()
		eventually(s.t, "the changes wait for the row", func() bool { return s.waiting() >= n })
		f()
		return nil
	})
	require.NoError(s.t, err)
}

// waiting is how many statements wait for a lock.
func (s *running) waiting() (n int) {
	s.t.Helper()
	err := s.db.NewRaw("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'").Scan(s.t.Context(), &n)
	require.NoError(s.t, err)
	return n
}

func TestRequestsInFlightOfAUserAreLimited(t *testing.T) {
	t.Parallel()
	s := start(t, "LIMIT_IN_FLIGHT=3")
	u, other := s.newUser(), s.newUser()
	task := u.create(object{"title": "contended"})
	var changing sync.WaitGroup
	s.whileLocked(task.ID, 3, func() {
		for i := range 3 {
			changing.Go(func() {
				a, err := u.send(t.Context(), http.MethodPatch, at(task.ID), object{"title": fmt.Sprint("change ", i)})
				if err != nil || a.status != http.StatusOK {
					t.Errorf("%v: %d %s", err, a.status, a.body)
				}
			})
		}
	}, func() {
		refused := u.do(http.MethodGet, "/api/tasks", nil)
		requireTooMany(t, refused)
		require.Equal(t, "1", refused.header.Get("Retry-After"))
		other.create(object{"title": "t"})
	})
	changing.Wait()
	require.Equal(t, http.StatusOK, u.do(http.MethodGet, "/api/tasks", nil).status, "those that have ended do not count")
}

// One user's requests wait for a lock with all the connections that they get:
// another user's find a free one.
func TestOneUsersRequestsLeaveConnectionsToOthers(t *testing.T) {
	t.Parallel()
	s := start(t, "LIMIT_IN_FLIGHT=0") // the share holds without it
	u, other := s.newUser(), s.newUser()
	task := u.create(object{"title": "contended"})
	var changing sync.WaitGroup
	s.whileLocked(task.ID, 4, func() {
		for i := range 60 {
			changing.Go(func() {
				a, err := u.send(t.Context(), http.MethodPatch, at(task.ID), object{"title": fmt.Sprint("change ", i)})
				if err != nil || a.status >= 500 {
					t.Errorf("%v: %d %s", err, a.status, a.body)
				}
			})
		}
	}, func() {
		for range 10 {
			require.Equal(t, http.StatusOK, other.do(http.MethodGet, "/api/tasks", nil).status)
			other.create(object{"title": "t"})
		}
		require.Equal(t, 4, s.waiting(), "a third of the pool, and they still wait")
	})
	changing.Wait()
}

// The same for the pool of a service behind the front door. The sidecar is a
// server here, whose audit-log is slow at some questions.
func TestOneUsersRequestsLeaveAConsumersConnectionsToOthers(t *testing.T) {
	t.Parallel()
	var holding atomic.Int32
	released := make(chan struct{})
	release := sync.OnceFunc(func() { close(released) })
	sidecar := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("dapr-app-id") == "audit-log" && r.URL.Query().Get("action") == "slow" {
			holding.Add(1)
			<-released
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{}`)
	}))
	defer sidecar.Close()
	defer release()
	s := start(t, "DAPR_HTTP_PORT="+sidecar.URL[strings.LastIndex(sidecar.URL, ":")+1:])
	u, other := s.newUser(), s.newUser()
	var slow sync.WaitGroup
	for range 10 {
		slow.Go(func() {
			if a, err := u.send(t.Context(), http.MethodGet, "/api/audit?action=slow", nil); err != nil || a.status >= 500 {
				t.Errorf("%v: %d %s", err, a.status, a.body)
			}
		})
	}
	eventually(t, "he has his share", func() bool { return holding.Load() == 4 })
	require.Equal(t, http.StatusOK, other.do(http.MethodGet, "/api/audit", nil).status)
	require.Equal(t, http.StatusOK, u.do(http.MethodGet, "/api/notifications", nil).status, "another service has a pool of its own")
	require.Equal(t, http.StatusOK, u.do(http.MethodGet, "/api/tasks", nil).status, "and so has this one")
	require.EqualValues(t, 4, holding.Load())
	release()
	slow.Wait()
}

// Who sends headers and no body holds nothing that others wait for. Two accounts with
// four silent connections each kept all others from writing.
func TestSilentBodiesKeepNobodyWaiting(t *testing.T) {
	t.Parallel()
	s := start(t)
	other := s.newUser()
	answered := make(chan struct{}, 16)
	var silent []net.Conn
	for range 2 {
		u := s.newUser()
		for range 8 {
			conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(s.base, "http://"))
			require.NoError(t, err)
			silent = append(silent, conn)
			_, err = fmt.Fprintf(conn, "POST /api/tasks HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{", u.token)
			require.NoError(t, err)
			go func() {
				_, _ = conn.Read(make([]byte, 1)) // the answer, or the end
				answered <- struct{}{}
			}()
		}
	}
	for range 5 {
		other.create(object{"title": "t"})
		require.Equal(t, http.StatusOK, other.do(http.MethodGet, "/api/tasks", nil).status)
	}
	require.Empty(t, answered, "none of them had to end before")
	for _, conn := range silent {
		require.NoError(t, conn.Close())
	}
}

// With hundreds of strangers at the sign-in, the owner gets in on the device that
// he has signed in on before, whether networks are counted or not.
func TestAFloodOfSignInsLetsTheOwnersDeviceIn(t *testing.T) {
	s := start(t)
	u := s.newUser()
	device := u.login(u.email, password, "").cookies()[rest.DeviceCookie].Value
	ctx, stop := context.WithCancel(t.Context())
	var flood sync.WaitGroup
	var busy atomic.Int32
	// A few more than can wait. Hundreds that are sent away and come back at once take
	// the processor from those who hash, and a turn then comes later than it counts.
	for i := range 34*runtime.NumCPU() + 8 {
		flood.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				a, err := s.nobody().send(ctx, http.MethodPost, "/api/auth/login", object{"email": fmt.Sprint(i, "-", n, "@example.org"), "password": "wrong"})
				if err == nil && a.status == http.StatusServiceUnavailable {
					busy.Add(1)
				}
			}
		})
	}
	eventually(t, "there are more than can wait", func() bool { return busy.Load() > 0 })
	for range 5 {
		a := u.login(u.email, password, device)
		require.Equal(t, http.StatusOK, a.status, "%s", a.body)
	}
	stop()
	flood.Wait()
}

// A failed sign-in is in the trail of the account's owner, and of nobody else.
func TestFailedSignInsAreAudited(t *testing.T) {
	t.Parallel()
	s := start(t)
	u := s.newUser()
	for range 40 {
		u.login(u.email, "a wrong password", "")
		u.login("nobody@example.org", "a wrong password", "")
	}
	failed := func() (found []event.AuditEvent) {
		for _, e := range s.toldSince(0) {
			if e.Type == "audit.user.sign_in_failed" {
				var data event.AuditEvent
				require.NoError(t, json.Unmarshal([]byte(e.Data), &data))
				require.NotContains(t, e.Data, "a wrong password")
				require.Equal(t, u.user.String(), e.Key)
				found = append(found, data)
			}
		}
		return found
	}
	// Ten that were looked at; the thirty that were refused make one.
	eventually(t, "they are written", func() bool { return len(failed()) >= 11 })
	reasons := map[any]int{}
	for _, e := range failed() {
		reasons[e.Metadata["reason"]]++
		require.Equal(t, []any{u.user, u.user, "user.sign_in_failed", "user/" + u.user.String()}, []any{e.UserID, e.Actor.UserID, e.Action, e.Target})
		require.Equal(t, "127.0.0.1", e.IP)
		require.NotEmpty(t, e.RequestID)
	}
	require.Equal(t, 10, reasons["wrong_password"], "%v", reasons)
	require.LessOrEqual(t, reasons["too_many_attempts"], 2, "once a minute, and a minute may have ended")
}

// The address of a user of an outside issuer follows his tokens, by which alone
// he is known.
func TestAnOutsideUserHasTheAddressOfHisNewestToken(t *testing.T) {
	t.Parallel()
	s := start(t, "JWT_SECRET="+sharedSecret)
	id := uuid.New()
	token := func(email string, issued time.Time) client {
		claims := jwt.MapClaims{"sub": id.String(), "exp": time.Now().Add(time.Hour).Unix()}
		if email != "" {
			claims["email"] = email
		}
		if !issued.IsZero() {
			claims["iat"] = issued.Unix()
		}
		signed, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(sharedSecret))
		require.NoError(t, err)
		return client{running: s, token: signed}
	}
	address := func(c client) string {
		var me struct{ Email string }
		a := c.do(http.MethodGet, "/api/auth/me", nil)
		require.Equal(t, http.StatusOK, a.status, "%s", a.body)
		require.NoError(t, json.Unmarshal(a.body, &me))
		return me.Email
	}
	now := time.Now()
	require.Empty(t, address(token("", now.Add(-time.Hour))))
	require.Equal(t, "first@example.org", address(token("first@example.org", now.Add(-50*time.Minute))))
	require.Equal(t, "second@example.org", address(token("second@example.org", now.Add(-40*time.Minute))))
	require.Equal(t, "second@example.org", address(token("", now.Add(-30*time.Minute))), "an empty one does not erase")
	require.Equal(t, "second@example.org", address(token("first@example.org", now.Add(-50*time.Minute))), "an older token brings no older address back")
	require.Equal(t, "third@example.org", address(token("third@example.org", time.Time{})), "a token that does not say when")
	// Such times are no failure of ours; they say as little.
	require.Equal(t, "fourth@example.org", address(token("fourth@example.org", time.Date(-4800, 1, 1, 0, 0, 0, 0, time.UTC))), "one of before all calendars")
	require.Equal(t, "third@example.org", address(token("third@example.org", time.Date(300_000, 1, 1, 0, 0, 0, 0, time.UTC))), "one of after them")

	updates := 0
	for _, e := range s.toldSince(0) {
		if e.Type == "audit.user.updated" {
			updates++
			require.Contains(t, e.Data, `"changed":["email"]`)
		}
	}
	require.Equal(t, 5, updates)
	before := s.state()
	for range 5 {
		address(token("third@example.org", now.Add(time.Minute)))
	}
	require.Equal(t, before, s.state(), "a request writes nothing when nothing differs")

	// Who has a password here is addressed by what he registered with.
	u := s.newUser()
	id = u.user
	require.Equal(t, u.email, address(token("other@example.org", now)))
}
