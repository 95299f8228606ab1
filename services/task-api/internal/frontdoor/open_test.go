package frontdoor

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/require"
)

// A mail client sends the POST of RFC 8058 from wherever it likes, and its user
// is signed in nowhere.
func TestTheLinksOfMailsNeedNoSignIn(t *testing.T) {
	var asked []string
	sidecar := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Header.Get("dapr-app-id")+" "+r.Method+" "+r.RequestURI+" "+r.Header.Get("Content-Type"))
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if r.URL.Query().Get("token") == "gone" {
			w.WriteHeader(http.StatusNotFound)
		}
		_, _ = w.Write([]byte("<!doctype html>"))
	}))
	defer sidecar.Close()
	router := chi.NewRouter()
	door := doorTo(t, sidecar.URL, "", newDB(t))
	door.MountOpen(router, nil)
	router.Group(func(r chi.Router) {
		r.Use(func(http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) })
		})
		door.Mount(r, somebody)
	})
	do := func(method, target, from string, header ...string) *httptest.ResponseRecorder {
		req := httptest.NewRequest(method, target, strings.NewReader("List-Unsubscribe=One-Click"))
		req.RemoteAddr = from
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		for i := 0; i+1 < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		rec := httptest.NewRecorder()
		router.ServeHTTP(rec, req)
		return rec
	}
	const here = "192.0.2.1:1000"
	elsewhere := []string{"Origin", "https://mail.example", "Sec-Fetch-Site", "cross-site"}
	require.Equal(t, http.StatusOK, do(http.MethodPost, "/api/notifications/unsubscribe?token=x", here, elsewhere...).Code)
	require.Equal(t, http.StatusOK, do(http.MethodPost, "/api/notifications/resubscribe?token=x", here, elsewhere...).Code)
	require.Equal(t, http.StatusOK, do(http.MethodGet, "/api/notifications/unsubscribe?token=x", here).Code)
	require.Equal(t, []string{
		"notification POST /api/notifications/unsubscribe?token=x application/x-www-form-urlencoded",
		"notification POST /api/notifications/resubscribe?token=x application/x-www-form-urlencoded",
		"notification GET /api/notifications/unsubscribe?token=x application/x-www-form-urlencoded",
	}, asked)
	require.Contains(t, do(http.MethodGet, "/api/notifications/unsubscribe?token=x", here).Header().Get("Content-Security-Policy"), "form-action 'self'")
	unknown := do(http.MethodGet, "/api/notifications/unsubscribe?token=gone", here)
	require.Equal(t, http.StatusNotFound, unknown.Code)
	require.Equal(t, "<!doctype html>", unknown.Body.String(), "the page says why")
	for other, want := range map[string]int{
		"/api/notifications": http.StatusMethodNotAllowed, "/api/notifications/read-all": http.StatusUnauthorized, "/api/notifications/unsubscribe/x": http.StatusNotFound,
	} {
		require.Equal(t, want, do(http.MethodPost, other, here).Code, other)
	}

	// One client has so many in a minute, another one has its own.
	var last *httptest.ResponseRecorder
	for range openRate {
		last = do(http.MethodGet, "/api/notifications/unsubscribe?token=x", here)
	}
	require.Equal(t, http.StatusTooManyRequests, last.Code)
	require.Equal(t, "application/problem+json", last.Header().Get("Content-Type"))
	require.NotEmpty(t, last.Header().Get("Retry-After"))
	require.Equal(t, http.StatusOK, do(http.MethodGet, "/api/notifications/unsubscribe?token=x", "192.0.2.2:1000").Code)
}
