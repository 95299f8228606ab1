// Package actor makes an actor of a request, for each door: whose it is, by what he has
// signed in with, and from where it comes.
package actor

import (
	"context"
	"net/http"
	"strings"

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

// OriginOf is where a request came from; nothing where Origin has not seen it.
func OriginOf(ctx context.Context) access.Origin {
	from, _ := ctx.Value(originKey{}).(access.Origin)
	return from
}

// Of is the user whose request ctx belongs to; nobody where none is signed in.
func Of(ctx context.Context) access.Actor {
	caller := auth.CallerOf(ctx)
	return access.Actor{
		UserID: caller.UserID, Email: caller.Email, SignedInAt: caller.SignedInAt, Origin: OriginOf(ctx),
		Only: caller.Lists, LeavesLists: !caller.Has(auth.ListsWrite),
	}
}
