package databasetest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"

	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/database"
)

// Open opens a fresh database that has a schema, and answers its URL, too. It is closed
// when the test ends.
func Open(t testing.TB, schema database.Schema) (*bun.DB, string) {
	t.Helper()
	url := Migrated(t, schema)
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

// Migrated returns the URL of a fresh database that has a schema, and is dropped when the
// test ends.
func Migrated(t testing.TB, schema database.Schema) string {
	t.Helper()
	requireServer(t)
	template, err := templates.of(t, schema)
	if err != nil {
		t.Fatalf("make the schema: %v", err)
	}
	return create(t, template)
}

// templates have a schema each: to copy one takes a fifth of the time that its migrations
// take.
var templates templateDatabases

type templateDatabases struct {
	mu    sync.Mutex
	names map[string]string // by schema
}

func (d *templateDatabases) of(t testing.TB, schema database.Schema) (string, error) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	if name := d.names[schema.Name]; name != "" {
		return name, nil
	}
	name := newName("template_")
	if err := execute("CREATE DATABASE " + name); err != nil {
		return "", fmt.Errorf("create a template: %w", err)
	}
	url := urlOf(t, name)
	// Not with the context of the test that comes first: the others go without one then.
	err := database.Migrate(context.Background(), database.Migration{Schema: schema, OwnerURL: url, RuntimeURL: url, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return "", errors.Join(err, remove(name))
	}
	if d.names == nil {
		d.names = map[string]string{}
	}
	d.names[schema.Name] = name
	return name, nil
}

// drop drops them, since the server may be one that goes on.
func (d *templateDatabases) drop() error {
	var errs []error
	for _, name := range d.names {
		errs = append(errs, remove(name))
	}
	return errors.Join(errs...)
}
