package feed

import (
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

func TestASnapshotReadsEachThingOnce(t *testing.T) {
	db, _ := databasetest.Open(t, migrations.Schema)
	user := uuid.New()
	const tasks, comments, first = 20*snapshotTasks + 7, 8*snapshotTasks + 3, 5 * snapshotComments
	// The first task has more comments than are read at once, every other one has one. Others
	// have thousands of lists, which are short.
	_, err := db.NewRaw(`
		INSERT INTO task.lists (id, created_by, name, created_at, updated_at, version) VALUES (?1, ?0, 'l', now(), now(), 1);
		INSERT INTO task.members (user_id, list_id, role, position, since) VALUES (?0, ?1, 'owner', 1, now());
		INSERT INTO task.tasks (id, user_id, list_id, position, title, description, is_complete, priority, tags, all_day, timezone, version, created_at, updated_at)
			SELECT md5('t' || n)::uuid, ?0, ?1, n, 't', '', n % 3 = 0, 0, '{}', false, 'UTC', 1, now() - n / 10 * interval '1 minute', now() FROM generate_series(1, ?2) n;
		INSERT INTO task.lists (id, created_by, name, created_at, updated_at, version) SELECT md5('l' || n)::uuid, ?0, 'l', now(), now(), 1 FROM generate_series(0, 2000) n;
		INSERT INTO task.tasks (id, user_id, list_id, position, title, description, is_complete, priority, tags, all_day, timezone, version, created_at, updated_at)
			SELECT md5('o' || n)::uuid, md5('u' || n / 3)::uuid, md5('l' || n / 3)::uuid, n, 't', '', n % 3 = 0, 0, '{}', false, 'UTC', 1, now() - n / 10 * interval '1 minute', now() FROM generate_series(1, 6000) n;
		INSERT INTO task.comments (id, task_id, author_id, text, created_at) SELECT md5('d' || n)::uuid, md5('o' || n)::uuid, ?0, 'c', now() FROM generate_series(1, 6000) n;
		INSERT INTO task.comments (id, task_id, author_id, text, created_at)
			SELECT md5('c' || n)::uuid, md5('t' || greatest(n * 2 - 2 * ?4, 1))::uuid, ?0, 'c', now() + n / 10 * interval '1 second' FROM generate_series(1, ?3) n`,
		user, access.Inbox(user), tasks, comments, first).Exec(t.Context())
	require.NoError(t, err)
	_, err = db.NewRaw("VACUUM ANALYZE task.tasks, task.comments, task.members, task.lists").Exec(t.Context())
	require.NoError(t, err)
	db.SetMaxOpenConns(1)
	_, err = db.ExecContext(t.Context(), "SET enable_seqscan = off") // as with tables of millions
	require.NoError(t, err)
	s := &Store{DB: db, Tasks: &task.Store{DB: db}, Lists: &list.Store{DB: db, Changes: &change.Writer{DB: db, Now: time.Now}}, Comments: &comment.Store{DB: db}}
	found := map[string]map[uuid.UUID]bool{KindList: {}, KindMember: {}, KindTask: {}, KindComment: {}}
	readTasks, readComments := databasetest.Reads(t, db, "task.tasks"), databasetest.Reads(t, db, "task.comments")
	require.NoError(t, s.Snapshot(t.Context(), access.Actor{UserID: user}, func(c Change) error {
		require.False(t, found[c.Kind][c.ID], "twice: %s %s", c.Kind, c.ID)
		found[c.Kind][c.ID] = true
		if c.Kind == KindComment {
			require.True(t, found[KindTask][c.Comment.TaskID], "a comment is behind its task")
		}
		return nil
	}))
	require.Len(t, found[KindTask], tasks)
	require.Len(t, found[KindComment], comments)
	require.Less(t, databasetest.Reads(t, db, "task.tasks")-readTasks, 5*tasks)
	require.Less(t, databasetest.Reads(t, db, "task.comments")-readComments, 3*comments)
}

// Of a long list where others are short, all that has changed behind the place was read and
// sorted for each page.
func TestEachChangeIsReadOnce(t *testing.T) {
	db, _ := databasetest.Open(t, migrations.Schema)
	user := uuid.New()
	s := &Store{DB: db, Tasks: &task.Store{DB: db}, Lists: &list.Store{DB: db}, Comments: &comment.Store{DB: db}}
	from, err := s.Now(t.Context())
	require.NoError(t, err)
	const changes, limit = 10_000, 100
	for range 50 { // transactions
		_, err := db.NewRaw("SELECT pg_current_xact_id()").Exec(t.Context())
		require.NoError(t, err)
	}
	_, err = db.NewRaw(`
		INSERT INTO task.lists (id, created_by, name, created_at, updated_at, version) VALUES (?1, ?0, 'l', now(), now(), 1);
		INSERT INTO task.members (user_id, list_id, role, position, since) VALUES (?0, ?1, 'owner', 1, now());
		INSERT INTO task.feed (list_id, kind, entity_id, changed, gone, at)
			SELECT ?1, 'task', md5('t' || n)::uuid, (?2 + n % 50)::text::xid8, true, now() FROM generate_series(1, ?3) n;
		INSERT INTO task.feed (list_id, kind, entity_id, changed, gone, at)
			SELECT md5('l' || n / 5)::uuid, 'task', md5('o' || n)::uuid, (?2 + n % 50)::text::xid8, true, now() FROM generate_series(1, 20000) n`,
		user, access.Inbox(user), from.Changed, changes).Exec(t.Context())
	require.NoError(t, err)
	_, err = db.NewRaw("VACUUM ANALYZE task.feed, task.members").Exec(t.Context())
	require.NoError(t, err)
	before, found := databasetest.Reads(t, db, "task.feed"), map[uuid.UUID]bool{}
	for more := true; more; {
		p, err := s.Since(t.Context(), access.Actor{UserID: user}, from, limit)
		require.NoError(t, err)
		for _, c := range p.Changes {
			if c.Kind == KindTask {
				require.False(t, found[c.ID], c.ID)
				found[c.ID] = true
			}
		}
		from, more = p.Next, p.More
	}
	require.Len(t, found, changes)
	require.Less(t, databasetest.Reads(t, db, "task.feed")-before, 3*changes)
}

// What is gone for long was looked for from the newest change on.
func TestOfTheFeedWhatIsGoneAloneIsForgotten(t *testing.T) {
	db, _ := databasetest.Open(t, migrations.Schema)
	s := &Store{DB: db}
	from, err := s.Now(t.Context())
	require.NoError(t, err)
	const changes, gone = 20_000, 500
	now := time.Now()
	_, err = db.NewRaw(`
		INSERT INTO task.feed (list_id, kind, entity_id, changed, gone, at)
			SELECT md5('l' || n / 5)::uuid, 'task', md5('t' || n)::uuid, (?0 + n)::text::xid8, n <= ?2 OR n % 2 = 0, CASE WHEN n <= ?2 THEN ?3::timestamptz - interval '2 days' ELSE ?3 END FROM generate_series(1, ?1) n`,
		from.Changed, changes, gone, now).Exec(t.Context())
	require.NoError(t, err)
	_, err = db.NewRaw("VACUUM ANALYZE task.feed").Exec(t.Context())
	require.NoError(t, err)
	before := databasetest.Reads(t, db, "task.feed")
	_, err = db.ExecContext(t.Context(), "SET enable_seqscan = off") // as with a table of millions
	require.NoError(t, err)
	require.NoError(t, s.forget(t.Context(), now.Add(-24*time.Hour)))
	require.LessOrEqual(t, databasetest.Reads(t, db, "task.feed")-before, 10*gone)
	var left int
	var floor int64
	require.NoError(t, db.NewRaw("SELECT count(*), (SELECT floor::text::bigint FROM task.feed_log) FROM task.feed").Scan(t.Context(), &left, &floor))
	require.Equal(t, changes-gone, left)
	require.EqualValues(t, from.Changed+gone+1, floor)
}
