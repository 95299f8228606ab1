// Package service holds the bones that the four services share: how a main
// chooses its command, reads its settings, and how it starts and stops.
package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
	// Images hold nothing but the binary: users' zones, and whom to trust over
	// TLS where the system names nobody, are in it.
	_ "time/tzdata"

	"github.com/caarlos0/env/v11"
	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/uptrace/bun"
	_ "golang.org/x/crypto/x509roots/fallback"
	"golang.org/x/sync/errgroup"

	"github.com/taskwire/taskwire/pkg/database"
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
	MigrateAtStart     bool          `env:"MIGRATE_AT_START" envDefault:"true"`
	DaprHost           string        `env:"DAPR_HOST" envDefault:"127.0.0.1"`
	DaprHTTPPort       int           `env:"DAPR_HTTP_PORT" envDefault:"3500"`
	DaprGRPCPort       int           `env:"DAPR_GRPC_PORT" envDefault:"50001"`
	AppAPIToken        string        `env:"APP_API_TOKEN,required,notEmpty"`
	DaprAPIToken       string        `env:"DAPR_API_TOKEN"`
	PubsubName         string        `env:"PUBSUB_NAME" envDefault:"pubsub"`
	EventRetention     time.Duration `env:"EVENT_RETENTION" envDefault:"720h"`
	LogLevel           slog.Level    `env:"LOG_LEVEL" envDefault:"info"`
	LogFormat          string        `env:"LOG_FORMAT" envDefault:"text"`
	ShutdownTimeout    time.Duration `env:"SHUTDOWN_TIMEOUT" envDefault:"8s"`
}

// OwnerURL is the database login that migrations run with, and that sees what
// the service's own may not.
func (s Settings) OwnerURL() string {
	if s.MigrateDatabaseURL != "" {
		return s.MigrateDatabaseURL
	}
	return s.DatabaseURL
}

// WorkersTime is what of the time for stopping is left to the workers at least.
func (s Settings) WorkersTime() time.Duration {
	return s.ShutdownTimeout - s.ShutdownTimeout*drainShare/8
}

// SidecarURL is where the sidecar's HTTP API is.
func (s Settings) SidecarURL() string {
	return "http://" + net.JoinHostPort(s.DaprHost, strconv.Itoa(s.DaprHTTPPort))
}

// SidecarGRPC is host and port of the sidecar's gRPC API.
func (s Settings) SidecarGRPC() string {
	return net.JoinHostPort(s.DaprHost, strconv.Itoa(s.DaprGRPCPort))
}

// Validate checks what the types cannot.
func (s Settings) Validate() error {
	for name, port := range map[string]int{"PORT": s.Port, "METRICS_PORT": s.MetricsPort, "DAPR_HTTP_PORT": s.DaprHTTPPort, "DAPR_GRPC_PORT": s.DaprGRPCPort} {
		if port < 0 || port > 65535 {
			return fmt.Errorf("%s must be a port from 0 to 65535, not %d", name, port)
		}
	}
	if u, err := url.Parse(s.SidecarURL()); err != nil || u.Hostname() != s.DaprHost {
		return fmt.Errorf("DAPR_HOST must be a name or an address without a port, not %q", s.DaprHost)
	}
	if s.LogFormat != "text" && s.LogFormat != "json" {
		return fmt.Errorf("LOG_FORMAT must be text or json, not %q", s.LogFormat)
	}
	if s.EventRetention < 24*time.Hour {
		return fmt.Errorf("EVENT_RETENTION must be at least 24h, not %s", s.EventRetention)
	}
	return nil
}

// Configured is a service's settings: a struct that embeds Settings.
type Configured interface {
	Validate() error
	common() Settings
}

func (s Settings) common() Settings { return s }

// load reads the settings from the environment. The error names each variable
// that is missing or wrong.
func load[S Configured]() (S, error) {
	settings, err := env.ParseAs[S]()
	if err != nil {
		return settings, fmt.Errorf("settings: %w", withVariableNames(err, reflect.TypeFor[S]()))
	}
	if err := settings.Validate(); err != nil {
		return settings, fmt.Errorf("settings: %w", err)
	}
	return settings, nil
}

// withVariableNames says which variable could not be parsed; env names the struct's field.
func withVariableNames(err error, settings reflect.Type) error {
	var all env.AggregateError
	if !errors.As(err, &all) {
		return err
	}
	errs := make([]error, len(all.Errors))
	for i, one := range all.Errors {
		errs[i] = one
		var bad env.ParseError
		if errors.As(one, &bad) {
			if variable := variableOf(settings, bad.Name); variable != "" {
				errs[i] = fmt.Errorf("%s is not as it must be: %w", variable, bad.Err)
			}
		}
	}
	return errors.Join(errs...)
}

