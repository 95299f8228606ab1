package delivery_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/taskapi"
	"github.com/taskwire/taskwire/services/notification/internal/delivery"
)

// write answers what mails about accounts say.
func (a *taskAPI) write(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls++
	var body taskapi.WriteMails
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil || a.down || r.Header.Get("dapr-api-token") != sidecarToken {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	answer := taskapi.WrittenMails{}
	for _, id := range body.Mails {
		m, ok := a.mails[id]
		if !ok {
			m.Reason = taskapi.Deleted
		}
		m.ID = id
		answer.Mails = append(answer.Mails, m)
	}
	// The caller may have gone.
	_ = json.NewEncoder(w).Encode(answer)
}

// mailed has task-api know a mail, and returns the event that asks for it.
func (s *suite) mailed(kind string, m taskapi.AccountMail) []byte {
	s.t.Helper()
	m.ID = uuid.New()
	s.taskAPI.mu.Lock()
	s.taskAPI.mails[m.ID] = m
	s.taskAPI.mu.Unlock()
	return s.encode(event.TopicReminders, kind, m.ID, event.AccountMailEvent{
		Frame: event.Frame{EventType: kind, Timestamp: s.clock(), Metadata: map[string]any{}}, MailID: m.ID,
	})
}

// A mail about an account is sent once, says its secret there alone, and goes out though its
// recipient has had his mails of the hour, and wants no reminders.
func TestAMailAboutAnAccount(t *testing.T) {
	s := newSuite(t)
	h := s.route(s.start().deliverer)
	const ada, secret = "ada@example.com", "the-secret-of-the-mail"
	until := s.clock().Add(30 * time.Minute)
	reset := s.mailed(event.AccountReset, taskapi.AccountMail{Stands: true, Kind: taskapi.MailReset, To: ada, Token: secret, ExpiresAt: &until, Timezone: "Europe/Berlin"})
	gone := s.mailed(event.AccountVerify, taskapi.AccountMail{Reason: taskapi.MailUsed})
	s.taskAPI.setDown(true)
	require.Equal(t, []string{"SUCCESS", "SUCCESS", "SUCCESS"}, post(t, h, event.TopicReminders, reset, gone, reset))
	require.Equal(t, 2, s.count(delivery.Pending), "while task-api is away they wait")
	s.taskAPI.setDown(false)
	s.eventually(func() bool {
		s.advance(300 * time.Millisecond) // who has asked in vain asks again later
		return s.count(delivery.Sent) == 1 && s.count(delivery.Cancelled) == 1
	}, "one is sent, and one is not needed")
	require.Equal(t, 1, s.mail.Count(ada))
	text := string(s.mail.Mails()[0].Raw)
	require.Contains(t, text, secret)
	require.Contains(t, text, "Subject: Set a new password")
	require.NotContains(t, text, "List-Unsubscribe")

	var kept int
	require.NoError(t, s.db.NewRaw("SELECT count(*) FROM notification.deliveries d WHERE d::text LIKE ? OR d::text LIKE ?", "%"+secret+"%", "%"+ada+"%").Scan(t.Context(), &kept))
	require.Zero(t, kept, "neither the secret nor the address is kept")
	require.NotContains(t, s.logs.String(), secret)
	require.Zero(t, s.notifications(), "nothing is shown in the application")

	_, err := s.db.NewRaw("DELETE FROM notification.inbox").Exec(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"SUCCESS"}, post(t, h, event.TopicReminders, reset), "again")
	require.Equal(t, 1, s.count(delivery.Sent))
	require.Equal(t, 1, s.mail.Count(ada))
}

func TestWhatAsksForNoMailIsADeadLetter(t *testing.T) {
	s := newSuite(t)
	h := s.route(s.start().deliverer)
	for _, data := range []any{"x", map[string]any{}, map[string]any{"mail_id": "x"}} {
		raw := s.encode(event.TopicReminders, event.AccountReset, uuid.New(), data)
		require.Equal(t, []string{"SUCCESS"}, post(t, h, event.TopicReminders, raw))
	}
	var letters int
	require.NoError(t, s.db.NewRaw("SELECT count(*) FROM notification.dead_letters").Scan(t.Context(), &letters))
	require.Equal(t, 3, letters)
}
