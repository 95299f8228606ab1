package delivery_test

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/services/notification/internal/delivery"
	"github.com/taskwire/taskwire/services/notification/internal/mail/mailtest"
)

func TestDueReminderIsDeliveredOnEveryChannel(t *testing.T) {
	s := newSuite(t)
	s.start()
	r := s.newReminder("ada@example.com")
	s.due(r)
	email, inApp := s.reach(r, delivery.Email, delivery.Sent), s.reach(r, delivery.InApp, delivery.Sent)
	for _, row := range []delivery.Row{email, inApp} {
		require.Equal(t, int64(0), *row.LatenessMS)
		require.True(t, row.SentAt.Equal(s.clock()))
		require.Equal(t, 1, row.Attempts)
		require.Empty(t, row.LastError)
	}
	mails := s.mail.Mails()
	require.Len(t, mails, 1)
	require.Equal(t, "ada@example.com", mails[0].To)
	require.Equal(t, "<"+email.ID.String()+"@taskwire.example>", mails[0].Header.Get("Message-Id"))
	require.Contains(t, string(mails[0].Raw), "06:00 EST", "the due time is in the user's zone")
	require.Equal(t, 1, s.notifications())
	require.Contains(t, s.logs.String(), "trace_id=0af7651916cd43dd8448eb211c80319c")
}

// In a zone behind the task's, the day before was named, and a time.
func TestAnAllDayTaskIsDueOnItsDateWhereverItsMailIsRead(t *testing.T) {
	s := newSuite(t)
	s.start()
	r := s.newReminder("ada@example.com")
	s.handle(func(c *delivery.Consumer) handler { return c.Reminders }, s.dueEvent(r, func(e *event.ReminderEvent) {
		due := time.Date(2027, 7, 3, 12, 0, 0, 0, time.UTC)
		e.DueAt, e.AllDay, e.Timezone = &due, true, "Pacific/Auckland"
	}))
	s.wake()
	s.reach(r, delivery.Email, delivery.Sent)
	require.Contains(t, string(s.mail.Mails()[0].Raw), "Due: Sunday, 4 July 2027\r\n")
}

// What was long past when it was set is not late.
func TestAReminderOfThePastIsNotLate(t *testing.T) {
	s := newSuite(t)
	s.start()
	r := s.newReminder("ada@example.com")
	r.at = r.at.Add(-48 * time.Hour)
	s.taskAPI.set(r, "")
	s.handle(func(c *delivery.Consumer) handler { return c.Reminders }, s.dueEvent(r, func(e *event.ReminderEvent) {
		set := s.clock()
		e.ExpectedAt = &set
	}))
	s.wake()
	email := s.reach(r, delivery.Email, delivery.Sent)
	require.NotContains(t, string(s.mail.Mails()[0].Raw), "late")
	require.Less(t, *email.LatenessMS, int64(time.Minute/time.Millisecond))
	require.Less(t, *s.reach(r, delivery.InApp, delivery.Sent).LatenessMS, int64(time.Minute/time.Millisecond))
}

