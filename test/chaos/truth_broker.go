package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/test/suite"
)

// quiet is how long nothing comes from a topic that has been read to its end.
const quiet = 5 * time.Second

// logIsOnTheBroker: each event is on its topic at least once, nothing else is,
// and the events of one task came in the order of the log, as far as the
// broker promises an order.
func (t *truth) logIsOnTheBroker(ctx context.Context) (*check, error) {
	c := t.check("event log = events on the broker")
	type logged struct {
		ID    uuid.UUID
		Topic string
		Seq   int64
	}
	log, err := collect[logged](ctx, t.db, `SELECT id, topic, coalesce(seq, 0) AS seq FROM task.events`)
	if err != nil {
		return nil, fmt.Errorf("read the event log: %w", err)
	}
	byTopic := map[string]map[string]int64{}
	for _, topic := range event.Topics {
		byTopic[topic] = map[string]int64{}
	}
	for _, e := range log {
		byTopic[e.Topic][e.ID.String()] = e.Seq
	}
	c.compared, t.published = len(log), len(log)
	ordered := t.suite.Broker.Kind != suite.Redis
	var mu sync.Mutex
	var reading errgroup.Group
	for topic, missing := range byTopic {
		seen, last := map[string]bool{}, map[string]int64{}
		reading.Go(func() error {
			err := readAll(ctx, t.suite, topic, func(r suite.Record) {
				mu.Lock()
				defer mu.Unlock()
				if seen[r.Event.ID] {
					t.repeated++
					return
				}
				seen[r.Event.ID] = true
				seq, ok := missing[r.Event.ID]
				if !ok {
					c.invent("event %s on %s is not in the log (offset %s)", r.Event.ID, topic, r.Offset)
					return
				}
				delete(missing, r.Event.ID)
				if ordered && seq < last[r.Event.Subject] {
					c.misplace("event %s on %s, place %d of task %s comes after %d", r.Event.ID, topic, seq, r.Event.Subject, last[r.Event.Subject])
				}
				last[r.Event.Subject] = max(seq, last[r.Event.Subject])
			})
			mu.Lock()
			defer mu.Unlock()
			for id := range missing {
				c.lose("event %s is not on %s", id, topic)
			}
			return err
		})
	}
	return c, reading.Wait()
}

// readAll reads a topic until nothing comes any more.
func readAll(ctx context.Context, s *suite.Suite, topic string, each func(suite.Record)) error {
	reading, stop := context.WithCancel(ctx)
	defer stop()
	var count atomic.Int64
	go func() {
		for before := int64(-1); ; {
			select {
			case <-reading.Done():
				return
			case <-time.After(quiet):
			}
			now := count.Load()
			if now == before || now == 0 && before == 0 {
				stop()
				return
			}
			before = now
		}
	}()
	err := s.Read(reading, topic, func(r suite.Record) bool {
		count.Add(1)
		each(r)
		return false
	})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}
