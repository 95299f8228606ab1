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
	// countInterval is how often the open dead letters are counted, and the
	// progress is kept.
	countInterval = 15 * time.Second
	// pruneInterval is how often old rows of the inbox are looked for.
	pruneInterval = time.Hour
	// lastTime is how long it may take to keep the progress at the end.
	lastTime = 2 * time.Second
)

// A vector without labels is not there before it is known.
var openLetters = promauto.NewGaugeVec(prometheus.GaugeOpts{
	Name: "taskwire_dead_letters_open", Help: "Dead letters that no operator has replayed or discarded yet.",
}, nil)

// Keep looks after the tables, at once and again and again until ctx ends: it
// prunes the inbox, counts the open dead letters, and keeps how far the events
// are handled. A database that is away is waited for. Any number of replicas may
// run it.
func (s *Subscriber) Keep(ctx context.Context) error {
	prune, count := time.NewTicker(pruneInterval), time.NewTicker(countInterval)
	defer prune.Stop()
	defer count.Stop()
	s.keepInbox(ctx)
	s.keepMetrics(ctx)
	for {
		select {
		case <-ctx.Done():
			// Workers end after the last delivery: what came of it is in here.
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastTime)
			defer cancel()
			if err := s.keepProgress(last); err != nil {
				s.Log.DebugContext(ctx, "how far the events are handled could not be kept", "error", err)
			}
			return nil
		case <-prune.C:
			s.keepInbox(ctx)
		case <-count.C:
			s.keepMetrics(ctx)
		}
	}
}

func (s *Subscriber) keepInbox(ctx context.Context) {
	if n, err := s.Prune(ctx); err != nil && ctx.Err() == nil {
		s.Log.WarnContext(ctx, "the inbox could not be pruned; it will be tried again", "error", err)
	} else if n > 0 {
		s.Log.InfoContext(ctx, "inbox pruned", "rows", n)
	}
}

func (s *Subscriber) keepMetrics(ctx context.Context) {
	if err := s.countLetters(ctx); err != nil && ctx.Err() == nil {
		s.Log.DebugContext(ctx, "the dead letters could not be counted", "error", err)
	}
	if err := s.keepProgress(ctx); err != nil && ctx.Err() == nil {
		s.Log.DebugContext(ctx, "how far the events are handled could not be kept", "error", err)
	}
}

// countLetters sets the metric of the open dead letters. They are counted,
// since operators resolve them in processes of their own; an index holds the
// open ones alone.
func (s *Subscriber) countLetters(ctx context.Context) error {
	var n int
	err := s.DB.NewRaw("SELECT count(*) FROM ?.dead_letters WHERE resolved_at IS NULL", bun.Ident(s.Schema)).Scan(ctx, &n)
	if err != nil {
		return fmt.Errorf("count the open dead letters: %w", err)
	}
	openLetters.WithLabelValues().Set(float64(n))
	return nil
}
