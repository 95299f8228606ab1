package change_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
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
	db, url := databasetest.Open(t, migrations.Schema)
	db.SetMaxOpenConns(1) // who leaves a transaction behind is met by the next one
	signal := eventlog.NewSignal(url, "of a test", slog.New(slog.DiscardHandler))
	return &change.Writer{DB: db, Events: signal, Clock: signal, Now: time.Now}
}

var user = uuid.New()

// A row that a change can be known by.
const row = "INSERT INTO task.idempotency_keys (user_id, key, request_hash, created_at) VALUES (?, ?, '', now())"

func keep(ctx context.Context, tx *change.Tx, key string) error {
	_, err := tx.NewRaw(row, user, key).Exec(ctx)
	return err
}

func later(tx *change.Tx, keys ...string) error {
	for _, key := range keys {
		tx.Queue(row, user, key)
	}
	return nil
}

func kept(ctx context.Context, t *testing.T, db interface{ NewSelect() *bun.SelectQuery }) []string {
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
		"what is queued comes before the commit": {func(_ context.Context, _ *testing.T, tx *change.Tx, _ int) error {
			return later(tx, "a", "b")
		}, nil, []string{"a", "b"}},
		"and with the next statement, in its order": {func(ctx context.Context, _ *testing.T, tx *change.Tx, _ int) error {
			err := later(tx, "a")
			_, updated := tx.NewRaw("UPDATE task.idempotency_keys SET key = 'b' WHERE key = 'a'").Exec(ctx)
			return errors.Join(err, updated)
		}, nil, []string{"b"}},
		"what is read sees it": {func(ctx context.Context, t *testing.T, tx *change.Tx, _ int) error {
			err := later(tx, "a")
			require.Equal(t, []string{"a"}, kept(ctx, t, tx))
			return err
		}, nil, []string{"a"}},
		"and what is read along with it": {func(ctx context.Context, t *testing.T, tx *change.Tx, _ int) error {
			err := later(tx, "a", "b")
			found, reading := change.Read[struct{ UserID uuid.UUID }](ctx, tx, "SELECT user_id FROM task.idempotency_keys WHERE user_id = ?", user)
			require.Len(t, found, 2)
			require.Equal(t, user, found[1].UserID)
			return errors.Join(err, reading)
		}, nil, []string{"a", "b"}},
		"how many rows a statement has met is its own answer": {func(ctx context.Context, t *testing.T, tx *change.Tx, _ int) error {
			err := later(tx, "a", "b")
			res, updated := tx.NewRaw("UPDATE task.idempotency_keys SET key = 'c' WHERE key = 'b'").Exec(ctx)
			require.NoError(t, updated)
			n, counted := res.RowsAffected()
			require.EqualValues(t, 1, n)
			return errors.Join(err, counted)
		}, nil, []string{"a", "c"}},
		"texts are texts": {func(_ context.Context, _ *testing.T, tx *change.Tx, _ int) error {
			return later(tx, `it's ?0 \'; COMMIT; DROP TABLE task.events; --`, "?", "$1")
		}, nil, []string{"$1", "?", `it's ?0 \'; COMMIT; DROP TABLE task.events; --`}},
		"one that is refused undoes all": {func(ctx context.Context, _ *testing.T, tx *change.Tx, _ int) error {
			return errors.Join(keep(ctx, tx, "a"), later(tx, "b", "b", "c"))
		}, database.IsUniqueViolation, []string{}},
		"one that is refused in silence is no success": {func(ctx context.Context, t *testing.T, tx *change.Tx, _ int) error {
			require.NoError(t, keep(ctx, tx, "a"))
			require.True(t, database.IsUniqueViolation(keep(ctx, tx, "a")))
			return nil
		}, func(err error) bool { return errors.Is(err, pgx.ErrTxCommitRollback) }, []string{}},
		"an error undoes all": {func(ctx context.Context, _ *testing.T, tx *change.Tx, _ int) error {
			return errors.Join(keep(ctx, tx, "a"), later(tx, "b"), failed)
		}, func(err error) bool { return errors.Is(err, failed) }, []string{}},
		"one that asks nothing is none": {func(context.Context, *testing.T, *change.Tx, int) error { return nil }, nil, []string{}},
		"a conflict is tried again": {func(_ context.Context, _ *testing.T, tx *change.Tx, try int) error {
			err := later(tx, "a")
			if try == 1 {
				tx.Queue("DO $$ BEGIN RAISE 'again' USING ERRCODE = '40001'; END $$")
			}
			return err
		}, nil, []string{"a"}},
	} {
		t.Run(name, func(t *testing.T) {
			w, try := newWriter(t), 0
			err := w.Do(t.Context(), access.Actor{UserID: user}, func(ctx context.Context, tx *change.Tx) error {
				try++
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
		return keep(ctx, tx, "a")
	})
	require.ErrorIs(t, err, context.Canceled)
	require.Empty(t, kept(t.Context(), t, w.DB))
	require.Equal(t, before, backend())
}

// A zone that is remembered holds as long as it is that of the account, whoever changes it.
func TestAChangeKnowsTheZoneOfItsActor(t *testing.T) {
	w := newWriter(t)
	zone := func(of uuid.UUID) (zone string, tries int) {
		require.NoError(t, w.Do(t.Context(), access.Actor{UserID: of}, func(ctx context.Context, tx *change.Tx) (err error) {
			tries++
			zone, err = tx.Zone(ctx)
			return err
		}))
		return zone, tries
	}
	expect := func(of uuid.UUID, want string, wantTries int) {
		t.Helper()
		got, tries := zone(of)
		require.Equal(t, want, got)
		require.Equal(t, wantTries, tries)
	}
	execute := func(query string, args ...any) {
		_, err := w.DB.NewRaw(query, args...).Exec(t.Context())
		require.NoError(t, err)
	}
	expect(uuid.Nil, "UTC", 1)
	expect(user, "UTC", 1)
	execute(`INSERT INTO task.users (id, email, password_hash, timezone, created_at, updated_at) VALUES (?, 'ada@example.org', '', 'Europe/Berlin', now(), now())`, user)
	expect(user, "Europe/Berlin", 1)
	expect(user, "Europe/Berlin", 1)
	execute("UPDATE task.users SET timezone = 'Asia/Tokyo'")
	expect(user, "Asia/Tokyo", 2)
	execute("UPDATE task.users SET timezone = 'Asia/Kathmandu'")
	var given []string
	refused := errors.New("not in this zone")
	require.ErrorIs(t, w.Do(t.Context(), access.Actor{UserID: user}, func(ctx context.Context, tx *change.Tx) error {
		zone, err := tx.Zone(ctx)
		given = append(given, zone)
		return errors.Join(err, refused)
	}), refused)
	require.Equal(t, []string{"Asia/Tokyo", "Asia/Kathmandu"}, given, "what is refused for its zone is refused for the one that holds")
	execute("DELETE FROM task.users")
	expect(user, "UTC", 2)
}
