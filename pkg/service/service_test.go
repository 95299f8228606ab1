package service

import (
	"bytes"
	"context"
	"database/sql"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/database/databasetest"
	"github.com/taskwire/taskwire/pkg/httpapi"
)

type testSettings struct {
	Settings
	Nested struct {
		Wait time.Duration `env:"TEST_WAIT" envDefault:"1s"`
	}
}

// A stop lets the request in flight end, then the workers, and says so by
// returning nothing.
func TestStoppingIsASequence(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	port := l.Addr().(*net.TCPAddr).Port
	require.NoError(t, l.Close())

	var order []string
	inside, release := make(chan struct{}), make(chan struct{})
	base := Base{
		Log: slog.New(slog.DiscardHandler), name: "test",
		settings: Settings{Host: "127.0.0.1", Port: port, ShutdownTimeout: 10 * time.Second},
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- base.Run(ctx, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			close(inside)
			<-release
			order = append(order, "request")
			w.WriteHeader(http.StatusNoContent)
		}), Worker{Name: "worker", Run: func(ctx context.Context) error {
			<-ctx.Done()
			order = append(order, "worker")
			return nil
		}})
	}()
	answered := make(chan int, 1)
	go func() {
		for {
			res, err := http.Get("http://127.0.0.1:" + strconv.Itoa(port))
			if err == nil {
				answered <- res.StatusCode
				_ = res.Body.Close()
				return
			}
		}
	}()
	<-inside
	stop()
	close(release)
	require.NoError(t, <-ended)
	require.Equal(t, http.StatusNoContent, <-answered)
	require.Equal(t, []string{"request", "worker"}, order)
}

// Together they would take all connections of the pool at the start, and as long as
// these take to open.
func TestWorkersStartOneAfterTheOther(t *testing.T) {
	base := Base{Log: slog.New(slog.DiscardHandler), name: "test", settings: Settings{Host: "127.0.0.1", ShutdownTimeout: 10 * time.Second}}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	began := make(chan time.Time, 3)
	worker := Worker{Name: "worker", Run: func(context.Context) error { began <- time.Now(); return nil }}
	ended := make(chan error, 1)
	start := time.Now()
	go func() { ended <- base.Run(ctx, http.NotFoundHandler(), worker, worker, worker) }()
	for i := range 3 {
		require.GreaterOrEqual(t, (<-began).Sub(start), time.Duration(i+1)*workerPause)
	}
	stop()
	require.NoError(t, <-ended)
}

// Connections on which nothing was asked are no requests in flight. A stop waited
// five seconds for each, and said that requests did not end in time.
func TestAStopDoesNotWaitForUnusedConnections(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := l.Addr().String()
	require.NoError(t, l.Close())
	base := Base{
		Log: slog.New(slog.DiscardHandler), name: "test",
		settings: Settings{Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port, ShutdownTimeout: 2 * time.Second},
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- base.Run(ctx, http.NotFoundHandler()) }()
	var conn net.Conn
	require.Eventually(t, func() bool {
		conn, err = new(net.Dialer).DialContext(t.Context(), "tcp", address)
		return err == nil
	}, time.Minute, 10*time.Millisecond)
	defer func() { _ = conn.Close() }()
	// Whoever is answered has been accepted after it.
	res, err := http.Get("http://" + address)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	stop()
	require.NoError(t, <-ended)
}

