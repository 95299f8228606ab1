package frontdoor

import (
	"net/http"

	"github.com/taskwire/taskwire/pkg/httpapi"
)

// SameOrigin refuses an unsafe request that a page of another origin makes
// with the cookie of our user (cross-site request forgery). A request with a
// token in Authorization is not made by a browser of its own accord.
func SameOrigin(next http.Handler) http.Handler {
	protection := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "" && r.Header.Get("Cookie") != "" {
			if err := protection.Check(r); err != nil {
				httpapi.WriteProblem(w, r, http.StatusForbidden, "a page of another origin may not do this in your name")
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}
