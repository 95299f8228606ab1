package docs_test

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/services/task-api/internal/docs"
)

// All that the page is made of is served here, and nothing of it stands in the
// page, where its policy would not let it run.
func TestThePageObeysItsPolicy(t *testing.T) {
	router := chi.NewRouter()
	docs.Mount(router)
	get := func(path string) *httptest.ResponseRecorder {
		req := httptest.NewRequest(http.MethodGet, path, nil)
		req.Header.Set("Accept-Encoding", "gzip")
		rec := httptest.NewRecorder()
		router.ServeHTTP(rec, req)
		require.Equal(t, http.StatusOK, rec.Code, path)
		policy := rec.Header().Get("Content-Security-Policy")
		require.Contains(t, policy, "default-src 'none'")
		require.NotContains(t, policy, "unsafe")
		return rec
	}
	page := get("/docs/")
	require.True(t, strings.HasPrefix(page.Header().Get("Content-Type"), "text/html"))
	parts := regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllStringSubmatch(page.Body.String(), -1)
	require.Len(t, parts, 6)
	for _, part := range parts {
		require.True(t, strings.HasPrefix(part[1], "/docs/"), part[1])
		require.NotZero(t, get(part[1]).Body.Len(), part[1])
	}
	require.NotRegexp(t, `<style|style=|<script>|\son[a-z]+=`, page.Body.String())
}
