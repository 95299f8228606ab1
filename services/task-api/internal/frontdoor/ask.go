package frontdoor

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/httpapi"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/rest"
)

// ask says whether an actor may ask another service for what r names.
type ask func(ctx context.Context, db bun.IDB, actor access.Actor, r *http.Request) error

// own is for what services keep for each user.
func own(_ context.Context, _ bun.IDB, actor access.Actor, _ *http.Request) error {
	if actor.Own() != nil {
		return httpapi.NotFound("user")
	}
	return nil
}

// taskNamed is for what services keep of the task in the path. One that is not the
// actor's is to him what one is that never was: the service's word for that is what.
func taskNamed(what string) ask {
	return func(ctx context.Context, db bun.IDB, actor access.Actor, r *http.Request) error {
		id, err := uuid.Parse(chi.URLParam(r, "id"))
		if err != nil {
			return nil //nolint:nilerr // the service says what an id looks like
		}
		if err = actor.Task(ctx, db, id); errors.Is(err, access.ErrRefused) {
			return httpapi.NotFound(what)
		}
		return err
	}
}

// askTime is how long the database has to say whose a task is.
const askTime = 5 * time.Second

// asks lets requests through to next that may go there.
func (d *Door) asks(may ask, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), askTime)
		defer cancel()
		if err := may(ctx, d.db, rest.ActorOf(r.Context()), r); err != nil {
			d.failures.Write(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}
