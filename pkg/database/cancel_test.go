package database_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/database/databasetest"
)

// Clients who hang up cost no connections. Each statement that was cancelled took its
// connection along, and users waited for new ones.
func TestACancelledStatementLeavesItsConnection(t *testing.T) {
	db := open(t, databasetest.New(t))
	db.SetMaxOpenConns(1)
	backend := func() (pid int) {
		require.NoError(t, db.NewRaw("SELECT pg_backend_pid()").Scan(t.Context(), &pid))
		return pid
	}
	before := backend()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := db.ExecContext(ctx, "SELECT pg_sleep(3600)")
	require.True(t, database.IsTransient(err), "%v", err)
	require.Equal(t, before, backend())
}