func TestALogRecordNamesItsRequestAndItsTrace(t *testing.T) {
	var written bytes.Buffer
	log := Settings{LogFormat: "json"}.logger(&written, "test")
	const trace = "0af7651916cd43dd8448eb211c80319c"
	router := httpapi.NewRouter(slog.New(slog.DiscardHandler), httpapi.Trust{SidecarToken: "the sidecar's"})
	router.Get("/", func(_ http.ResponseWriter, r *http.Request) { log.With("more", 1).WarnContext(r.Context(), "inside") })
	req := httptest.NewRequest(http.MethodGet, "/", nil)
	req.Header.Set("X-Request-Id", "r-1")
	req.Header.Set("dapr-api-token", "the sidecar's")
	req.Header.Set("traceparent", "00-"+trace+"-b7ad6b7169203331-01")
	router.ServeHTTP(httptest.NewRecorder(), req)
	log.WarnContext(t.Context(), "outside")

	inside, outside, _ := strings.Cut(written.String(), "\n")
	require.Contains(t, inside, `"service":"test","more":1,"request_id":"r-1","trace_id":"`+trace+`"`)
	require.NotContains(t, outside, "request_id")
	require.NotContains(t, outside, "trace_id")
}

// A request that never ends has its share of the time for stopping; what a
// worker has done is written down in the rest.
func TestARequestDoesNotTakeTheTimeOfTheWorkers(t *testing.T) {
	inside, written := make(chan struct{}), false
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	port := l.Addr().(*net.TCPAddr).Port
	require.NoError(t, l.Close())
	base := Base{
		Log: slog.New(slog.DiscardHandler), name: "test",
		settings: Settings{Host: "127.0.0.1", Port: port, ShutdownTimeout: 2 * time.Second},
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- base.Run(ctx, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			close(inside)
			<-r.Context().Done()
		}), Worker{Name: "worker", Run: func(ctx context.Context) error {
			<-ctx.Done()
			<-time.After(100 * time.Millisecond) // the mail server answers
			written = true
			return nil
		}})
	}()
	go func() {
		for ctx.Err() == nil {
			if res, err := http.Get("http://127.0.0.1:" + strconv.Itoa(port)); err == nil {
				_ = res.Body.Close()
			}
		}
	}()
	<-inside
	stop()
	err = <-ended
	require.ErrorContains(t, err, "requests did not end in time")
	require.NotContains(t, err.Error(), "workers")
	require.True(t, written)
}

func TestReadinessNamesWhatIsOffAndThatNothingIsWritten(t *testing.T) {
	db, err := database.Open(t.Context(), databasetest.New(t))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	base := Base{DB: db}
	ready := func(checks ...Check) (int, string) {
		r := chi.NewRouter()
		base.MountHealth(r, checks...)
		rec := httptest.NewRecorder()
		r.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/readyz", nil))
		return rec.Code, rec.Body.String()
	}
	code, body := ready(Check{Name: "events", Run: func(context.Context) error { return OffError("publishing is off") }})
	require.Equal(t, http.StatusOK, code)
	require.JSONEq(t, `{"status":"degraded","checks":{"database":"ok","disk":"ok","events":"publishing is off","writes":"ok"}}`, body)

	_, err = db.ExecContext(t.Context(), `CREATE TABLE full_up (id int);
		CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$;
		CREATE TRIGGER refuse BEFORE INSERT ON full_up FOR EACH ROW EXECUTE FUNCTION refuse()`)
	require.NoError(t, err)
	_, err = db.ExecContext(t.Context(), "INSERT INTO full_up VALUES (1)")
	require.Error(t, err)
	code, body = ready()
	require.Equal(t, http.StatusOK, code)
	require.JSONEq(t, `{"status":"degraded","checks":{"database":"ok","disk":"failing","writes":"ok"}}`, body)

	// A standby, or what a provider makes of a database whose disk is nearly full.
	tx, err := db.BeginTx(t.Context(), &sql.TxOptions{ReadOnly: true})
	require.NoError(t, err)
	_, err = tx.ExecContext(t.Context(), "DELETE FROM full_up")
	require.True(t, database.IsTransient(err), "it may be written to again: %v", err)
	require.True(t, database.IsOutage(err), "it has been logged")
	require.NoError(t, tx.Rollback())
	code, body = ready()
	require.Equal(t, http.StatusOK, code)
	require.JSONEq(t, `{"status":"degraded","checks":{"database":"ok","disk":"failing","writes":"failing"}}`, body)
}
