package subscribe

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/taskwire/taskwire/pkg/database"
)

// pruneMargin is how much longer than an event can be replayed its inbox row is
// kept: for replays under way, and events that wait in the broker.
const pruneMargin = 48 * time.Hour

var pruned = promauto.NewCounter(prometheus.CounterOpts{
	Name: "taskwire_inbox_pruned_total", Help: "Inbox rows that were deleted since their events can not come again.",
})

// Prune deletes what a consumer need not remember any more, and says how many
// rows that were. A replay refuses events that are older than the retention of
// the event log, so an inbox row that is kept for longer outlives every chance
// of its event coming again.
func (s *Subscriber) Prune(ctx context.Context) (int64, error) {
	n, err := database.Prune(ctx, s.DB, database.Old{
		Table: s.Schema + ".inbox", Key: "source, id", Age: "handled_at", Before: s.Now().Add(-s.Retention - pruneMargin),
	})
	pruned.Add(float64(n))
	return n, err
}
