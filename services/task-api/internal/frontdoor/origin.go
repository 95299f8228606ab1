package frontdoor

import (
	"net/http"

	"github.com/taskwire/taskwire/pkg/auth"
	"github.com/taskwire/taskwire/pkg/httpapi"
)

// SameOrigin refuses an unsafe request that a page of another origin makes
// (cross-site request forgery): with the cookie of our user, or to take that
// cookie from him or to sign him in as somebody else. A request with
// Authorization is not made by a browser of its own accord, but for Basic.
func SameOrigin(next http.Handler) http.Handler {
	protection := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "" || auth.IsBasic(r) {
			if err := protection.Check(r); err != nil {
				httpapi.NewProblem(httpapi.ForeignOrigin, "a page of another origin may not do this in your name").Write(w, r)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}
