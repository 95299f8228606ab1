package service

import (
	"github.com/danielgtaylor/huma/v2"
	"github.com/go-chi/chi/v5"

	"github.com/taskwire/taskwire/pkg/auth"
	"github.com/taskwire/taskwire/pkg/httpapi"
	"github.com/taskwire/taskwire/pkg/membership"
)

// MountUserAPI adds what a consumer serves to users. They come by way of
// task-api and the sidecars, so only the own sidecar is let in; the user's
// token is verified here again. Of which lists he is a member, task-api says.
func (b Base) MountUserAPI(r chi.Router, verifier *auth.Verifier, mount func(huma.API)) {
	r.Group(func(r chi.Router) {
		r.Use(auth.SidecarOnly(b.settings.AppAPIToken), httpapi.Bodies(httpapi.MaxBody), verifier.Middleware, membership.Believe(b.settings.AppAPIToken))
		mount(httpapi.NewAPI(r))
	})
}

// MountOperatorAPI adds what a consumer answers the operators of task-api, who come by way
// of it and the sidecars: that somebody is one, the token says which task-api hands on.
func (b Base) MountOperatorAPI(r chi.Router, verifier *auth.Verifier, mount func(huma.API)) {
	r.Group(func(r chi.Router) {
		r.Use(auth.SidecarOnly(b.settings.AppAPIToken), httpapi.Bodies(httpapi.MaxBody), verifier.Middleware, auth.OperatorOnly)
		mount(httpapi.NewAPI(r))
	})
}