func TestReminderAfterAnOutageIsDeliveredOnceWithItsLateness(t *testing.T) {
	cases := map[string]func(s *suite, r reminder){
		"this service was down": func(s *suite, r reminder) {
			s.advance(7 * time.Minute)
			s.start()
			s.due(r)
		},
		"this service died with the reminder stored": func(s *suite, r reminder) {
			s.due(r)
			s.advance(7 * time.Minute)
			s.start()
		},
		"task-api was down": func(s *suite, r reminder) {
			s.taskAPI.setDown(true)
			s.start()
			s.due(r)
			s.eventually(func() bool {
				s.advance(100 * time.Millisecond)
				return s.taskAPI.asked() >= 6
			}, "task-api is asked again")
			s.advance(7 * time.Minute)
			s.taskAPI.setDown(false)
		},
		"the mail server was down": func(s *suite, r reminder) {
			s.mail.Stop()
			s.start()
			s.due(r)
			s.eventually(func() bool { return s.deliveryOf(r, delivery.Email).LastError != "" }, "the attempt fails")
			s.mail.Start(s.t)
			s.reach(r, delivery.InApp, delivery.Sent) // the channel that works does not wait
			s.advance(7 * time.Minute)
		},
	}
	for name, outage := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSuite(t)
			r := s.newReminder("ada@example.com")
			outage(s, r)
			s.eventually(func() bool {
				s.advance(100 * time.Millisecond) // backoff ends
				return s.count(delivery.Sent) == 2
			}, "both are delivered")
			row := s.deliveryOf(r, delivery.Email)
			require.GreaterOrEqual(t, *row.LatenessMS, (7 * time.Minute).Milliseconds())
			require.Less(t, *row.LatenessMS, (9 * time.Minute).Milliseconds())
			require.Equal(t, row.SentAt.Sub(row.RemindAt).Milliseconds(), *row.LatenessMS)
			require.Equal(t, 1, s.mail.Count(""))
			require.Equal(t, 1, s.notifications())
		})
	}
}

func TestThreeReplicasDeliverAThousandOnce(t *testing.T) {
	s := newSuite(t)
	for range 3 {
		s.start()
	}
	reminders := make([]reminder, 1000)
	for i := range reminders {
		reminders[i] = s.newReminder(fmt.Sprintf("user%d@example.com", i))
	}
	start := time.Now()
	for i := 0; i < len(reminders); i += 100 {
		s.due(reminders[i : i+100]...)
	}
	s.eventually(func() bool { return s.count(delivery.Sent) == 2000 }, "all are delivered")
	t.Logf("1,000 mails and notifications in %s, with %d checks", time.Since(start).Round(time.Millisecond), s.taskAPI.asked())
	require.Equal(t, 1000, s.mail.Count(""))
	require.Equal(t, 1000, s.notifications())
	for _, r := range reminders {
		require.Equal(t, 1, s.mail.Count(r.to), r.to)
	}
}

func TestTwoRemindersOfOneTaskAreBothDelivered(t *testing.T) {
	s := newSuite(t)
	s.start()
	first := s.newReminder("ada@example.com")
	second := s.newReminder("ada@example.com")
	second.task, second.user = first.task, first.user
	s.due(first, second)
	s.reach(first, delivery.Email, delivery.Sent)
	s.reach(second, delivery.Email, delivery.Sent)
	s.eventually(func() bool { return s.notifications() == 2 }, "both are shown")
	require.Equal(t, 2, s.mail.Count("ada@example.com"))
}

// The answer of task-api decides.
func TestReminderThatNoLongerStandsIsNotDelivered(t *testing.T) {
	for _, reason := range []string{delivery.Completed, delivery.Deleted, delivery.Moved} {
		t.Run(reason, func(t *testing.T) {
			t.Parallel()
			s := newSuite(t)
			s.start()
			r := s.newReminder("ada@example.com")
			s.taskAPI.set(r, reason)
			s.due(r)
			require.Equal(t, reason, s.reach(r, delivery.Email, delivery.Cancelled).Reason)
			require.Equal(t, reason, s.reach(r, delivery.InApp, delivery.Cancelled).Reason)
			require.Zero(t, s.mail.Count(""))
			require.Zero(t, s.notifications())
		})
	}
}

