package e2e

import (
	"io"
	"mime/quotedprintable"
	"net/http"
	"net/mail"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/test/suite"
)

// link is what the links of mails about accounts have behind their #.
var link = regexp.MustCompile(`/account/(verify|reset)#([A-Za-z0-9_-]{40,})`)

// mailedLink waits for the n-th mail with a link to a user, and returns its token.
func (u *user) mailedLink(n int) string {
	u.t.Helper()
	var tokens []string
	eventually(u.t, func() error {
		tokens = nil
		for _, raw := range u.mails() {
			m, err := mail.ReadMessage(strings.NewReader(raw))
			require.NoError(u.t, err)
			body := m.Body
			if strings.EqualFold(m.Header.Get("Content-Transfer-Encoding"), "quoted-printable") {
				body = quotedprintable.NewReader(body)
			}
			text, err := io.ReadAll(body)
			require.NoError(u.t, err)
			if found := link.FindSubmatch(text); found != nil {
				tokens = append(tokens, string(found[2]))
			}
		}
		if len(tokens) < n {
			return errNotYet(len(tokens))
		}
		return nil
	})
	return tokens[n-1]
}

// mailsOfAccounts has each kind of mail about an account sent, and each act of an operator
// done: so there is an event of each.
func mailsOfAccounts(u *user, other *user) {
	must[any](u, http.StatusAccepted, http.MethodPost, "/api/auth/verify/resend", nil)
	must[any](u, http.StatusNoContent, http.MethodPost, "/api/auth/verify", object{"token": u.mailedLink(1)})
	must[any](u, http.StatusOK, http.MethodPost, "/api/auth/login", object{"email": u.Email, "password": "a better horse battery"})
	must[any](u, http.StatusAccepted, http.MethodPost, "/api/auth/forgot", object{"email": u.Email})
	eventually(u.t, func() error { // and that a device signed in
		for _, m := range u.mails() {
			if strings.Contains(m, "A new device signed in") {
				return nil
			}
		}
		return errNotYet("the notice")
	})
	for _, args := range [][]string{{"block", other.Email}, {"unblock", other.Email}, {"invite", "invited-" + other.Email}} {
		out, code := u.s.operate(u.t, "task-api", append([]string{"users"}, args...)...)
		require.Zero(u.t, code, out)
	}
}

// A mail's secret is nowhere but in the mail: not in the database, on the broker, in a log or
// in a trace.
func secretsOfMailsAreNowhere(t *testing.T, s world, got *traces) {
	t.Helper()
	u := s.newUser(t, "UTC")
	const asked = "1af7651916cd43dd8448eb211c80319c"
	must[any](u, http.StatusAccepted, http.MethodPost, "/api/auth/forgot", object{"email": u.Email}, "traceparent", "00-"+asked+"-b7ad6b7169203331-01")
	token := u.mailedLink(1)
	got.has(t, asked, "task-api: POST /api/auth/forgot", "notification: process reminders", "notification: deliver account")
	must[any](u, http.StatusNoContent, http.MethodPost, "/api/auth/reset", object{"token": token, "password": "a better horse battery"}, "traceparent", "00-2af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	s.drained(t)

	secret := token[22:] // what stands before it is the mail's id
	for table := range s.column(t, `SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema')`) {
		require.Zero(t, s.query(t, "SELECT count(*) FROM "+table+" x WHERE strpos(x::text, $1) > 0", secret), table)
	}
	logs, err := filepath.Glob(filepath.Join(s.LogDir, "*"))
	require.NoError(t, err)
	require.NotEmpty(t, logs)
	for _, file := range logs {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		require.NotContains(t, string(text), secret, file)
	}
	last := s.column(t, "SELECT max(id::text) FROM task.events WHERE topic = $1", event.TopicReminders)
	require.NoError(t, s.Read(t.Context(), event.TopicReminders, func(r suite.Record) bool {
		require.NotContains(t, string(r.Value), secret)
		require.NotContains(t, string(r.Value), u.Email)
		e, err := event.Decode(r.Value)
		return err == nil && last[e.ID()]
	}))
	got.mu.Lock()
	defer got.mu.Unlock()
	for _, spans := range got.spans {
		for _, one := range spans {
			for name, value := range one.attributes {
				require.NotContains(t, value, secret, "%s of %s", name, one.name)
			}
		}
	}
}
