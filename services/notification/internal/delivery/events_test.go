package delivery_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/subscribe"
	"github.com/taskwire/taskwire/services/notification/internal/delivery"
	"github.com/taskwire/taskwire/services/notification/internal/erase"
)

// route serves the event routes as main does; the sidecar is the caller.
func (s *suite) route(d *delivery.Deliverer) http.Handler {
	return s.serve(delivery.NewConsumer(s.clock, erase.New(s.db, s.clock, slog.New(slog.DiscardHandler)), d.Wake))
}

func (s *suite) serve(consumer *delivery.Consumer) http.Handler {
	events := subscribe.New(subscribe.Options{DB: s.db, Schema: "notification", AppAPIToken: "app-token", Log: slog.New(slog.DiscardHandler), Now: s.clock})
	consumer.Subscribe(events)
	router := chi.NewRouter()
	router.Use(consumer.Wake)
	events.Mount(router)
	return router
}

func post(t *testing.T, h http.Handler, topic string, events ...[]byte) []string {
	t.Helper()
	var entries []map[string]any
	for i, e := range events {
		entries = append(entries, map[string]any{"entryId": string(rune('a' + i)), "event": base64.StdEncoding.EncodeToString(e), "contentType": "application/octet-stream"})
	}
	body, err := json.Marshal(map[string]any{"entries": entries})
	require.NoError(t, err)
	req := httptest.NewRequestWithContext(context.Background(), "POST", "/events/"+topic, bytes.NewReader(body))
	req.Header.Set("dapr-api-token", "app-token")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	require.Equal(t, 200, w.Code, w.Body.String())
	var answer struct{ Statuses []struct{ Status string } }
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &answer))
	var statuses []string
	for _, s := range answer.Statuses {
		statuses = append(statuses, s.Status)
	}
	return statuses
}

func (s *suite) dueBytes(r reminder) []byte {
	s.t.Helper()
	raw, err := json.Marshal(s.dueEvent(r).Event)
	require.NoError(s.t, err)
	return raw
}

func TestRedeliveredEventHasOneEffect(t *testing.T) {
	s := newSuite(t)
	h := s.route(s.start().deliverer)
	r := s.newReminder("ada@example.com")
	raw := s.dueBytes(r)
	require.Equal(t, []string{"SUCCESS", "SUCCESS"}, post(t, h, event.TopicReminders, raw, raw))
	// No wake but the route's own: what was committed is found at once.
	s.reach(r, delivery.Email, delivery.Sent)
	s.reach(r, delivery.InApp, delivery.Sent)
	require.Equal(t, []string{"SUCCESS"}, post(t, h, event.TopicReminders, raw))
	last := s.newReminder("bob@example.com")
	require.Equal(t, []string{"SUCCESS"}, post(t, h, event.TopicReminders, s.dueBytes(last)))
	s.reach(last, delivery.Email, delivery.Sent)
	s.reach(last, delivery.InApp, delivery.Sent)
	require.Equal(t, 1, s.mail.Count("ada@example.com"))
	require.Equal(t, 2, s.notifications())
}

func TestPoisonIsKeptAndBlocksNothing(t *testing.T) {
	s := newSuite(t)
	h := s.route(s.start().deliverer)
	good := s.newReminder("ada@example.com")
	frame := func(change func(map[string]any)) []byte {
		data := map[string]any{
			"event_type": event.ReminderDue, "task_id": uuid.New(), "user_id": uuid.New(), "timestamp": s.clock(), "metadata": map[string]any{},
			"reminder_id": uuid.New(), "title": "tea", "due_at": nil, "remind_at": s.clock(), "timezone": "UTC", "priority": "none",
		}
		change(data)
		return s.encode(event.TopicReminders, event.ReminderDue, uuid.New(), data)
	}
	bad := map[string][]byte{
		"no reminder":     frame(func(d map[string]any) { delete(d, "reminder_id") }),
		"no task":         frame(func(d map[string]any) { d["task_id"] = nil }),
		"no user":         frame(func(d map[string]any) { d["user_id"] = uuid.Nil }),
		"no time":         frame(func(d map[string]any) { delete(d, "remind_at") }),
		"NUL":             frame(func(d map[string]any) { d["title"] = "a\x00b" }),
		"number as title": frame(func(d map[string]any) { d["title"] = 7 }),
		"year 0":          frame(func(d map[string]any) { d["remind_at"] = "0000-06-01T00:00:00Z" }),
		"before year 1":   frame(func(d map[string]any) { d["due_at"] = "0001-01-01T00:00:00+14:00" }),
		"after year 9999": frame(func(d map[string]any) { d["remind_at"] = "9999-12-31T23:59:00-12:00" }),
		"no JSON":         []byte("{"),
	}
	want := 0
	for name, raw := range bad {
		require.Equal(t, []string{"SUCCESS"}, post(t, h, event.TopicReminders, raw), name)
		want++
		n, err := s.db.NewSelect().Table("notification.dead_letters").Count(context.Background())
		require.NoError(t, err)
		require.EqualValues(t, want, n, name)
	}
	require.Equal(t, []string{"SUCCESS", "SUCCESS"}, post(t, h, event.TopicReminders, frame(func(d map[string]any) { d["title"] = "a\x00c" }), s.dueBytes(good)))
	s.reach(good, delivery.Email, delivery.Sent)

	s.advance(time.Second)
	require.Equal(t, []string{"SUCCESS"}, post(t, h, event.TopicTasks, s.encode(event.TopicTasks, event.TaskUpdated, uuid.New(), map[string]any{"task_data": 7})))
}
