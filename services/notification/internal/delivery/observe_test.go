package delivery

import (
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/telemetry/metrictest"
)

func TestTheFirstFailureIsAnIncrease(t *testing.T) {
	deliveries.Reset()
	NewDeliverer(Options{Connections: 1, Log: slog.New(slog.DiscardHandler)})
	var there []string
	for _, m := range metrictest.Of(t, "taskwire_deliveries_total") {
		require.Zero(t, m.GetCounter().GetValue())
		there = append(there, m.GetLabel()[0].GetValue()+" "+m.GetLabel()[1].GetValue())
	}
	require.Equal(t, []string{"account cancelled", "account failed", "account retry", "account sent", "email cancelled", "email failed", "email retry", "email sent", "in_app cancelled", "in_app sent"}, there)
}
