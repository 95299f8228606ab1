package auth

import (
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/httpapi"
)

// TokenPrefix begins each API token, and no other credential.
const TokenPrefix = "tw_"

// Scope is something that an API token may do. To write does not include to read.
type Scope string

// The scopes.
const (
	TasksRead     Scope = "tasks:read"
	TasksWrite    Scope = "tasks:write"
	ListsRead     Scope = "lists:read"
	ListsWrite    Scope = "lists:write"
	AuditRead     Scope = "audit:read"
	Notifications Scope = "notifications"
	AccountRead   Scope = "account:read"
	Webhooks      Scope = "webhooks"
	CalDAV        Scope = "caldav"
)

// Scopes are all of them, in the order in which they are shown.
var Scopes = []Scope{TasksRead, TasksWrite, ListsRead, ListsWrite, AuditRead, Notifications, AccountRead, Webhooks, CalDAV}

// ByToken says whether the caller has shown an API token, which may do what its scopes
// say. Whoever has signed in may do all.
func (c Caller) ByToken() bool { return c.TokenID != uuid.Nil }

// Has says whether the caller may do what a scope is for.
func (c Caller) Has(scope Scope) bool { return !c.ByToken() || slices.Contains(c.Scopes, scope) }

// Lacks is the problem of a caller who shows an API token without one of the scopes that
// something needs, or for something that needs none since it is for no token; nil for
// whoever may do it.
func (c Caller) Lacks(needs ...Scope) *httpapi.Problem {
	switch {
	case !c.ByToken():
		return nil
	case len(needs) == 0:
		return httpapi.NewProblem(httpapi.NotForTokens, "no API token may do this; sign in")
	}
	var missing []string
	for _, scope := range needs {
		if !c.Has(scope) {
			missing = append(missing, string(scope))
		}
	}
	if len(missing) == 0 {
		return nil
	}
	scopes := strings.Join(missing, " ")
	// RFC 6750, section 3.1.
	return httpapi.NewProblem(httpapi.ScopeMissing, "the API token lacks the scope "+strings.Join(missing, " and ")).
		With("WWW-Authenticate", bearer+`, error="insufficient_scope", scope="`+scopes+`"`)
}

// Require passes requests on to next of callers who have all of some scopes. No scopes are
// for no API token.
func Require(needs ...Scope) func(next http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if problem := CallerOf(r.Context()).Lacks(needs...); problem != nil {
				problem.Write(w, r)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}
