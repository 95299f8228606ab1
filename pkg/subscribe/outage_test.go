package subscribe_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/subscribe"
)

// The sidecar delivers each event again every second.
func TestWhatFailsAgainAndAgainIsLoggedOnce(t *testing.T) {
	var logged bytes.Buffer
	db := newDB(t)
	s := subscribe.New(subscribe.Options{DB: db, Schema: "consumer", AppAPIToken: token, Log: slog.New(slog.NewTextHandler(&logged, nil)), Now: time.Now})
	s.InTx(event.TopicTasks, func(_ context.Context, _ bun.Tx, events []subscribe.Event) error {
		for _, e := range events {
			if strings.HasPrefix(e.Key, "bad") {
				return errors.New("task-api is away: " + e.Key)
			}
		}
		return nil
	})
	c := &consumer{s, t, db, chi.NewRouter()}
	s.Mount(c.router)
	bad, worse := record(t, "bad"), record(t, "bad too")
	for range 20 {
		require.Equal(t, []string{retry, success}, c.deliver(bad, record(t, "good")))
	}
	require.Equal(t, 1, strings.Count(logged.String(), "level=WARN"))
	require.Contains(t, logged.String(), "event_id=")
	c.deliver(bad, worse)
	require.Equal(t, 2, strings.Count(logged.String(), "level=WARN"), "another cause is told, too")
}
