package account

import (
	"net/http"

	"github.com/taskwire/taskwire/pkg/auth"
	"github.com/taskwire/taskwire/pkg/httpapi"
)

// AdmitOutside lets users of an outside issuer in as users of ours.
func (s *Store) AdmitOutside(failures httpapi.Failures) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if caller := auth.CallerOf(r.Context()); caller.Outside {
				if err := s.EnsureOutside(r.Context(), caller); err != nil {
					failures.Write(w, r, err)
					return
				}
			}
			next.ServeHTTP(w, r)
		})
	}
}
