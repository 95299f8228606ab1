package export

import (
	"os"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/database/databasetest"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
	"github.com/taskwire/taskwire/services/task-api/internal/comment"
	"github.com/taskwire/taskwire/services/task-api/internal/list"
	"github.com/taskwire/taskwire/services/task-api/internal/migrations"
	"github.com/taskwire/taskwire/services/task-api/internal/task"
)

func TestMain(m *testing.M) { os.Exit(databasetest.Main(m)) }

// An export of who has thrown little away had all looked through that others have.
func TestTheTrashOfOthersIsNotLookedThrough(t *testing.T) {
	db, _ := databasetest.Open(t, migrations.Schema)
	user, other := uuid.New(), uuid.New()
	const mine, others = 2*rows + 5, 20_000
	_, err := db.NewRaw(`
		INSERT INTO task.users (id, email, timezone, created_at, updated_at) SELECT id, id::text, 'UTC', now(), now() FROM unnest(ARRAY[?0, ?1]::uuid[]) id;
		INSERT INTO task.lists (id, created_by, name, created_at, updated_at, version) SELECT id, ?0, 'l', now(), now(), 1 FROM unnest(ARRAY[?2, ?3]::uuid[]) id;
		INSERT INTO task.members (user_id, list_id, role, position, since) VALUES (?0, ?2, 'owner', 1, now()), (?1, ?3, 'owner', 1, now());
		INSERT INTO task.trash (id, root_id, list_id, title, version, deleted_by, deleted_at, task)
			SELECT md5('x' || n)::uuid, md5('x' || n)::uuid, CASE WHEN n <= ?4 THEN ?2::uuid ELSE ?3::uuid END, 't', 1, ?0, now(), '{}' FROM generate_series(1, ?5) n`,
		user, other, access.Inbox(user), access.Inbox(other), mine, others).Exec(t.Context())
	require.NoError(t, err)
	_, err = db.NewRaw("VACUUM ANALYZE task.trash, task.members").Exec(t.Context())
	require.NoError(t, err)
	before, found := databasetest.Reads(t, db, "task.trash"), 0
	e := &Export{Store: &Store{DB: db}, actor: access.Actor{UserID: user}}
	require.NoError(t, e.trash(t.Context(), func(any) error { found++; return nil }))
	require.Equal(t, mine, found)
	require.Less(t, databasetest.Reads(t, db, "task.trash")-before, others/2)
}

// For each page of the trash all of the user's had been looked through. Who leaves a list
// meanwhile is given no more pages of it.
func TestTheTrashIsLookedThroughOnce(t *testing.T) {
	db, _ := databasetest.Open(t, migrations.Schema)
	user := uuid.New()
	const mine, others = 20*rows + 5, 20_000
	_, err := db.NewRaw(`
		INSERT INTO task.users (id, email, timezone, created_at, updated_at) VALUES (?0, 'x', 'UTC', now(), now());
		INSERT INTO task.lists (id, created_by, name, created_at, updated_at, version) VALUES (?1, ?0, 'l', now(), now(), 1);
		INSERT INTO task.members (user_id, list_id, role, position, since) VALUES (?0, ?1, 'owner', 1, now());
		INSERT INTO task.trash (id, root_id, list_id, title, version, deleted_by, deleted_at, let_go, task)
			SELECT md5('x' || n)::uuid, md5('x' || n - n % 2)::uuid, CASE WHEN n < ?2 * 2 THEN ?1::uuid ELSE md5('l' || n / 4)::uuid END, 't', 1, ?0, now(), n < ?2 * 2 AND n % 4 > 1, '{}' FROM generate_series(0, ?3 - 1) n`,
		user, access.Inbox(user), mine, others).Exec(t.Context())
	require.NoError(t, err)
	_, err = db.NewRaw("VACUUM ANALYZE task.trash, task.members").Exec(t.Context())
	require.NoError(t, err)
	before, found := databasetest.Reads(t, db, "task.trash"), 0
	_, err = db.ExecContext(t.Context(), "SET enable_seqscan = off") // as with tables of millions
	require.NoError(t, err)
	e := &Export{Store: &Store{DB: db}, actor: access.Actor{UserID: user}}
	require.NoError(t, e.trash(t.Context(), func(any) error { found++; return nil }))
	require.Equal(t, mine+1, found)
	require.Less(t, databasetest.Reads(t, db, "task.trash")-before, 6*mine)
	found = 0
	require.NoError(t, e.trash(t.Context(), func(any) error {
		found++
		_, err := db.NewRaw("DELETE FROM task.members WHERE user_id = ?", user).Exec(t.Context())
		return err
	}))
	require.Equal(t, rows, found)
}

