package e2e

import (
	"net/http"
	"net/mail"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// budget is the default of MAIL_BUDGET, which the suite runs with.
const budget = 60

func headers(t *testing.T, text string) mail.Header {
	t.Helper()
	m, err := mail.ReadMessage(strings.NewReader(text))
	require.NoError(t, err)
	return m.Header
}

// Somebody registers a stranger's address and sets off as many reminders as he can.
func TestAMailBombIsBoundedForItsVictim(t *testing.T) {
	leaveOut(t)
	u := s.newUser(t, "UTC")
	past := make([]object, 20)
	for i := range past {
		past[i] = object{"at": time.Now().Add(-time.Duration(i+1) * time.Hour)}
	}
	const bombs = budget + 20
	each(bombs, func(int) { u.create(object{"title": "Buy this", "reminders": past}) })
	eventually(t, func() error {
		if n := s.query(t, "SELECT count(*) FROM notification.deliveries WHERE user_id = (SELECT id FROM task.users WHERE email = $1) AND state <> 'pending'", u.Email); n != 2*bombs {
			return errNotYet(n)
		}
		return nil
	})
	require.Equal(t, bombs, s.query(t, "SELECT count(*) FROM notification.notifications WHERE user_id = (SELECT id FROM task.users WHERE email = $1)", u.Email), "one for each task, in the application")
	mails := u.mails()
	require.Len(t, mails, budget+1)
	notices := 0
	for _, m := range mails {
		if strings.HasPrefix(headers(t, m).Get("Subject"), "Further reminders are in the application until") {
			notices++
		}
	}
	require.Equal(t, 1, notices)
	s.drained(t)
}

// The link of a mail stops them, for whoever has the mail and nobody else.
func TestTheLinkOfAMailStopsMails(t *testing.T) {
	leaveOut(t)
	u := s.newUser(t, "UTC")
	remind := func() {
		u.create(object{"title": "Again", "reminders": []object{{"at": "2020-01-01T00:00:00Z"}}})
	}
	remind()
	u.delivered(1)
	link, err := url.Parse(strings.Trim(headers(t, u.mails()[0]).Get("List-Unsubscribe"), "<>"))
	require.NoError(t, err)
	require.Equal(t, s.API, link.Scheme+"://"+link.Host)

	stranger := *u.Client
	stranger.Token = ""
	ask := func(method, path string, status int, header ...string) string {
		t.Helper()
		var body any
		if method == http.MethodPost {
			body = "List-Unsubscribe=One-Click"
		}
		a, err := stranger.Do(t.Context(), method, path, body, append([]string{"Content-Type", "application/x-www-form-urlencoded"}, header...)...)
		require.NoError(t, err)
		require.Equal(t, status, a.Status, "%s", a.Body)
		if a.Status == http.StatusOK {
			require.Contains(t, a.Header.Get("Content-Security-Policy"), "default-src 'none'")
			require.Len(t, a.Header.Values("Content-Security-Policy"), 1)
		}
		return string(a.Body)
	}
	require.Contains(t, ask(http.MethodGet, link.RequestURI(), 200), "Stop these mails")
	ask(http.MethodPost, link.Path+"?token=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 404)
	remind()
	eventually(t, func() error {
		if n := len(u.mails()); n != 2 {
			return errNotYet(n)
		}
		return nil
	})
	require.Contains(t, ask(http.MethodPost, link.RequestURI(), 200, "Origin", "https://mail.example", "Sec-Fetch-Site", "cross-site"), "Send mails again")
	remind()
	eventually(t, func() error {
		if n := s.query(t, "SELECT count(*) FROM notification.deliveries WHERE state = 'cancelled' AND reason = 'unsubscribed' AND user_id = (SELECT id FROM task.users WHERE email = $1)", u.Email); n != 1 {
			return errNotYet(n)
		}
		return nil
	})
	eventually(t, func() error {
		if n := len(u.notifications()); n != 3 {
			return errNotYet(n)
		}
		return nil
	})
	require.Len(t, u.mails(), 2)
	ask(http.MethodPost, strings.Replace(link.RequestURI(), "unsubscribe", "resubscribe", 1), 200)
	remind()
	eventually(t, func() error {
		if n := len(u.mails()); n != 3 {
			return errNotYet(n)
		}
		return nil
	})
}
