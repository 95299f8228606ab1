package change_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/database/databasetest"
	"github.com/taskwire/taskwire/pkg/eventlog"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
	"github.com/taskwire/taskwire/services/task-api/internal/migrations"
)

func TestMain(m *testing.M) { os.Exit(databasetest.Main(m)) }

func newWriter(t *testing.T) *change.Writer {
	t.Helper()
	url, log := databasetest.New(t), slog.New(slog.DiscardHandler)
	require.NoError(t, database.Migrate(t.Context(), database.Migration{OwnerURL: url, RuntimeURL: url, Schema: migrations.Schema, Log: log}))
	db, err := database.Open(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	db.SetMaxOpenConns(1) // who leaves a transaction behind is met by the next one
	signal := eventlog.NewSignal(url, "of a test", log)
	return &change.Writer{DB: db, Events: signal, Clock: signal, Now: time.Now}
}

var user = uuid.New()

// keep writes a row that a change can be known by.
func keep(ctx context.Context, db bun.IDB, key string) error {
	_, err := db.NewRaw("INSERT INTO task.idempotency_keys (user_id, key, request_hash, created_at) VALUES (?, ?, '', now())", user, key).Exec(ctx)
	return err
}

func kept(ctx context.Context, t *testing.T, db bun.IDB) []string {
	t.Helper()
	keys := []string{}
	require.NoError(t, db.NewSelect().Table("task.idempotency_keys").Column("key").Order("key").Scan(ctx, &keys))
	return keys
}

func TestAChangeIsWrittenAsAWhole(t *testing.T) {
	failed := errors.New("it may not")
	for name, c := range map[string]struct {
		change func(ctx context.Context, t *testing.T, tx *change.Tx, try int) error
		fails  func(error) bool // nil: it does not
		kept   []string
	}{
		"what is put off comes before the commit": {func(ctx context.Context, _ *testing.T, tx *change.Tx, _ int) error {
			return errors.Join(keep(ctx, tx.Later(), "a"), keep(ctx, tx.Later(), "b"))
		}, nil, []string{"a", "b"}},
		"and with the next statement, in its order": {func(ctx context.Context, _ *testing.T, tx *change.Tx, _ int) error {
			err := keep(ctx, tx.Later(), "a")
			_, updated := tx.NewRaw("UPDATE task.idempotency_keys SET key = 'b' WHERE key = 'a'").Exec(ctx)
			return errors.Join(err, updated)
		}, nil, []string{"b"}},
		"what is read sees it": {func(ctx context.Context, t *testing.T, tx *change.Tx, _ int) error {
			err := keep(ctx, tx.Later(), "a")
			require.Equal(t, []string{"a"}, kept(ctx, t, tx))
			return err
		}, nil, []string{"a"}},
		"texts are texts": {func(ctx context.Context, _ *testing.T, tx *change.Tx, _ int) error {
			return errors.Join(keep(ctx, tx.Later(), `it's ?0 \'; COMMIT; DROP TABLE task.events; --`), keep(ctx, tx.Later(), "?"))
		}, nil, []string{"?", `it's ?0 \'; COMMIT; DROP TABLE task.events; --`}},
		"one that is refused undoes all": {func(ctx context.Context, _ *testing.T, tx *change.Tx, _ int) error {
			return errors.Join(keep(ctx, tx, "a"), keep(ctx, tx.Later(), "b"), keep(ctx, tx.Later(), "b"), keep(ctx, tx.Later(), "c"))
		}, database.IsUniqueViolation, []string{}},
		"an error undoes all": {func(ctx context.Context, _ *testing.T, tx *change.Tx, _ int) error {
			return errors.Join(keep(ctx, tx, "a"), keep(ctx, tx.Later(), "b"), failed)
		}, func(err error) bool { return errors.Is(err, failed) }, []string{}},
		"what answers can not be put off": {func(ctx context.Context, _ *testing.T, tx *change.Tx, _ int) error {
			_, err := tx.Later().NewDelete().Table("task.idempotency_keys").Where("true").Returning("key").Exec(ctx, new([]string))
			return err
		}, func(err error) bool { return err != nil }, []string{}},
		"a conflict is tried again": {func(ctx context.Context, _ *testing.T, tx *change.Tx, try int) error {
			err := keep(ctx, tx.Later(), "a")
			if try == 1 {
				_, refused := tx.Later().NewRaw("DO $$ BEGIN RAISE 'again' USING ERRCODE = '40001'; END $$").Exec(ctx)
				err = errors.Join(err, refused)
			}
			return err
		}, nil, []string{"a"}},
	} {
		t.Run(name, func(t *testing.T) {
			w, try := newWriter(t), 0
			err := w.Do(t.Context(), access.Actor{UserID: user}, func(ctx context.Context, tx *change.Tx) error {
				try++
				require.Equal(t, "UTC", tx.Zone)
				return c.change(ctx, t, tx, try)
			})
			if c.fails == nil {
				require.NoError(t, err)
			} else {
				require.True(t, c.fails(err), "%v", err)
			}
			require.Equal(t, c.kept, kept(t.Context(), t, w.DB))
			require.NoError(t, w.Do(t.Context(), access.Actor{}, func(ctx context.Context, tx *change.Tx) error { return keep(ctx, tx, "next") }))
		})
	}
}

// A change that is broken off leaves nothing, and its connection to the next one.
func TestAChangeIsBrokenOff(t *testing.T) {
	w := newWriter(t)
	backend := func() (pid int) {
		require.NoError(t, w.DB.NewRaw("SELECT pg_backend_pid()").Scan(t.Context(), &pid))
		return pid
	}
	before := backend()
	require.PanicsWithValue(t, "lost", func() {
		_ = w.Do(t.Context(), access.Actor{}, func(ctx context.Context, tx *change.Tx) error {
			require.NoError(t, keep(ctx, tx, "a"))
			panic("lost")
		})
	})
	ctx, hangUp := context.WithCancel(t.Context())
	err := w.Do(ctx, access.Actor{UserID: user}, func(ctx context.Context, tx *change.Tx) error {
		hangUp()
		return keep(ctx, tx.Later(), "a")
	})
	require.ErrorIs(t, err, context.Canceled)
	require.Empty(t, kept(t.Context(), t, w.DB))
	require.Equal(t, before, backend())
}

func TestAChangeKnowsTheZoneOfItsActor(t *testing.T) {
	w := newWriter(t)
	_, err := w.DB.NewRaw(`INSERT INTO task.users (id, email, password_hash, timezone, created_at, updated_at) VALUES (?, 'ada@example.org', '', 'Europe/Berlin', now(), now())`, user).Exec(t.Context())
	require.NoError(t, err)
	require.NoError(t, w.Do(t.Context(), access.Actor{UserID: user}, func(_ context.Context, tx *change.Tx) error {
		require.Equal(t, "Europe/Berlin", tx.Zone)
		return nil
	}))
}
