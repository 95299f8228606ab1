package httpapi_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/httpapi"
)

func TestWhichRequestsAreLogged(t *testing.T) {
	for name, c := range map[string]struct {
		method, path string
		status       int
		logged       bool
	}{
		"a change":                {http.MethodPost, "/api/tasks", 201, true},
		"a read":                  {http.MethodGet, "/api/tasks", 200, false},
		"a read that fails":       {http.MethodGet, "/api/tasks", 503, true},
		"a probe that fails":      {http.MethodGet, "/readyz", 503, false},
		"a delivery":              {http.MethodPost, "/events/task-events", 200, false},
		"a delivery that fails":   {http.MethodPost, "/events/task-events", 503, true},
		"what a service asks for": {http.MethodPost, "/internal/reminders/check", 200, false},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			router := httpapi.NewRouter(slog.New(slog.NewTextHandler(&log, nil)))
			router.Method(c.method, c.path, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(c.status) }))
			router.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(c.method, c.path, nil))
			require.Equal(t, c.logged, log.Len() > 0, log.String())
		})
	}
}
