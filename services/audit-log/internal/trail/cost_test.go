package trail_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/httpapi/costtest"
)

func TestNoRequestIsDear(t *testing.T) {
	server := httptest.NewServer(newService(t).router)
	t.Cleanup(server.Close)
	mine := map[string]string{"X-Test-User": uuid.NewString()}
	costtest.Run(t, server.URL, costtest.Own(t),
		costtest.Route{Method: http.MethodGet, Path: "/api/audit", Query: []string{"action", "from", "cursor"}, Header: mine},
		costtest.Route{Method: http.MethodGet, Path: "/api/tasks/" + uuid.NewString() + "/history", Query: []string{"action"}, Header: mine},
		costtest.Route{Method: http.MethodPost, Path: "/events/" + event.TopicAudit, Body: `{}`, Header: map[string]string{"dapr-api-token": sidecarToken}},
	)
}
