package httpapi_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/taskwire/taskwire/pkg/httpapi/costtest"
)

// No request costs more than its size deserves.
func TestNoRequestIsDear(t *testing.T) {
	server := httptest.NewServer(service(nil))
	defer server.Close()
	costtest.Run(t, server.URL, costtest.Own(t), costtest.Route{
		Method: http.MethodPost, Path: "/do", Body: `{"text":"x","inner":[{"deep":"x"}]}`,
	}, costtest.Route{
		Method: http.MethodGet, Path: "/list", Query: []string{"q", "many"},
	})
}
