package service

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/auth"
	"github.com/taskwire/taskwire/pkg/httpapi"
)

func TestUsersOfAConsumerComeThroughTheSidecarAndSignedIn(t *testing.T) {
	const token = "the sidecar's token"
	verifier, err := auth.NewVerifier(t.Context(), auth.Settings{}, auth.OutsideSettings{}, nil, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	router := httpapi.NewRouter(slog.New(slog.DiscardHandler))
	Base{settings: Settings{AppAPIToken: token}}.MountUserAPI(router, verifier, func(api huma.API) {
		huma.Register(api, huma.Operation{OperationID: "look", Method: http.MethodGet, Path: "/api/things/{id}"},
			func(context.Context, *struct {
				ID string `path:"id"`
			}) (*struct{}, error) {
				require.Fail(t, "everybody is let in")
				return nil, nil
			})
	})
	asked := 0
	require.NoError(t, chi.Walk(router, func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		asked++
		for _, says := range []string{"", "wrong", token} {
			want := http.StatusForbidden
			if says == token {
				want = http.StatusUnauthorized
			}
			req := httptest.NewRequest(method, strings.ReplaceAll(route, "{id}", "1"), nil)
			req.Header.Set("dapr-api-token", says)
			rec := httptest.NewRecorder()
			router.ServeHTTP(rec, req)
			require.Equal(t, want, rec.Code, "%s %s, with the token %q", method, route, says)
		}
		return nil
	}))
	require.Equal(t, 1, asked)
}
