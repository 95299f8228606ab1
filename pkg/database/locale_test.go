package database_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/database/databasetest"
	"github.com/taskwire/taskwire/pkg/local"
)

// Two addresses were one to lower() where the suite is deployed, and two where it was
// tested: İ and the Kelvin sign fold to i and k, but not in the locale C.
func TestTestsFoldAsDeploymentsDo(t *testing.T) {
	for _, path := range []string{"docker-compose.yml", "k8s/components/postgres/postgres.yaml"} {
		text, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(path)))
		require.NoError(t, err)
		require.Contains(t, string(text), " --locale="+local.ClusterLocale+"\n", path)
	}
	if os.Getenv("TEST_DATABASE_URL") != "" {
		t.Skip("the server of TEST_DATABASE_URL has the locale that it has")
	}
	conn, err := pgx.Connect(t.Context(), databasetest.New(t))
	require.NoError(t, err)
	defer conn.Close(t.Context())
	var folded string
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT lower('\u0130\u212aÄЖ')").Scan(&folded))
	require.Equal(t, "ikäж", folded)
}
