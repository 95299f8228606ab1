package rest

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/taskwire/taskwire/pkg/httpapi"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
)

// ProblemKinds is the kinds of problem that the suite answers with.
type ProblemKinds struct {
	Problems []httpapi.Kind `json:"problems" nullable:"false" doc:"The kinds, by status"`
}

// MountProblems adds what the types of problem documents point to.
func MountProblems(api huma.API, failures httpapi.Failures) {
	forStranger(api, failures, huma.Operation{
		OperationID: "list-problems", Method: http.MethodGet, Path: "/problems", Tags: []string{"Problems"}, Summary: "The kinds of problem",
		Description: "The type of a problem document is /problems/ and one of these codes, which never change.",
		Metadata:    httpapi.Describe(nil, ProblemKinds{httpapi.Kinds()}),
	}, func(context.Context, access.Actor, *struct{}) (*struct{ Body ProblemKinds }, error) {
		return &struct{ Body ProblemKinds }{ProblemKinds{httpapi.Kinds()}}, nil
	})
	forStranger(api, failures, huma.Operation{
		OperationID: "get-problem", Method: http.MethodGet, Path: "/problems/{code}", Tags: []string{"Problems"}, Summary: "A kind of problem",
		Description: "What the type of a problem document points to.",
		Metadata:    httpapi.Describe(nil, httpapi.Missing, httpapi.Missing),
	}, func(_ context.Context, _ access.Actor, in *struct {
		Code string `path:"code" maxLength:"64" doc:"The last part of a problem's type" example:"not-found"`
	},
	) (*struct{ Body httpapi.Kind }, error) {
		kind, ok := httpapi.KindOf(in.Code)
		if !ok {
			return nil, httpapi.NotFound("problem")
		}
		return &struct{ Body httpapi.Kind }{kind}, nil
	})
}
