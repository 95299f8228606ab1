package mail_test

import (
	"context"
	"io"
	"mime"
	"mime/quotedprintable"
	netmail "net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/services/notification/internal/mail"
	"github.com/taskwire/taskwire/services/notification/internal/mail/mailtest"
)

func newSender(t *testing.T, server *mailtest.Server, timeout time.Duration) *mail.Sender {
	t.Helper()
	s, err := mail.New(server.URL(), "taskwire <reminders@taskwire.example>", timeout)
	require.NoError(t, err)
	t.Cleanup(s.CloseIdle)
	return s
}

func message(to string) mail.Message {
	return mail.Message{ID: uuid.New(), To: to, Date: time.Date(2027, 1, 4, 9, 0, 0, 0, time.UTC), Subject: "Reminder: tea", Body: "tea\n"}
}

func TestSendClassifiesTheServersAnswer(t *testing.T) {
	cases := map[string]struct {
		to        string
		answer    mailtest.Answer
		ok        bool
		permanent bool
		code      int
		reason    string
		accepted  int
	}{
		"accepted":               {answer: mailtest.Answer{}, ok: true, accepted: 1},
		"recipient refused":      {answer: mailtest.Answer{RcptCode: 550}, permanent: true, code: 550, reason: `550 "5.1.1 no such mailbox"`},
		"recipient busy":         {answer: mailtest.Answer{RcptCode: 451}, code: 451, reason: `451 "4.2.1 mailbox busy"`},
		"text refused":           {answer: mailtest.Answer{DataCode: 554}, permanent: true, code: 554, reason: "554"},
		"text deferred":          {answer: mailtest.Answer{DataCode: 452}, code: 452, reason: "452"},
		"server closing":         {answer: mailtest.Answer{RcptCode: 421}, code: 421, reason: "421"},
		"no answer":              {answer: mailtest.Answer{Hang: true}, reason: "too long"},
		"connection cut":         {answer: mailtest.Answer{Drop: true}, reason: "closing SMTP DATA writer", accepted: 1},
		"address without domain": {to: "nobody", permanent: true, reason: "not valid"},
		"two addresses in one":   {to: "a@example.com, b@example.com", permanent: true, reason: "not valid"},
		"address with a command": {to: "a@example.com>\r\nRCPT TO:<b@example.com", permanent: true, reason: "not valid"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := mailtest.New(t)
			server.Decide = func(string, int) mailtest.Answer { return c.answer }
			to := c.to
			if to == "" {
				to = "ada@example.com"
			}
			err := newSender(t, server, time.Second).Send(context.Background(), message(to))
			require.Equal(t, c.accepted, server.Count(""))
			if c.ok {
				require.NoError(t, err)
				return
			}
			var failure *mail.Error
			require.ErrorAs(t, err, &failure)
			require.Equal(t, c.permanent, failure.Permanent, failure.Reason)
			require.Equal(t, c.code, failure.Code)
			require.Contains(t, failure.Reason, c.reason)
			require.NotContains(t, failure.Reason, "ada@example.com")
		})
	}
}

func TestSendKeepsConnectionsAndSurvivesTheirLoss(t *testing.T) {
	server := mailtest.New(t)
	server.Decide = func(to string, _ int) mailtest.Answer {
		if strings.HasPrefix(to, "bad") {
			return mailtest.Answer{RcptCode: 550}
		}
		return mailtest.Answer{}
	}
	sender := newSender(t, server, 5*time.Second)
	ctx := context.Background()
	for range 5 {
		require.NoError(t, sender.Send(ctx, message("ada@example.com")))
		require.Error(t, sender.Send(ctx, message("bad@example.com")))
	}
	require.Equal(t, 1, server.Sessions(), "a refused recipient does not cost the connection")

	server.Stop()
	var failure *mail.Error
	require.ErrorAs(t, sender.Send(ctx, message("ada@example.com")), &failure)
	require.False(t, failure.Permanent)
	server.Start(t)
	require.Eventually(t, func() bool { return sender.Send(ctx, message("ada@example.com")) == nil }, 5*time.Second, 50*time.Millisecond)

	server.Stop()
	server.Start(t)
	require.NoError(t, sender.Send(ctx, message("ada@example.com")), "an idle connection that the server closed is replaced")
}

