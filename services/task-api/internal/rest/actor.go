// Package rest is the HTTP door of task-api.
package rest

import (
	"context"
	"net/http"
	"strings"

	"github.com/taskwire/taskwire/pkg/auth"
	"github.com/taskwire/taskwire/pkg/httpapi"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
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
			from := change.Origin{IP: trusted.ClientAddress(r), UserAgent: agent, RequestID: httpapi.RequestID(r.Context())}
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), originKey{}, from)))
		})
	}
}

// Actor is who makes the request that ctx belongs to: its user, or nobody in
// particular on a route that admits strangers or the other services.
func Actor(ctx context.Context) change.Actor {
	from, _ := ctx.Value(originKey{}).(change.Origin)
	caller := auth.CallerOf(ctx)
	return change.Actor{UserID: caller.UserID, Email: caller.Email, Origin: from}
}
