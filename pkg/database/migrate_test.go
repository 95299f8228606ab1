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

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/database/databasetest"
)

func TestMain(m *testing.M) { os.Exit(databasetest.Main(m)) }

func TestMigrateFromSeveralReplicasAtOnce(t *testing.T) {
	ctx := context.Background()
	owner := databasetest.New(t)
	db, err := database.Open(ctx, owner)
	require.NoError(t, err)
	defer db.Close()
	_, err = db.ExecContext(ctx, "DO $$ BEGIN CREATE ROLE migrate_reader LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
	require.NoError(t, err)
	u, err := url.Parse(owner)
	require.NoError(t, err)
	u.User = url.User("migrate_reader")

	m := database.Migration{
		OwnerURL: owner, RuntimeURL: u.String(), Log: slog.New(slog.DiscardHandler),
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

	runtime, err := database.Open(ctx, u.String())
	require.NoError(t, err)
	defer runtime.Close()
	n, err := runtime.NewSelect().Table("shop.orders").Count(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 1, n, "the migration ran once")
	_, err = runtime.ExecContext(ctx, "INSERT INTO shop.orders VALUES (2)")
	require.NoError(t, err)
	_, err = runtime.ExecContext(ctx, "DELETE FROM shop.orders")
	require.ErrorContains(t, err, "permission denied", "what was not granted is refused")
}
