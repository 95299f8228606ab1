package task

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
)

var moves = flag.Int("moves", 2_000, "how many tasks TestMovesToOnePlace moves")

// However often tasks are put in one place, there is room for one more: those around are put
// further apart where it is needed, and keep their order. What a move writes of the moved task
// besides its position, and of whoever may move, is left to tests of the API.
func TestMovesToOnePlace(t *testing.T) {
	t.Parallel()
	const atOnce = 50
	a := newAccount(t, newStore(t))
	var order []uuid.UUID
	for i := range 8 {
		order = append(order, a.create(Draft{Title: fmt.Sprint(i)}))
	}
	// All that are ahead of one in the middle go before it by turns, so that in the end they
	// are in the order that they had.
	ahead, middle := order[:5], order[5]
	for range *moves / atOnce {
		err := a.Changes.Do(a.ctx, a.actor, func(ctx context.Context, tx *change.Tx) error {
			for i := range atOnce {
				moved := &Task{ID: ahead[i%len(ahead)], ListID: access.Inbox(a.id)}
				if err := place(ctx, tx, moved, Move{Before: &middle}); err != nil {
					return err
				}
				if _, err := tx.NewRaw("UPDATE task.tasks SET position = ? WHERE id = ?", moved.Position, moved.ID).Exec(ctx); err != nil {
					return err
				}
			}
			return nil
		})
		require.NoError(t, err)
	}
	var now []spot
	require.NoError(t, a.DB.NewRaw("SELECT id, position FROM task.tasks WHERE user_id = ? ORDER BY position, id", a.id).Scan(a.ctx, &now))
	require.Len(t, now, len(order))
	for i, s := range now {
		require.Equal(t, order[i], s.ID)
		require.Truef(t, minPosition <= s.Position && s.Position <= maxPosition, "%d is exact as a double", s.Position)
	}
	require.True(t, slices.IsSortedFunc(now, func(a, b spot) int { return int(a.Position - b.Position) }))

	// The one in the middle was never moved: it made room, and each time that is a version.
	var version int
	require.NoError(t, a.DB.NewRaw("SELECT version FROM task.tasks WHERE id = ?", middle).Scan(a.ctx, &version))
	t.Logf("room was made %d times", version-1)
	require.Greater(t, version, *moves/50)
}
