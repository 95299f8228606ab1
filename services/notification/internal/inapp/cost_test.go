package inapp_test

import (
	"net/http"
	"testing"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/httpapi/costtest"
)

func TestNoRequestIsDear(t *testing.T) {
	mine := map[string]string{"X-Test-User": uuid.NewString()}
	costtest.Run(t, newClient(t).url, costtest.Own(t),
		costtest.Route{Method: http.MethodGet, Path: "/api/notifications", Query: []string{"unread", "cursor"}, Header: mine},
		costtest.Route{Method: http.MethodPatch, Path: "/api/notifications/" + uuid.NewString(), Body: `{"read":true}`, Header: mine},
	)
}
