package task

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/database/databasetest"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
)

// The trash is emptied of what is old, and of nothing else, however much that is.
func TestTheTrashIsEmptiedOfWhatIsOld(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	a := newAccount(t, s)
	start := *at("2027-01-01T00:00:00Z")
	a.is(start)
	for range purgeBatch + 5 {
		require.NoError(t, a.Delete(t.Context(), a.actor, a.create(Draft{Title: "old", DueAt: &start, Recurrence: &RecurrenceDraft{RRule: "FREQ=DAILY"}}), nil))
	}
	a.is(start.Add(time.Hour))
	require.NoError(t, a.Delete(t.Context(), a.actor, a.create(Draft{Title: "new"}), nil))
	n, err := a.purgeOld(t.Context(), start.Add(time.Minute))
	require.NoError(t, err)
	require.Equal(t, purgeBatch, n)
	n, err = a.purgeOld(t.Context(), start.Add(time.Minute))
	require.NoError(t, err)
	require.Equal(t, 5, n)
	trash, err := a.Trash(t.Context(), a.actor, nil, 100)
	require.NoError(t, err)
	require.Len(t, trash, 1)
	require.Equal(t, "new", trash[0].Title)
	var remembered int
	require.NoError(t, s.DB.NewRaw("SELECT count(*) FROM task.gone_occurrences").Scan(t.Context(), &remembered))
	require.Zero(t, remembered, "nothing is kept of series that are gone")
}

// trashOfOthers is much, a thing or two of each of many lists.
func trashOfOthers(t *testing.T, s *Store, rows int) {
	t.Helper()
	_, err := s.DB.NewRaw(`INSERT INTO task.trash (id, root_id, list_id, title, version, deleted_by, deleted_at, task)
		SELECT md5('o' || n)::uuid, md5('o' || n)::uuid, md5('l' || n / 2)::uuid, 't', 1, md5('u' || n / 2)::uuid, timestamptz '2027-01-01' + n * interval '1 second', '{}' FROM generate_series(1, ?) n`, rows).Exec(t.Context())
	require.NoError(t, err)
	analyzeTrash(t, s)
}

func analyzeTrash(t *testing.T, s *Store) {
	t.Helper()
	_, err := s.DB.NewRaw("VACUUM ANALYZE task.trash, task.members").Exec(t.Context())
	require.NoError(t, err)
}

// reads is how many rows of a table are read meanwhile.
func reads(t *testing.T, s *Store, table string, f func()) int {
	t.Helper()
	before := databasetest.Reads(t, s.DB, table)
	f()
	return databasetest.Reads(t, s.DB, table) - before
}

// For each thing that was purged, and each batch of a list, everybody's trash was looked through.
func TestWhatIsPurgedIsReadAlone(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	const others, inList = 20_000, 5 * batch
	trashOfOthers(t, s, others)
	list := uuid.New()
	// Half of it was thrown away with the list, half before.
	_, err := s.DB.NewRaw(`INSERT INTO task.trash (id, root_id, list_id, title, version, deleted_by, deleted_at, task)
		SELECT md5('p' || n)::uuid, md5('p' || n)::uuid, md5('q' || n)::uuid, 'old', 1, ?0::uuid, timestamptz '2026-01-01', jsonb_build_object('user_id', ?0::uuid) FROM generate_series(1, ?2) n
		UNION ALL SELECT md5('x' || n)::uuid, CASE n % 2 WHEN 0 THEN ?1::uuid ELSE md5('x' || n)::uuid END, ?1::uuid, 'x', 1, ?0::uuid, timestamptz '2028-01-01', jsonb_build_object('user_id', ?0::uuid) FROM generate_series(1, ?3) n
		UNION ALL SELECT ?1::uuid, ?1::uuid, ?1::uuid, 'list', 1, ?0::uuid, timestamptz '2028-01-01', NULL`, uuid.New(), list, purgeBatch, inList).Exec(t.Context())
	require.NoError(t, err)
	analyzeTrash(t, s)
	require.LessOrEqual(t, reads(t, s, "task.trash", func() {
		n, err := s.purgeOld(t.Context(), *at("2026-06-01T00:00:00Z"))
		require.NoError(t, err)
		require.Equal(t, purgeBatch, n)
	}), 10*purgeBatch)
	require.LessOrEqual(t, reads(t, s, "task.trash", func() {
		err := s.Changes.Do(t.Context(), access.Actor{Service: "trash"}, func(ctx context.Context, tx *change.Tx) error {
			return purge(ctx, tx, &Trashed{ID: list, Kind: "list"})
		})
		require.NoError(t, err)
	}), 5*inList)
	var left int
	require.NoError(t, s.DB.NewRaw("SELECT count(*) FROM task.trash").Scan(t.Context(), &left))
	require.Equal(t, others, left)
}

