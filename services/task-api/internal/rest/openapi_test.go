package rest

import (
	"path/filepath"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/httpapi"
	"github.com/taskwire/taskwire/pkg/httpapi/openapitest"
)

// The document of the whole API is merged of this service's part and of the others',
// which their own tests keep. It is embedded, so that it is whole when one is away.
func TestOpenAPI(t *testing.T) {
	others, err := filepath.Glob("../../../*/openapi.json")
	require.NoError(t, err)
	require.NotEmpty(t, others)
	parts := []openapitest.Document{openapitest.Of(t, func(api huma.API) {
		failures := httpapi.Failures{}
		accounts := &Accounts{Failures: failures}
		accounts.MountOpen(api)
		accounts.Mount(api)
		(&Tasks{Failures: failures}).Mount(api)
		MountProblems(api, failures)
	})}
	for _, file := range others {
		parts = append(parts, openapitest.Read(t, file))
	}
	whole := openapitest.Merge(t, openapitest.Read(t, "openapi_base.json"), parts...)
	openapitest.Golden(t, "../docs/openapi.json", whole)
}
