package ledger_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/httpapi/costtest"
)

func TestNoRequestIsDear(t *testing.T) {
	server := httptest.NewServer(newServer(t).router)
	t.Cleanup(server.Close)
	costtest.Run(t, server.URL, costtest.Own(t), costtest.Route{
		Method: http.MethodGet, Path: "/api/tasks/" + uuid.NewString() + "/occurrences", Query: []string{"limit", "cursor"},
		Header: map[string]string{"X-Test-User": uuid.NewString()},
	})
}