// longList is of a user, beside thousands of short ones of others: tasks of which every tenth
// is a subtask of the one before, and one has more subtasks than are read at once.
func longList(t *testing.T, s *Store, tasks int) account {
	t.Helper()
	a := newAccount(t, s)
	a.create(Draft{Title: "x"}) // he has an inbox from then on
	_, err := s.DB.NewRaw(`INSERT INTO task.tasks (id, user_id, list_id, title, description, is_complete, priority, tags, all_day, timezone, parent_id, version, created_at, updated_at)
		SELECT md5('t' || n)::uuid, ?0, ?1, 'x', '', n % 3 = 0, 0, '{}', false, 'UTC', CASE WHEN n BETWEEN 2 AND ?3 THEN md5('t1')::uuid WHEN n % 10 = 0 THEN md5('t' || n - 1)::uuid END, 1, now() - n * interval '1 minute', now()
		FROM generate_series(1, ?2) n`, a.id, access.Inbox(a.id), tasks-1, 2*batch).Exec(t.Context())
	require.NoError(t, err)
	a.shortListsOfOthers()
	return a
}

// Of a long list all that was left was sorted for each batch of it: when it goes into the trash,
// when it comes back from there, and when it goes with its owner.
func TestALongListGoesAndComesBackWithoutBeingSortedForEachBatch(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	const tasks, others = 8 * batch, 20_000
	const whole = tasks + 12_000 // of the table, which may be read for all of the list, and not for a batch
	a := longList(t, s, tasks)
	trashOfOthers(t, s, others)
	list := access.Inbox(a.id)
	do := func(f func(ctx context.Context, tx *change.Tx) error) func() {
		return func() { require.NoError(t, s.Changes.Do(t.Context(), a.actor, f)) }
	}
	count := func(rows string) (n int) {
		require.NoError(t, s.DB.NewRaw("SELECT count(*) FROM "+rows+" AND list_id = ?", list).Scan(t.Context(), &n))
		return n
	}
	const all, under, trash = "task.tasks WHERE true", "task.tasks WHERE parent_id IS NOT NULL", "task.trash WHERE true"
	subtasks := count(under)
	require.LessOrEqual(t, reads(t, s, "task.tasks", do(func(ctx context.Context, tx *change.Tx) error { return TrashList(ctx, tx, list) })), 3*whole)
	require.Zero(t, count(all))
	analyzeTrash(t, s)
	ofTrash := 0
	require.LessOrEqual(t, reads(t, s, "task.tasks", func() {
		ofTrash = reads(t, s, "task.trash", do(func(ctx context.Context, tx *change.Tx) error {
			n, err := bringBack(ctx, tx, list)
			require.Equal(t, tasks, n)
			return err
		}))
	}), 3*whole)
	require.LessOrEqual(t, ofTrash, 6*tasks)
	require.Zero(t, count(trash))
	require.Equal(t, subtasks, count(under))
	_, err := s.DB.NewRaw(`INSERT INTO task.trash (id, root_id, list_id, title, version, deleted_by, deleted_at, task)
		SELECT md5('x' || n)::uuid, md5('x' || n)::uuid, ?, 'x', 1, ?, now(), '{}' FROM generate_series(1, ?) n`, list, a.id, 5*batch).Exec(t.Context())
	require.NoError(t, err)
	analyzeTrash(t, s)
	require.LessOrEqual(t, reads(t, s, "task.tasks", func() {
		ofTrash = reads(t, s, "task.trash", func() {
			for done := false; !done; {
				do(func(ctx context.Context, tx *change.Tx) (err error) {
					done, err = Erase(ctx, tx, list)
					return err
				})()
			}
		})
	}), 4*tasks)
	require.LessOrEqual(t, ofTrash, 5*5*batch)
	require.Zero(t, count(all)+count(trash))
}

