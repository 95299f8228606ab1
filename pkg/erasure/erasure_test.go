package erasure_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/database/databasetest"
	"github.com/taskwire/taskwire/pkg/erasure"
	"github.com/taskwire/taskwire/pkg/subscribe"
)

func TestMain(m *testing.M) { os.Exit(databasetest.Main(m)) }

// One whose erasure fails holds up no other, and is tried again later.
func TestOneThatFailsHoldsUpNobody(t *testing.T) {
	db, err := database.Open(t.Context(), databasetest.New(t))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	for _, sql := range []string{"CREATE SCHEMA x", fmt.Sprintf(subscribe.Tables, "x"), fmt.Sprintf(subscribe.Letters, "x"), fmt.Sprintf(erasure.Tables, "x")} {
		_, err := db.ExecContext(t.Context(), sql)
		require.NoError(t, err)
	}
	now := time.Now()
	first, second := uuid.New(), uuid.New()
	failing := errors.New("not this one")
	var tried []uuid.UUID
	k := &erasure.Keeper{DB: db, Schema: "x", Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler), Step: func(_ context.Context, _ bun.Tx, of *erasure.Subject) (bool, error) {
		tried = append(tried, of.ID)
		if of.ID == first {
			return false, failing
		}
		return true, nil
	}}
	for _, id := range []uuid.UUID{first, second} {
		require.NoError(t, k.Record(t.Context(), db, erasure.User, id))
		now = now.Add(time.Second)
	}
	now = now.Add(erasure.DefaultSettle)
	// Something else may be under way in the cluster, such as Postgres' own work.
	step := func(want error) {
		t.Helper()
		require.Eventually(t, func() bool {
			more, err := k.Erase(t.Context())
			if more {
				require.ErrorIs(t, err, want)
			}
			return more
		}, time.Minute, 10*time.Millisecond)
	}
	step(failing)
	step(nil)
	more, err := k.Erase(t.Context())
	require.NoError(t, err)
	require.False(t, more)
	require.Equal(t, []uuid.UUID{first, second}, tried)
	now, failing = now.Add(2*time.Minute), nil
	step(nil)
	require.Equal(t, []uuid.UUID{first, second, first}, tried)
}

// An event was looked at before its user was erased, and waited for a lock for longer than
// an erasure gave it: what it wrote stayed.
func TestWhatIsUnderWayIsWaitedFor(t *testing.T) {
	db, err := database.Open(t.Context(), databasetest.New(t))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	for _, sql := range []string{"CREATE SCHEMA x", fmt.Sprintf(subscribe.Tables, "x"), fmt.Sprintf(subscribe.Letters, "x"), fmt.Sprintf(erasure.Tables, "x"), "CREATE TABLE x.effects (user_id uuid)"} {
		_, err := db.ExecContext(t.Context(), sql)
		require.NoError(t, err)
	}
	now, user := time.Now(), uuid.New()
	k := &erasure.Keeper{DB: db, Schema: "x", Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler), Step: func(ctx context.Context, tx bun.Tx, of *erasure.Subject) (bool, error) {
		_, err := tx.NewRaw("DELETE FROM x.effects WHERE user_id = ?", of.ID).Exec(ctx)
		return true, err
	}}
	writing, err := db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	_, err = writing.ExecContext(t.Context(), "INSERT INTO x.inbox (source, id, handled_at) VALUES ('s', 'e', now())")
	require.NoError(t, err)
	among, err := k.Among(t.Context(), writing, map[uuid.UUID]bool{user: true})
	require.NoError(t, err)
	require.Empty(t, among)

	require.NoError(t, k.Record(t.Context(), db, erasure.User, user))
	now = now.Add(time.Hour)
	for range 3 {
		more, err := k.Erase(t.Context())
		require.NoError(t, err)
		require.False(t, more)
	}
	_, err = writing.NewRaw("INSERT INTO x.effects VALUES (?)", user).Exec(t.Context())
	require.NoError(t, err)
	require.NoError(t, writing.Commit())
	require.Eventually(t, func() bool { // other tests write into the cluster
		more, err := k.Erase(t.Context())
		require.NoError(t, err)
		return more
	}, time.Minute, 10*time.Millisecond)
	n, err := db.NewSelect().Table("x.effects").Count(t.Context())
	require.NoError(t, err)
	require.Zero(t, n)
	// Who comes after it has nothing to wait for but what is under way then.
	require.NoError(t, k.Record(t.Context(), db, erasure.User, uuid.New()))
	now = now.Add(time.Hour)
	require.Eventually(t, func() bool {
		more, err := k.Erase(t.Context())
		require.NoError(t, err)
		return more
	}, time.Minute, 10*time.Millisecond)
}
