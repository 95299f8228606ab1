package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// What a table holds and for how long is said of each, so that none grows without anybody
// having thought of it.
func TestOfEachTableItIsSaidHowItGrows(t *testing.T) {
	leaveOut(t)
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "operations.md"))
	require.NoError(t, err)
	_, section, found := strings.Cut(string(text), "\n## What grows, and for how long\n")
	require.True(t, found)
	section, _, _ = strings.Cut(section, "\n## ")
	owner, err := pgx.Connect(t.Context(), s.Database.OwnerURL)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, owner.Close(t.Context())) })
	rows, err := owner.Query(t.Context(), `SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname NOT LIKE 'pg\_%' AND n.nspname <> 'information_schema'`)
	require.NoError(t, err)
	type table struct{ Schema, Name string }
	tables, err := pgx.CollectRows(rows, pgx.RowToStructByPos[table])
	require.NoError(t, err)
	require.Greater(t, len(tables), 30)
	for _, table := range tables {
		full := strings.Contains(section, "`"+table.Schema+"."+table.Name+"`")
		// Those that several services have go by their last name.
		if !full && !strings.Contains(section, "`"+table.Name+"`") {
			t.Errorf("docs/operations.md does not say how %s.%s grows", table.Schema, table.Name)
		}
	}
}