// What series have let go was passed on the way to what is shown.
func TestWhatIsLetGoIsNotPassedInTheTrash(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	const rows, shown, limit = 4000, 100, 5
	a := newAccount(t, s)
	a.create(Draft{Title: "x"}) // he has an inbox from then on
	_, err := s.DB.NewRaw(`INSERT INTO task.trash (id, root_id, list_id, title, version, deleted_by, deleted_at, let_go, task)
		SELECT md5('x' || n)::uuid, md5('x' || n)::uuid, ?0, 't' || n, 1, ?1, timestamptz '2026-06-01' + n * interval '1 second', n > ?2, '{}' FROM generate_series(1, ?3) n`,
		access.Inbox(a.id), a.id, shown, rows).Exec(t.Context())
	require.NoError(t, err)
	trashOfOthers(t, s, 5*rows)
	hook := &plans{of: "task.trash"}
	s.DB = s.DB.WithQueryHook(hook)
	found, err := s.Trash(t.Context(), a.actor, nil, limit)
	require.NoError(t, err)
	require.Len(t, found, limit)
	require.Equal(t, "t100", found[0].Title)
	require.Len(t, hook.statements, 1)
	read, whole := planOf(t, s, hook.statements[0]).read()
	require.False(t, whole)
	require.LessOrEqual(t, read, float64(8*limit), hook.statements[0])
}

// What was said about one that was skipped was looked for among all that was ever said.
func TestWhatWasSaidAboutASkippedOneAloneIsRead(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	const said, others = 5, 10_000
	a := newAccount(t, s)
	start := time.Now()
	first, other := a.create(Draft{Title: "x", DueAt: &start, Recurrence: &RecurrenceDraft{RRule: "FREQ=DAILY"}}), a.create(Draft{Title: "y"})
	sub := a.create(Draft{Title: "z", ParentID: &first})
	_, err := s.DB.NewRaw(`INSERT INTO task.comments (id, task_id, author_id, text, created_at)
		SELECT md5('c' || n)::uuid, CASE WHEN n <= ?0 THEN ?1::uuid WHEN n <= 2 * ?0 THEN ?2 ELSE ?3 END, ?4, 'x', now() + n * interval '1 ms' FROM generate_series(1, ?5) n`, said, first, sub, other, a.id, others).Exec(t.Context())
	require.NoError(t, err)
	_, err = s.DB.NewRaw("VACUUM ANALYZE task.comments").Exec(t.Context())
	require.NoError(t, err)
	next, err := s.Skip(t.Context(), a.actor, first, nil)
	require.NoError(t, err)
	count := func(id uuid.UUID) (n int) {
		require.NoError(t, s.DB.NewRaw("SELECT count(*) FROM task.comments WHERE task_id = ?", id).Scan(t.Context(), &n))
		return n
	}
	require.Equal(t, said, count(next.ID))
	require.Zero(t, count(sub))
	require.LessOrEqual(t, reads(t, s, "task.comments", func() {
		require.NoError(t, s.Changes.Do(t.Context(), a.actor, func(ctx context.Context, tx *change.Tx) error {
			_, err := bringBack(ctx, tx, first)
			return err
		}))
	}), 10*said)
	require.Equal(t, said, count(first))
	require.Equal(t, said, count(sub))
	require.Zero(t, count(next.ID))
}

// What was said about one that was skipped, and went on with another that was skipped, too, is
// on the first when both are back.
func TestWhatWasSaidIsOnTheFirstOfSeveralSkippedOnes(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	a := newAccount(t, s)
	start := time.Now()
	first := a.create(Draft{Title: "x", DueAt: &start, Recurrence: &RecurrenceDraft{RRule: "FREQ=DAILY"}})
	_, err := s.DB.NewRaw("INSERT INTO task.comments (id, task_id, author_id, text, created_at) VALUES (?, ?, ?, 'x', now())", uuid.New(), first, a.id).Exec(t.Context())
	require.NoError(t, err)
	second, err := s.Skip(t.Context(), a.actor, first, nil)
	require.NoError(t, err)
	_, err = s.Skip(t.Context(), a.actor, second.ID, nil)
	require.NoError(t, err)
	require.NoError(t, s.Changes.Do(t.Context(), a.actor, func(ctx context.Context, tx *change.Tx) error {
		_, err := bringBack(ctx, tx, second.ID, first)
		return err
	}))
	var on []uuid.UUID
	require.NoError(t, s.DB.NewRaw("SELECT task_id FROM task.comments").Scan(t.Context(), &on))
	require.Equal(t, []uuid.UUID{first}, on)
}
