package eventlog

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/database/databasetest"
)

// A row that was recorded before those that the relay knows of is placed, and
// behind it one that was recorded after them. The relay looks before it has
// been told of either: it must not find the second and go past the first.
func TestTheRelayGoesNoFurtherThanItHasBeenTold(t *testing.T) {
	db, err := database.Open(t.Context(), databasetest.New(t))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	_, err = db.ExecContext(t.Context(), "CREATE SCHEMA log;"+fmt.Sprintf(Tables, "log")+fmt.Sprintf(Partitions, "log"))
	require.NoError(t, err)
	now := time.Now().UTC().Truncate(time.Microsecond)
	place := func(seq int64, recorded time.Time) {
		_, err := db.NewRaw(`INSERT INTO log.events (recorded_at, seq, id, topic, type, key, trace_parent, occurred_at, data)
			VALUES (?, ?, gen_random_uuid(), 'a', 't', 'k', '', ?, '{}')`, recorded, seq, recorded).Exec(t.Context())
		require.NoError(t, err)
	}
	r := &Relay{DB: db, Schema: "log"}
	placed := &placedRange{wake: make(chan struct{}, 1)}
	windows := make(chan []row)
	ctx, cancel := context.WithCancel(t.Context())
	var reading sync.WaitGroup
	reading.Go(func() { _ = r.read(ctx, "a", 0, placed, windows) }) // ends with its context
	defer reading.Wait()
	defer cancel()
	next := func() (seqs []int64) {
		for _, e := range <-windows {
			seqs = append(seqs, e.Seq)
		}
		return seqs
	}

	place(1, now)
	placed.extend(now, 1)
	require.Equal(t, []int64{1}, next())
	// It has the place and the time of the first row; these two are in one
	// transaction, as the sequencer places them.
	require.NoError(t, db.RunInTx(ctx, nil, func(_ context.Context, tx bun.Tx) error {
		for seq, recorded := range map[int64]time.Time{2: now.Add(-time.Second), 3: now.Add(time.Second)} {
			if _, err := tx.NewRaw(`INSERT INTO log.events (recorded_at, seq, id, topic, type, key, trace_parent, occurred_at, data)
				VALUES (?, ?, gen_random_uuid(), 'a', 't', 'k', '', ?, '{}')`, recorded, seq, recorded).Exec(ctx); err != nil {
				return err
			}
		}
		return nil
	}))
	placed.extend(now, 1) // nothing new: it looks all the same
	select {
	case window := <-windows:
		require.Equal(t, int64(2), window[0].Seq, "it has gone past a row")
	case <-time.After(200 * time.Millisecond):
	}
	placed.extend(now.Add(-time.Second), 3)
	require.Equal(t, []int64{2, 3}, next())
}