// The change comes while the mail waits for another try.
func TestTaskEventCancelsWhatIsPending(t *testing.T) {
	later := func(at *time.Time) *time.Time {
		l := at.Add(time.Hour)
		return &l
	}
	cases := map[string]struct {
		eventType string
		before    bool // the event tells of a time before the reminder fell due
		change    func(*event.Task)
		reason    string // "": it stays pending
	}{
		"completed":            {event.TaskCompleted, false, func(d *event.Task) { d.IsComplete = true }, delivery.Completed},
		"updated and complete": {event.TaskUpdated, false, func(d *event.Task) { d.IsComplete = true }, delivery.Completed},
		"deleted":              {event.TaskDeleted, false, func(*event.Task) {}, delivery.Deleted},
		"reminder removed":     {event.TaskUpdated, false, func(d *event.Task) { d.Reminders = nil }, delivery.Deleted},
		"reminder moved":       {event.TaskUpdated, false, func(d *event.Task) { d.Reminders[0].At = later(d.Reminders[0].At) }, delivery.Moved},
		"due moved, relative reminder": {event.TaskUpdated, false, func(d *event.Task) {
			d.Reminders[0].At, d.Reminders[0].BeforeDue, d.DueAt = nil, "PT1H", later(d.DueAt)
		}, delivery.Moved},
		"due cleared, relative reminder":    {event.TaskUpdated, false, func(d *event.Task) { d.Reminders[0].At, d.Reminders[0].BeforeDue, d.DueAt = nil, "PT1H", nil }, delivery.Moved},
		"due moved, fixed reminder":         {event.TaskUpdated, false, func(d *event.Task) { d.DueAt = later(d.DueAt) }, ""},
		"renamed":                           {event.TaskUpdated, false, func(d *event.Task) { d.Title = "other" }, ""},
		"moved before the reminder was due": {event.TaskUpdated, true, func(d *event.Task) { d.Reminders[0].At = later(d.Reminders[0].At) }, ""},
		"another task":                      {event.TaskDeleted, false, func(d *event.Task) { d.ID = uuid.New() }, ""},
		"created":                           {event.TaskCreated, false, func(d *event.Task) { d.IsComplete = true }, ""},
		"an event type of later":            {"task.archived", false, func(d *event.Task) { d.IsComplete = true }, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSuite(t)
			s.mail.Decide = func(to string, attempt int) mailtest.Answer {
				if to == "ada@example.com" && attempt == 1 {
					return mailtest.Answer{RcptCode: 451}
				}
				return mailtest.Answer{}
			}
			r := s.newReminder("ada@example.com")
			s.start()
			s.due(r)
			s.eventually(func() bool { return strings.Contains(s.deliveryOf(r, delivery.Email).LastError, "451") }, "the first attempt is refused")

			data := r.taskData()
			c.change(&data)
			at := s.clock().Add(time.Second)
			if c.before {
				at = s.clock().Add(-time.Second)
			}
			s.changed(c.eventType, at, data)
			row := s.deliveryOf(r, delivery.Email)
			require.Equal(t, c.reason, row.Reason)
			s.advance(time.Minute)
			if c.reason == "" {
				s.reach(r, delivery.Email, delivery.Sent)
				return
			}
			require.Equal(t, delivery.Cancelled, row.State)
			// A reminder behind it passes, so the cancelled one had its chance.
			next := s.newReminder("bob@example.com")
			s.due(next)
			s.reach(next, delivery.Email, delivery.Sent)
			require.Zero(t, s.mail.Count("ada@example.com"))
			require.Equal(t, delivery.Cancelled, s.deliveryOf(r, delivery.Email).State)
		})
	}
}

func TestABadRecipientStarvesNoOne(t *testing.T) {
	s := newSuite(t)
	s.mail.Decide = func(to string, attempt int) mailtest.Answer {
		switch {
		case to == "gone@example.com":
			return mailtest.Answer{RcptCode: 550}
		case to == "busy@example.com" && attempt <= 2:
			return mailtest.Answer{RcptCode: 451}
		}
		return mailtest.Answer{}
	}
	gone, busy := s.newReminder("gone@example.com"), s.newReminder("busy@example.com")
	all := []reminder{gone, busy}
	for i := range 98 {
		all = append(all, s.newReminder(fmt.Sprintf("user%d@example.com", i)))
	}
	s.start()
	s.due(all...)
	for _, r := range all[2:] {
		s.reach(r, delivery.Email, delivery.Sent)
	}
	row := s.reach(gone, delivery.Email, delivery.Failed)
	require.Contains(t, row.LastError, "no such mailbox")
	require.Nil(t, row.SentAt)
	require.Equal(t, 1, row.Attempts)

	s.eventually(func() bool { return strings.Contains(s.deliveryOf(busy, delivery.Email).LastError, "451") }, "the busy one is refused")
	row = s.deliveryOf(busy, delivery.Email)
	require.Equal(t, delivery.Pending, row.State)
	require.InDelta(t, 5, row.NextAttemptAt.Sub(s.clock()).Seconds(), 1.01)
	s.advance(6 * time.Second)
	s.eventually(func() bool { return s.deliveryOf(busy, delivery.Email).Attempts == 2 }, "it is tried again")
	s.eventually(func() bool {
		return s.deliveryOf(busy, delivery.Email).NextAttemptAt.Sub(s.clock()) < 13*time.Second
	}, "and put back for longer")
	s.advance(12 * time.Second)
	row = s.reach(busy, delivery.Email, delivery.Sent)
	require.Equal(t, 3, row.Attempts)
	require.Equal(t, (18 * time.Second).Milliseconds(), *row.LatenessMS)
	require.Equal(t, 99, s.mail.Count(""))
	require.Equal(t, delivery.Failed, s.deliveryOf(gone, delivery.Email).State)
}

