package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/go-chi/chi/v5"
)

// NewAPI is for operations that are mounted on r. Unknown query parameters are
// refused: a misspelled filter that answers everything is worse than an error. What
// the operations say of themselves is served by task-api, for the whole suite, out of
// a document that a test keeps (openapitest).
func NewAPI(r chi.Router) huma.API {
	config := huma.DefaultConfig("", "")
	config.OpenAPIPath = ""
	config.DocsPath = ""
	config.SchemasPath = ""
	config.CreateHooks = nil // no $schema member in answers: the contract has none
	config.RejectUnknownQueryParameters = true
	config.Formats = map[string]huma.Format{"application/json": jsonFormat, "json": jsonFormat}
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"bearer": {Type: "http", Scheme: "bearer", Description: "The token that a sign-in answers, or an API token"},
		"cookie": {Type: "apiKey", In: "cookie", Name: "auth_token"},
		"basic":  {Type: "http", Scheme: "basic", Description: "An API token as the password; the name may be any"},
	}
	return humachi.New(r, config)
}

// The longest that an operation may take. A statement of Postgres that runs at
// its end is cancelled.
const (
	operationTime = 15 * time.Second
	readTime      = 5 * time.Second // of a GET: it holds a connection that others need
)

// Waits is the metadata of an operation that waits: for how long, besides what it takes.
const Waits = "waits"

// Register adds an operation, described by Describe, whose errors become problems by
// way of failures.
func Register[I, O any](api huma.API, failures Failures, op huma.Operation, handler func(context.Context, *I) (*O, error)) {
	said, _ := op.Metadata[describedBy].(description)
	problems := append(everyProblem(op, reflect.TypeFor[I]()), said.problems...)
	op.Errors = statuses(problems)
	if op.Responses == nil {
		op.Responses = map[string]*huma.Response{}
	}
	if scopes := scopesOf(op); scopes != nil {
		op.Security = append(slices.Clone(op.Security), map[string][]string{"basic": {}})
		op.Description += "\n\nScopes that an API token needs: " + strings.Trim(fmt.Sprint(scopes), "[]") + "."
	}
	if op.Security == nil {
		op.Security = []map[string][]string{} // said, since some tools take nothing for anything
	}
	if _, hasBody := reflect.TypeFor[I]().FieldByName("Body"); hasBody && op.RequestBody == nil {
		op.RequestBody = &huma.RequestBody{} // huma fills it
	}
	// Bodies has read the body. A deadline for it would stay on the connection, and end
	// the request when it passes.
	op.BodyReadTimeout = -1
	longest := operationTime
	if op.Method == http.MethodGet {
		longest = readTime
	}
	if wait, ok := op.Metadata[Waits].(time.Duration); ok {
		longest += wait
	}
	if !op.SkipValidateParams {
		op.Middlewares = append(op.Middlewares, notEmpty(api))
	}
	huma.Register(api, op, func(ctx context.Context, in *I) (*O, error) {
		// A database that has frozen does not answer; the client must get one.
		ctx, cancel := context.WithTimeout(ctx, longest)
		defer cancel()
		var out *O
		var err error
		if bad := unstorable(reflect.ValueOf(in).Elem(), ""); len(bad) > 0 {
			err = NewProblem(Unprocessable, "validation failed", bad...)
		} else {
			out, err = handler(ctx, in)
		}
		if err != nil {
			problem := failures.Of(ctx, err)
			var p *Problem
			if errors.As(problem, &p) {
				return nil, p.of(ctx)
			}
			return nil, problem
		}
		return out, nil
	})
	document(&op, problems, said)
}

// notEmpty refuses a query parameter that is there and empty: huma takes it for one
// that is not there, and a filter would silently not be applied. A search for nothing
// and the cursor of the first page are as good as none.
func notEmpty(api huma.API) func(huma.Context, func(huma.Context)) {
	return func(c huma.Context, next func(huma.Context)) {
		url := c.URL()
		for name, values := range url.Query() {
			if name != "q" && name != "cursor" && slices.Contains(values, "") {
				// The client may have gone; there is nobody left to tell.
				_ = huma.WriteErr(api, c, http.StatusUnprocessableEntity, "validation failed", &huma.ErrorDetail{Location: "query." + name, Message: "must not be empty; leave it out"})
				return
			}
		}
		next(c)
	}
}

// Authenticated marks an operation as one that needs somebody who is signed in. Which
// scopes it needs of an API token its Extensions say (ForTokens).
var Authenticated = []map[string][]string{{"bearer": {}}, {"cookie": {}}}
