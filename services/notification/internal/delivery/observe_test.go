package delivery

import (
	"log/slog"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
)

func TestTheFirstFailureIsAnIncrease(t *testing.T) {
	deliveries.Reset()
	NewDeliverer(Options{Connections: 1, Log: slog.New(slog.DiscardHandler)})
	families, err := prometheus.DefaultGatherer.Gather()
	require.NoError(t, err)
	var there []string
	for _, f := range families {
		if f.GetName() != "taskwire_deliveries_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			require.Zero(t, m.GetCounter().GetValue())
			there = append(there, m.GetLabel()[0].GetValue()+" "+m.GetLabel()[1].GetValue())
		}
	}
	require.Equal(t, []string{"email cancelled", "email failed", "email retry", "email sent", "in_app cancelled", "in_app sent"}, there)
}
