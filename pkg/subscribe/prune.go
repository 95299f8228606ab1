package subscribe

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/uptrace/bun"
)

const (
	// pruneMargin is how much longer than an event can be replayed its inbox row
	// is kept: for replays under way, and events that wait in the broker.
	pruneMargin = 48 * time.Hour
	// pruneRows is how many are deleted at once: no consumer waits long for it.
	pruneRows = 5000
)

var pruned = promauto.NewCounter(prometheus.CounterOpts{
	Name: "taskwire_inbox_pruned_total", Help: "Inbox rows that were deleted since their events can not come again.",
})

// Prune deletes what a consumer need not remember any more, and says how many
// rows that were. A replay refuses events that are older than the retention of
// the event log, so an inbox row that is kept for longer outlives every chance
// of its event coming again.
func (s *Subscriber) Prune(ctx context.Context) (int64, error) {
	before := s.Now().Add(-s.Retention - pruneMargin)
	var total int64
	for {
		// Rows that another replica is deleting are left to it.
		res, err := s.DB.NewRaw(`
			DELETE FROM ?0.inbox WHERE (source, id) IN (
				SELECT source, id FROM ?0.inbox WHERE handled_at < ?1 ORDER BY handled_at LIMIT ?2 FOR UPDATE SKIP LOCKED)`,
			bun.Ident(s.Schema), before, pruneRows).Exec(ctx)
		if err != nil {
			return total, fmt.Errorf("prune the inbox of %s: %w", s.Schema, err)
		}
		n, err := res.RowsAffected()
		if err != nil {
			return total, fmt.Errorf("count the pruned rows: %w", err)
		}
		total += n
		pruned.Add(float64(n))
		if n < pruneRows {
			return total, nil
		}
	}
}
