package eventlog_test

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/database/databasetest"
	"github.com/taskwire/taskwire/pkg/eventlog"
)

// discard throws away what it is given, and tells when it was enough.
type discard struct {
	left   atomic.Int64
	enough chan struct{}
}

func (d *discard) Publish(_ context.Context, _ string, m []eventlog.Message) ([]int, error) {
	if left := d.left.Add(-int64(len(m))); left <= 0 && left+int64(len(m)) > 0 {
		close(d.enough)
	}
	return nil, nil
}

// BenchmarkRelay is what the relay itself costs per event, with a broker that
// costs nothing: with the events placed already, as after an outage, with placing
// them, and with that beside a snapshot that is as old as they are.
func BenchmarkRelay(b *testing.B) {
	for _, c := range []struct {
		name             string
		placed, snapshot bool
	}{{name: "placed", placed: true}, {name: "fresh"}, {name: "snapshot", snapshot: true}} {
		b.Run(c.name, func(b *testing.B) {
			url := databasetest.New(b)
			db, err := database.Open(b.Context(), url)
			require.NoError(b, err)
			defer db.Close()
			_, err = db.ExecContext(b.Context(), fmt.Sprintf(eventlog.Schema, "log"))
			require.NoError(b, err)
			data := `{"event_type":"task.updated","text":"` + strings.Repeat("x", 900) + `"}`
			seq := "NULL"
			if c.placed {
				seq = "n"
			}
			_, err = db.ExecContext(b.Context(), `INSERT INTO log.events (seq, id, topic, type, key, trace_parent, occurred_at, data)
				SELECT `+seq+`, gen_random_uuid(), 'a', 'task.updated', gen_random_uuid()::text, '', now(), ? FROM generate_series(1, ?) n; ANALYZE log.events`, data, b.N)
			require.NoError(b, err)
			_, err = db.ExecContext(b.Context(), "ANALYZE log.events; CHECKPOINT")
			require.NoError(b, err)
			if c.snapshot {
				reading, err := db.BeginTx(b.Context(), &sql.TxOptions{Isolation: sql.LevelRepeatableRead})
				require.NoError(b, err)
				defer func() { _ = reading.Rollback() }() // there is nothing to undo
				_, err = reading.ExecContext(b.Context(), "SET LOCAL idle_in_transaction_session_timeout = 0; SELECT FROM log.event_head")
				require.NoError(b, err)
			}
			b.ResetTimer()
			ctx, cancel := context.WithCancel(b.Context())
			p := &discard{enough: make(chan struct{})}
			p.left.Store(int64(b.N))
			r := &eventlog.Relay{DB: db, URL: url, Schema: "log", Topics: []string{"a"}, Publisher: p, Signal: eventlog.NewSignal(url, "x", slog.New(slog.DiscardHandler)), Log: slog.New(slog.DiscardHandler)}
			done := make(chan struct{})
			go func() { defer close(done); _ = r.Run(ctx) }()
			<-p.enough
			b.StopTimer()
			cancel()
			<-done
		})
	}
}
