package change

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/database/databasetest"
	"github.com/taskwire/taskwire/services/task-api/internal/migrations"
)

// However many keys are too old, all of them go.
func TestAllOldIdempotencyKeysGo(t *testing.T) {
	db, _ := databasetest.Open(t, migrations.Schema)
	_, err := db.ExecContext(t.Context(), `INSERT INTO task.idempotency_keys (user_id, key, request_hash, created_at)
		SELECT gen_random_uuid(), n::text, '', now() - CASE WHEN n = 1 THEN interval '1 minute' ELSE interval '100 days' END FROM generate_series(1, 12001) n`)
	require.NoError(t, err)
	_, err = database.Prune(t.Context(), db, (&Writer{Now: time.Now}).oldKeys())
	require.NoError(t, err)
	n, err := db.NewSelect().Table("task.idempotency_keys").Count(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
}
