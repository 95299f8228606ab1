package ledger_test

import (
	"context"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/recurrence"
)

// Occurrences were kept for good, 1,000 that were missed for each completion of a
// task that is long overdue.
func TestMissedOccurrencesAreForgottenAndOthersKept(t *testing.T) {
	s := newServer(t)
	ada := uuid.New()
	task := s.record(ada, 3)
	missed := func(n int, at time.Time) (all []recurrence.Occurrence) {
		for i := range n {
			due := at.Add(time.Duration(i) * time.Minute)
			all = append(all, recurrence.Occurrence{Wall: due.Format(recurrence.WallLayout), At: due})
		}
		return all
	}
	const life = 90 * 24 * time.Hour
	for i := range 5 {
		old := now.Add(-life).AddDate(0, 0, -1-i)
		require.NoError(t, s.ledger.RecordMissed(t.Context(), task, missed(recurrence.MaxPassed, old), old))
	}
	recent := now.Add(-life).Add(time.Hour)
	require.NoError(t, s.ledger.RecordMissed(t.Context(), task, missed(2, recent), recent))

	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- s.ledger.Keep(ctx, slog.New(slog.DiscardHandler), func() time.Time { return now })
	}()
	left := func() int {
		n, err := s.ledger.DB.NewSelect().Table("recurring.occurrences").Count(t.Context())
		require.NoError(t, err)
		return int(n)
	}
	require.Eventually(t, func() bool { return left() == 5 }, time.Minute, 10*time.Millisecond)
	stop()
	require.NoError(t, <-ended)

	var p page
	s.get(ada, "/api/tasks/"+task.ID.String()+"/occurrences", http.StatusOK, &p)
	status := map[any]int{}
	for _, item := range p.Items {
		status[item["status"]]++
	}
	require.Equal(t, map[any]int{"open": 1, "done": 2, "missed": 2}, status)
}
