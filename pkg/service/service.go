// Package service holds the bones that the four services share: how a main
// chooses its command, reads its settings, and how it starts and stops.
package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/caarlos0/env/v11"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/errgroup"

	"github.com/taskwire/taskwire/pkg/telemetry"
)

// Settings are those that every service has. A service embeds them in a
// struct of its own; docs/settings.md lists all of them.
type Settings struct {
	Host               string        `env:"HOST" envDefault:"127.0.0.1"`
	Port               int           `env:"PORT,required"`
	MetricsPort        int           `env:"METRICS_PORT" envDefault:"0"` // 0: no metrics listener
	DatabaseURL        string        `env:"DATABASE_URL,required"`
	MigrateDatabaseURL string        `env:"MIGRATE_DATABASE_URL"`
	DaprHTTPPort       int           `env:"DAPR_HTTP_PORT" envDefault:"3500"`
	DaprGRPCPort       int           `env:"DAPR_GRPC_PORT" envDefault:"50001"`
	AppAPIToken        string        `env:"APP_API_TOKEN,required,notEmpty"`
	DaprAPIToken       string        `env:"DAPR_API_TOKEN"`
	PubsubName         string        `env:"PUBSUB_NAME" envDefault:"pubsub"`
	LogLevel           slog.Level    `env:"LOG_LEVEL" envDefault:"info"`
	LogFormat          string        `env:"LOG_FORMAT" envDefault:"text"`
	ShutdownTimeout    time.Duration `env:"SHUTDOWN_TIMEOUT" envDefault:"8s"`
}

// OwnerURL is the database login that migrations run with.
func (s Settings) OwnerURL() string {
	if s.MigrateDatabaseURL != "" {
		return s.MigrateDatabaseURL
	}
	return s.DatabaseURL
}

// Validate checks what the types cannot.
func (s Settings) Validate() error {
	for name, port := range map[string]int{"PORT": s.Port, "METRICS_PORT": s.MetricsPort, "DAPR_HTTP_PORT": s.DaprHTTPPort, "DAPR_GRPC_PORT": s.DaprGRPCPort} {
		if port < 0 || port > 65535 {
			return fmt.Errorf("%s must be a port from 0 to 65535, not %d", name, port)
		}
	}
	if s.LogFormat != "text" && s.LogFormat != "json" {
		return fmt.Errorf("LOG_FORMAT must be text or json, not %q", s.LogFormat)
	}
	return nil
}

// Load reads the settings from the environment. The error names the variable
// that is missing or wrong.
func Load[T interface{ Validate() error }]() (T, error) {
	settings, err := env.ParseAs[T]()
	if err != nil {
		return settings, fmt.Errorf("settings: %w", err)
	}
	if err := settings.Validate(); err != nil {
		return settings, fmt.Errorf("settings: %w", err)
	}
	return settings, nil
}

// Logger writes to standard output as the settings say, and is set as the
// process's default for libraries that log by themselves.
func (s Settings) Logger(service string) *slog.Logger {
	var handler slog.Handler = slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{Level: s.LogLevel})
	if s.LogFormat == "json" {
		handler = slog.NewJSONHandler(os.Stdout, &slog.HandlerOptions{Level: s.LogLevel})
	}
	log := slog.New(handler).With("service", service)
	slog.SetDefault(log)
	return log
}

// Command is a subcommand of a service.
type Command func(ctx context.Context, args []string) error

// Main runs the command that the arguments name ("serve" when there is none)
// until it ends or the process is told to stop (SIGINT, SIGTERM).
func Main(name string, commands map[string]Command) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, commands, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, commands map[string]Command, args []string) error {
	chosen := "serve"
	if len(args) > 0 {
		chosen, args = args[0], args[1:]
	}
	command, ok := commands[chosen]
	if !ok {
		names := make([]string, 0, len(commands))
		for n := range commands {
			names = append(names, n)
		}
		slices.Sort(names)
		return fmt.Errorf("unknown command %q; there are: %s", chosen, strings.Join(names, ", "))
	}
	return command(ctx, args)
}

// Worker is work beside the requests. Run returns when its context ends; an
// error of it stops the service.
type Worker struct {
	Name string
	Run  func(ctx context.Context) error
}

// Server is a service that is wired and ready to go.
type Server struct {
	Name     string
	Settings Settings
	Log      *slog.Logger
	Handler  http.Handler
	Workers  []Worker
}

// Run starts the workers, serves requests, and stops in this order: no new
// connections, requests in flight end, workers end, traces are flushed. It
// returns an error when something failed or the time for stopping ran out.
func Run(ctx context.Context, s Server) error {
	flush, err := telemetry.Start(ctx, s.Name)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(s.Settings.Host, fmt.Sprint(s.Settings.Port)))
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	server := &http.Server{
		Handler:           s.Handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       60 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(s.Log.Handler(), slog.LevelDebug),
	}
	metrics := &http.Server{Handler: promhttp.Handler(), ReadHeaderTimeout: 5 * time.Second}

	// The workers outlive ctx: they stop after the last request has ended.
	working, stopWorkers := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWorkers()
	group, failing := errgroup.WithContext(working)
	for _, w := range s.Workers {
		group.Go(func() error {
			if err := w.Run(failing); err != nil && failing.Err() == nil {
				return fmt.Errorf("%s: %w", w.Name, err)
			}
			return nil
		})
	}
	var serving sync.WaitGroup
	serveErr := make(chan error, 2)
	serve := func(srv *http.Server, l net.Listener) {
		serving.Go(func() {
			if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				serveErr <- fmt.Errorf("serve: %w", err)
			}
		})
	}
	serve(server, listener)
	if s.Settings.MetricsPort != 0 {
		l, err := net.Listen("tcp", net.JoinHostPort(s.Settings.Host, fmt.Sprint(s.Settings.MetricsPort)))
		if err != nil {
			return errors.Join(fmt.Errorf("listen for metrics: %w", err), server.Close())
		}
		serve(metrics, l)
	}
	s.Log.InfoContext(ctx, "serving", "address", listener.Addr().String())

	var failed error
	select {
	case <-ctx.Done():
		s.Log.InfoContext(ctx, "stopping")
	case <-failing.Done():
	case failed = <-serveErr:
	}

	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.Settings.ShutdownTimeout)
	defer cancel()
	failed = errors.Join(failed, server.Shutdown(stopping))
	stopWorkers()
	ended := make(chan error, 1)
	go func() { ended <- group.Wait() }()
	select {
	case err := <-ended:
		failed = errors.Join(failed, err)
	case <-stopping.Done():
		failed = errors.Join(failed, errors.New("the workers did not stop in time"))
	}
	failed = errors.Join(failed, metrics.Shutdown(stopping))
	serving.Wait()
	if err := flush(stopping); err != nil {
		s.Log.WarnContext(ctx, "some traces were not exported", "error", err)
	}
	if failed == nil {
		s.Log.InfoContext(ctx, "stopped")
	}
	return failed
}
