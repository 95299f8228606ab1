// Command notification delivers reminders: it turns the reminder.due events of
// task-api into in-app notifications and mails, once each, its comment.added events
// into in-app notifications alone, and serves the notifications to their users.
//
//	notification serve     (default) consume, deliver and serve
//	notification help      list its commands
package main

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-chi/chi/v5"

	"github.com/taskwire/taskwire/pkg/auth"
	"github.com/taskwire/taskwire/pkg/erasure"
	"github.com/taskwire/taskwire/pkg/httpapi"
	"github.com/taskwire/taskwire/pkg/invoke"
	"github.com/taskwire/taskwire/pkg/service"
	"github.com/taskwire/taskwire/pkg/subscribe"
	"github.com/taskwire/taskwire/pkg/subscribe/deadletter"
	"github.com/taskwire/taskwire/pkg/taskapi"
	"github.com/taskwire/taskwire/services/notification/internal/delivery"
	"github.com/taskwire/taskwire/services/notification/internal/erase"
	"github.com/taskwire/taskwire/services/notification/internal/inapp"
	"github.com/taskwire/taskwire/services/notification/internal/mail"
	"github.com/taskwire/taskwire/services/notification/internal/migrations"
	"github.com/taskwire/taskwire/services/notification/internal/recipient"
	"github.com/taskwire/taskwire/services/notification/internal/retention"
)

func main() {
	service.Program[settings]{
		Name: "notification", Schema: migrations.Schema, Serve: serve,
		Commands: []service.Command[settings]{deadletter.Command(byHand)},
	}.Main()
}

func serve(ctx context.Context, cfg settings, base service.Base) error {
	// The parts.
	verifier, err := auth.NewConsumerVerifier(ctx, cfg.Auth, cfg.SidecarURL(), cfg.DaprAPIToken, base.Log)
	if err != nil {
		return err
	}
	sender, err := mail.New(cfg.SMTPURL, cfg.MailFrom, cfg.SMTPTimeout)
	if err != nil {
		return err
	}
	public, err := cfg.publicURL()
	if err != nil {
		return err
	}
	if mail.FallsBack(cfg.SMTPURL) {
		base.Log.WarnContext(ctx, "the connection to the mail server may be unencrypted: set ?tls=required in SMTP_URL, or ?tls=off where that is meant")
	}
	deliverer := delivery.NewDeliverer(delivery.Options{
		DB:    base.DB,
		Check: &taskapi.Client{Sidecar: invoke.At(cfg.SidecarURL(), cfg.DaprAPIToken)},
		Mail:  sender, MailTimeout: cfg.SMTPTimeout, Connections: cfg.SMTPConnections, RetryFor: cfg.MailRetryFor,
		Budget: cfg.MailBudget, PublicURL: public, ShutdownTimeout: cfg.WorkersTime(), Clock: time.Now, Log: base.Log,
	})
	erased := erase.New(base.DB, time.Now, base.Log)
	consumer := delivery.NewConsumer(time.Now, erased, deliverer.Wake)
	keeper := &retention.Keeper{DB: base.DB, Retention: cfg.Retention, EventRetention: cfg.EventRetention, Now: time.Now, Log: base.Log}
	failures := httpapi.Failures{Log: base.Log}
	events := subscriptions(cfg, base, erased, consumer)

	// The doors.
	router := httpapi.NewRouter(base.Log, httpapi.Trust{SidecarToken: cfg.AppAPIToken})
	base.MountHealth(router)
	router.Group(func(r chi.Router) {
		r.Use(consumer.Wake)
		events.Mount(r)
	})
	base.MountUserAPI(router, verifier, operations(base))
	base.MountOperatorAPI(router, verifier, deadletter.Routes(events, failures))
	router.Group(func(r chi.Router) {
		r.Use(auth.SidecarOnly(cfg.AppAPIToken))
		(&recipient.Store{DB: base.DB, Now: time.Now}).Mount(r, failures)
	})
	return base.Run(ctx, router,
		service.Worker{Name: "keeper of what was delivered", Run: keeper.Run},
		service.Worker{Name: "deliverer", Run: deliverer.Run},
		service.Worker{Name: "erasure", Run: erased.Run},
		service.Worker{Name: "keeper of the inbox", Run: events.Keep})
}

// subscriptions are the topics and what becomes of their events, whoever hands
// them over: the sidecar or an operator.
func subscriptions(cfg settings, base service.Base, erased *erasure.Keeper, consumer *delivery.Consumer) *subscribe.Subscriber {
	events := subscribe.New(subscribe.Options{
		DB: base.DB, Schema: migrations.Name, AppAPIToken: cfg.AppAPIToken, Retention: cfg.EventRetention, Erased: erased, Log: base.Log, Now: time.Now,
	})
	consumer.Subscribe(events)
	return events
}

// byHand are the subscriptions for an operator. The deliveries that he makes are
// found by the service's own workers.
func byHand(cfg settings, base service.Base) *subscribe.Subscriber {
	erased := erase.New(base.DB, time.Now, base.Log)
	return subscriptions(cfg, base, erased, delivery.NewConsumer(time.Now, erased, func() {}))
}

// operations are what users ask of the service.
func operations(base service.Base) func(huma.API) {
	return func(api huma.API) {
		inapp.Register(api, httpapi.Failures{Log: base.Log}, inapp.NewStore(base.DB, time.Now))
	}
}
