package transport

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/event"
)

// audited counts the audit entries of a task where they are kept: over HTTP
// they come by way of task-api's sidecar.
func audited(t *testing.T, task event.Task) int {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.Database.OwnerURL)
	require.NoError(t, err)
	defer conn.Close(context.WithoutCancel(t.Context()))
	var n int
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT count(*) FROM audit.entries WHERE task_id = $1", task.ID).Scan(&n))
	return n
}
