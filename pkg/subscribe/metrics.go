package subscribe

import (
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/taskwire/taskwire/pkg/event"
)

var consumed = promauto.NewCounterVec(prometheus.CounterOpts{
	Name: "taskwire_events_consumed_total",
	Help: "Events by what became of them: handled, duplicate, dead_letter or retry.",
}, []string{"topic", "type", "outcome"})

// What became of a delivery, in the metric.
const (
	outcomeHandled    = "handled"
	outcomeDuplicate  = "duplicate"
	outcomeDeadLetter = "dead_letter"
	outcomeRetry      = "retry"
)

var lag = promauto.NewHistogramVec(prometheus.HistogramOpts{
	Name:    "taskwire_consumer_lag_seconds",
	Help:    "Time from when an event happened to when its effect was there.",
	Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 3600, 86400},
}, []string{"topic"})

// other is the label of a type that is not the suite's.
const other = "other"

// labels are those of the types that the suite publishes, by topic.
var labels = func() map[string][]string {
	labels := map[string][]string{event.TopicAudit: {"audit"}}
	for _, t := range event.Types {
		if t.Topic != event.TopicAudit {
			labels[t.Topic] = append(labels[t.Topic], t.Name)
		}
	}
	return labels
}()

// countFromZero makes the counters of a topic: an increase is seen from a value
// that was there before it, and the first step would be missed.
func countFromZero(topic string) {
	for _, kind := range append(slices.Clone(labels[topic]), other) {
		for _, outcome := range []string{outcomeHandled, outcomeDuplicate, outcomeDeadLetter, outcomeRetry} {
			consumed.WithLabelValues(topic, kind, outcome)
		}
	}
}

func (s *Subscriber) count(d delivery, outcome string) {
	consumed.WithLabelValues(d.Topic, d.label(), outcome).Inc()
	if outcome != outcomeRetry && d.Source() == event.Source {
		s.progress.advance(d.Topic, d.Time(), s.Now())
	}
}

// handled counts an event that has had its effect for the first time.
func (s *Subscriber) handled(d delivery) {
	s.count(d, outcomeHandled)
	if at := d.Time(); !at.IsZero() {
		lag.WithLabelValues(d.Topic).Observe(max(s.Now().Sub(at).Seconds(), 0))
	}
}

// label is the type of an event for a metric. Anyone who may publish chooses
// types; only the suite's own of the topic become labels.
func (d delivery) label() string {
	kind := d.Type()
	if strings.HasPrefix(kind, event.AuditPrefix) {
		kind = "audit"
	}
	if !slices.Contains(labels[d.Topic], kind) {
		return other
	}
	return kind
}
