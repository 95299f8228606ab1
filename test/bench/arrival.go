package main

import (
	"context"
	"fmt"
	"time"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/test/suite"
)

// consumers are those that have to handle an event of each create, and its topic.
// The first writes the audit rows.
var consumers = []struct{ service, topic string }{
	{"audit-log", event.TopicAudit}, {"recurring-task", event.TopicTasks}, {"notification", event.TopicTasks},
}

// consumed is how many events each consumer is done with, by its own count: it is
// the same for all commits, whatever is in their tables.
func consumed(ctx context.Context, s *suite.Suite) ([]float64, error) {
	done := make([]float64, len(consumers))
	for i := range consumers {
		var err error
		if done[i], err = consumedBy(ctx, s, i); err != nil {
			return nil, err
		}
	}
	return done, nil
}

func consumedBy(ctx context.Context, s *suite.Suite, consumer int) (float64, error) {
	const name = "taskwire_events_consumed_total"
	c := consumers[consumer]
	all, _, err := s.Metric(ctx, c.service, name, "topic", c.topic)
	if err != nil {
		return 0, err
	}
	again, _, err := s.Metric(ctx, c.service, name, "topic", c.topic, "outcome", "retry")
	return all - again, err
}

// arrived waits until each consumer is done with n events more than before, and says
// when the first was: then all audit rows were there.
func arrived(ctx context.Context, s *suite.Suite, before []float64, n int) (audited time.Time, err error) {
	const stuck = time.Minute
	for i := range consumers {
		last, moved := 0.0, time.Now()
		for {
			done, err := consumedBy(ctx, s, i)
			if err != nil {
				return audited, err
			}
			if done >= before[i]+float64(n) {
				break
			}
			if done != last {
				last, moved = done, time.Now()
			}
			if time.Since(moved) > stuck {
				return audited, fmt.Errorf("%s is done with %.0f of %d events, and no more for %s", consumers[i].service, done-before[i], n, stuck)
			}
			if err := pause(ctx, 50*time.Millisecond); err != nil {
				return audited, err
			}
		}
		if i == 0 {
			audited = time.Now()
		}
	}
	return audited, nil
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
