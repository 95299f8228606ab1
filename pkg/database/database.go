// Package database opens Postgres and brings a service's schema up to date, by
// migrations that may be killed at any statement (Migrate, Schema).
package database

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/multitracer"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"

	"github.com/taskwire/taskwire/pkg/telemetry"
)

// MaxConnections is the size of a service's pool. docs/operations.md adds up
// what a deployment needs of Postgres.
const MaxConnections = 12

// Open connects to the database at url (postgres://…) and proves it with a ping.
func Open(ctx context.Context, url string) (*bun.DB, error) {
	config, err := Config(url)
	if err != nil {
		return nil, err
	}
	pool := stdlib.OpenDB(*config, stdlib.OptionAfterConnect(readInUTC))
	pool.SetMaxOpenConns(MaxConnections)
	pool.SetMaxIdleConns(MaxConnections)
	// Old connections are replaced, so that a failover or a new DNS answer is found.
	pool.SetConnMaxLifetime(30 * time.Minute)
	// A column that a later version adds is nothing to this one, which goes on
	// beside it until it is replaced.
	db := bun.NewDB(pool, pgdialect.New(), bun.WithDiscardUnknownColumns())
	if err := db.PingContext(ctx); err != nil {
		// The ping's error is what the operator needs; a failing Close adds nothing.
		_ = db.Close()
		return nil, fmt.Errorf("reach the database %s on %s:%d: %w", config.Database, config.Host, config.Port, err)
	}
	return db, nil
}

// readInUTC has the times that are read in UTC, and not in the machine's zone: some are
// answered as they are.
func readInUTC(_ context.Context, conn *pgx.Conn) error {
	conn.TypeMap().RegisterType(&pgtype.Type{Name: "timestamptz", OID: pgtype.TimestamptzOID, Codec: &pgtype.TimestamptzCodec{ScanLocation: time.UTC}})
	return nil
}

// Config parses a connection URL and adds what every connection of the suite
// has: UTC, limits on how long a lost client may hold a lock, and how statements are run.
func Config(url string) (*pgx.ConnConfig, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		// pgx leaves the password out of this error.
		return nil, fmt.Errorf("parse the database URL: %w", err)
	}
	config.RuntimeParams["timezone"] = "UTC"
	config.RuntimeParams["idle_in_transaction_session_timeout"] = "30s"
	config.RuntimeParams["lock_timeout"] = "10s"
	config.RuntimeParams["statement_timeout"] = "30s"
	// What its statements sort fits. A server that gives far more would sort whole lists where
	// an index has their order: see page.Unsortable.
	config.RuntimeParams["work_mem"] = "16MB"
	// To compile a statement takes longer than any of the suite's runs: where it seemed dear,
	// a list of 200 tasks took 2 s.
	config.RuntimeParams["jit"] = "off"
	// bun writes the values into the statement, so that each is a new text: to
	// prepare it first would be a second round trip, for nothing. What always has the same
	// text goes past bun (task-api's change.Tx, the relay).
	config.DefaultQueryExecMode = pgx.QueryExecModeExec
	config.Tracer = multitracer.New(telemetry.SQL(), watch{})
	// A statement whose client has gone is cancelled, unless it ends by itself soon, and
	// its connection kept. To close it is the default; each new one costs both sides more
	// than the statement.
	config.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: conn, CancelRequestDelay: cancelAfter, DeadlineDelay: cancelTime}
	}
	onError := config.OnPgError
	config.OnPgError = func(conn *pgconn.PgConn, err *pgconn.PgError) bool {
		if refusing := refusals[err.Code]; refusing != nil {
			refusing.Failed(context.Background(), err) // no context comes along
			refusing.Worked()                          // unless another write is refused within refusedFor
		}
		return onError(conn, err)
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = 5 * time.Second
	}
	return config, nil
}

const (
	// cancelAfter is how long a statement may go on whose context has ended. Most are
	// over by then, and to cancel one takes 100 ms of its connection and another one.
	cancelAfter = 100 * time.Millisecond
	// cancelTime is when the connection is closed of one that has not ended.
	cancelTime = time.Second
)

const (
	// diskFull is the SQLSTATE of a write that Postgres has no room for.
	diskFull = "53100"
	// readOnly is that of a write to a standby, or to a database that its provider has
	// made read-only, as some do before the disk is full.
	readOnly = "25006"
	// refusedFor is how long after such a write the database counts as one that refuses
	// them: workers that write come round more often.
	refusedFor = 30 * time.Second
)

var (
	errDiskFull = fmt.Errorf("the database has refused a write in the last %s: its disk is full", refusedFor)
	errReadOnly = fmt.Errorf("the database has refused a write in the last %s: it is read-only", refusedFor)
)

// DiskFull is an error while the database has no room for what this process
// writes. It asks nothing of the database: a small write may find room where
// the next one does not.
func DiskFull() error {
	if full.On() {
		return errDiskFull
	}
	return nil
}

// ReadOnly is an error while the database refuses what this process writes since it is
// read-only. What is there can still be read.
func ReadOnly() error {
	if reading.On() {
		return errReadOnly
	}
	return nil
}

// FallsBack says whether a connection to url is encrypted only where the server
// offers it (sslmode prefer, the default, or allow): whoever is in between can
// take the offer away. On the machine's own loopback nobody is.
func FallsBack(url string) bool {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return false // whoever connects says so
	}
	encrypted := config.TLSConfig != nil
	for _, other := range config.Fallbacks {
		if (other.TLSConfig != nil) != encrypted && !isLocal(other.Host) {
			return true
		}
	}
	return false
}

// isLocal says whether a host is this machine, or a socket in its file system.
func isLocal(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasPrefix(host, "/") || ip != nil && ip.IsLoopback()
}

// IsUniqueViolation says whether err is Postgres refusing a duplicate (SQLSTATE 23505).
func IsUniqueViolation(err error) bool { return code(err) == "23505" }

// IsTransient says whether trying the same again may help: Postgres refused
// for a moment (a deadlock, a serialization failure, a shutdown, no free
// connection), takes no writes at the moment, or could not be reached.
func IsTransient(err error) bool {
	switch c := code(err); {
	case c == "":
		var netErr interface{ Timeout() bool }
		for _, lost := range []error{sql.ErrConnDone, sql.ErrTxDone, driver.ErrBadConn, io.EOF, io.ErrUnexpectedEOF} {
			if errors.Is(err, lost) {
				return true
			}
		}
		return errors.As(err, &netErr) || pgconn.SafeToRetry(err)
	case c == "40001", c == "40P01", c == "55P03", c == readOnly:
		return true
	default:
		class := c[:2]
		return class == "08" || class == "53" || class == "57"
	}
}

func code(err error) string {
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) {
		return pgErr.Code
	}
	return ""
}

// IsConflict says whether Postgres ended a transaction because of another one
// (a deadlock, a failed serialization): running it again is right.
func IsConflict(err error) bool {
	c := code(err)
	return c == "40001" || c == "40P01"
}

// IsUnstorable says whether Postgres refused the values themselves (a data
// exception, SQLSTATE class 22, or a limit of the program, class 54): the same
// values are refused again.
func IsUnstorable(err error) bool {
	c := code(err)
	return c != "" && (c[:2] == "22" || c[:2] == "54")
}
