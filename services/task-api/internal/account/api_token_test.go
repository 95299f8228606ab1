package account

import (
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/auth"
	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/database/databasetest"
	"github.com/taskwire/taskwire/pkg/eventlog"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
	"github.com/taskwire/taskwire/services/task-api/internal/migrations"
)

// That a token is used costs no write of its own; it ends at its time, and is seen for 30
// days more.
func TestATokenFromItsFirstUseToItsEnd(t *testing.T) {
	db, url := databasetest.Open(t, migrations.Schema)
	log, now := slog.New(slog.DiscardHandler), time.Date(2026, 11, 1, 9, 0, 0, 0, time.UTC)
	signal := func() *eventlog.Signal { return eventlog.NewSignal(url, "nobody", log) }
	changes := &change.Writer{DB: db, Events: signal(), Clock: signal(), Now: func() time.Time { return now }}
	u := &User{ID: uuid.New(), Email: "ada@example.org", Timezone: "UTC"}
	_, err := (&Store{DB: db, Changes: changes}).Create(t.Context(), access.Origin{}, u)
	require.NoError(t, err)
	tokens := NewAPITokens(db, changes, TokenLimits{}, nil, log)
	actor := access.Actor{UserID: u.ID, SignedInAt: now}
	made, secret, err := tokens.Create(t.Context(), actor, TokenDraft{Name: "x", Scopes: []auth.Scope{auth.CalDAV, auth.TasksRead}})
	require.NoError(t, err)
	seen := func() []*APIToken {
		list, err := tokens.List(t.Context(), actor, nil, 10)
		require.NoError(t, err)
		return list
	}
	use := func() error {
		caller, err := tokens.BySecret(t.Context(), secret)
		if err == nil {
			require.True(t, made.ExpiresAt.Equal(caller.ExpiresAt))
			caller.ExpiresAt = time.Time{}
			require.Equal(t, auth.Caller{UserID: u.ID, Email: u.Email, TokenID: made.ID, Scopes: []auth.Scope{auth.TasksRead, auth.CalDAV}}, caller)
			require.True(t, caller.SignedInAt.IsZero(), "that he shows a token proves nothing about who he is")
		}
		return err
	}
	for range 2 {
		now = now.Add(time.Hour)
		before := seen()[0].LastUsedAt
		require.NoError(t, use())
		require.Equal(t, before, seen()[0].LastUsedAt, "not yet written")
		require.NoError(t, tokens.writeUsed(t.Context(), tokens.ofUse()))
		require.Equal(t, now, seen()[0].LastUsedAt.UTC())
	}
	// A replica that writes later what was used earlier changes nothing.
	tokens.use(made.ID, now.Add(-time.Hour), byRequest)
	require.NoError(t, tokens.writeUsed(t.Context(), tokens.ofUse()))
	require.Equal(t, now, seen()[0].LastUsedAt.UTC())

	prune := func() {
		_, err := database.Prune(t.Context(), db, tokens.ofUse().old())
		require.NoError(t, err)
	}
	// It is known for a moment, and not longer than it is good.
	now = made.ExpiresAt.Add(-time.Second)
	require.NoError(t, use())
	now = made.ExpiresAt
	require.ErrorIs(t, use(), auth.ErrRefused)
	require.ErrorIs(t, Credentials{APITokens: tokens}.Alive(t.Context(), auth.Caller{UserID: u.ID, TokenID: made.ID}), auth.ErrRefused)
	now = made.ExpiresAt.Add(30 * 24 * time.Hour)
	prune()
	require.Len(t, seen(), 1)
	now = now.Add(time.Second)
	prune()
	require.Empty(t, seen())
}
