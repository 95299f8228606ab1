package task

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The trash is emptied of what is old, and of nothing else, however much that is.
func TestTheTrashIsEmptiedOfWhatIsOld(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	a := newAccount(t, s)
	start := *at("2027-01-01T00:00:00Z")
	a.is(start)
	for range purgeBatch + 5 {
		require.NoError(t, a.Delete(t.Context(), a.actor, a.create(Draft{Title: "old", DueAt: &start, Recurrence: &RecurrenceDraft{RRule: "FREQ=DAILY"}}), nil))
	}
	a.is(start.Add(time.Hour))
	require.NoError(t, a.Delete(t.Context(), a.actor, a.create(Draft{Title: "new"}), nil))
	n, err := a.purgeOld(t.Context(), start.Add(time.Minute))
	require.NoError(t, err)
	require.Equal(t, purgeBatch, n)
	n, err = a.purgeOld(t.Context(), start.Add(time.Minute))
	require.NoError(t, err)
	require.Equal(t, 5, n)
	trash, err := a.Trash(t.Context(), a.actor, nil, 100)
	require.NoError(t, err)
	require.Len(t, trash, 1)
	require.Equal(t, "new", trash[0].Title)
	var remembered int
	require.NoError(t, s.DB.NewRaw("SELECT count(*) FROM task.gone_occurrences").Scan(t.Context(), &remembered))
	require.Zero(t, remembered, "nothing is kept of series that are gone")
}
