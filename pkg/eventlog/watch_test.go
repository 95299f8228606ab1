package eventlog_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/eventlog"
	"github.com/taskwire/taskwire/pkg/telemetry/metrictest"
)

// seen is what a metric of the log says of a topic.
func seen(t *testing.T, name, topic string) (value float64, known bool) {
	t.Helper()
	for _, m := range metrictest.Of(t, name) {
		if m.GetLabel()[0].GetValue() == topic {
			return m.GetGauge().GetValue(), true
		}
	}
	return 0, false
}

// watch looks at the log in a process of its own until the test ends.
func (l *log) watch() (stop func()) {
	w := &eventlog.Watch{DB: l.db, Schema: "log", Topics: []string{"a", "b"}, Log: slog.New(slog.DiscardHandler)}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	stop = func() { cancel(); require.NoError(l.t, <-ended) }
	return stop
}

// A task-api that has just begun, and one that publishes nothing, tell what is published.
func TestWhatIsPublishedIsToldAfterARestart(t *testing.T) {
	l, b := newLog(t), &broker{}
	l.age(3, 1)
	stop := l.relay(b)
	l.commit("a", "k", 2)
	b.wait(t, atLeast(2))
	require.Eventually(t, func() bool { return l.number("SELECT published_seq FROM log.event_cursors WHERE topic = 'a'") == 2 }, 10*time.Second, 10*time.Millisecond)
	stop()
	l.commit("a", "k", 3) // nobody publishes it

	defer l.watch()()
	const published = "taskwire_event_published_timestamp_seconds"
	require.Eventually(t, func() bool { _, known := seen(t, published, "a"); return known }, 10*time.Second, 10*time.Millisecond)
	var at time.Time
	require.NoError(t, l.db.NewRaw("SELECT occurred_at FROM log.events WHERE seq = 2").Scan(t.Context(), &at))
	value, _ := seen(t, published, "a")
	require.InDelta(t, float64(at.UnixMicro())/1e6, value, 0)
	depth, _ := seen(t, "taskwire_event_log_depth", "a")
	require.InDelta(t, 1, depth, 0)
	_, known := seen(t, published, "b")
	require.False(t, known, "there was none")
}
