package httpapi

import (
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// description is what the OpenAPI document says of an operation beside its types.
type description struct {
	request, answer any
	problems        []Kind
}

const describedBy = "description"

// Describe is an operation's Metadata: an example of the request's body and of the
// answer's, each of the body's type or nil for none, and the problems that the
// operation may answer with beside those that every one may.
func Describe(request, answer any, problems ...Kind) map[string]any {
	return map[string]any{describedBy: description{request, answer, problems}}
}

// everyProblem is what an operation may answer with whatever it does.
func everyProblem(op huma.Operation, input reflect.Type) []Kind {
	found := []Kind{Unprocessable, TooManyRequests, Internal, Busy}
	if op.Method != http.MethodGet {
		// Also of a body that the operation has no use for (Bodies).
		found = append(found, Malformed, ForeignOrigin, TooSlow, TooLarge)
	}
	if _, hasBody := input.FieldByName("Body"); hasBody {
		found = append(found, UnsupportedType)
	}
	if len(op.Security) > 0 {
		found = append(found, Unauthenticated)
		if scopesOf(op) != nil {
			found = append(found, ScopeMissing)
		} else {
			found = append(found, NotForTokens)
		}
	}
	return found
}

// scopesExtension is what an operation says of the scopes that it needs of an API token.
// It is an extension: of anything but OAuth the security requirements of OpenAPI 3.0 name
// no scopes.
const scopesExtension = "x-scopes"

// ForTokens is an operation's Extensions: an API token needs all of these scopes for it.
// An operation without is for no API token.
func ForTokens[S ~string](scopes ...S) map[string]any { return map[string]any{scopesExtension: scopes} }

func scopesOf(op huma.Operation) any { return op.Extensions[scopesExtension] }

// document completes what huma has made of an operation's types.
func document(op *huma.Operation, problems []Kind, d description) {
	if op.RequestBody != nil {
		for _, content := range op.RequestBody.Content {
			content.Example = d.request
		}
		// A merge patch is JSON, and is taken as such.
		if patch := op.RequestBody.Content["application/merge-patch+json"]; patch != nil {
			op.RequestBody.Content["application/json"] = patch
		}
	}
	for code, response := range op.Responses {
		status, err := strconv.Atoi(code)
		if err != nil {
			continue // huma's own "default"
		}
		if status < http.StatusBadRequest {
			for _, content := range response.Content {
				if content.Example == nil { // the operation may have one of another status
					content.Example = d.answer
				}
			}
			continue
		}
		var lines []string
		for _, kind := range problems {
			if kind.Status == status {
				lines = append(lines, kind.Code+": "+kind.Title)
				for _, content := range response.Content {
					content.Example = NewProblem(kind, kind.Help)
				}
			}
		}
		response.Description = strings.Join(lines, "; ")
		if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
			response.Headers = map[string]*huma.Param{"Retry-After": {
				Description: "After how many seconds to try again", Schema: &huma.Schema{Type: huma.TypeInteger},
			}}
		}
	}
}

// statuses are those of the problems, each once.
func statuses(problems []Kind) []int {
	var found []int
	for _, kind := range problems {
		if !slices.Contains(found, kind.Status) {
			found = append(found, kind.Status)
		}
	}
	return found
}
