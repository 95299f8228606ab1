package task

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
)

// Of a long list, all tasks were read for some that were asked for by their ids.
func TestTasksThatAreKnownAreReadAlone(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	const tasks, known = 4000, 100
	a := many(t, s, tasks)
	a.shortListsOfOthers()
	ids := make([]uuid.UUID, known)
	for i := range ids {
		ids[i] = uuidOf(t, s, fmt.Sprintf("t%d", 2000+5*i))
	}
	require.LessOrEqual(t, reads(t, s, "task.tasks", func() {
		found, err := s.ByID(t.Context(), a.actor, ids)
		require.NoError(t, err)
		require.Len(t, found, known)
	}), 2*known)
	for round := range 7 { // Postgres plans a statement for any values from the sixth time on
		steps := make([]Step, known)
		for i, id := range ids {
			steps[i] = PatchStep(id, nil, Patch{Title: Optional[string]{Present: true, Value: fmt.Sprint(round)}})
		}
		require.LessOrEqual(t, reads(t, s, "task.tasks", func() {
			_, _, err := s.Together(t.Context(), a.actor, steps)
			require.NoError(t, err)
		}), 12*known)
	}
}

// Who left a long list had the tasks of everybody looked through.
func TestOfAListThatIsLeftItsTasksAloneAreRead(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	const tasks = 8000
	a := newAccount(t, s)
	member, mine := uuid.New(), uuidOf(t, s, "t4000")
	_, err := s.DB.NewRaw(`INSERT INTO task.tasks (id, user_id, title, description, is_complete, priority, tags, all_day, timezone, version, created_at, updated_at, assignee_id)
		SELECT md5('t' || n)::uuid, ?0, 'x', '', false, 0, '{}', false, 'UTC', 1, now(), now(), CASE n WHEN 4000 THEN ?1::uuid END FROM generate_series(1, ?2) n`, a.id, member, tasks).Exec(t.Context())
	require.NoError(t, err)
	a.shortListsOfOthers()
	require.LessOrEqual(t, reads(t, s, "task.tasks", func() {
		_, err := s.DB.ExecContext(t.Context(), "SET enable_seqscan = off") // as with a table of millions
		require.NoError(t, err)
		err = s.Changes.Do(t.Context(), a.actor, func(ctx context.Context, tx *change.Tx) error {
			return Forget(ctx, tx, access.Inbox(a.id), member)
		})
		require.NoError(t, err)
	}), 2*tasks)
	found, err := s.ByID(t.Context(), a.actor, []uuid.UUID{mine})
	require.NoError(t, err)
	require.Nil(t, found[mine].AssigneeID)
}
