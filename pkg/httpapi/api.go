package httpapi

import (
	"context"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/go-chi/chi/v5"
)

// NewAPI mounts an OpenAPI 3.1 description of the operations registered on it
// at /openapi.json. Unknown query parameters are refused: a misspelled filter
// that answers everything is worse than an error.
func NewAPI(r chi.Router, title, version string) huma.API {
	config := huma.DefaultConfig(title, version)
	config.DocsPath = ""
	config.SchemasPath = ""
	config.CreateHooks = nil // no $schema member in answers: the contract has none
	config.RejectUnknownQueryParameters = true
	config.Formats = map[string]huma.Format{"application/json": huma.DefaultJSONFormat, "json": huma.DefaultJSONFormat}
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"bearer": {Type: "http", Scheme: "bearer", BearerFormat: "JWT"},
		"cookie": {Type: "apiKey", In: "cookie", Name: "auth_token"},
	}
	return humachi.New(r, config)
}

// Register adds an operation whose errors become problems by way of failures.
func Register[I, O any](api huma.API, failures Failures, op huma.Operation, handler func(context.Context, *I) (*O, error)) {
	for _, status := range []int{http.StatusUnprocessableEntity, http.StatusInternalServerError} {
		if !slices.Contains(op.Errors, status) {
			op.Errors = append(op.Errors, status)
		}
	}
	huma.Register(api, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := handler(ctx, in)
		if err != nil {
			problem := failures.Of(ctx, err)
			if p, ok := problem.(*Problem); ok {
				p.RequestID = RequestID(ctx)
			}
			return nil, problem
		}
		return out, nil
	})
}

// Authenticated marks an operation as one that needs a token.
var Authenticated = []map[string][]string{{"bearer": {}}, {"cookie": {}}}
