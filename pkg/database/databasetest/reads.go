package databasetest

import (
	"testing"

	"github.com/uptrace/bun"
)

// Reads answers how many rows of a table have been read until now. The database has one
// connection from then on: what a session has read is told when it is asked.
func Reads(t testing.TB, db *bun.DB, table string) (rows int) {
	t.Helper()
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(t.Context(), "SELECT pg_stat_force_next_flush()"); err != nil {
		t.Fatalf("have the rows counted: %v", err)
	}
	err := db.NewRaw("SELECT seq_tup_read + coalesce(idx_tup_fetch, 0) FROM pg_stat_user_tables WHERE relid = ?::regclass", table).Scan(t.Context(), &rows)
	if err != nil {
		t.Fatalf("count the rows read of %s: %v", table, err)
	}
	return rows
}
