package databasetest

import (
	"log/slog"
	"testing"

	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/database"
)

// Open opens a fresh database that has a schema, and answers its URL, too. It is closed
// when the test ends.
func Open(t testing.TB, schema database.Schema) (*bun.DB, string) {
	t.Helper()
	url := New(t)
	if err := database.Migrate(t.Context(), database.Migration{Schema: schema, OwnerURL: url, RuntimeURL: url, Log: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatalf("make the schema: %v", err)
	}
	db, err := database.Open(t.Context(), url)
	if err != nil {
		t.Fatalf("open the test database: %v", err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close the test database: %v", err)
		}
	})
	return db, url
}
