package delivery_test

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/services/notification/internal/delivery"
	"github.com/taskwire/taskwire/services/notification/internal/mail/mailtest"
	"github.com/taskwire/taskwire/services/notification/internal/recipient"
)

// remind stores n reminders for each of some recipients.
func (s *suite) remind(n int, to ...string) []reminder {
	var all []reminder
	for range n {
		for _, address := range to {
			all = append(all, s.newReminder(address))
		}
	}
	s.due(all...)
	return all
}

// decided waits until no mail is pending and says how many there are of a state.
func (s *suite) decided(state string) int {
	s.t.Helper()
	s.eventually(func() bool { return s.count(delivery.Pending) == 0 }, "all is decided")
	n, err := s.db.NewSelect().Model((*delivery.Row)(nil)).Where("channel = 'email' AND state = ?", state).Count(context.Background())
	require.NoError(s.t, err)
	return int(n)
}

// subjects counts the mails to a recipient whose subject begins with a prefix.
func (s *suite) subjects(to, prefix string) int {
	n := 0
	for _, m := range s.mail.Mails() {
		if m.To == to && strings.HasPrefix(m.Header.Get("Subject"), prefix) {
			n++
		}
	}
	return n
}

const furtherReminders = "Further reminders are in the application until"

func TestAMailBombIsBoundedForItsRecipientOverAllReplicas(t *testing.T) {
	s := newSuite(t)
	s.budget = 20
	for range 3 {
		s.start()
	}
	// One mailbox, however its address is written: accounts of several issuers.
	s.remind(40, "victim@example.com", "Victim@EXAMPLE.com")
	s.remind(3, "bob@example.com")
	require.Equal(t, 23, s.decided(delivery.Sent))
	require.Equal(t, 60, s.decided(delivery.Cancelled))
	require.Equal(t, 20, s.subjects("victim@example.com", "Reminder: ")+s.subjects("Victim@EXAMPLE.com", "Reminder: "))
	require.Equal(t, 1, s.subjects("victim@example.com", furtherReminders)+s.subjects("Victim@EXAMPLE.com", furtherReminders), "one says so")
	require.Equal(t, 3, s.mail.Count("bob@example.com"), "others have their own")
	require.Equal(t, 83, s.notifications(), "the application shows all")
	var reasons []string
	require.NoError(t, s.db.NewRaw("SELECT DISTINCT reason FROM notification.deliveries WHERE state = 'cancelled'").Scan(context.Background(), &reasons))
	require.Equal(t, []string{string(recipient.OverBudget)}, reasons)

	// The next hour is another, and has a notice of its own.
	s.advance(time.Hour)
	s.remind(22, "victim@example.com")
	require.Equal(t, 43, s.decided(delivery.Sent))
	require.Equal(t, 43+2, s.mail.Count(""))
}

func TestTheNoticeNamesTheTimeAtItsReader(t *testing.T) {
	s := newSuite(t)
	s.budget = 1
	s.advance(23*time.Minute + 40*time.Second)
	s.start()
	s.remind(3, "ada@example.com")
	s.decided(delivery.Cancelled)
	require.Equal(t, 2, s.mail.Count(""))
	require.Equal(t, 1, s.subjects("ada@example.com", furtherReminders+" 06:24"), "11:23:40 UTC in New York, in whole minutes")
}

func TestARetryIsNoSecondMailOfTheBudget(t *testing.T) {
	s := newSuite(t)
	s.budget = 2
	s.mail.Decide = func(_ string, attempt int) mailtest.Answer {
		if attempt <= 6 {
			return mailtest.Answer{RcptCode: 451}
		}
		return mailtest.Answer{}
	}
	s.start()
	s.remind(3, "ada@example.com") // two mails and the notice, each refused twice
	s.eventually(func() bool {
		s.advance(time.Second)
		return s.count(delivery.Pending) == 0
	}, "all is decided")
	require.Equal(t, 2, s.subjects("ada@example.com", "Reminder: "))
	require.Equal(t, 1, s.subjects("ada@example.com", furtherReminders))
}

func TestAWorkerThatIsKilledTakesNothingOfTheBudgetTwice(t *testing.T) {
	s := newSuite(t)
	s.budget = 2
	s.mail.Decide = func(_ string, attempt int) mailtest.Answer { return mailtest.Answer{Hang: attempt <= 2} }
	first := s.start()
	s.remind(2, "ada@example.com")
	s.eventually(func() bool { return s.mail.Hanging() == 2 }, "both are on their way")
	first.kill()
	s.start()
	s.advance(time.Minute) // the leases end
	require.Equal(t, 2, s.decided(delivery.Sent))
	require.Equal(t, 2, s.subjects("ada@example.com", "Reminder: "))
}

func TestWithoutABudgetEveryMailIsSent(t *testing.T) {
	s := newSuite(t)
	s.start()
	s.remind(100, "ada@example.com")
	require.Equal(t, 100, s.decided(delivery.Sent))
}

func TestEachMailHasALinkThatStopsThem(t *testing.T) {
	for scheme, oneClick := range map[string]string{"https": "List-Unsubscribe=One-Click", "http": ""} {
		t.Run(scheme, func(t *testing.T) {
			s := newSuite(t)
			s.budget = 2
			s.public = &url.URL{Scheme: scheme, Host: "tasks.example.org"}
			s.start()
			s.remind(3, "ada@example.com")
			s.decided(delivery.Sent)
			mails := s.mail.Mails()
			require.Len(t, mails, 3)
			link := mails[0].Header.Get("List-Unsubscribe")
			require.Regexp(t, `^<`+scheme+`://tasks\.example\.org/api/notifications/unsubscribe\?token=[A-Za-z0-9_-]{32}>$`, link)
			for _, m := range mails {
				require.Equal(t, link, m.Header.Get("List-Unsubscribe"), "the same in all")
				require.Equal(t, oneClick, m.Header.Get("List-Unsubscribe-Post"))
				require.Contains(t, strings.ReplaceAll(strings.ReplaceAll(string(m.Raw), "=\r\n", ""), "=3D", "="), strings.Trim(link, "<>"), "and in the text")
			}
			u, err := url.Parse(strings.Trim(link, "<>"))
			require.NoError(t, err)
			store := &recipient.Store{DB: s.db, Now: s.clock}
			require.NoError(t, store.Set(t.Context(), u.Query().Get("token"), false))

			all := s.remind(2, "ADA@example.com")
			require.Equal(t, string(recipient.Unsubscribed), s.reach(all[0], delivery.Email, delivery.Cancelled).Reason)
			s.reach(all[0], delivery.InApp, delivery.Sent)
			s.decided(delivery.Sent)
			require.Len(t, s.mail.Mails(), 3)

			require.NoError(t, store.Set(t.Context(), u.Query().Get("token"), true))
			s.advance(time.Hour)
			s.remind(1, "ada@example.com")
			s.decided(delivery.Sent)
			require.Len(t, s.mail.Mails(), 4)
		})
	}
}

func TestAUserWithoutAnAddressHasNoMail(t *testing.T) {
	s := newSuite(t)
	s.start()
	r := s.newReminder("")
	s.due(r)
	require.Contains(t, s.reach(r, delivery.Email, delivery.Failed).LastError, "no email address")
	s.reach(r, delivery.InApp, delivery.Sent)
}