func TestRecipientsThatHangDoNotHoldUpTheRest(t *testing.T) {
	s := newSuite(t)
	s.mail.Decide = func(to string, _ int) mailtest.Answer { return mailtest.Answer{Hang: strings.HasPrefix(to, "slow")} }
	var all []reminder
	for i := range 60 {
		to := fmt.Sprintf("user%d@example.com", i)
		if i%10 == 0 {
			to = "slow" + to
		}
		all = append(all, s.newReminder(to))
	}
	s.start()
	s.due(all...)
	s.eventually(func() bool { return s.mail.Count("") == 54 }, "the others have their mail")
	for _, r := range all {
		if strings.HasPrefix(r.to, "slow") {
			s.eventually(func() bool { return s.deliveryOf(r, delivery.Email).LastError != "" }, "the slow ones are put back")
			require.Equal(t, delivery.Pending, s.deliveryOf(r, delivery.Email).State)
		}
	}
}

func TestMailIsGivenUpAfterItsTime(t *testing.T) {
	s := newSuite(t)
	s.mail.Decide = func(string, int) mailtest.Answer { return mailtest.Answer{RcptCode: 451} }
	r := s.newReminder("ada@example.com")
	s.start()
	s.due(r)
	s.eventually(func() bool { return strings.Contains(s.deliveryOf(r, delivery.Email).LastError, "451") }, "the first attempt is refused")
	s.advance(71 * time.Hour)
	s.eventually(func() bool { return s.deliveryOf(r, delivery.Email).Attempts == 2 }, "it is tried for three days")
	require.Equal(t, delivery.Pending, s.deliveryOf(r, delivery.Email).State)
	s.advance(time.Hour)
	require.Contains(t, s.reach(r, delivery.Email, delivery.Failed).LastError, "451")
}

func TestRepeatAfterALostAnswerCanBeRecognised(t *testing.T) {
	s := newSuite(t)
	s.mail.Decide = func(_ string, attempt int) mailtest.Answer { return mailtest.Answer{Drop: attempt == 1} }
	r := s.newReminder("ada@example.com")
	s.start()
	s.due(r)
	s.eventually(func() bool { return s.deliveryOf(r, delivery.Email).LastError != "" }, "the answer is lost")
	s.advance(time.Minute)
	s.reach(r, delivery.Email, delivery.Sent)
	mails := s.mail.Mails()
	require.Len(t, mails, 2)
	require.Equal(t, mails[0].Header.Get("Message-Id"), mails[1].Header.Get("Message-Id"))
}

func TestReminderPublishedAgainHasOneEffect(t *testing.T) {
	s := newSuite(t)
	s.start()
	r := s.newReminder("ada@example.com")
	s.due(r, r)
	s.reach(r, delivery.Email, delivery.Sent)
	s.reach(r, delivery.InApp, delivery.Sent)
	s.advance(time.Second)
	s.due(r)
	last := s.newReminder("bob@example.com")
	s.due(last)
	s.reach(last, delivery.Email, delivery.Sent)
	require.Equal(t, 1, s.mail.Count("ada@example.com"))
}

