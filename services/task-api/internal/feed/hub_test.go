package feed

import (
	"context"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/database/databasetest"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/comment"
	"github.com/taskwire/taskwire/services/task-api/internal/list"
	"github.com/taskwire/taskwire/services/task-api/internal/migrations"
	"github.com/taskwire/taskwire/services/task-api/internal/task"
)

func TestMain(m *testing.M) { os.Exit(databasetest.Main(m)) }

// statements counts those of a database.
type statements struct {
	bun.QueryHook

	n int
}

func (s *statements) BeforeQuery(ctx context.Context, _ *bun.QueryEvent) context.Context {
	s.n++
	return ctx
}
func (s *statements) AfterQuery(context.Context, *bun.QueryEvent) {}

// fixture is a hub and a list with members, each of whom waits and has read all before.
type fixture struct {
	*Hub

	t       *testing.T
	counted *statements
	list    uuid.UUID
	members []*Watch
	places  []Place
	encoded int // changes
}

func (f *fixture) encode(c Change) ([]byte, error) {
	f.encoded++
	return []byte(c.ID.String()), nil
}

func newFixture(t *testing.T, members int) *fixture {
	t.Helper()
	f := &fixture{t: t, counted: &statements{}, list: uuid.New()}
	db, _ := databasetest.Open(t, migrations.Schema)
	db = db.WithQueryHook(f.counted)
	f.Hub = &Hub{Store: &Store{DB: db, Tasks: &task.Store{DB: db}, Lists: &list.Store{DB: db}, Comments: &comment.Store{DB: db}}, Encode: f.encode, Log: slog.New(slog.DiscardHandler)}
	_, err := f.Store.Now(t.Context()) // a log begins, with nothing in it
	require.NoError(t, err)
	owner := uuid.New()
	f.do("INSERT INTO task.lists (id, created_by, name, version, created_at, updated_at) VALUES (?, ?, 'shared', 1, now(), now())", f.list, owner)
	for range members {
		w := f.Watch(access.Actor{UserID: uuid.New()})
		f.do("INSERT INTO task.members (user_id, list_id, role, position, since) VALUES (?, ?, 'editor', 1, now())", w.actor.UserID, f.list)
		f.members = append(f.members, w)
		w.Set(f.list, w.actor.UserID)
	}
	f.lookUntil(f.woken) // at all, since it is the first look
	for _, w := range f.members {
		f.places = append(f.places, f.readSelf(w))
	}
	return f
}

func (f *fixture) do(sql string, args ...any) {
	f.t.Helper()
	_, err := f.Store.DB.NewRaw(sql, args...).Exec(f.t.Context())
	require.NoError(f.t, err)
}

func (f *fixture) task(id uuid.UUID) {
	f.t.Helper()
	f.do(`INSERT INTO task.tasks (id, user_id, list_id, position, title, description, is_complete, priority, tags, all_day, timezone, version, created_at, updated_at)
		VALUES (?, ?, ?, 1, 'x', '', false, 0, '{}', false, 'UTC', 1, now(), now())`, id, uuid.New(), f.list)
}

// readSelf is what somebody does who is not told.
func (f *fixture) readSelf(w *Watch) Place {
	f.t.Helper()
	w.Set(f.list, w.actor.UserID)
	p, err := f.Store.Now(f.t.Context())
	require.NoError(f.t, err)
	return p
}

// lookUntil looks again until something is so: other transactions of the cluster hold up
// what is settled.
func (f *fixture) lookUntil(so func() bool) {
	f.t.Helper()
	require.Eventually(f.t, func() bool {
		f.counted.n = 0
		_, err := f.poll(f.t.Context())
		require.NoError(f.t, err)
		return so()
	}, 30*time.Second, time.Millisecond)
}

// woken says whether the first member is.
func (f *fixture) woken() bool {
	select {
	case <-f.members[0].Woken():
		return true
	default:
		return false
	}
}

