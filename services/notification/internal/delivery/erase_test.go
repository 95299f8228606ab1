package delivery_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/services/notification/internal/delivery"
	"github.com/taskwire/taskwire/services/notification/internal/erase"
)

// found says in how many rows of the service's tables a text is.
func (s *suite) found(text string) (n int) {
	s.t.Helper()
	require.NoError(s.t, s.db.NewRaw(`SELECT (SELECT count(*) FROM notification.notifications x WHERE x::text ILIKE ?0) + (SELECT count(*) FROM notification.deliveries x WHERE x::text ILIKE ?0)
		+ (SELECT count(*) FROM notification.erased x WHERE x::text ILIKE ?0) + (SELECT count(*) FROM notification.dead_letters x WHERE x::text ILIKE ?0 OR encode(payload, 'escape') ILIKE ?0)`,
		"%"+text+"%").Scan(context.Background(), &n))
	return n
}

func TestWhoIsErasedIsGone(t *testing.T) {
	s := newSuite(t)
	h := s.route(s.start().deliverer)
	bob := uuid.New()
	r, others := s.newReminder("ada@example.com"), s.newReminder("bob@example.com")
	ada := r.user
	byAda := func(d map[string]any) { d["author"] = map[string]any{"user_id": ada, "name": "Ada Lovelace"} }
	ofTask := func(d map[string]any) { d["task_id"], d["title"] = others.task, "her task" }
	bad := s.comment(ada, func(d map[string]any) { d["title"] = 7 })
	send := func() {
		t.Helper()
		require.Equal(t, []string{"SUCCESS", "SUCCESS", "SUCCESS", "SUCCESS", "SUCCESS"},
			post(t, h, event.TopicReminders, s.dueBytes(r), s.comment(ada), s.comment(bob, byAda), s.comment(bob, ofTask), bad))
	}
	send()
	s.due(others)
	s.reach(r, delivery.Email, delivery.Sent)
	s.reach(others, delivery.InApp, delivery.Sent)
	require.Positive(t, s.found(ada.String()))

	gone := event.TaskEvent{
		Frame:    event.Frame{EventType: event.TaskDeleted, TaskID: others.task, UserID: ada, Timestamp: s.clock(), Metadata: map[string]any{event.MetaErased: true}},
		TaskData: event.Task{ID: others.task},
	}
	erased := event.AccountEvent{Frame: event.Frame{EventType: event.AccountErased, UserID: ada, Timestamp: s.clock(), Metadata: map[string]any{}}}
	raw := s.encode(event.TopicTasks, event.AccountErased, uuid.Nil, erased)
	require.Equal(t, []string{"SUCCESS", "SUCCESS", "SUCCESS"}, post(t, h, event.TopicTasks, s.encode(event.TopicTasks, event.TaskDeleted, others.task, gone), raw, raw))
	eraser := erase.New(s.db, func() time.Time { return s.clock().Add(time.Minute) }, slog.New(slog.DiscardHandler))
	all := func() {
		for more := true; more; {
			var err error
			more, err = eraser.Erase(context.Background())
			require.NoError(t, err)
		}
	}
	all()
	look := func() {
		t.Helper()
		for _, text := range []string{ada.String(), "Ada Lovelace", "her task", others.task.String()} {
			require.Zero(t, s.found(text), text)
		}
		require.Empty(t, s.shown(ada))
		require.Len(t, s.shown(bob), 1, "that of his own task stays, of nobody")
		require.Empty(t, s.shown(bob)[0].Author.Name)
	}
	look()

	// What comes later, as by a replay that the inbox does not know, brings nothing back.
	_, err := s.db.NewRaw("DELETE FROM notification.inbox").Exec(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"SUCCESS", "SUCCESS", "SUCCESS"}, post(t, h, event.TopicReminders, s.dueBytes(r), s.comment(ada), s.comment(bob, byAda)))
	require.Equal(t, []string{"SUCCESS"}, post(t, h, event.TopicTasks, raw))
	all()
	look()
}
