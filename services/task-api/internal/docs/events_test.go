package docs_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/httpapi"
	"github.com/taskwire/taskwire/services/task-api/internal/docs"
)

// What dataschema names is found here under the same path, and so is the rest.
func TestTheEventsAreDescribed(t *testing.T) {
	router := httpapi.NewRouter(slog.New(slog.DiscardHandler))
	require.NoError(t, docs.MountEvents(router, "v1.2.3"))
	do := func(method, path string, header ...string) *httptest.ResponseRecorder {
		req := httptest.NewRequest(method, path, nil)
		for i := 0; i < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		rec := httptest.NewRecorder()
		router.ServeHTTP(rec, req)
		return rec
	}
	addresses := map[string]string{"/asyncapi.json": "application/asyncapi+json;version=3.0.0", "/schemas": "application/json", "/schemas/envelope/v1": "application/schema+json"}
	for _, kind := range event.Types {
		path := strings.TrimPrefix(event.SchemaURI(kind.Topic, kind.Name), "https://github.com/taskwire/taskwire")
		addresses[path] = "application/schema+json"
	}
	for path, mediaType := range addresses {
		t.Run(path, func(t *testing.T) {
			got := do(http.MethodGet, path)
			require.Equal(t, http.StatusOK, got.Code)
			require.Equal(t, mediaType, got.Header().Get("Content-Type"))
			require.Equal(t, "public, max-age=300", got.Header().Get("Cache-Control"))
			require.True(t, json.Valid(got.Body.Bytes()))
			if mediaType == "application/schema+json" {
				require.Contains(t, got.Body.String(), `"$id": "https://github.com/taskwire/taskwire`+path+`"`)
				require.Contains(t, do(http.MethodGet, "/schemas").Body.String(), `:"`+path+`"`)
			}

			head := do(http.MethodHead, path)
			require.Equal(t, http.StatusOK, head.Code)
			require.Zero(t, head.Body.Len())
			for _, name := range []string{"Content-Type", "Content-Length", "Cache-Control", "ETag"} {
				require.Equal(t, got.Header().Get(name), head.Header().Get(name), name)
			}

			etag := got.Header().Get("ETag")
			require.Equal(t, http.StatusNotModified, do(http.MethodGet, path, "If-None-Match", etag).Code)
			require.Equal(t, http.StatusOK, do(http.MethodGet, path, "If-None-Match", `"another"`).Code)
		})
	}
	for path, status := range map[string]int{
		"/schemas/task-event/v2": http.StatusNotFound, "/schemas/task-event": http.StatusNotFound,
		"/schemas/": http.StatusNotFound, "/schemas/../schemas.go": http.StatusNotFound, "/schemas/released/task-event.v1.json": http.StatusNotFound,
	} {
		got := do(http.MethodGet, path)
		require.Equal(t, status, got.Code, path)
		require.Equal(t, "application/problem+json", got.Header().Get("Content-Type"), path)
	}
	require.Equal(t, http.StatusMethodNotAllowed, do(http.MethodPost, "/asyncapi.json").Code)
}
