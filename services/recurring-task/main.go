// Command recurring-task creates the next occurrence of a recurring task when
// one is completed, and keeps the ledger of what became of each.
package main

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/taskwire/taskwire/pkg/auth"
	"github.com/taskwire/taskwire/pkg/httpapi"
	"github.com/taskwire/taskwire/pkg/invoke"
	"github.com/taskwire/taskwire/pkg/service"
	"github.com/taskwire/taskwire/pkg/subscribe"
	"github.com/taskwire/taskwire/pkg/subscribe/deadletter"
	"github.com/taskwire/taskwire/pkg/taskapi"
	"github.com/taskwire/taskwire/services/recurring-task/internal/followup"
	"github.com/taskwire/taskwire/services/recurring-task/internal/ledger"
	"github.com/taskwire/taskwire/services/recurring-task/internal/migrations"
	"github.com/taskwire/taskwire/services/recurring-task/internal/preview"
)

func main() {
	service.Program[settings]{
		Name: "recurring-task", Schema: migrations.Schema, Serve: serve,
		Commands: []service.Command[settings]{deadletter.Command(subscriptions)},
	}.Main()
}

func serve(ctx context.Context, cfg settings, base service.Base) error {
	// The parts.
	verifier, err := auth.NewConsumerVerifier(ctx, cfg.Auth, cfg.SidecarURL(), cfg.DaprAPIToken, base.Log)
	if err != nil {
		return err
	}
	occurrences := &ledger.Store{DB: base.DB}
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
		service.Worker{Name: "keeper of the ledger", Run: func(ctx context.Context) error { return occurrences.Keep(ctx, base.Log, time.Now) }},
	)
}

// subscriptions are the topics and what becomes of their events, whoever hands
// them over: the sidecar or an operator.
func subscriptions(cfg settings, base service.Base) *subscribe.Subscriber {
	erased := ledger.NewEraser(base.DB, time.Now, base.Log)
	consumer := &followup.Consumer{Ledger: &ledger.Store{DB: base.DB}, Erased: erased, TaskAPI: &taskapi.Client{Sidecar: invoke.At(cfg.SidecarURL(), cfg.DaprAPIToken)}, Log: base.Log}
	events := subscribe.New(subscribe.Options{
		DB: base.DB, Schema: migrations.Name, AppAPIToken: cfg.AppAPIToken, Retention: cfg.EventRetention, Erased: erased, Log: base.Log, Now: time.Now,
	})
	consumer.Subscribe(events)
	return events
}

// operations are what users ask of the service.
func operations(base service.Base) func(huma.API) {
	return func(api huma.API) {
		failures := httpapi.Failures{Log: base.Log}
		ledger.Mount(api, failures, &ledger.Store{DB: base.DB})
		preview.Mount(api, failures)
	}
}
