package eventlog

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/outage"
)

const (
	// watchInterval is how often the log is looked at.
	watchInterval = 2 * time.Second
	// maxDepth bounds the counting: more than this is as bad as this.
	maxDepth = 100_000
)

var (
	depthDesc = prometheus.NewDesc("taskwire_event_log_depth",
		"Events that are not published yet; counted up to 100000.", []string{"topic"}, nil)
	ageDesc = prometheus.NewDesc("taskwire_event_log_oldest_age_seconds",
		"Age of the oldest event that is not published yet; 0 when all are.", []string{"topic"}, nil)
	publishedDesc = prometheus.NewDesc("taskwire_event_published_timestamp_seconds",
		"When the newest event happened that is published.", []string{"topic"}, nil)
)

// Watch is what of the log is published and what not, as metrics. All replicas
// tell the same of it, whichever of them publishes, and after a restart, too.
type Watch struct {
	DB     *bun.DB
	Schema string
	Topics []string
	Log    *slog.Logger

	mu   sync.Mutex
	last map[string]state // by topic; without those that could not be read
}

// state is how far a topic is published.
type state struct {
	Depth     int          `bun:"depth"`
	Oldest    bun.NullTime `bun:"oldest"`
	Published bun.NullTime `bun:"published"` // zero when the log holds none that is
}

// Run looks at the log until ctx ends, and shows what it sees as metrics.
func (w *Watch) Run(ctx context.Context) error {
	if err := prometheus.Register(w); err != nil {
		return fmt.Errorf("register the metrics of the event log: %w", err)
	}
	defer prometheus.Unregister(w)
	failing := &outage.Outage{Log: w.Log, Gone: "the depth of the event log is not known; trying again", Back: "the depth of the event log is known again"}
	return database.Repeat(ctx, failing, nil, func(ctx context.Context) (time.Duration, error) {
		seen := map[string]state{}
		var failed error
		for _, topic := range w.Topics {
			found, err := w.look(ctx, topic)
			if err != nil {
				failed = err
				continue
			}
			seen[topic] = found
		}
		w.mu.Lock()
		w.last = seen
		w.mu.Unlock()
		return watchInterval, failed
	})
}

func (w *Watch) look(ctx context.Context, topic string) (state, error) {
	var found state
	err := w.DB.NewRaw(`
		WITH done AS (
			SELECT coalesce((SELECT published_seq FROM ?0.event_cursors WHERE topic = ?1), 0) AS seq
		), placed AS (
			SELECT e.occurred_at FROM ?0.events e WHERE e.topic = ?1 AND e.seq > (SELECT seq FROM done) ORDER BY e.seq LIMIT ?2
		), fresh AS (
			SELECT e.occurred_at FROM ?0.events e WHERE e.seq IS NULL AND e.position > (SELECT horizon FROM ?0.event_head) AND e.topic = ?1 ORDER BY e.position LIMIT ?2
		)
		SELECT least(?2, (SELECT count(*) FROM placed) + (SELECT count(*) FROM fresh)) AS depth,
			least((SELECT min(occurred_at) FROM placed), (SELECT min(occurred_at) FROM fresh)) AS oldest,
			(SELECT e.occurred_at FROM ?0.events e WHERE e.topic = ?1 AND e.seq <= (SELECT seq FROM done) ORDER BY e.seq DESC LIMIT 1) AS published`,
		bun.Ident(w.Schema), topic, maxDepth).Scan(ctx, &found)
	if err != nil {
		return found, fmt.Errorf("look how far %s is published: %w", topic, err)
	}
	return found, nil
}

// Published is how far a topic is published.
type Published struct {
	Topic  string
	Waits  int       // events that are not published yet; counted up to 100000
	Oldest time.Time // when the oldest of them happened; zero where none waits
	Newest time.Time // when the newest event happened that is published; zero where the log holds none
}

// Look says how far each topic is published now.
func (w *Watch) Look(ctx context.Context) ([]Published, error) {
	all := make([]Published, 0, len(w.Topics))
	for _, topic := range w.Topics {
		found, err := w.look(ctx, topic)
		if err != nil {
			return nil, err
		}
		all = append(all, Published{topic, found.Depth, found.Oldest.Time, found.Published.Time})
	}
	return all, nil
}

// Describe implements prometheus.Collector.
func (w *Watch) Describe(to chan<- *prometheus.Desc) {
	to <- depthDesc
	to <- ageDesc
	to <- publishedDesc
}

// Collect implements prometheus.Collector. An age grows between two looks.
func (w *Watch) Collect(to chan<- prometheus.Metric) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for topic, found := range w.last {
		age := 0.0
		if found.Depth > 0 {
			age = max(time.Since(found.Oldest.Time).Seconds(), 0)
		}
		to <- prometheus.MustNewConstMetric(depthDesc, prometheus.GaugeValue, float64(found.Depth), topic)
		to <- prometheus.MustNewConstMetric(ageDesc, prometheus.GaugeValue, age, topic)
		if !found.Published.IsZero() {
			to <- prometheus.MustNewConstMetric(publishedDesc, prometheus.GaugeValue, float64(found.Published.UnixMicro())/1e6, topic)
		}
	}
}