func TestReminderThatFallsDueAgainAfterACancellationIsDelivered(t *testing.T) {
	s := newSuite(t)
	s.start()
	r := s.newReminder("ada@example.com")
	s.taskAPI.set(r, delivery.Completed)
	stale := s.dueEvent(r)
	s.due(r)
	s.reach(r, delivery.Email, delivery.Cancelled)
	s.reach(r, delivery.InApp, delivery.Cancelled)

	s.handle(func(c *delivery.Consumer) handler { return c.Reminders }, stale)
	require.Equal(t, delivery.Cancelled, s.deliveryOf(r, delivery.Email).State, "the same news changes nothing")

	s.advance(time.Minute)
	s.taskAPI.set(r, "") // reopened
	s.due(r)
	s.reach(r, delivery.Email, delivery.Sent)
	s.reach(r, delivery.InApp, delivery.Sent)
	require.Equal(t, 1, s.mail.Count(""))
}

func TestMailIsSentOnceThoughTheDatabaseIsAwayWhenItWasTaken(t *testing.T) {
	s := newSuite(t)
	var away *sql.Tx
	s.mail.Decide = func(string, int) mailtest.Answer {
		var err error
		if away, err = s.db.DB.BeginTx(context.Background(), nil); err == nil {
			_, err = away.ExecContext(context.Background(), "LOCK TABLE notification.deliveries")
		}
		require.NoError(t, err)
		return mailtest.Answer{}
	}
	r := s.newReminder("ada@example.com")
	s.start()
	s.due(r)
	s.eventually(func() bool { return strings.Contains(s.logs.String(), "cannot record") }, "the record is given up once")
	require.NoError(t, away.Rollback())
	require.Equal(t, 1, s.reach(r, delivery.Email, delivery.Sent).Attempts)
	s.advance(time.Minute) // beyond the lease
	require.Equal(t, 1, s.mail.Count("ada@example.com"))
}

func TestWorkerKilledMidSendIsTakenOver(t *testing.T) {
	s := newSuite(t)
	s.mail.Decide = func(_ string, attempt int) mailtest.Answer { return mailtest.Answer{Hang: attempt == 1} }
	r := s.newReminder("ada@example.com")
	first := s.start()
	s.due(r)
	s.eventually(func() bool { return s.mail.Hanging() == 1 }, "the mail is on its way")
	first.kill()
	s.start()
	require.Equal(t, delivery.Pending, s.deliveryOf(r, delivery.Email).State)
	require.Equal(t, 1, s.deliveryOf(r, delivery.Email).Attempts, "the lease keeps others away")
	s.advance(time.Minute)
	row := s.reach(r, delivery.Email, delivery.Sent)
	require.Equal(t, 2, row.Attempts)
	require.Equal(t, time.Minute.Milliseconds(), *row.LatenessMS)
	require.Equal(t, 1, s.mail.Count(""))
}

func TestSlowWorkerCannotMarkWhatAnotherTookOver(t *testing.T) {
	s := newSuite(t)
	s.mail.Decide = func(_ string, attempt int) mailtest.Answer { return mailtest.Answer{Hang: attempt == 1} }
	r := s.newReminder("ada@example.com")
	slow := s.start()
	s.due(r)
	s.eventually(func() bool { return s.mail.Hanging() == 1 }, "the mail is on its way")
	claim := s.deliveryOf(r, delivery.Email).Claim
	s.start()
	s.advance(time.Minute)
	s.reach(r, delivery.Email, delivery.Sent)
	require.NotEqual(t, claim, s.deliveryOf(r, delivery.Email).Claim)
	slow.stop() // it ends once the hanging mail has run into its time limit
	row := s.deliveryOf(r, delivery.Email)
	require.Equal(t, delivery.Sent, row.State)
	require.Empty(t, row.LastError)
}

