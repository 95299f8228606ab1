package httpapi

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/go-chi/chi/v5"
)

// NewAPI mounts an OpenAPI 3.1 description of the operations registered on it
// at /openapi.json. Unknown query parameters are refused: a misspelled filter
// that answers everything is worse than an error.
func NewAPI(r chi.Router, title, version string) huma.API {
	return humachi.New(r, config(title, version))
}

// Within returns api for operations that are mounted on r: a part of the same
// router with middleware of its own. They stand in the same description.
func Within(api huma.API, r chi.Router) huma.API {
	c := config("", "")
	c.OpenAPI, c.OpenAPIPath = api.OpenAPI(), ""
	return humachi.New(r, c)
}

// NewInternalAPI is for operations that are not described to the outside.
func NewInternalAPI(r chi.Router) huma.API {
	c := config("internal", "")
	c.OpenAPIPath = ""
	return humachi.New(r, c)
}

func config(title, version string) huma.Config {
	config := huma.DefaultConfig(title, version)
	config.DocsPath = ""
	config.SchemasPath = ""
	config.CreateHooks = nil // no $schema member in answers: the contract has none
	config.RejectUnknownQueryParameters = true
	config.Formats = map[string]huma.Format{"application/json": jsonFormat, "json": jsonFormat}
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"bearer": {Type: "http", Scheme: "bearer", BearerFormat: "JWT"},
		"cookie": {Type: "apiKey", In: "cookie", Name: "auth_token"},
	}
	return config
}

// The longest that an operation may take. A statement of Postgres that runs at
// its end is cancelled.
const (
	operationTime = 15 * time.Second
	readTime      = 5 * time.Second // of a GET: it holds a connection that others need
)

// Register adds an operation whose errors become problems by way of failures.
func Register[I, O any](api huma.API, failures Failures, op huma.Operation, handler func(context.Context, *I) (*O, error)) {
	for _, status := range []int{http.StatusUnprocessableEntity, http.StatusInternalServerError} {
		if !slices.Contains(op.Errors, status) {
			op.Errors = append(op.Errors, status)
		}
	}
	// Bodies has read the body. A deadline for it would stay on the connection, and end
	// the request when it passes.
	op.BodyReadTimeout = -1
	longest := operationTime
	if op.Method == http.MethodGet {
		longest = readTime
	}
	huma.Register(api, op, func(ctx context.Context, in *I) (*O, error) {
		// A database that has frozen does not answer; the client must get one.
		ctx, cancel := context.WithTimeout(ctx, longest)
		defer cancel()
		var out *O
		var err error
		if bad := unstorable(reflect.ValueOf(in).Elem(), ""); len(bad) > 0 {
			err = NewProblem(http.StatusUnprocessableEntity, "validation failed", bad...)
		} else {
			out, err = handler(ctx, in)
		}
		if err != nil {
			problem := failures.Of(ctx, err)
			var p *Problem
			if errors.As(problem, &p) {
				// A copy: many requests may fail with the same Problem at once.
				mine := *p
				mine.RequestID = RequestID(ctx)
				return nil, &mine
			}
			return nil, problem
		}
		return out, nil
	})
}

// Authenticated marks an operation as one that needs a token.
var Authenticated = []map[string][]string{{"bearer": {}}, {"cookie": {}}}
