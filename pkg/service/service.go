// Package service holds the bones that the four services share: how a main
// chooses its command, reads its settings, and how it starts and stops.
package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	// Images hold nothing but the binary: users' zones, and whom to trust over
	// TLS where the system names nobody, are in it.
	_ "time/tzdata"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/uptrace/bun"
	_ "golang.org/x/crypto/x509roots/fallback"

	"github.com/taskwire/taskwire/pkg/database"
)

// Program is a service: its name, what it owns of the database, and what it
// does. Its commands are serve, the default, migrate, and those of Commands.
type Program[S Configured] struct {
	Name   string
	Schema database.Schema
	// Serve wires the service and runs it. It gets its settings and a database
	// whose schema is up to date.
	Serve func(ctx context.Context, settings S, base Base) error
	// Commands are what its operators need beside.
	Commands []Command[S]
}

// Base is what every service works with.
type Base struct {
	Log *slog.Logger
	DB  *bun.DB

	name     string
	settings Settings
}

// Main runs the command that the arguments name until it ends or the process
// is told to stop (SIGINT, SIGTERM).
func (p Program[S]) Main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := p.run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", p.Name, err)
		os.Exit(1)
	}
}

func (p Program[S]) run(ctx context.Context, args []string) error {
	name := "serve"
	if len(args) > 0 {
		name, args = args[0], args[1:]
	}
	var run func(context.Context, S, Base) error
	var logs io.Writer = os.Stdout
	switch name {
	case "serve":
		run = p.Serve
	case "migrate":
	case "health":
		return health(ctx)
	case "help", "-h", "-help", "--help":
		return p.help(os.Stdout, strings.Join(args, " "))
	default:
		c, err := p.command(name)
		if err != nil {
			return err
		}
		if asksForHelp(args) {
			return p.help(os.Stdout, name)
		}
		logs = os.Stderr
		run = func(ctx context.Context, settings S, base Base) error { return c.Run(ctx, settings, base, args) }
	}
	settings, err := load[S]()
	if err != nil {
		return err
	}
	common := settings.common()
	log := common.logger(logs, p.Name)
	if database.FallsBack(common.DatabaseURL) || database.FallsBack(common.OwnerURL()) {
		log.WarnContext(ctx, "the connection to the database may be unencrypted: set sslmode=verify-full in its URL, or sslmode=disable where that is meant")
	}
	if name == "migrate" || name == "serve" && common.MigrateAtStart {
		err = database.Migrate(ctx, database.Migration{
			Schema: p.Schema, OwnerURL: common.OwnerURL(), RuntimeURL: common.DatabaseURL, Log: log,
		})
	}
	if err != nil || run == nil {
		return err
	}
	db, err := database.Open(ctx, common.DatabaseURL)
	if err != nil {
		return err
	}
	pool := collectors.NewDBStatsCollector(db.DB, p.Name)
	if err := prometheus.Register(pool); err != nil {
		return errors.Join(fmt.Errorf("register the metrics of the database's pool: %w", err), db.Close())
	}
	defer prometheus.Unregister(pool)
	return errors.Join(run(ctx, settings, Base{Log: log, DB: db, name: p.Name, settings: common}), db.Close())
}
