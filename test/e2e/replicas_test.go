package e2e

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// each runs f for 0 … n-1, eight at a time.
func each(n int, f func(i int)) {
	var running sync.WaitGroup
	free := make(chan struct{}, 8)
	for i := range n {
		free <- struct{}{}
		running.Go(func() {
			defer func() { <-free }() // also when f fails the test
			f(i)
		})
	}
	running.Wait()
}

// until waits for a moment to come.
func until(t *testing.T, at time.Time) {
	t.Helper()
	eventually(t, func() error {
		if left := time.Until(at); left > 0 {
			return errNotYet(left)
		}
		return nil
	})
}

func TestThreeReplicasDeliverAThousandRemindersOfOneSecondOnce(t *testing.T) {
	t.Parallel()
	const reminders = 1000
	s, _ := ownSuite(t, newDir(t), "REPLICAS=notification=3", "MAIL_BUDGET=0")
	u := s.newUser(t, "UTC")
	at := time.Now().Add(20 * time.Second).Truncate(time.Second)
	each(reminders, func(i int) {
		u.create(object{"title": fmt.Sprintf("due %04d.", i), "reminders": []object{{"at": at.Add(time.Duration(i) * time.Millisecond)}}})
	})
	require.Less(t, time.Now(), at, "all are there before they are due")
	until(t, at)
	holds := func() {
		t.Helper()
		eventually(t, func() error {
			if n := s.query(t, "SELECT count(*) FROM notification.deliveries WHERE state = 'sent'"); n < 2*reminders {
				return fmt.Errorf("%d deliveries", n)
			}
			return nil
		})
		require.Equal(t, reminders, s.query(t, "SELECT count(*) FROM notification.notifications"))
		require.Equal(t, reminders, s.query(t, "SELECT count(DISTINCT reminder_id) FROM notification.notifications"))
		titles := map[string]int{}
		for _, mail := range u.mails() {
			titles[regexp.MustCompile(`due \d{4}\.`).FindString(mail)]++
		}
		require.Len(t, titles, reminders)
		for title, n := range titles {
			require.Equal(t, 1, n, "mails for %q", title)
		}
	}
	holds()
	s.drained(t)
	holds()
	for _, replica := range []string{"notification", "notification-2", "notification-3"} {
		n, _, err := s.Metric(t.Context(), replica, "taskwire_deliveries_total", "state", "sent")
		require.NoError(t, err)
		t.Logf("%s delivered %v", replica, n)
		require.NotZero(t, n, "%s had its part", replica)
	}
}

// Of a hundred reminders that are due, one has a recipient whose address is
// refused, and one a recipient whose server is busy twice.
func TestABadRecipientStarvesNoOne(t *testing.T) {
	leaveOut(t)
	t.Parallel()
	const all = 100
	server := newMailServer(t)
	s, _ := ownSuite(t, newDir(t), "SMTP_URL=smtp://"+server.address)
	users := make([]*user, all)
	each(all, func(i int) {
		email := fmt.Sprintf("good%d@example.org", i)
		switch i {
		case 3:
			email = "refused@example.org"
		case 5:
			email = "busy@example.org"
		}
		c, err := s.Register(t.Context(), email, "UTC")
		if err != nil {
			t.Error(err)
			return
		}
		users[i] = &user{c, s, t}
	})
	require.False(t, t.Failed())
	at := time.Now().Add(3 * time.Second)
	each(all, func(i int) { users[i].create(object{"title": "Due", "reminders": []object{{"at": at}}}) })
	until(t, at)

	eventually(t, func() error {
		if n := server.taken("good"); n != all-2 {
			return fmt.Errorf("%d mails", n)
		}
		return nil
	})
	require.Less(t, time.Since(at), 5*time.Second, "the others are not held up")
	require.Zero(t, server.taken("busy"), "it is tried again later")
	eventually(t, func() error {
		if n := server.taken("busy"); n != 1 {
			return errNotYet(n)
		}
		return nil
	})
	settled := "SELECT count(*) FROM notification.deliveries WHERE channel = 'email' AND state = $1"
	eventually(t, func() error {
		if n := s.query(t, settled, "pending"); n > 0 {
			return fmt.Errorf("%d mails are pending", n)
		}
		return nil
	})
	require.Equal(t, all-1, s.query(t, settled, "sent"))
	require.Equal(t, 1, s.query(t, settled, "failed"))
	reason := s.column(t, "SELECT last_error FROM notification.deliveries WHERE state = 'failed'")
	for text := range reason {
		require.Contains(t, text, "550")
	}
	require.Equal(t, all-1, server.taken(""), "each that is marked as sent was taken, once")
	require.GreaterOrEqual(t, s.query(t, "SELECT max(attempts) FROM notification.deliveries WHERE channel = 'email' AND state = 'sent'"), 3)
	require.Equal(t, all, s.query(t, "SELECT count(*) FROM notification.notifications"), "the application shows all of them")
	for to := range server.mails {
		require.False(t, strings.HasPrefix(to, "refused"))
	}
}
