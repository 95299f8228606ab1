package followup_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/services/recurring-task/internal/ledger"
)

// erased tells of an erased account, and erases all that there is.
func (s *suite) erased(user uuid.UUID) {
	s.t.Helper()
	data, err := json.Marshal(event.AccountEvent{Frame: event.Frame{EventType: event.AccountErased, UserID: user, Timestamp: time.Now(), Metadata: map[string]any{}}})
	require.NoError(s.t, err)
	raw, err := event.Encode(event.Header{ID: uuid.Must(uuid.NewV7()), Topic: event.TopicTasks, Type: event.AccountErased, Subject: user.String(), Time: time.Now(), PartitionKey: user.String(), Sequence: 1}, data)
	require.NoError(s.t, err)
	require.Equal(s.t, "SUCCESS", s.deliver(raw))
	eraser := ledger.NewEraser(s.db, func() time.Time { return time.Now().Add(time.Minute) }, slog.New(slog.DiscardHandler))
	for more := true; more; {
		more, err = eraser.Erase(context.Background())
		require.NoError(s.t, err)
	}
}

func (s *suite) found(text string) (n int) {
	s.t.Helper()
	require.NoError(s.t, s.db.NewRaw(`SELECT (SELECT count(*) FROM recurring.occurrences x WHERE x::text ILIKE ?0) + (SELECT count(*) FROM recurring.erased x WHERE x::text ILIKE ?0)
		+ (SELECT count(*) FROM recurring.dead_letters x WHERE x::text ILIKE ?0 OR encode(payload, 'escape') ILIKE ?0)`, "%"+text+"%").Scan(context.Background(), &n))
	return n
}

// Of who is erased the ledger has nothing, but that a series in a list of others goes on.
func TestWhoIsErasedIsGone(t *testing.T) {
	s := newSuite(t)
	ada := uuid.New()
	series := func(list uuid.UUID) event.Task {
		id := uuid.New()
		return s.weekly(func(task *event.Task) { task.SeriesID, task.UserID, task.ListID = &id, ada, list })
	}
	private, inbox, shared, gone := series(uuid.Nil), series(event.InboxID(ada)), series(uuid.New()), series(uuid.New())
	bad := s.weekly(func(task *event.Task) { wall := "never"; task.Occurrence, task.UserID = &wall, ada })
	for _, task := range []event.Task{private, inbox, shared, gone, bad} {
		s.tell(event.TaskCreated, task)
	}
	require.Len(t, s.deadLetters(), 1)
	require.Len(t, s.rows(), 4)

	raw, err := json.Marshal(event.TaskEvent{
		Frame:    event.Frame{EventType: event.TaskDeleted, TaskID: gone.ID, UserID: ada, Timestamp: time.Now(), Metadata: map[string]any{event.MetaErased: true}},
		TaskData: gone,
	})
	require.NoError(t, err)
	raw, err = event.Encode(event.Header{ID: uuid.Must(uuid.NewV7()), Topic: event.TopicTasks, Type: event.TaskDeleted, Subject: gone.ID.String(), Time: time.Now(), PartitionKey: gone.ID.String(), Sequence: 1}, raw)
	require.NoError(t, err)
	require.Equal(t, "SUCCESS", s.deliver(raw))
	s.erased(ada)
	require.Zero(t, s.found(ada.String()))
	require.Zero(t, s.found(gone.SeriesID.String()))
	require.Equal(t, []string{"2027-01-04 open"}, s.rows())

	// Late events bring nothing back, and the series of others goes on.
	s.tell(event.TaskUpdated, completed(inbox, "2027-01-04T08:30:00Z"))
	s.tell(event.TaskUpdated, completed(private, "2027-01-04T08:30:00Z"))
	require.Equal(t, []string{"2027-01-04 open"}, s.rows())
	next := s.followed(shared, "2027-01-11T09:00:00")
	s.tell(event.TaskCompleted, completed(shared, "2027-01-04T08:30:00Z"))
	s.tell(event.TaskCreated, next, event.MetaFollows, *shared.Occurrence)
	require.Equal(t, []string{"2027-01-04 done", "2027-01-11 open"}, s.rows())
	require.Zero(t, s.found(ada.String()))
	s.erased(ada)
}
