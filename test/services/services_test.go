package services

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Each service and each topic is named wherever it has to be.
func TestNothingIsMissing(t *testing.T) {
	all, err := Read(Root)
	require.NoError(t, err)
	// The patterns that find what is consumed have not gone stale.
	require.Contains(t, all, Service{ID: "notification", Port: "8003", Consumes: []string{"reminders", "task-events"}})
	topics, err := Topics(Root)
	require.NoError(t, err)
	require.Contains(t, topics, "audit-logs")

	found, err := Missing(Root)
	require.NoError(t, err)
	require.Empty(t, found)
}
