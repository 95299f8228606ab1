package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"sync"
	"time"

	// Images hold nothing but the binary: users' zones, and whom to trust over
	// TLS where the system names nobody, are in it.
	_ "time/tzdata"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	_ "golang.org/x/crypto/x509roots/fallback"
	"golang.org/x/sync/errgroup"

	"github.com/taskwire/taskwire/pkg/telemetry"
)

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

// memoryLimit is from when on the garbage collector works harder to give memory back,
// unless GOMEMLIMIT says otherwise: what an attack took would stay for minutes.
const memoryLimit = 200 << 20

// garbagePercent is how much garbage may lie about beside what is in use before it is
// collected, unless GOGC says otherwise. A service uses a few megabytes: by Go's default,
// as much again, it is collected many times a second under load, for a tenth of the work.
const garbagePercent = 200

// workerPause is how long after another a worker starts, and the first after the doors
// have opened. Most begin with a look at the database, and one after the other they share
// a connection. At once each would open its own, and the service be ready in twice the
// time.
const workerPause = 20 * time.Millisecond

// drainShare is how much of the time for stopping the requests in flight have,
// in eighths. The rest is the workers', whatever a request does: what they have
// just done for good, such as a mail that was sent, they have to write down.
const drainShare = 3

// tuneCollector is called before anything is done: a start makes garbage, too.
func tuneCollector() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbagePercent)
	}
}

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
		return fmt.Errorf("listen on HOST and PORT: %w", err)
	}
	var metricsListener net.Listener
	if b.settings.MetricsPort != 0 {
		metricsListener, err = net.Listen("tcp", net.JoinHostPort(b.settings.Host, fmt.Sprint(b.settings.MetricsPort)))
		if err != nil {
			return errors.Join(fmt.Errorf("listen on HOST and METRICS_PORT: %w", err), listener.Close())
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
	group.Go(func() error {
		for _, w := range workers {
			select {
			case <-failing.Done(): // it ends at once
			case <-time.After(workerPause):
			}
			group.Go(func() error {
				if err := w.Run(failing); err != nil && failing.Err() == nil {
					return fmt.Errorf("%s: %w", w.Name, err)
				}
				return nil
			})
		}
		return nil
	})
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
	showBuild(b.name)
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
