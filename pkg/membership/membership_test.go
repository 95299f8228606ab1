package membership_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/membership"
)

const token = "the sidecar's token"

func TestTheSidecarAloneIsBelieved(t *testing.T) {
	lists := []uuid.UUID{uuid.New(), uuid.Max, uuid.New()}
	said := membership.Encode(lists)
	for name, c := range map[string]struct {
		started string // the token that the own sidecar was started with
		header  map[string]string
		want    []uuid.UUID
	}{
		"the sidecar":                     {token, map[string]string{"dapr-api-token": token, membership.Header: said}, lists},
		"one list":                        {token, map[string]string{"dapr-api-token": token, membership.Header: membership.Encode(lists[1:2])}, lists[1:2]},
		"the sidecar, without a word":     {token, map[string]string{"dapr-api-token": token}, nil},
		"somebody else":                   {token, map[string]string{membership.Header: said}, nil},
		"by another token":                {token, map[string]string{"dapr-api-token": token + "x", membership.Header: said}, nil},
		"by the start of the token":       {token, map[string]string{"dapr-api-token": token[:5], membership.Header: said}, nil},
		"where the sidecar has no token":  {"", map[string]string{"dapr-api-token": "", membership.Header: said}, nil},
		"an id that is cut off":           {token, map[string]string{"dapr-api-token": token, membership.Header: said[:len(said)-4]}, nil},
		"ids as texts":                    {token, map[string]string{"dapr-api-token": token, membership.Header: lists[0].String()}, nil},
		"what is no base64url":            {token, map[string]string{"dapr-api-token": token, membership.Header: "?" + said}, nil},
		"padding, which nobody here adds": {token, map[string]string{"dapr-api-token": token, membership.Header: membership.Encode(lists[:1]) + "=="}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var got []uuid.UUID
			h := membership.Believe(c.started)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = membership.Of(r.Context()) }))
			req := httptest.NewRequest(http.MethodGet, "/", nil)
			for k, v := range c.header {
				req.Header.Set(k, v)
			}
			h.ServeHTTP(httptest.NewRecorder(), req)
			require.ElementsMatch(t, c.want, got)
		})
	}
}
