package rest

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"github.com/taskwire/taskwire/pkg/auth"
	"github.com/taskwire/taskwire/pkg/httpapi"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/actor"
)

// handler does an operation for an actor.
type handler[I, O any] func(ctx context.Context, actor access.Actor, in *I) (*O, error)

// forUser adds an operation of a user who has signed in. It is for no API token: see
// forToken.
func forUser[I, O any](api huma.API, failures httpapi.Failures, op huma.Operation, f handler[I, O]) {
	forScopes(api, failures, op, f, nil)
}

// forToken adds an operation of a user who has signed in, or whose API token has all of
// these scopes.
func forToken[I, O any](api huma.API, failures httpapi.Failures, op huma.Operation, f handler[I, O], needs ...auth.Scope) {
	op.Extensions = httpapi.ForTokens(needs...)
	forScopes(api, failures, op, f, needs)
}

func forScopes[I, O any](api huma.API, failures httpapi.Failures, op huma.Operation, f handler[I, O], needs []auth.Scope) {
	op.Security = httpapi.Authenticated
	// Before the request is looked at: what it says is not for who may not ask.
	op.Middlewares = append(op.Middlewares, func(c huma.Context, next func(huma.Context)) {
		if problem := auth.CallerOf(c.Context()).Lacks(needs...); problem != nil {
			problem.Write(writerOf(c))
			return
		}
		next(c)
	})
	register(api, failures, op, actor.Of, f)
}

// writerOf is what a request is answered with, and the request.
func writerOf(c huma.Context) (http.ResponseWriter, *http.Request) {
	r, w := humachi.Unwrap(c)
	return w, r
}

// forStranger adds an operation for who is not signed in: the actor has no more
// than an origin.
func forStranger[I, O any](api huma.API, failures httpapi.Failures, op huma.Operation, f handler[I, O]) {
	register(api, failures, op, func(ctx context.Context) access.Actor { return access.Actor{Origin: actor.OriginOf(ctx)} }, f)
}

// forService adds an operation that another service asks for through the sidecar.
func forService[I, O any](api huma.API, failures httpapi.Failures, name string, op huma.Operation, f handler[I, O]) {
	op.Hidden = true
	register(api, failures, op, func(ctx context.Context) access.Actor {
		return access.Actor{Service: name, Origin: actor.OriginOf(ctx)}
	}, f)
}

func register[I, O any](api huma.API, failures httpapi.Failures, op huma.Operation, actor func(context.Context) access.Actor, f handler[I, O]) {
	place := "body."
	if op.Method == http.MethodGet {
		place = "query."
	}
	httpapi.Register(api, failures, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := f(ctx, actor(ctx), in)
		return out, problem(err, place)
	})
}
