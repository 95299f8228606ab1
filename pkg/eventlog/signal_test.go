package eventlog_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/database/databasetest"
	"github.com/taskwire/taskwire/pkg/eventlog"
)

// A stop waited a second for Postgres to cancel what does not run.
func TestASignalStopsAtOnce(t *testing.T) {
	url := databasetest.New(t)
	quickest := time.Hour
	for range 3 { // others work on the machine, too
		s := eventlog.NewSignal(url, "stop", slog.New(slog.DiscardHandler))
		waiter := s.Waiter()
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()
		<-waiter // it listens
		began := time.Now()
		stop()
		require.NoError(t, <-ended)
		quickest = min(quickest, time.Since(began))
	}
	require.Less(t, quickest, time.Second)
}
