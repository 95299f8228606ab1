package migrations_test

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"testing"
	"testing/fstest"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/database/databasetest"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/migrations"
)

// before is the schema as it was before a migration.
func before(t *testing.T, number string) database.Schema {
	t.Helper()
	files := fstest.MapFS{}
	paths, err := fs.Glob(migrations.Schema.Files, "*.sql")
	require.NoError(t, err)
	for _, path := range paths {
		if path >= number {
			continue
		}
		content, err := fs.ReadFile(migrations.Schema.Files, path)
		require.NoError(t, err)
		files[path] = &fstest.MapFile{Data: content}
	}
	of := migrations.Schema
	of.Files, of.SQL = files, maps.Clone(of.SQL)
	maps.DeleteFunc(of.SQL, func(name, _ string) bool { return name >= number })
	return of
}

// insertion is how the version before lists writes a task.
const insertion = `INSERT INTO task.tasks (id, user_id, title, description, is_complete, priority, tags, all_day, timezone, parent_id, series_id, version, created_at, updated_at)
	VALUES (?, ?, 'x', '', false, 0, '{}', false, 'UTC', ?, ?, 1, timestamptz '2026-01-01' + ? * interval '1 second', now())`

// Each task of before is in its user's inbox, where it was made; so is what the version
// before goes on to write, as a role that knows nothing of lists.
func TestTheTasksOfBeforeGetTheirPlace(t *testing.T) {
	url := databasetest.New(t)
	ctx := t.Context()
	migrate := func(schema database.Schema) {
		require.NoError(t, database.Migrate(ctx, database.Migration{Schema: schema, OwnerURL: url, RuntimeURL: url, Log: slog.New(slog.DiscardHandler)}))
	}
	migrate(before(t, "0020"))
	db, err := database.Open(ctx, url)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	role := bun.Ident("older_" + uuid.NewString())
	run := func(query string, args ...any) {
		t.Helper()
		_, err := db.ExecContext(ctx, query, args...)
		require.NoError(t, err)
	}
	run("CREATE ROLE ?", role)
	run("GRANT USAGE ON SCHEMA task TO ?", role)
	run("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA task TO ?", role)
	users := make([]uuid.UUID, 7)
	for i := range users {
		users[i] = uuid.New()
	}
	ids := make([]uuid.UUID, 750) // several batches
	for i := range ids {
		ids[i] = uuid.New()
		run(insertion, ids[i], users[i%len(users)], nil, nil, i)
	}
	migrate(migrations.Schema)

	type placed struct {
		ID       uuid.UUID
		UserID   uuid.UUID
		ListID   uuid.UUID
		Position int64
	}
	check := func(n int) {
		t.Helper()
		var all []placed
		require.NoError(t, db.NewRaw("SELECT id, user_id, list_id, position FROM task.tasks ORDER BY position, id").Scan(ctx, &all))
		require.Len(t, all, n)
		for i, p := range all {
			require.Equal(t, access.Inbox(p.UserID), p.ListID)
			if i > 0 {
				require.Greater(t, p.Position, all[i-1].Position, "in the order of creation")
			}
		}
	}
	check(len(ids))

	// The version before, still at work.
	asOlder := func(query string, args ...any) {
		t.Helper()
		require.NoError(t, db.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
			if _, err := tx.ExecContext(ctx, "SET LOCAL ROLE ?", role); err != nil {
				return err
			}
			_, err := tx.ExecContext(ctx, query, args...)
			return err
		}))
	}
	asOlder(insertion, uuid.New(), users[0], nil, nil, 1000)
	asOlder(insertion, uuid.New(), uuid.New(), nil, nil, 1001) // whoever has just registered there
	check(len(ids) + 2)
	// A subtask is in the list of its parent, an occurrence in that of its series.
	shared, series, child, next := uuid.New(), uuid.New(), uuid.New(), uuid.New()
	run("INSERT INTO task.lists (id, created_by, name, version, created_at, updated_at) VALUES (?, ?, 'x', 1, now(), now())", shared, users[0])
	run("UPDATE task.tasks SET list_id = ?, series_id = ? WHERE id = ?", shared, series, ids[0])
	asOlder(insertion, child, users[1], ids[0], nil, 1002)
	asOlder(insertion, next, users[1], nil, series, 1003)
	for _, id := range []uuid.UUID{child, next} {
		var list uuid.UUID
		require.NoError(t, db.NewRaw("SELECT list_id FROM task.tasks WHERE id = ?", id).Scan(ctx, &list))
		require.Equal(t, shared, list)
	}
	// Who is a member of other lists alone has an inbox from then on, which is found again.
	invited := uuid.New()
	run("INSERT INTO task.members (user_id, list_id, role, position, since) VALUES (?, ?, 'editor', 0, now())", invited, shared)
	for i := range 2 {
		id := uuid.New()
		asOlder(insertion, id, invited, nil, nil, 1004+i)
		var list uuid.UUID
		require.NoError(t, db.NewRaw("SELECT list_id FROM task.tasks WHERE id = ?", id).Scan(ctx, &list))
		require.Equal(t, access.Inbox(invited), list)
	}
	// It can be run again, wherever it was killed.
	run("CALL task.place_tasks()")
}

// The id of an inbox is the same in SQL as in Go.
func TestAnInboxHasOneId(t *testing.T) {
	db, _ := databasetest.Open(t, migrations.Schema)
	for i := range 200 {
		user := uuid.New()
		switch i {
		case 0:
			user = uuid.Nil
		case 1:
			user = uuid.Max
		}
		var inbox uuid.UUID
		require.NoError(t, db.NewRaw("SELECT task.inbox_of(?)", user).Scan(t.Context(), &inbox))
		require.Equal(t, access.Inbox(user), inbox, fmt.Sprint(user))
	}
}
