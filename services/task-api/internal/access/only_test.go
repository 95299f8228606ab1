package access_test

import (
	"os"
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/database/databasetest"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/migrations"
)

func TestMain(m *testing.M) { os.Exit(databasetest.Main(m)) }

// Whatever is asked of an actor who is restricted to lists is answered of those alone, as
// far as he is a member of them.
func TestWhoIsRestrictedToListsHasThoseAlone(t *testing.T) {
	db, _ := databasetest.Open(t, migrations.Schema)
	user := uuid.New()
	open, closed, trashed, theirs := uuid.New(), uuid.New(), uuid.New(), uuid.New()
	execute := func(query string, args ...any) {
		t.Helper()
		_, err := db.NewRaw(query, args...).Exec(t.Context())
		require.NoError(t, err)
	}
	tasks := map[uuid.UUID]uuid.UUID{}
	for _, list := range []uuid.UUID{open, closed, trashed, theirs} {
		member := user
		if list == theirs {
			member = uuid.New()
		}
		execute("INSERT INTO task.lists (id, created_by, name, version, created_at, updated_at) VALUES (?, ?, 'x', 1, now(), now())", list, member)
		execute("INSERT INTO task.members (user_id, list_id, role, position, since, trashed) VALUES (?, ?, 'owner', 0, now(), ?)", member, list, list == trashed)
		task, comment := uuid.New(), uuid.New()
		tasks[list] = task
		execute(`INSERT INTO task.tasks (id, user_id, list_id, position, title, description, is_complete, priority, tags, all_day, timezone, version, created_at, updated_at)
			VALUES (?, ?, ?, 0, 'x', '', false, 0, '{}', false, 'UTC', 1, now(), now())`, task, member, list)
		execute("INSERT INTO task.comments (id, task_id, author_id, text, created_at) VALUES (?, ?, ?, 'x', now())", comment, task, member)
		row := "to_jsonb(t)"
		if list == trashed {
			row = "NULL"
		}
		execute("INSERT INTO task.trash (id, root_id, list_id, title, version, deleted_by, deleted_at, task) SELECT ?, ?, ?, 'x', 1, ?, now(), "+row+" FROM task.tasks t WHERE id = ?",
			uuid.New(), uuid.New(), list, member, task)
	}
	found := func(query string, c access.Condition) (lists []uuid.UUID) {
		t.Helper()
		require.NoError(t, db.NewRaw(query+c.SQL+" ORDER BY 1", c.Args...).Scan(t.Context(), &lists))
		return lists
	}
	for name, k := range map[string]struct {
		only        []uuid.UUID
		live, trash []uuid.UUID
	}{
		"all":                {nil, []uuid.UUID{open, closed}, []uuid.UUID{open, closed, trashed}},
		"one":                {[]uuid.UUID{open}, []uuid.UUID{open}, []uuid.UUID{open}},
		"one in the trash":   {[]uuid.UUID{trashed}, nil, []uuid.UUID{trashed}},
		"another's":          {[]uuid.UUID{theirs, open}, []uuid.UUID{open}, []uuid.UUID{open}},
		"none, which is not": {[]uuid.UUID{}, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			actor := access.Actor{UserID: user, Only: k.only}
			sorted := func(ids []uuid.UUID) []uuid.UUID {
				ids = slices.Clone(ids)
				slices.SortFunc(ids, func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
				return ids
			}
			require.Equal(t, sorted(k.live), found("SELECT m.list_id FROM task.members m WHERE ", actor.Memberships()))
			require.Equal(t, sorted(k.live), found("SELECT list_id FROM task.tasks WHERE ", actor.Tasks()))
			require.Equal(t, sorted(k.live), found("SELECT l.id FROM task.lists l WHERE ", actor.InLists("l.id")))
			require.Equal(t, sorted(k.live), found("SELECT t.list_id FROM task.comments c JOIN task.tasks t ON t.id = c.task_id WHERE ", actor.Comments()))
			require.Equal(t, sorted(k.trash), found("SELECT x.list_id FROM task.trash x WHERE ", actor.Trash()))
			role := actor.RoleIn("l.id")
			require.Equal(t, sorted(k.trash), found("SELECT l.id FROM task.lists l WHERE ", access.Condition{SQL: role.SQL + " = 'owner'", Args: role.Args}))
			lists, err := actor.Lists(t.Context(), db, closed, 10)
			require.NoError(t, err)
			require.ElementsMatch(t, k.live, lists)
			for list, task := range tasks {
				err := actor.Task(t.Context(), db, task)
				require.Equal(t, slices.Contains(k.live, list), err == nil, "%v", err)
				require.Equal(t, k.only == nil || slices.Contains(k.only, list), actor.Reaches(list))
			}
			require.Equal(t, k.only == nil, actor.MakesLists() == nil)
		})
	}
}
