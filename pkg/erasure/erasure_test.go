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
	for _, want := range []struct {
		more bool
		err  error
	}{{true, failing}, {true, nil}, {false, nil}} {
		more, err := k.Erase(t.Context())
		require.ErrorIs(t, err, want.err)
		require.Equal(t, want.more, more)
	}
	require.Equal(t, []uuid.UUID{first, second}, tried)
	now, failing = now.Add(2*time.Minute), nil
	_, err = k.Erase(t.Context())
	require.NoError(t, err)
	require.Equal(t, []uuid.UUID{first, second, first}, tried)
}
