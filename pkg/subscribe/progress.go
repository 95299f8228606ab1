package subscribe

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/uptrace/bun"
)

var handledUpTo = promauto.NewGaugeVec(prometheus.GaugeOpts{
	Name: "taskwire_event_handled_timestamp_seconds",
	Help: "When the newest event happened that the service is done with, in all its replicas.",
}, []string{"topic"})

// progress is how far this process knows that the service has come: when the
// newest event of each topic happened that was handled or dead-lettered. Deliveries
// end side by side, so the last one need not be the newest.
type progress struct {
	mu   sync.Mutex
	upTo map[string]time.Time
}

// clockSkew is how far the clock of task-api may be ahead. An event of a later
// time would hide for ever that nothing comes any more, and is not counted.
const clockSkew = time.Minute

// advance moves a topic to an event that happened at a time, and returns how far it is.
func (p *progress) advance(topic string, at, now time.Time) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	if at.After(p.upTo[topic]) && !at.After(now.Add(clockSkew)) {
		p.upTo[topic] = at
		handledUpTo.WithLabelValues(topic).Set(float64(at.UnixMicro()) / 1e6)
	}
	return p.upTo[topic]
}

// keepProgress brings together what the replicas know, so that the metric goes
// on after a restart where it was. A consumer counts from its first start on.
func (s *Subscriber) keepProgress(ctx context.Context) error {
	for topic := range s.topics {
		now := s.Now()
		own := bun.NullTime{Time: s.progress.advance(topic, time.Time{}, now)}
		var upTo time.Time
		err := s.DB.NewRaw(`
			INSERT INTO ?0.progress AS p (topic, up_to) VALUES (?1, coalesce(?2::timestamptz, ?3::timestamptz))
			ON CONFLICT (topic) DO UPDATE SET up_to = greatest(p.up_to, ?2::timestamptz) RETURNING up_to`,
			bun.Ident(s.Schema), topic, own, now).Scan(ctx, &upTo)
		if err != nil {
			return fmt.Errorf("keep how far %s is handled: %w", topic, err)
		}
		s.progress.advance(topic, upTo, now)
	}
	return nil
}

// Handled is how far each topic is handled, as far as all replicas have said (each does
// every 15 s) and this one knows: when the newest event happened that the service is done
// with. A topic of which nothing is known yet has the zero time.
func (s *Subscriber) Handled(ctx context.Context) (map[string]time.Time, error) {
	var kept []struct {
		Topic string    `bun:"topic"`
		UpTo  time.Time `bun:"up_to"`
	}
	if err := s.DB.NewRaw("SELECT topic, up_to FROM ?.progress", bun.Ident(s.Schema)).Scan(ctx, &kept); err != nil {
		return nil, fmt.Errorf("read how far the events are handled: %w", err)
	}
	upTo := make(map[string]time.Time, len(s.topics))
	for topic := range s.topics {
		upTo[topic] = s.progress.advance(topic, time.Time{}, s.Now())
	}
	for _, k := range kept {
		// Of a topic that the service reads no more there may be a row.
		if own, ok := upTo[k.Topic]; ok && k.UpTo.After(own) {
			upTo[k.Topic] = k.UpTo
		}
	}
	return upTo, nil
}
