package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/test/suite"
)

// operates makes the user an operator, by the command, or takes that away.
func (u *user) operates(more ...string) uuid.UUID {
	u.t.Helper()
	id := must[struct{ ID uuid.UUID }](u, http.StatusOK, http.MethodGet, "/api/auth/me", nil).ID
	_, code := u.s.operate(u.t, "task-api", append([]string{"users", "operator", id.String()}, more...)...)
	require.Zero(u.t, code)
	return id
}

type settled struct{ Outcome, Reason string }

type cornerState struct {
	Consumers []struct {
		Service   string
		Available bool
		Topics    []struct {
			Topic  string
			UpTo   *time.Time `json:"handled_up_to"`
			Behind float64    `json:"behind_seconds"`
		}
	}
}

// Through the door, the sidecars and their access policies, and with a real token.
func TestAnOperatorReplaysAndDiscardsOnThePage(t *testing.T) {
	u, stranger := s.newUser(t, "UTC"), s.newUser(t, "UTC")
	id := u.operates()
	task := u.create(object{"title": "Told"})
	u.complete(task)
	s.drained(t)
	eventually(t, func() error { // each replica says every 15 s how far it is
		for _, c := range must[cornerState](u, http.StatusOK, http.MethodGet, "/api/operator/state", nil).Consumers {
			if !c.Available || len(c.Topics) == 0 {
				return fmt.Errorf("%s is not there", c.Service)
			}
			for _, h := range c.Topics {
				if h.Topic != event.TopicReminders && (h.UpTo == nil || h.Behind > 0) {
					return fmt.Errorf("%s is behind with %s", c.Service, h.Topic)
				}
			}
		}
		return nil
	})

	// A letter whose event can be handled by now: that of a release before, say.
	var told []byte
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	require.NoError(t, s.Read(ctx, event.TopicTasks, func(r suite.Record) bool {
		if r.Event.Type == event.TaskCompleted && r.Event.Subject == task.ID.String() {
			told = r.Value
		}
		return told != nil
	}))
	var completed struct{ ID string }
	require.NoError(t, json.Unmarshal(told, &completed))
	for service, schema := range map[string]string{"audit-log": "audit", "recurring-task": "recurring", "notification": "notification"} {
		path := "/api/operator/dead-letters/" + service
		deadLetter := func(payload []byte) int {
			return s.query(t, "INSERT INTO "+schema+`.dead_letters (fingerprint, topic, key, event_id, source, type, reason, payload, metadata, received_at)
				VALUES (sha256(random()::text::bytea), $1, '', '', '', $2, 'a test', $3, '{}', now()) RETURNING id`, event.TopicTasks, t.Name(), payload)
		}
		poison := deadLetter([]byte("{}"))
		replay := func(letter int) settled {
			t.Helper()
			return must[settled](u, http.StatusOK, http.MethodPost, fmt.Sprintf("%s/%d/replay", path, letter), nil)
		}
		listed := func() (n int) {
			for _, l := range must[page[struct{ Type, Reason string }]](u, http.StatusOK, http.MethodGet, path, nil).Items {
				if l.Type == t.Name() {
					n++
				}
			}
			return n
		}
		require.Equal(t, 1, listed(), service)
		failed := replay(poison)
		require.Equal(t, "failed", failed.Outcome, service)
		require.NotEmpty(t, failed.Reason)
		if service == "notification" { // which has handled it, and forgets that
			s.execute(t, fmt.Sprintf("DELETE FROM notification.inbox WHERE id = '%s'", completed.ID))
			good := deadLetter(told)
			require.Equal(t, "replayed", replay(good).Outcome)
			require.Equal(t, 1, s.query(t, "SELECT count(*) FROM notification.inbox WHERE id = $1", completed.ID), "through the inbox, as by the command")
			require.Equal(t, "resolved", replay(good).Outcome)
		}
		must[any](stranger, http.StatusNotFound, http.MethodPost, fmt.Sprintf("%s/%d/discard", path, poison), object{"reason": "a test"})
		discarded := must[settled](u, http.StatusOK, http.MethodPost, fmt.Sprintf("%s/%d/discard", path, poison), object{"reason": "a test"})
		require.Equal(t, "discarded", discarded.Outcome)
		require.Zero(t, listed(), service)
		require.Equal(t, 1, s.query(t, "SELECT count(*) FROM "+schema+".dead_letter_acts WHERE dead_letter_id = $1 AND act = 'discard' AND operator = $2 AND reason = 'a test'", poison, "user/"+id.String()))
		eventually(t, func() error {
			if n := s.query(t, "SELECT count(*) FROM audit.entries WHERE actor_id = $1 AND action = 'user.discard_asked' AND target = $2", id, fmt.Sprintf("dead_letter/%s/%d", service, poison)); n != 1 {
				return fmt.Errorf("%d entries of the audit trail", n)
			}
			return nil
		})
	}
	u.operates("--revoke")
	must[any](u, http.StatusNotFound, http.MethodGet, "/api/operator/state", nil)
}
