package trail_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/event"
)

// Usual events are written by one statement: were it refused, all would go the longer way, and
// nobody would see it. What tells of an erasure, or names who was erased, goes that way.
func TestWhatIsWrittenInOneStatement(t *testing.T) {
	s := newService(t)
	ada, shared := uuid.New(), uuid.New()
	s.keep(
		newChange(ada, uuid.New(), event.TaskCreated, time.Hour),
		newChange(ada, uuid.New(), event.TaskUpdated, time.Hour).in(shared).says(`{"title":"a \"b\" \\ {c}"}`, "null"),
		newChange(ada, uuid.Nil, "user.registered", time.Hour),
	)
	require.Zero(t, s.recorded.Load())
	require.Equal(t, 3, s.count("entries"))

	s.keep(erased(ada))
	require.EqualValues(t, 1, s.recorded.Load())
	s.keep(newChange(ada, uuid.New(), event.TaskCreated, time.Hour))
	require.EqualValues(t, 2, s.recorded.Load())
	require.Equal(t, 5, s.count("entries"))
}
