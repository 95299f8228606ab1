package task

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/database/databasetest"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
	"github.com/taskwire/taskwire/services/task-api/internal/migrations"
)

// writes counts what a connection sends: each write of pgx is a message, or several that
// go together, and is answered before the next one.
type writes struct {
	net.Conn

	n *atomic.Int64
}

func (w writes) Write(b []byte) (int, error) {
	w.n.Add(1)
	return w.Conn.Write(b)
}

// What most requests do is mostly waiting for Postgres: how often they ask it is kept.
func TestHowOftenARequestAsksTheDatabase(t *testing.T) {
	t.Parallel()
	url, n := databasetest.Migrated(t, migrations.Schema), new(atomic.Int64)
	s := storeIn(t, url)
	config, err := database.Config(url)
	require.NoError(t, err)
	dial := config.DialFunc
	config.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		return writes{conn, n}, err
	}
	s.DB = bun.NewDB(stdlib.OpenDB(*config), pgdialect.New(), bun.WithDiscardUnknownColumns())
	t.Cleanup(func() { require.NoError(t, s.DB.Close()) })
	s.DB.SetMaxOpenConns(1)
	s.Changes.DB = s.DB
	a := inZone(t, s, "Europe/Berlin")
	due := time.Now().Add(time.Hour)
	draft := Draft{Title: "x", Tags: []string{"t"}, DueAt: &due, Reminders: []ReminderDraft{{BeforeDue: "PT5M"}, {BeforeDue: "PT1M"}}}
	var id uuid.UUID
	done := true
	for _, c := range []struct {
		name string
		most int64
		do   func() error
	}{
		{"create", 2, func() error { id = a.create(draft); return nil }},
		{"create once", 3, func() error {
			_, err := a.Create(a.ctx, a.actor, draft, &change.Key{Key: uuid.NewString(), Hash: []byte{1}})
			return err
		}},
		{"read", 1, func() error { _, err := a.Get(a.ctx, a.actor, id); return err }},
		{"list", 1, func() error { _, err := a.List(a.ctx, a.actor, Query{Sort: "-created_at", Limit: 2}); return err }},
		{"patch", 3, func() error {
			_, err := a.Patch(a.ctx, a.actor, id, nil, Patch{Title: Optional[string]{Present: true, Value: uuid.NewString()}, Reminders: Optional[[]ReminderDraft]{Present: true}}, ScopeThis)
			return err
		}},
		{"put", 3, func() error {
			draft.Title = uuid.NewString()
			_, err := a.Replace(a.ctx, a.actor, id, nil, draft, ScopeThis)
			return err
		}},
		{"patch in vain", 2, func() error {
			_, err := a.Patch(a.ctx, a.actor, id, Versions{0}, Patch{}, ScopeThis)
			require.ErrorIs(t, err, errStale)
			return nil
		}},
		{"complete", 5, func() error { // its subtasks are looked for
			done = !done
			_, err := a.Complete(a.ctx, a.actor, id, nil, &done)
			return err
		}},
		{"delete", 7, func() error {
			other := a.create(draft)
			return a.Delete(a.ctx, a.actor, other, nil)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for range 3 { // those before prepare, and ask for the zone
				n.Store(0)
				require.NoError(t, c.do())
			}
			require.Equal(t, c.most, n.Load())
		})
	}
}
