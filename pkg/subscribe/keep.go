package subscribe

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/uptrace/bun"
	"golang.org/x/sync/errgroup"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/outage"
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
	keeping := func(gone, back string, work func(context.Context) (time.Duration, error)) func() error {
		return func() error {
			return database.Repeat(ctx, &outage.Outage{Log: s.Log, Gone: gone, Back: back}, nil, work)
		}
	}
	var all errgroup.Group
	all.Go(keeping("the inbox could not be pruned; trying again", "the inbox is pruned again", func(ctx context.Context) (time.Duration, error) {
		n, err := s.Prune(ctx)
		if n > 0 {
			s.Log.InfoContext(ctx, "inbox pruned", "rows", n)
		}
		return pruneInterval, err
	}))
	all.Go(keeping("the dead letters could not be counted, or the progress kept; trying again", "dead letters are counted and the progress kept again", func(ctx context.Context) (time.Duration, error) {
		return countInterval, errors.Join(s.countLetters(ctx), s.keepProgress(ctx))
	}))
	err := all.Wait()
	// Workers end after the last delivery: what came of it is in here.
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastTime)
	defer cancel()
	if err := s.keepProgress(last); err != nil {
		s.Log.DebugContext(ctx, "how far the events are handled could not be kept", "error", err)
	}
	return err
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
