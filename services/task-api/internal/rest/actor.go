package rest

import (
	"context"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"github.com/taskwire/taskwire/pkg/auth"
	"github.com/taskwire/taskwire/pkg/httpapi"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
)

type originKey struct{}

// Origin remembers where a request comes from, as the trusted proxies say.
func Origin(trusted httpapi.Proxies) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			agent := strings.ToValidUTF8(strings.ReplaceAll(r.UserAgent(), "\x00", ""), "")
			if runes := []rune(agent); len(runes) > 300 {
				agent = string(runes[:300])
			}
			from := access.Origin{IP: trusted.ClientAddress(r), UserAgent: agent, RequestID: httpapi.RequestID(r.Context())}
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), originKey{}, from)))
		})
	}
}

func originOf(ctx context.Context) access.Origin {
	from, _ := ctx.Value(originKey{}).(access.Origin)
	return from
}

// ActorOf is the user whose request ctx belongs to; nobody where none is signed in.
func ActorOf(ctx context.Context) access.Actor {
	caller := auth.CallerOf(ctx)
	return access.Actor{
		UserID: caller.UserID, Email: caller.Email, SignedInAt: caller.SignedInAt, Origin: originOf(ctx),
		Only: caller.Lists, LeavesLists: !caller.Has(auth.ListsWrite),
	}
}

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
	register(api, failures, op, ActorOf, f)
}

// writerOf is what a request is answered with, and the request.
func writerOf(c huma.Context) (http.ResponseWriter, *http.Request) {
	r, w := humachi.Unwrap(c)
	return w, r
}

// forStranger adds an operation for who is not signed in: the actor has no more
// than an origin.
func forStranger[I, O any](api huma.API, failures httpapi.Failures, op huma.Operation, f handler[I, O]) {
	register(api, failures, op, func(ctx context.Context) access.Actor { return access.Actor{Origin: originOf(ctx)} }, f)
}

// forService adds an operation that another service asks for through the sidecar.
func forService[I, O any](api huma.API, failures httpapi.Failures, name string, op huma.Operation, f handler[I, O]) {
	op.Hidden = true
	register(api, failures, op, func(ctx context.Context) access.Actor { return access.Actor{Service: name, Origin: originOf(ctx)} }, f)
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
