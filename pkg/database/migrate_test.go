package database_test

import (
	"context"
	"log/slog"
	"net/url"
	"os"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/database/databasetest"
)

func TestMain(m *testing.M) { os.Exit(databasetest.Main(m)) }

func open(t *testing.T, url string) *bun.DB {
	t.Helper()
	db, err := database.Open(context.Background(), url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() }) // nobody reads from it any more
	return db
}

// newReader returns a fresh database, as its owner and as a role without rights.
func newReader(t *testing.T) (owner, reader string) {
	t.Helper()
	owner = databasetest.New(t)
	_, err := open(t, owner).ExecContext(context.Background(), "DO $$ BEGIN CREATE ROLE migrate_reader LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
	require.NoError(t, err)
	u, err := url.Parse(owner)
	require.NoError(t, err)
	u.User = url.User("migrate_reader")
	return owner, u.String()
}

func TestMigrateFromSeveralReplicasAtOnce(t *testing.T) {
	ctx := context.Background()
	owner, reader := newReader(t)

	m := database.Migration{
		OwnerURL: owner, RuntimeURL: reader, Log: slog.New(slog.DiscardHandler),
		Schema: database.Schema{
			Name: "shop", Grants: []string{"SELECT, INSERT ON shop.orders"},
			Files: fstest.MapFS{
				"0001_orders.tx.up.sql": {Data: []byte("CREATE TABLE shop.orders (id int PRIMARY KEY);\n--bun:split\nINSERT INTO shop.orders VALUES (1);")},
			},
		},
	}
	var wg sync.WaitGroup
	errs := make([]error, 5)
	for i := range errs {
		wg.Go(func() { errs[i] = database.Migrate(ctx, m) })
	}
	wg.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}

	runtime := open(t, reader)
	n, err := runtime.NewSelect().Table("shop.orders").Count(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 1, n, "the migration ran once")
	_, err = runtime.ExecContext(ctx, "INSERT INTO shop.orders VALUES (2)")
	require.NoError(t, err)
	_, err = runtime.ExecContext(ctx, "DELETE FROM shop.orders")
	require.ErrorContains(t, err, "permission denied", "what was not granted is refused")
}

// An older version's init container runs again in the middle of a rollout, and
// when one is rolled back, while pods of the newer version are at work.
func TestOlderVersionLeavesTheRightsOfANewerOneAlone(t *testing.T) {
	ctx := context.Background()
	owner, reader := newReader(t)
	version := func(files fstest.MapFS, grants ...string) database.Migration {
		return database.Migration{
			OwnerURL: owner, RuntimeURL: reader, Log: slog.New(slog.DiscardHandler),
			Schema: database.Schema{Name: "shop", Files: files, Grants: grants},
		}
	}
	orders := &fstest.MapFile{Data: []byte("CREATE TABLE shop.orders (id int); CREATE TABLE shop.old (id int);")}
	older := version(fstest.MapFS{"0001_orders.tx.up.sql": orders}, "SELECT, INSERT ON shop.orders", "SELECT ON shop.old")
	newer := version(fstest.MapFS{"0001_orders.tx.up.sql": orders, "0002_items.tx.up.sql": {Data: []byte("CREATE TABLE shop.items (id int);")}},
		"SELECT, INSERT, UPDATE ON shop.orders", "SELECT, INSERT ON shop.items")

	runtime := open(t, reader)
	may := func(statement string) bool {
		t.Helper()
		_, err := runtime.ExecContext(ctx, statement)
		if err != nil {
			require.ErrorContains(t, err, "permission denied")
		}
		return err == nil
	}
	for _, m := range []database.Migration{older, newer} {
		require.NoError(t, database.Migrate(ctx, m))
	}
	require.False(t, may("SELECT FROM shop.old"), "the newest version says what the role may not")
	require.NoError(t, database.Migrate(ctx, older))
	for statement, why := range map[string]string{
		"INSERT INTO shop.items VALUES (1)": "a table that the older version does not know",
		"UPDATE shop.orders SET id = 2":     "a table of which it needs less",
		"SELECT FROM shop.old":              "what it needs itself",
	} {
		require.True(t, may(statement), why)
	}
	require.False(t, may("DELETE FROM shop.orders"))
	require.NoError(t, database.Migrate(ctx, newer))
	require.False(t, may("SELECT FROM shop.old"), "it does so again")
}

