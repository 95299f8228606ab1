package delivery_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/services/notification/internal/delivery"
	"github.com/taskwire/taskwire/services/notification/internal/inapp"
)

// comment is the event of one that user is told of.
func (s *suite) comment(user uuid.UUID, change ...func(map[string]any)) []byte {
	s.t.Helper()
	task := uuid.New()
	raw, err := json.Marshal(event.CommentEvent{
		Frame:     event.Frame{EventType: event.CommentAdded, TaskID: task, UserID: user, Timestamp: s.clock(), Metadata: map[string]any{}},
		CommentID: uuid.New(), Author: event.Author{UserID: uuid.New(), Name: "Grace"}, Title: secretTitle, Mentioned: true,
	})
	require.NoError(s.t, err)
	var data map[string]any
	require.NoError(s.t, json.Unmarshal(raw, &data))
	for _, c := range change {
		c(data)
	}
	return s.encode(event.TopicReminders, event.CommentAdded, task, data)
}

// shown are the notifications of a user.
func (s *suite) shown(user uuid.UUID) (found []inapp.Notification) {
	s.t.Helper()
	require.NoError(s.t, s.db.NewSelect().Model(&found).Where("user_id = ?", user).Order("id").Scan(context.Background()))
	return found
}

// However often its event comes, a comment is shown once, and nothing is mailed.
func TestACommentIsShownOnce(t *testing.T) {
	s := newSuite(t)
	h := s.route(s.start().deliverer)
	ada, bob := uuid.New(), uuid.New()
	r := s.newReminder("ada@example.com")
	raw := s.comment(ada)
	s.advance(250 * time.Millisecond)
	require.Equal(t, []string{"SUCCESS", "SUCCESS", "SUCCESS", "SUCCESS"}, post(t, h, event.TopicReminders, raw, s.dueBytes(r), raw, s.comment(bob)))
	require.Equal(t, []string{"SUCCESS"}, post(t, h, event.TopicReminders, raw))
	// Another replica, to which the inbox is not known to have it.
	_, err := s.db.NewRaw("DELETE FROM notification.inbox").Exec(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"SUCCESS"}, post(t, s.route(s.start().deliverer), event.TopicReminders, raw))

	e, err := event.Decode(raw)
	require.NoError(t, err)
	data, err := event.DataOf[event.CommentEvent](e)
	require.NoError(t, err)
	found := s.shown(ada)
	require.Len(t, found, 1)
	require.Len(t, s.shown(bob), 1)
	n := found[0]
	require.Equal(t, []any{e.ID(), inapp.Comment, data.TaskID, data.CommentID, data.Author, secretTitle, true, int64(250)},
		[]any{n.ID.String(), n.Kind, n.TaskID, *n.CommentID, *n.Author, n.Title, n.Mentioned, n.LateMS})
	require.Equal(t, []any{(*uuid.UUID)(nil), (*time.Time)(nil), (*time.Time)(nil)}, []any{n.ReminderID, n.RemindAt, n.ReadAt})

	s.reach(r, delivery.Email, delivery.Sent)
	s.reach(r, delivery.InApp, delivery.Sent)
	require.Equal(t, 2, s.count(delivery.Sent), "those of the reminder alone")
	require.Equal(t, 1, s.mail.Count("ada@example.com"))
	require.Equal(t, 3, s.notifications())
	require.Equal(t, []string{inapp.Reminder}, []string{s.shown(r.user)[0].Kind})
}

// What no comment can be is a dead letter, and holds no other up.
func TestACommentThatCanNotBeShownIsADeadLetter(t *testing.T) {
	s := newSuite(t)
	h := s.route(s.start().deliverer)
	ada := uuid.New()
	set := func(name string, value any) func(map[string]any) {
		return func(d map[string]any) { d[name] = value }
	}
	want := 0
	for name, change := range map[string]func(map[string]any){
		"no user":         set("user_id", uuid.Nil),
		"no task":         set("task_id", nil),
		"no comment":      func(d map[string]any) { delete(d, "comment_id") },
		"number as title": set("title", 7),
		"NUL":             set("title", "a\x00b"),
		"NUL in the name": set("author", map[string]any{"user_id": uuid.New(), "name": "a\x00b"}),
	} {
		require.Equal(t, []string{"SUCCESS", "SUCCESS"}, post(t, h, event.TopicReminders, s.comment(ada, change), s.comment(ada)), name)
		want++
		letters, err := s.db.NewSelect().Table("notification.dead_letters").Count(context.Background())
		require.NoError(t, err)
		require.EqualValues(t, want, letters, name)
		require.Len(t, s.shown(ada), want, name)
	}
}