// heard are the things that a member is told of.
func (f *fixture) heard(i int) (ids []uuid.UUID, known bool) {
	p, known := f.members[i].Page(f.places[i])
	if known {
		f.places[i] = p.Next
	}
	for j, c := range p.Changes {
		require.Equal(f.t, c.ID.String(), string(c.JSON))
		require.Equal(f.t, Place{p.Next.Log, p.rows[j].Changed, c.ListID, c.Kind, c.ID}, p.Behind(j))
		ids = append(ids, c.ID)
	}
	return ids, known
}

func TestAChangeIsReadOnceForAllWhoWait(t *testing.T) {
	f := newFixture(t, 20)
	id := uuid.New()
	f.task(id)
	f.lookUntil(f.woken)
	require.LessOrEqual(t, f.counted.n, 4, "statements, whoever waits")
	require.Equal(t, 1, f.encoded, "and its JSON is made once")
	for i := range f.members {
		ids, known := f.heard(i)
		require.True(t, known)
		require.Equal(t, []uuid.UUID{id}, ids)
		require.Equal(t, f.changed, f.places[i].Changed)
		_, known = f.heard(i)
		require.False(t, known, "there is nothing more")
	}
}

// A log that has just begun, as after a restore, has nothing in it, and no place but 0.
func TestNobodyIsWokenWhereNothingHasEverChanged(t *testing.T) {
	f := newFixture(t, 1)
	f.do("DELETE FROM task.feed")
	f.lookUntil(func() bool { return f.changed == 0 })
	require.True(t, f.woken(), "since it is another log")
	f.places[0] = f.readSelf(f.members[0])
	require.Zero(t, f.places[0].Changed)
	_, err := f.poll(t.Context())
	require.NoError(t, err)
	require.False(t, f.woken())

	id := uuid.New()
	f.task(id)
	f.lookUntil(f.woken)
	ids, known := f.heard(0)
	require.True(t, known)
	require.Equal(t, []uuid.UUID{id}, ids)
}

func TestNewsAreInTheirOrderAndOnce(t *testing.T) {
	f := newFixture(t, 2)
	first, second := uuid.New(), uuid.New()
	f.task(first)
	f.lookUntil(f.woken)
	ids, _ := f.heard(1)
	require.Equal(t, []uuid.UUID{first}, ids)
	f.task(second)
	f.do("UPDATE task.tasks SET version = 2, title = 'again' WHERE id = ?", first)
	f.lookUntil(func() bool {
		rows := 0
		for _, n := range f.members[0].queued {
			rows += len(n.rows)
		}
		return rows == 3
	})
	require.True(t, f.woken())
	ids, known := f.heard(0)
	require.True(t, known)
	require.Equal(t, []uuid.UUID{first, second, first}, ids)

	// Who has read further by himself has it once.
	f.do("UPDATE task.tasks SET version = 3 WHERE id = ?", first)
	f.lookUntil(f.woken)
	f.places[0].Changed = f.changed
	ids, known = f.heard(0)
	require.True(t, known)
	require.Empty(t, ids)
}

func TestWhoIsNotToldReadsForHimself(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(f *fixture)
	}{
		{"the list is another", func(f *fixture) { f.do("UPDATE task.lists SET name = 'other'") }},
		{"his membership is another", func(f *fixture) {
			f.do("UPDATE task.members SET role = 'viewer' WHERE user_id = ?", f.members[0].actor.UserID)
		}},
		{"he is out of the list, and what changed then is not for him", func(f *fixture) {
			f.do("DELETE FROM task.members WHERE user_id = ?", f.members[0].actor.UserID)
			f.task(uuid.New())
		}},
		{"too much has changed", func(f *fixture) {
			f.do(`INSERT INTO task.tasks (id, user_id, list_id, position, title, description, is_complete, priority, tags, all_day, timezone, version, created_at, updated_at)
				SELECT gen_random_uuid(), ?, ?, n, 'x', '', false, 0, '{}', false, 'UTC', 1, now(), now() FROM generate_series(0, ?) n`, uuid.New(), f.list, maxBatch)
		}},
		{"his place is of another log", func(f *fixture) {
			f.task(uuid.New())
			f.places[0].Log = uuid.New()
		}},
		{"his place is before the watch", func(f *fixture) {
			f.task(uuid.New())
			f.places[0].Changed = f.members[0].since - 1
		}},
		{"his place is within a transaction", func(f *fixture) {
			f.task(uuid.New())
			f.places[0].ID = uuid.New()
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t, 1)
			c.change(f)
			f.lookUntil(f.woken)
			_, known := f.heard(0)
			require.False(t, known)
		})
	}
}