// What is in no transaction is run again from its start: it may hold nothing
// that fails the second time.
func TestWhatCanNotBeRunAgainIsOneTransaction(t *testing.T) {
	for name, sql := range map[string]string{
		"a table":                 "CREATE TABLE shop.orders (id int)",
		"an index that stays":     "CREATE INDEX CONCURRENTLY orders_id ON shop.orders (id)",
		"IF NOT EXISTS":           "CREATE INDEX CONCURRENTLY IF NOT EXISTS orders_id ON shop.orders (id)",
		"another index":           "DROP INDEX CONCURRENTLY IF EXISTS shop.orders_at;\n--bun:split\nCREATE INDEX CONCURRENTLY orders_id ON shop.orders (id)",
		"an index that locks":     "DROP INDEX CONCURRENTLY IF EXISTS shop.orders_id;\n--bun:split\nCREATE INDEX orders_id ON shop.orders (id)",
		"two statements as one":   "DROP INDEX CONCURRENTLY IF EXISTS shop.orders_id; CREATE INDEX CONCURRENTLY orders_id ON shop.orders (id)",
		"something behind it all": "DROP INDEX CONCURRENTLY IF EXISTS shop.orders_id;\n--bun:split\nUPDATE shop.orders SET id = id + 1",
	} {
		t.Run(name, func(t *testing.T) {
			err := database.Migrate(t.Context(), database.Migration{OwnerURL: "postgres://nowhere.invalid/", Schema: database.Schema{
				Name: "shop", Files: fstest.MapFS{"0001_orders.up.sql": {Data: []byte(sql)}},
			}})
			require.ErrorContains(t, err, "0001_orders.up.sql is not one transaction")
		})
	}
}

var withIndex = database.Schema{Name: "shop", Files: fstest.MapFS{
	"0001_orders.tx.up.sql": {Data: []byte("CREATE TABLE shop.orders (id int);\n--bun:split\nINSERT INTO shop.orders SELECT generate_series(1, 100);")},
	"0002_orders_id.up.sql": {Data: []byte("-- By id.\nDROP INDEX CONCURRENTLY IF EXISTS shop.orders_id;\n\n--bun:split\n\nCREATE UNIQUE INDEX CONCURRENTLY orders_id\n\tON shop.orders (id);\n")},
}, SQL: map[string]string{"0003_items": "CREATE TABLE shop.items (id int); INSERT INTO shop.items VALUES (1)"}}

func TestMigrationsSurviveAKillAtEveryStatement(t *testing.T) {
	databasetest.KillMigrations(t, withIndex)
}

// A killed CREATE INDEX CONCURRENTLY leaves an index that is not valid.
func TestAnIndexThatWasKilledIsMadeAgain(t *testing.T) {
	owner := databasetest.New(t)
	db := open(t, owner)
	m := database.Migration{OwnerURL: owner, RuntimeURL: owner, Log: slog.New(slog.DiscardHandler), Schema: withIndex}
	m.Files = fstest.MapFS{"0001_orders.tx.up.sql": {Data: withIndex.Files.(fstest.MapFS)["0001_orders.tx.up.sql"].Data}}
	m.SQL = nil
	require.NoError(t, database.Migrate(t.Context(), m))
	_, err := db.ExecContext(t.Context(), "INSERT INTO shop.orders VALUES (1)")
	require.NoError(t, err)
	_, err = db.ExecContext(t.Context(), "CREATE UNIQUE INDEX CONCURRENTLY orders_id ON shop.orders (id)")
	require.ErrorContains(t, err, "could not create unique index")
	_, err = db.ExecContext(t.Context(), "DELETE FROM shop.orders WHERE ctid = (SELECT max(ctid) FROM shop.orders)")
	require.NoError(t, err)
	m.Schema = withIndex
	require.NoError(t, database.Migrate(t.Context(), m))
	var valid bool
	require.NoError(t, db.NewRaw("SELECT indisvalid FROM pg_index WHERE indexrelid = 'shop.orders_id'::regclass").Scan(t.Context(), &valid))
	require.True(t, valid)
}

