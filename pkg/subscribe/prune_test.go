package subscribe_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/subscribe"
)

func TestTheInboxForgetsWhatCanNotComeAgain(t *testing.T) {
	db := newDB(t)
	now := time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)
	retention := 30 * 24 * time.Hour
	s := subscribe.New(subscribe.Options{DB: db, Schema: "consumer", Retention: retention, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return now }})
	add := func(prefix string, n int, age time.Duration) {
		_, err := db.ExecContext(t.Context(), `INSERT INTO consumer.inbox (source, id, handled_at)
			SELECT 's', ? || i, ? FROM generate_series(1, ?) i`, prefix, now.Add(-age), n)
		require.NoError(t, err)
	}
	left := func() (n int) {
		require.NoError(t, db.NewRaw("SELECT count(*) FROM consumer.inbox").Scan(t.Context(), &n))
		return n
	}
	add("old", 12_001, retention+48*time.Hour+time.Second)
	add("within the margin", 7, retention+48*time.Hour-time.Second)
	add("replayable", 3, retention-time.Hour)

	n, err := s.Prune(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 12_001, n, "more than one batch")
	require.Equal(t, 10, left())

	// The worker prunes when it starts, as two replicas do here.
	now = now.Add(time.Hour)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 2)
	for range 2 {
		go func() { ended <- s.Keep(ctx) }()
	}
	require.Eventually(t, func() bool { return left() == 3 }, 10*time.Second, 10*time.Millisecond)
	stop()
	require.NoError(t, <-ended)
	require.NoError(t, <-ended)
}
