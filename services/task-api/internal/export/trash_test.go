package export

import (
	"os"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/database/databasetest"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/migrations"
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
	db.SetMaxOpenConns(1) // whose numbers are told when they are asked for
	read := func() (n int) {
		_, err := db.ExecContext(t.Context(), "SELECT pg_stat_force_next_flush()")
		require.NoError(t, err)
		require.NoError(t, db.NewRaw("SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_user_tables WHERE relid = 'task.trash'::regclass").Scan(t.Context(), &n))
		return n
	}
	before, found := read(), 0
	e := &Export{Store: &Store{DB: db}, actor: access.Actor{UserID: user}}
	require.NoError(t, e.trash(t.Context(), func(any) error { found++; return nil }))
	require.Equal(t, mine, found)
	require.Less(t, read()-before, others/2)
}
