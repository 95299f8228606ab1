package rest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/httpapi"
	"github.com/taskwire/taskwire/services/task-api/internal/refuse"
)

// A code without a status would be answered as none.
func TestEachRefusalHasAStatus(t *testing.T) {
	for _, code := range refuse.Codes {
		var p *httpapi.Problem
		require.ErrorAs(t, problem(refuse.Because(code, "no"), "body."), &p)
		require.GreaterOrEqual(t, p.Status, 400, "%s", code)
	}
}
