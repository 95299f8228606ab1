package frontdoor

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/httpapi"
	"github.com/taskwire/taskwire/pkg/membership"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/actor"
)

// permission says whether an actor may ask another service for what r names
// (access.ErrRefused).
type permission func(ctx context.Context, db bun.IDB, actor access.Actor, r *http.Request) error

// anyUser is for what services keep for each user.
func anyUser(_ context.Context, _ bun.IDB, actor access.Actor, _ *http.Request) error {
	return actor.Own()
}

// seesTask is for what services keep of the task in the path.
func seesTask(ctx context.Context, db bun.IDB, actor access.Actor, r *http.Request) error {
	id, err := uuid.Parse(chi.URLParam(r, "id"))
	if err != nil {
		return nil //nolint:nilerr // the service says what an id looks like
	}
	return actor.Task(ctx, db, id)
}

// withLists passes requests on to next with the lists that the actor is a member of
// today, for a service that has things that happened in lists. The one that the request
// names is among them, also where there are too many to name.
func (d *Door) withLists(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		named, err := uuid.Parse(r.URL.Query().Get("list_id"))
		if err != nil {
			named = uuid.Nil // the service says what an id looks like
		}
		ctx, cancel := context.WithTimeout(r.Context(), lookupTime)
		lists, err := actor.Of(r.Context()).Lists(ctx, d.db, named, membership.Most)
		cancel()
		if err != nil {
			d.failures.Write(w, r, err)
			return
		}
		next.ServeHTTP(w, r.WithContext(membership.With(r.Context(), lists)))
	})
}

// lookupTime is how long the database has to say whose a task is, or who a member of what.
const lookupTime = 5 * time.Second

// authorize passes requests on to next. One for a task that is not the actor's goes on with
// an id that nothing has: to the last word and the time it takes, the answer is that
// of the service to an id that never was.
func (d *Door) authorize(may permission, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), lookupTime)
		err := may(ctx, d.db, actor.Of(r.Context()), r)
		cancel()
		id := chi.URLParam(r, "id")
		switch {
		case err == nil:
		case errors.Is(err, access.ErrRefused) && id != "":
			r = r.Clone(r.Context())
			r.URL.Path, r.URL.RawPath = strings.Replace(r.URL.Path, id, uuid.NewString(), 1), ""
		case errors.Is(err, access.ErrRefused):
			httpapi.NotFound("user").Write(w, r)
			return
		default:
			d.failures.Write(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}
