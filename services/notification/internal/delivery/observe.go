package delivery

import (
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"go.opentelemetry.io/otel/trace"

	"github.com/taskwire/taskwire/pkg/telemetry"
	"github.com/taskwire/taskwire/services/notification/internal/recipient"
)

var (
	deliveries = promauto.NewCounterVec(prometheus.CounterOpts{
		Name: "taskwire_deliveries_total",
		Help: "Deliveries that reached a final state, by channel and state; retry counts attempts that will be repeated.",
	}, []string{"channel", "state"})
	lateness = promauto.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "taskwire_delivery_lateness_seconds",
		Help:    "Time from when a reminder was set for to when it was delivered.",
		Buckets: []float64{.1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 3600, 86400},
	}, []string{"channel"})
)

var mailsWithheld = promauto.NewCounterVec(prometheus.CounterOpts{
	Name: "taskwire_mails_withheld_total",
	Help: "Mails that were not sent though their reminder stands: over_budget (MAIL_BUDGET), or unsubscribed.",
}, []string{"reason"})

// retried is the outcome of an attempt that will be repeated.
const retried = "retry"

// outcomes are what can become of a delivery, by channel.
var outcomes = map[string][]string{
	InApp: {Sent, Cancelled},
	Email: {Sent, Cancelled, Failed, retried}, Account: {Sent, Cancelled, Failed, retried},
}

// countFromZero makes the counters: an increase is seen from a value that was
// there before it, and the first failure would be missed.
func countFromZero() {
	for channel, states := range outcomes {
		for _, state := range states {
			deliveries.WithLabelValues(channel, state)
		}
	}
	for _, reason := range []recipient.Verdict{recipient.OverBudget, recipient.Unsubscribed} {
		mailsWithheld.WithLabelValues(string(reason))
	}
}

func observeLateness(r *Row, at time.Time) {
	lateness.WithLabelValues(r.Channel).Observe(r.lateAt(at).Seconds())
}

// traced are deliveries as messages, as spans name them.
func traced(rows []Row) []telemetry.Message {
	messages := make([]telemetry.Message, len(rows))
	for i, r := range rows {
		messages[i] = telemetry.Message{ID: r.ID.String(), TraceParent: r.TraceParent}
	}
	return messages
}

// traceID is the trace that caused the reminder, out of W3C's
// version-traceid-parentid-flags; "" when there is none.
func traceID(traceparent string) string {
	parts := strings.Split(traceparent, "-")
	if len(parts) < 4 {
		return ""
	}
	id, err := trace.TraceIDFromHex(parts[1])
	if err != nil {
		return ""
	}
	return id.String()
}
