package database_test

import (
	"context"
	"log/slog"
	"net/url"
	"os"
	"sync"
	"testing"
	"testing/fstest"

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
				"0001_orders.up.sql": {Data: []byte("CREATE TABLE shop.orders (id int PRIMARY KEY);\n--bun:split\nINSERT INTO shop.orders VALUES (1);")},
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
	older := version(fstest.MapFS{"0001_orders.up.sql": orders}, "SELECT, INSERT ON shop.orders", "SELECT ON shop.old")
	newer := version(fstest.MapFS{"0001_orders.up.sql": orders, "0002_items.up.sql": {Data: []byte("CREATE TABLE shop.items (id int);")}},
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