func TestStopLetsTheMailsOnTheirWayArrive(t *testing.T) {
	s := newSuite(t)
	var all []reminder
	for i := range 300 {
		all = append(all, s.newReminder(fmt.Sprintf("user%d@example.com", i)))
	}
	first := s.start()
	s.due(all...)
	s.eventually(func() bool { return s.mail.Count("") > 0 }, "mails are on their way")
	first.stop()
	s.start() // the clock has not moved: what was not begun was given back, not left to its lease
	s.eventually(func() bool { return s.count(delivery.Sent) == 600 }, "the rest is delivered")
	require.Equal(t, 300, s.mail.Count(""))
	var attempts int
	require.NoError(t, s.db.NewRaw("SELECT max(attempts) FROM notification.deliveries").Scan(context.Background(), &attempts))
	require.Equal(t, 1, attempts)
}

// A stop once gave a mail 4 s, whatever the time that it had.
func TestStopWaitsForASlowMailServer(t *testing.T) {
	s := newSuite(t)
	s.mailTimeout = time.Minute
	answer := make(chan struct{})
	s.mail.Decide = func(string, int) mailtest.Answer { return mailtest.Answer{Wait: answer} }
	r := s.newReminder("ada@example.com")
	first := s.start()
	s.due(r)
	s.eventually(func() bool { return s.mail.Hanging() == 1 }, "the mail is on its way")
	time.AfterFunc(5*time.Second, func() { close(answer) })
	first.stop()
	row := s.deliveryOf(r, delivery.Email)
	require.Equal(t, delivery.Sent, row.State, row.LastError)
	require.Equal(t, 1, row.Attempts)

	s.start()
	s.advance(time.Hour) // beyond each lease and pause
	last := s.newReminder("bob@example.com")
	s.due(last)
	s.reach(last, delivery.Email, delivery.Sent)
	require.Equal(t, 1, s.mail.Count("ada@example.com"))
}

func TestStopEndsInItsTimeThoughTheMailServerHangs(t *testing.T) {
	s := newSuite(t)
	s.mailTimeout, s.shutdownTimeout = time.Minute, 3*time.Second
	s.mail.Decide = func(_ string, attempt int) mailtest.Answer { return mailtest.Answer{Hang: attempt == 1} }
	r := s.newReminder("ada@example.com")
	first := s.start()
	s.due(r)
	s.eventually(func() bool { return s.mail.Hanging() == 1 }, "the mail is on its way")
	first.cancel()
	select {
	case <-first.done:
	case <-time.After(s.shutdownTimeout):
		require.Fail(t, "the process would have been ended before what became of the mail is recorded")
	}
	row := s.deliveryOf(r, delivery.Email)
	require.Equal(t, delivery.Pending, row.State)
	require.NotEmpty(t, row.LastError)

	s.start()
	s.advance(time.Minute)
	require.Equal(t, 2, s.reach(r, delivery.Email, delivery.Sent).Attempts)
}

func TestWhatAKilledWorkerHadNotBegunWaitsForSeconds(t *testing.T) {
	s := newSuite(t)
	var killed atomic.Bool
	s.mail.Decide = func(string, int) mailtest.Answer { return mailtest.Answer{Hang: !killed.Load()} }
	var all []reminder
	for i := range 40 {
		all = append(all, s.newReminder(fmt.Sprintf("user%d@example.com", i)))
	}
	first := s.start()
	s.due(all...)
	s.eventually(func() bool { return s.mail.Hanging() > 0 && s.count(delivery.Sent) == 40 }, "mails hang, others wait behind them")
	first.kill()
	killed.Store(true)
	// A last one may be begun while the pool closes.
	waiting := func() (n int) {
		require.NoError(t, s.db.NewRaw("SELECT count(*) FROM notification.deliveries WHERE state = 'pending' AND attempts = 0").Scan(context.Background(), &n))
		return n
	}
	require.NotZero(t, waiting())
	s.start()
	s.advance(6 * time.Second)
	s.eventually(func() bool { return waiting() == 0 }, "only the mails that were on their way wait for longer")
	require.Less(t, s.count(delivery.Sent), 80)
}
