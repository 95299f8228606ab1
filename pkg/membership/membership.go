// Package membership carries, with a request, which lists its caller is a member of.
// task-api keeps the members of lists, and the other services keep none: its front door
// looks them up and tells the service that it passes a request on to.
package membership

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/httpapi"
)

// Header is where the front door says it. It lets no client's own pass.
const Header = "Taskwire-Lists"

// Most is how many lists are told. They are 21 KiB of the 64 KiB that sidecars and
// services take as the headers of a request, and leave the rest to the client's own.
const Most = 1000

var encoding = base64.RawURLEncoding.Strict()

// Encode writes lists as the value of the header: the bytes of their ids, as base64url.
// As texts they would take two thirds more.
func Encode(lists []uuid.UUID) string {
	raw := make([]byte, 0, len(lists)*len(uuid.UUID{}))
	for _, list := range lists {
		raw = append(raw, list[:]...)
	}
	return encoding.EncodeToString(raw)
}

// Decode reads what Encode wrote.
func Decode(value string) ([]uuid.UUID, error) {
	raw, err := encoding.DecodeString(value)
	if err != nil {
		return nil, fmt.Errorf("read the lists: %w", err)
	}
	if len(raw)%len(uuid.UUID{}) != 0 {
		return nil, errors.New("read the lists: the last id is cut off")
	}
	lists := make([]uuid.UUID, len(raw)/len(uuid.UUID{}))
	for i := range lists {
		copy(lists[i][:], raw[i*len(uuid.UUID{}):])
	}
	return lists, nil
}

type listsKey struct{}

// With returns ctx as that of a request whose caller is a member of lists.
func With(ctx context.Context, lists []uuid.UUID) context.Context {
	return context.WithValue(ctx, listsKey{}, lists)
}

// Of are the lists that the caller of the request that ctx belongs to is a member of;
// none where nobody said so.
func Of(ctx context.Context) []uuid.UUID {
	lists, _ := ctx.Value(listsKey{}).([]uuid.UUID)
	return lists
}

// Believe takes over what the header says where the request carries the token that the
// own sidecar was started with (APP_API_TOKEN): who may ask what by the sidecar, its
// access policy says. Of anybody else's, and of what can not be read, the caller is a
// member of nothing.
func Believe(token string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if httpapi.IsSidecar(r, token) {
				if lists, err := Decode(r.Header.Get(Header)); err == nil { // else: no lists
					r = r.WithContext(With(r.Context(), lists))
				}
			}
			next.ServeHTTP(w, r)
		})
	}
}