// CREATE INDEX CONCURRENTLY waits for every snapshot that is older. Replicas
// that wait for their turn hold none.
func TestReplicasThatWaitDoNotHoldUpAnIndex(t *testing.T) {
	owner := databasetest.New(t)
	db := open(t, owner)
	m := database.Migration{OwnerURL: owner, RuntimeURL: owner, Log: slog.New(slog.DiscardHandler), Schema: withIndex}
	var wg sync.WaitGroup
	errs := make([]error, 5)
	for i := range errs {
		wg.Go(func() { errs[i] = database.Migrate(t.Context(), m) })
	}
	wg.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
	var deadlocks int
	require.NoError(t, db.NewRaw("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()").Scan(t.Context(), &deadlocks))
	require.Zero(t, deadlocks)
}

// Versions before named their files without ".tx": the number is the name.
func TestADatabaseOfTheVersionBeforeIsUpToDate(t *testing.T) {
	owner := databasetest.New(t)
	db := open(t, owner)
	_, err := db.ExecContext(t.Context(), `
		CREATE SCHEMA shop; CREATE TABLE shop.orders (id int);
		CREATE TABLE shop.migrations (id BIGSERIAL NOT NULL PRIMARY KEY, name VARCHAR, group_id BIGINT, migrated_at TIMESTAMPTZ NOT NULL DEFAULT current_timestamp);
		INSERT INTO shop.migrations (name, group_id) VALUES ('0001', 1)`)
	require.NoError(t, err)
	require.NoError(t, database.Migrate(t.Context(), database.Migration{
		OwnerURL: owner, RuntimeURL: owner, Log: slog.New(slog.DiscardHandler),
		Schema: database.Schema{Name: "shop", Files: fstest.MapFS{"0001_orders.tx.up.sql": {Data: []byte("CREATE TABLE shop.orders (id int)")}}},
	}))
}

// A migration that waits for a table keeps others from it only for moments.
func TestAMigrationLetsOthersGoOnWhileItWaits(t *testing.T) {
	owner := databasetest.New(t)
	db := open(t, owner)
	m := database.Migration{OwnerURL: owner, RuntimeURL: owner, Log: slog.New(slog.DiscardHandler), Schema: withIndex}
	require.NoError(t, database.Migrate(t.Context(), m))
	reading, err := db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	defer func() { _ = reading.Rollback() }()
	_, err = reading.ExecContext(t.Context(), "SELECT FROM shop.items")
	require.NoError(t, err)
	m.SQL = map[string]string{"0003_items": m.SQL["0003_items"], "0004_price": "ALTER TABLE shop.items ADD COLUMN price int"}
	done := make(chan error, 1)
	go func() { done <- database.Migrate(t.Context(), m) }()
	waits := func() bool {
		var n int
		require.NoError(t, db.NewRaw("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'shop.items'::regclass").Scan(t.Context(), &n))
		return n > 0
	}
	require.Eventually(t, waits, 30*time.Second, 10*time.Millisecond, "it waits for who reads")
	_, err = db.ExecContext(t.Context(), "INSERT INTO shop.items VALUES (2)")
	require.NoError(t, err, "who comes later does not wait as long as it does")
	require.NoError(t, reading.Commit())
	require.NoError(t, <-done)
}

func TestASchemaNeedsNoFiles(t *testing.T) {
	owner := databasetest.New(t)
	for _, schema := range []database.Schema{{Name: "empty"}, {Name: "by_code", SQL: map[string]string{"0001_made": "CREATE TABLE by_code.made ()"}}} {
		for range 2 {
			require.NoError(t, database.Migrate(t.Context(), database.Migration{
				Schema: schema, OwnerURL: owner, RuntimeURL: owner, Log: slog.New(slog.DiscardHandler),
			}), schema.Name)
		}
	}
}
