package rest

import (
	"path/filepath"
	"slices"
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
		(&APITokens{Failures: failures}).Mount(api)
		providers := &Providers{Failures: failures}
		providers.MountOpen(api)
		providers.Mount(api)
		passkeys := &Passkeys{Failures: failures}
		passkeys.MountOpen(api)
		passkeys.Mount(api)
		(&SecondFactors{Failures: failures}).Mount(api)
		(&Operator{Failures: failures}).Mount(api)
		(&Erasure{Failures: failures}).Mount(api)
		(&Export{Failures: failures}).Mount(api)
		(&Feed{}).Mount(api)
		(&Lists{Failures: failures}).Mount(api)
		(&Tasks{Failures: failures}).Mount(api)
		(&QuickAdd{Failures: failures}).Mount(api)
		(&Comments{Failures: failures}).Mount(api)
		(&Operations{Failures: failures}).Mount(api)
		MountProblems(api, failures)
	})}
	for _, file := range others {
		parts = append(parts, openapitest.Read(t, file))
	}
	whole := openapitest.Merge(t, openapitest.Read(t, "openapi_base.json"), parts...)
	openapitest.Golden(t, "../docs/openapi.json", whole)
}

// What may be null and has its values listed lists null: else it may not be.
func TestWhatMayBeNullSaysSo(t *testing.T) {
	for name, schema := range openapitest.Read(t, "../docs/openapi.json")["components"].(map[string]any)["schemas"].(map[string]any) {
		properties, _ := schema.(map[string]any)["properties"].(map[string]any)
		for field, property := range properties {
			property := property.(map[string]any)
			types, _ := property["type"].([]any)
			if values, ok := property["enum"].([]any); ok {
				require.Equal(t, slices.Contains(types, any("null")), slices.Contains(values, nil), "%s.%s", name, field)
			}
		}
	}
}