func TestWhoIsSlowReadsForHimself(t *testing.T) {
	f := newFixture(t, 2)
	for range maxQueued + 1 {
		f.task(uuid.New())
		f.lookUntil(f.woken)
	}
	_, known := f.heard(0)
	require.False(t, known)
	f.places[0] = f.readSelf(f.members[0])
	id := uuid.New()
	f.task(id)
	f.lookUntil(f.woken)
	ids, known := f.heard(0)
	require.True(t, known, "he is told again")
	require.Equal(t, []uuid.UUID{id}, ids)
}

// A member's page is of his own lists, whatever the others wait for.
func TestNewsAreForMembersAlone(t *testing.T) {
	f := newFixture(t, 1)
	stranger := f.Watch(access.Actor{UserID: uuid.New()})
	stranger.Set(f.list) // which nobody lets him; what he is told is seen to by itself
	f.task(uuid.New())
	f.lookUntil(f.woken)
	p, known := stranger.Page(f.places[0])
	require.True(t, known)
	require.Empty(t, p.Changes)
	members, err := access.Members(t.Context(), f.Store.DB, f.list)
	require.NoError(t, err)
	require.False(t, members[f.list][stranger.actor.UserID])
	require.True(t, members[f.list][f.members[0].actor.UserID])
}

// Who waits for some of his lists is told of those, and of no others that somebody waits for.
func TestWhoWaitsForSomeListsIsToldOfThem(t *testing.T) {
	f := newFixture(t, 1)
	w := f.Watch(f.members[0].actor, f.list)
	f.list = uuid.New()
	f.do("INSERT INTO task.lists (id, created_by, name, version, created_at, updated_at) VALUES (?, ?, 'other', 1, now(), now())", f.list, w.actor.UserID)
	f.do("INSERT INTO task.members (user_id, list_id, role, position, since) VALUES (?, ?, 'editor', 1, now())", w.actor.UserID, f.list)
	f.lookUntil(f.woken)
	f.places[0] = f.readSelf(f.members[0])
	f.members[0].Set(w.only[0], f.list, w.actor.UserID)
	w.Set(w.only[0], w.actor.UserID)

	other, his := uuid.New(), uuid.New()
	f.task(other)
	f.list = w.only[0]
	f.task(his)
	f.lookUntil(func() bool { return len(w.queued) > 0 })
	from := f.places[0]
	ids, known := f.heard(0)
	require.True(t, known)
	require.Equal(t, []uuid.UUID{other, his}, ids)
	p, known := w.Page(from)
	require.True(t, known)
	require.Len(t, p.Changes, 1)
	require.Equal(t, his, p.Changes[0].ID)
	require.Equal(t, f.places[0], p.Next)

	// What becomes of his membership he reads himself.
	f.do("DELETE FROM task.members WHERE user_id = ? AND list_id = ?", w.actor.UserID, f.list)
	f.lookUntil(func() bool { return w.missed })
	_, known = w.Page(p.Next)
	require.False(t, known)
}

func TestThePlaceBehindTheFirstChanges(t *testing.T) {
	f := newFixture(t, 1)
	var ids []uuid.UUID
	for range 3 {
		ids = append(ids, uuid.New())
		f.task(ids[len(ids)-1])
	}
	f.lookUntil(func() bool {
		rows := 0
		for _, n := range f.members[0].queued {
			rows += len(n.rows)
		}
		return rows == len(ids)
	})
	p, known := f.members[0].Page(f.places[0])
	require.True(t, known)
	require.Equal(t, p, p.First(len(ids)))
	first := p.First(2)
	require.True(t, first.More)
	require.Len(t, first.Changes, 2)
	require.Equal(t, p.Behind(1), first.Next)
	_, known = f.members[0].Page(first.Next)
	require.False(t, known, "the rest he reads himself")
}
