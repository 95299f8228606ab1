package subscribe

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/uptrace/bun"
)

// watchInterval is how often the open dead letters are counted.
const watchInterval = 15 * time.Second

var openLetters = promauto.NewGauge(prometheus.GaugeOpts{
	Name: "taskwire_dead_letters_open", Help: "Dead letters that no operator has replayed or discarded yet.",
})

// Watch keeps the metric of the open dead letters, until ctx ends. They are
// counted, since operators resolve them in processes of their own; an index
// holds the open ones alone.
func (s *Subscriber) Watch(ctx context.Context) error {
	for {
		if err := s.countLetters(ctx); err != nil && ctx.Err() == nil {
			s.Log.DebugContext(ctx, "the dead letters could not be counted", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(watchInterval):
		}
	}
}

func (s *Subscriber) countLetters(ctx context.Context) error {
	var n int
	err := s.DB.NewRaw("SELECT count(*) FROM ?.dead_letters WHERE resolved_at IS NULL", bun.Ident(s.Schema)).Scan(ctx, &n)
	if err != nil {
		return fmt.Errorf("count the open dead letters: %w", err)
	}
	openLetters.Set(float64(n))
	return nil
}
