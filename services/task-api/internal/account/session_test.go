package account

import (
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/auth"
	"github.com/taskwire/taskwire/pkg/database/databasetest"
	"github.com/taskwire/taskwire/pkg/eventlog"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
	"github.com/taskwire/taskwire/services/task-api/internal/migrations"
)

func TestMain(m *testing.M) { os.Exit(databasetest.Main(m)) }

// A session lives for 30 days from its last use, which costs no write of its own.
func TestASessionLivesFromItsLastUse(t *testing.T) {
	db, url := databasetest.Open(t, migrations.Schema)
	log, now := slog.New(slog.DiscardHandler), time.Date(2026, 11, 1, 9, 0, 0, 0, time.UTC)
	signal := func() *eventlog.Signal { return eventlog.NewSignal(url, "nobody", log) }
	changes := &change.Writer{DB: db, Events: signal(), Clock: signal(), Now: func() time.Time { return now }}
	u := &User{ID: uuid.New(), Email: "ada@example.org", Timezone: "UTC"}
	users := &Store{DB: db, Changes: changes}
	opened, err := users.Create(t.Context(), access.Origin{UserAgent: "a browser", IP: "203.0.113.7"}, u)
	require.NoError(t, err)
	sessions := NewSessions(db, changes, nil, log)
	caller := func() error {
		_, err := sessions.ByCookie(t.Context(), opened.Secret)
		return err
	}
	lastSeen := func() time.Time {
		list, err := sessions.List(t.Context(), access.Actor{UserID: u.ID}, opened.ID)
		require.NoError(t, err)
		require.Len(t, list, 1)
		return list[0].LastSeenAt
	}
	for range 3 {
		now = now.Add(29 * 24 * time.Hour)
		require.NoError(t, caller())
		require.Equal(t, now.Add(-29*24*time.Hour).Unix(), lastSeen().Unix(), "not yet written")
		require.NoError(t, sessions.writeUsed(t.Context(), sessions.ofUse()))
		require.Equal(t, now.Unix(), lastSeen().Unix())
	}
	// By what goes on it is known to ten minutes, so that it is not written each minute.
	now = now.Truncate(10 * time.Minute).Add(10 * time.Minute)
	for _, c := range []struct{ after, seen time.Duration }{{time.Minute, 0}, {9 * time.Minute, 0}, {12 * time.Minute, 10 * time.Minute}} {
		began := now
		now = began.Add(c.after)
		require.NoError(t, Credentials{Sessions: sessions}.Alive(t.Context(), auth.Caller{UserID: u.ID, SessionID: opened.ID}))
		require.NoError(t, sessions.writeUsed(t.Context(), sessions.ofUse()))
		require.Equal(t, began.Add(c.seen).Unix(), lastSeen().Unix(), "%s", c.after)
		now = began
	}
	now = now.Add(10*time.Minute + 30*24*time.Hour + time.Second)
	require.ErrorIs(t, caller(), auth.ErrRefused)
}
