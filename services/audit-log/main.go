// Command audit-log keeps the audit trail: who did what to what, each change
// once, in a table that nobody can change, and shows it to those it tells of.
package main

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/taskwire/taskwire/pkg/auth"
	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/httpapi"
	"github.com/taskwire/taskwire/pkg/service"
	"github.com/taskwire/taskwire/pkg/subscribe"
	"github.com/taskwire/taskwire/pkg/subscribe/deadletter"
	"github.com/taskwire/taskwire/services/audit-log/internal/migrations"
	"github.com/taskwire/taskwire/services/audit-log/internal/trail"
)

func main() {
	service.Program[settings]{
		Name: "audit-log", Schema: migrations.Schema, Serve: serve,
		Commands: []service.Command[settings]{deadletter.Command(subscriptions)},
	}.Main()
}

func serve(ctx context.Context, cfg settings, base service.Base) error {
	// The parts.
	verifier, err := auth.NewConsumerVerifier(ctx, cfg.Auth, cfg.SidecarURL(), cfg.DaprAPIToken, base.Log)
	if err != nil {
		return err
	}
	events := subscriptions(cfg, base)

	// The doors.
	router := httpapi.NewRouter(base.Log, httpapi.Trust{SidecarToken: cfg.AppAPIToken})
	base.MountHealth(router)
	events.Mount(router)
	base.MountUserAPI(router, verifier, operations(base))
	base.MountOperatorAPI(router, verifier, deadletter.Routes(events, httpapi.Failures{Log: base.Log}))
	return base.Run(ctx, router,
		service.Worker{Name: "keeper of the inbox", Run: events.Keep},
		service.Worker{Name: "erasure", Run: events.Erased.Run},
	)
}

// subscriptions are the topics and what becomes of their events, whoever hands
// them over: the sidecar or an operator.
func subscriptions(cfg settings, base service.Base) *subscribe.Subscriber {
	erased := trail.NewEraser(base.DB, time.Now, base.Log)
	recorder := &trail.Recorder{Now: time.Now, Erased: erased}
	events := subscribe.New(subscribe.Options{
		DB: base.DB, Schema: migrations.Name, AppAPIToken: cfg.AppAPIToken, Retention: cfg.EventRetention, Erased: erased, Log: base.Log, Now: time.Now,
	})
	events.InTx(event.TopicAudit, recorder.Record)
	events.AtOnce(event.TopicAudit, recorder.AtOnce())
	return events
}

// operations are what users ask of the service.
func operations(base service.Base) func(huma.API) {
	return func(api huma.API) {
		(&trail.API{DB: base.DB, Failures: httpapi.Failures{Log: base.Log}}).Mount(api)
	}
}