func TestSendInParallel(t *testing.T) {
	server := mailtest.New(t)
	sender := newSender(t, server, 10*time.Second)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 25 {
				if err := sender.Send(context.Background(), message("ada@example.com")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	require.Equal(t, 200, server.Count(""))
	require.LessOrEqual(t, server.Sessions(), 8)
}

func TestMailHoldsItsFormWhateverTheTitle(t *testing.T) {
	server := mailtest.New(t)
	sender := newSender(t, server, 5*time.Second)
	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	due := time.Date(2027, 3, 28, 7, 0, 0, 0, time.UTC)
	cases := map[string]struct{ title, shown string }{
		"plain":            {"Buy milk", "Buy milk"},
		"unicode":          {"Füttere die 🐈‍⬛ — 猫に餌をやる", "Füttere die 🐈‍⬛ — 猫に餌をやる"},
		"header injection": {"x\r\nBcc: eve@example.com\r\n\r\nboo", "x Bcc: eve@example.com boo"},
		"bare newlines":    {"a\nb\rc\x0bd\u2028e", "a b c d e"},
		"encoded word":     {"=?utf-8?q?x=0D=0ABcc:_eve@example.com?=", "=?utf-8?q?x=0D=0ABcc:_eve@example.com?="},
		"a lone dot":       {".\r\nQUIT", ". QUIT"},
		"long":             {strings.Repeat("ü", 200), strings.Repeat("ü", 200)},
		"nothing visible":  {"\x00\t ", "(no title)"},
		"broken utf-8":     {"a\xffb", "a\uFFFDb"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			m := message("ada@example.com")
			m.Subject, m.Body = mail.Reminder{Title: c.title, DueAt: &due, Late: 7 * time.Minute, Zone: berlin}.Text()
			require.NoError(t, sender.Send(context.Background(), m))
			all := server.Mails()
			got := all[len(all)-1]
			require.Equal(t, "ada@example.com", got.To)
			require.Equal(t, "reminders@taskwire.example", got.From)

			subject, err := new(mime.WordDecoder).DecodeHeader(got.Header.Get("Subject"))
			require.NoError(t, err)
			if name == "encoded word" {
				// It is sent as it is, and shows as one line all the same.
				require.NotContains(t, got.Header, "Bcc")
			} else {
				require.Equal(t, "Reminder: "+c.shown, subject)
			}
			require.NotContains(t, got.Header, "Bcc")
			require.Equal(t, "<"+m.ID.String()+"@taskwire.example>", got.Header.Get("Message-Id"))
			require.Equal(t, "auto-generated", got.Header.Get("Auto-Submitted"))
			from, err := netmail.ParseAddress(got.Header.Get("From"))
			require.NoError(t, err)
			require.Equal(t, "taskwire", from.Name)
			date, err := got.Header.Date()
			require.NoError(t, err)
			require.True(t, date.Equal(m.Date))
			for _, line := range strings.Split(string(got.Raw), "\r\n") {
				require.LessOrEqual(t, len(line), 998, "RFC 5322, section 2.1.1")
			}

			parsed, err := netmail.ReadMessage(strings.NewReader(string(got.Raw)))
			require.NoError(t, err)
			require.Equal(t, "quoted-printable", parsed.Header.Get("Content-Transfer-Encoding"))
			text, err := io.ReadAll(quotedprintable.NewReader(parsed.Body))
			require.NoError(t, err)
			require.Contains(t, string(text), c.shown)
			require.Contains(t, string(text), "Due: Sunday, 28 March 2027, 09:00 CEST (Europe/Berlin)")
			require.Contains(t, string(text), "late by 7m0s")
		})
	}
}

func TestSettingsAreRefusedWithoutTheirSecrets(t *testing.T) {
	cases := map[string]struct{ url, from, want string }{
		"no scheme":     {"mail.example.com:25", "a@example.com", "SMTP_URL"},
		"other scheme":  {"http://u:hunter2@mail.example.com", "a@example.com", "smtps://"},
		"no host":       {"smtp://u:hunter2@:25", "a@example.com", "SMTP_URL must be the address"},
		"broken":        {"smtp://u:hunter2@mail.example.com:x", "a@example.com", "SMTP_URL must be the address"},
		"unknown tls":   {"smtp://mail.example.com?tls=maybe", "a@example.com", "tls"},
		"clear login":   {"smtp://u:hunter2@mail.example.com?tls=off", "a@example.com", "without TLS"},
		"bad sender":    {"smtp://mail.example.com", "nobody", "MAIL_FROM"},
		"sender header": {"smtp://mail.example.com", "a@example.com\r\nBcc: b@example.com", "MAIL_FROM"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := mail.New(c.url, c.from, time.Second)
			require.ErrorContains(t, err, c.want)
			require.NotContains(t, err.Error(), "hunter2")
		})
	}
}