func variableOf(settings reflect.Type, field string) string {
	for i := range settings.NumField() {
		f := settings.Field(i)
		if f.Name == field && f.Tag.Get("env") != "" {
			return strings.Split(f.Tag.Get("env"), ",")[0]
		}
		if f.Type.Kind() == reflect.Struct && f.Tag.Get("env") == "" {
			if variable := variableOf(f.Type, field); variable != "" {
				return variable
			}
		}
	}
	return ""
}

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

// flushTime is how long the last traces may take to their collector.
const flushTime = 2 * time.Second

// Worker is work beside the requests. Run returns when its context ends; an
// error of it stops the service.
type Worker struct {
	Name string
	Run  func(ctx context.Context) error
}

// logRoutes says, for who debugs, what the service answers to.
func (b Base) logRoutes(ctx context.Context, handler http.Handler) {
	routes, ok := handler.(chi.Routes)
	if !ok {
		return
	}
	// Walk fails when its function does, and that never does.
	_ = chi.Walk(routes, func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		b.Log.DebugContext(ctx, "route", "method", method, "route", route)
		return nil
	})
}

// drainShare is how much of the time for stopping the requests in flight have,
// in eighths. The rest is the workers', whatever a request does: what they have
// just done for good, such as a mail that was sent, they have to write down.
const drainShare = 3

// Run starts the workers, serves requests, and stops in this order: no new
// connections, requests in flight end or are cut off, workers end, traces are flushed. It
// returns an error when something failed or the time for stopping ran out.
func (b Base) Run(ctx context.Context, handler http.Handler, workers ...Worker) error {
	flush, err := telemetry.Start(ctx, b.name, Version())
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(b.settings.Host, fmt.Sprint(b.settings.Port)))
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	var metricsListener net.Listener
	if b.settings.MetricsPort != 0 {
		metricsListener, err = net.Listen("tcp", net.JoinHostPort(b.settings.Host, fmt.Sprint(b.settings.MetricsPort)))
		if err != nil {
			return errors.Join(fmt.Errorf("listen for metrics: %w", err), listener.Close())
		}
	}
	// The router sets the deadlines for writing (httpapi.NewRouter).
	unused := unusedConns{conns: map[net.Conn]struct{}{}}
	server := &http.Server{
		Handler:           handler,
		ConnState:         unused.follow,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       60 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(b.Log.Handler(), slog.LevelDebug),
	}
	metrics := &http.Server{Handler: promhttp.Handler(), ReadTimeout: 5 * time.Second, WriteTimeout: 30 * time.Second}

	// The workers outlive ctx: they stop after the last request has ended.
	working, stopWorkers := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWorkers()
	group, failing := errgroup.WithContext(working)
	for _, w := range workers {
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
	if metricsListener != nil {
		serve(metrics, metricsListener)
	}
	b.logRoutes(ctx, handler)
	b.Log.InfoContext(ctx, "serving", "address", listener.Addr().String())

	var failed error
	select {
	case <-ctx.Done():
		b.Log.InfoContext(ctx, "stopping")
	case <-failing.Done():
	case failed = <-serveErr:
	}

	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), b.settings.ShutdownTimeout)
	defer cancel()
	draining, cancelDrain := context.WithTimeout(stopping, b.settings.ShutdownTimeout-b.settings.WorkersTime())
	defer cancelDrain()
	server.RegisterOnShutdown(unused.close)
	if err := server.Shutdown(draining); err != nil {
		failed = errors.Join(failed, fmt.Errorf("requests did not end in time and were cut off: %w", err), server.Close())
	}
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
	// A collector that is away must not hold up the stop.
	flushing, cancelFlush := context.WithTimeout(stopping, flushTime)
	defer cancelFlush()
	if err := flush(flushing); err != nil {
		b.Log.WarnContext(ctx, "some traces were not exported", "error", err)
	}
	if failed == nil {
		b.Log.InfoContext(ctx, "stopped")
	}
	return failed
}

// unusedConns are the connections on which nothing has been asked yet. Shutdown
// waits five seconds for each, as if it were a request in flight; and a client that
// dials twice, and finds a free connection meanwhile, leaves one behind.
type unusedConns struct {
	mu     sync.Mutex
	conns  map[net.Conn]struct{}
	closed bool
}

// follow is told of every connection's states, in order (http.Server.ConnState).
func (u *unusedConns) follow(c net.Conn, state http.ConnState) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if state != http.StateNew {
		delete(u.conns, c)
		return
	}
	if u.closed { // accepted at the last moment
		_ = c.Close() // there is nobody to tell
		return
	}
	u.conns[c] = struct{}{}
}

func (u *unusedConns) close() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.closed = true
	for c := range u.conns {
		_ = c.Close() // there is nobody to tell
	}
}