// An export had read the comments of all others for each page of the user's own; and where lists
// are short as a rule, all tasks of a long one for each page.
func TestEachTaskAndCommentIsReadOnce(t *testing.T) {
	db, _ := databasetest.Open(t, migrations.Schema)
	user, other := uuid.New(), uuid.New()
	const tasks, mine, others = 50*rows + 7, 5*rows + 3, 20 * rows
	_, err := db.NewRaw(`
		INSERT INTO task.users (id, email, timezone, created_at, updated_at) SELECT id, id::text, 'UTC', now(), now() FROM unnest(ARRAY[?0, ?1]::uuid[]) id;
		INSERT INTO task.lists (id, created_by, name, created_at, updated_at, version) VALUES (?2, ?0, 'l', now(), now(), 1);
		INSERT INTO task.members (user_id, list_id, role, position, since) VALUES (?0, ?2, 'owner', 1, now()), (?1, ?2, 'editor', 1, now());
		INSERT INTO task.tasks (id, user_id, list_id, position, title, description, is_complete, priority, tags, all_day, timezone, version, created_at, updated_at)
			SELECT md5('t' || n)::uuid, ?0, ?2, n, 't', '', n % 3 = 0, 0, '{}', false, 'UTC', 1, now() - n / 10 * interval '1 minute', now() FROM generate_series(1, ?3) n;
		INSERT INTO task.lists (id, created_by, name, created_at, updated_at, version) SELECT md5('l' || n)::uuid, ?0, 'l', now(), now(), 1 FROM generate_series(0, 2000) n;
		INSERT INTO task.tasks (id, user_id, list_id, position, title, description, is_complete, priority, tags, all_day, timezone, version, created_at, updated_at)
			SELECT md5('o' || n)::uuid, md5('u' || n / 3)::uuid, md5('l' || n / 3)::uuid, n, 't', '', n % 3 = 0, 0, '{}', false, 'UTC', 1, now() - n / 10 * interval '1 minute', now() FROM generate_series(1, 6000) n;
		INSERT INTO task.comments (id, task_id, author_id, text, created_at)
			SELECT md5('c' || n)::uuid, md5('t' || n)::uuid, CASE WHEN n <= ?4 THEN ?0::uuid ELSE ?1::uuid END, 'c', now() FROM generate_series(1, ?5) n`,
		user, other, access.Inbox(user), tasks, mine, mine+others).Exec(t.Context())
	require.NoError(t, err)
	_, err = db.NewRaw("VACUUM ANALYZE task.tasks, task.comments, task.members, task.lists").Exec(t.Context())
	require.NoError(t, err)
	db.SetMaxOpenConns(1)
	_, err = db.ExecContext(t.Context(), "SET enable_seqscan = off") // as with tables of millions
	require.NoError(t, err)
	e := &Export{
		Store: &Store{
			DB: db, Lists: &list.Store{DB: db, Changes: &change.Writer{DB: db, Now: time.Now}}, Tasks: &task.Store{DB: db}, Comments: &comment.Store{DB: db},
			Show: func(t *task.Task) any { return t.ID },
		},
		actor: access.Actor{UserID: user},
	}
	before, found := databasetest.Reads(t, db, "task.tasks"), map[any]bool{}
	require.NoError(t, e.tasks(t.Context(), func(id any) error { found[id] = true; return nil }))
	require.Len(t, found, tasks)
	require.Less(t, databasetest.Reads(t, db, "task.tasks")-before, 5*tasks)
	before, readTasks, written := databasetest.Reads(t, db, "task.comments"), databasetest.Reads(t, db, "task.tasks"), 0
	require.NoError(t, e.comments(t.Context(), func(any) error { written++; return nil }))
	require.Equal(t, mine, written)
	require.Less(t, databasetest.Reads(t, db, "task.comments")-before, 2*mine)
	require.Less(t, databasetest.Reads(t, db, "task.tasks")-readTasks, 2*mine)
}
