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
	"runtime"
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
	"github.com/taskwire/taskwire/pkg/setting"
)

// Program is a service: its name, what it owns of the database, and what it
// does. Its commands are those of every service (own), and those of Commands.
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
	err := p.run(ctx, os.Stdout, os.Args[1:])
	stop()
	if err != nil {
		for line := range strings.Lines(err.Error()) {
			fmt.Fprintf(os.Stderr, "%s: %s\n", p.Name, strings.TrimSuffix(line, "\n"))
		}
		os.Exit(exitCode(err))
	}
}

// run runs a command, whose answer goes to out.
func (p Program[S]) run(ctx context.Context, out io.Writer, args []string) error {
	name := "serve"
	if len(args) > 0 {
		name, args = args[0], args[1:]
	}
	switch name {
	case "-h", "-help", "--help":
		name = "help"
	case "-version", "--version":
		name = "version"
	}
	c, err := p.command(name)
	switch {
	case err != nil:
		return err
	case asksForHelp(args):
		return p.help(out, []string{name})
	case name == "help":
		return p.help(out, args)
	case c.Parse == nil && len(args) > 0:
		return usageError{noArguments(name, args)}
	case name == "version":
		return p.printVersion(out)
	case name == "health":
		return health(ctx)
	}
	var settings S
	needs := name
	if name == "config" {
		needs = "serve"
	}
	values, err := setting.Load(&settings, needs)
	if err != nil {
		return usageError{settingsError(err)}
	}
	logs, work := out, Work(nil) // what serves or migrates has no other answer
	switch name {
	case "config":
		return printConfig(out, values)
	case "migrate":
	case "serve":
		work = func(ctx context.Context, base Base) error { return p.Serve(ctx, settings, base) }
	default:
		logs = os.Stderr
		if work, err = c.Parse(settings, args); err != nil {
			return usageError{fmt.Errorf("%w; see %q", err, p.Name+" "+name+" --help")}
		}
	}
	return p.work(ctx, name, settings.common(), logs, work)
}

// settingsError says of each line of an error that it is about a setting.
func settingsError(err error) error {
	return errors.New("settings: " + strings.ReplaceAll(err.Error(), "\n", "\nsettings: "))
}

// work does what a command does with the database.
func (p Program[S]) work(ctx context.Context, name string, common Settings, logs io.Writer, work Work) error {
	if name == "serve" {
		tuneCollector()
	}
	log := common.logger(logs, p.Name)
	if name == "serve" || name == "migrate" {
		log.InfoContext(ctx, "starting", "command", name, "version", Version(), "go", runtime.Version())
	}
	if database.FallsBack(common.DatabaseURL) || database.FallsBack(common.OwnerURL()) {
		log.WarnContext(ctx, "the connection to the database may be unencrypted: set sslmode=verify-full in its URL, or sslmode=disable where that is meant")
	}
	var err error
	if name == "migrate" || name == "serve" && common.MigrateAtStart {
		err = database.Migrate(ctx, database.Migration{
			Schema: p.Schema, OwnerURL: common.OwnerURL(), RuntimeURL: common.DatabaseURL, Log: log,
		})
	}
	if err != nil || work == nil {
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
	return errors.Join(work(ctx, Base{Log: log, DB: db, name: p.Name, settings: common}), db.Close())
}
