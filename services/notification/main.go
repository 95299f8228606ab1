// Command notification delivers reminders: it turns the reminder.due events of
// task-api into in-app notifications and mails, once each, and serves the
// notifications to their users.
//
//	notification serve     (default) consume, deliver and serve
//	notification migrate   bring the schema up to date and end
package main

import (
	"context"
	"log/slog"
	"time"
	_ "time/tzdata" // users' zones, also where the image has no zone files

	"github.com/go-chi/chi/v5"

	"github.com/taskwire/taskwire/pkg/auth"
	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/httpapi"
	"github.com/taskwire/taskwire/pkg/invoke"
	"github.com/taskwire/taskwire/pkg/service"
	"github.com/taskwire/taskwire/pkg/subscribe"
	"github.com/taskwire/taskwire/services/notification/internal/delivery"
	"github.com/taskwire/taskwire/services/notification/internal/inapp"
	"github.com/taskwire/taskwire/services/notification/internal/mail"
	"github.com/taskwire/taskwire/services/notification/internal/taskapi"
	"github.com/taskwire/taskwire/services/notification/migrations"
)

const name = "notification"

func main() {
	service.Main(name, map[string]service.Command{"serve": serve, "migrate": migrate})
}

func migrate(ctx context.Context, _ []string) error {
	s, err := service.Load[settings]()
	if err != nil {
		return err
	}
	return bringUpToDate(ctx, s, s.Logger(name))
}

func serve(ctx context.Context, _ []string) error {
	s, err := service.Load[settings]()
	if err != nil {
		return err
	}
	log := s.Logger(name)
	sender, err := mail.New(s.SMTPURL, s.MailFrom, s.SMTPTimeout)
	if err != nil {
		return err
	}

	if err := bringUpToDate(ctx, s, log); err != nil {
		return err
	}
	db, err := database.Open(ctx, s.DatabaseURL)
	if err != nil {
		return err
	}
	defer db.Close()
	deliverer := delivery.NewDeliverer(delivery.Options{
		DB:    db,
		Check: &taskapi.Client{Sidecar: invoke.New(s.DaprHTTPPort, s.DaprAPIToken)},
		Mail:  sender, MailTimeout: s.SMTPTimeout, Connections: s.SMTPConnections, RetryFor: s.MailRetryFor,
		Clock: time.Now, Log: log,
	})

	consumer := delivery.NewConsumer(time.Now, deliverer.Wake)
	events := subscribe.New(subscribe.Options{
		DB: db, Schema: migrations.Schema, AppAPIToken: s.AppAPIToken, Log: log, Now: time.Now,
	})
	events.InTx(event.TopicReminders, consumer.Reminders)
	events.InTx(event.TopicTasks, consumer.Tasks)

	keys, err := auth.TaskAPIKeys(ctx, s.Auth, s.DaprHTTPPort, s.DaprAPIToken, log)
	if err != nil {
		return err
	}
	verifier, err := auth.NewVerifier(ctx, s.Auth, keys, log)
	if err != nil {
		return err
	}

	router := httpapi.NewRouter(log)
	service.MountHealth(router, service.Check{Name: "database", Needed: true, Run: db.PingContext})
	router.Group(func(r chi.Router) {
		r.Use(consumer.Wake)
		events.Mount(r)
	})
	router.Group(func(r chi.Router) {
		r.Use(auth.SidecarOnly(s.AppAPIToken))
		api := httpapi.NewAPI(r, "taskwire notification", service.Version())
		r.Group(func(r chi.Router) {
			r.Use(verifier.Middleware)
			inapp.Register(httpapi.Within(api, r), httpapi.Failures{Log: log}, inapp.NewStore(db, time.Now))
		})
	})
	return service.Run(ctx, service.Server{
		Name: name, Settings: s.Settings, Log: log, Handler: router,
		Workers: []service.Worker{{Name: "deliverer", Run: deliverer.Run}},
	})
}

func bringUpToDate(ctx context.Context, s settings, log *slog.Logger) error {
	return database.Migrate(ctx, database.Migration{
		OwnerURL: s.OwnerURL(), RuntimeURL: s.DatabaseURL,
		Schema: migrations.Schema, Files: migrations.Files, SQL: migrations.SQL, Log: log,
	})
}
