// Command recurring-task creates the next occurrence of a recurring task when
// one is completed, and keeps the ledger of what became of each.
package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/taskwire/taskwire/pkg/auth"
	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/httpapi"
	"github.com/taskwire/taskwire/pkg/invoke"
	"github.com/taskwire/taskwire/pkg/service"
	"github.com/taskwire/taskwire/pkg/subscribe"
	"github.com/taskwire/taskwire/services/recurring-task/internal/ledger"
	"github.com/taskwire/taskwire/services/recurring-task/internal/migrations"
	"github.com/taskwire/taskwire/services/recurring-task/internal/preview"
	"github.com/taskwire/taskwire/services/recurring-task/internal/spawn"
)

const name = "recurring-task"

func main() {
	service.Main(name, map[string]service.Command{"serve": serve, "migrate": migrate})
}

func migrate(ctx context.Context, _ []string) error {
	cfg, err := service.Load[settings]()
	if err != nil {
		return err
	}
	return migrateSchema(ctx, cfg, cfg.Logger(name))
}

func migrateSchema(ctx context.Context, cfg settings, log *slog.Logger) error {
	return database.Migrate(ctx, database.Migration{
		OwnerURL: cfg.OwnerURL(), RuntimeURL: cfg.DatabaseURL,
		Schema: migrations.Schema, Files: migrations.Files, SQL: migrations.SQL, Log: log,
	})
}

func serve(ctx context.Context, _ []string) error {
	cfg, err := service.Load[settings]()
	if err != nil {
		return err
	}
	log := cfg.Logger(name)
	if err := migrateSchema(ctx, cfg, log); err != nil {
		return err
	}
	db, err := database.Open(ctx, cfg.DatabaseURL)
	if err != nil {
		return err
	}
	defer db.Close()

	// The parts.
	keys, err := auth.TaskAPIKeys(ctx, cfg.Auth, cfg.DaprHTTPPort, cfg.DaprAPIToken, log)
	if err != nil {
		return err
	}
	verifier, err := auth.NewVerifier(ctx, cfg.Auth, keys, log)
	if err != nil {
		return err
	}
	occurrences := &ledger.Store{DB: db}
	spawner := &spawn.Spawner{Ledger: occurrences, TaskAPI: invoke.New(cfg.DaprHTTPPort, cfg.DaprAPIToken), Log: log}
	events := subscribe.New(subscribe.Options{DB: db, Schema: migrations.Schema, AppAPIToken: cfg.AppAPIToken, Log: log, Now: time.Now})
	events.Idempotent(event.TopicTasks, spawner.Handle)

	// The doors.
	router := httpapi.NewRouter(log)
	service.MountHealth(router, service.Check{Name: "database", Needed: true, Run: db.PingContext})
	events.Mount(router)
	router.Group(func(r chi.Router) {
		r.Use(auth.SidecarOnly(cfg.AppAPIToken))
		api := httpapi.NewAPI(r, "taskwire recurring-task", service.Version())
		r.Group(func(r chi.Router) {
			r.Use(verifier.Middleware)
			mine, failures := httpapi.Within(api, r), httpapi.Failures{Log: log}
			ledger.Mount(mine, failures, occurrences)
			preview.Mount(mine, failures)
		})
	})
	return service.Run(ctx, service.Server{Name: name, Settings: cfg.Settings, Log: log, Handler: router})
}
