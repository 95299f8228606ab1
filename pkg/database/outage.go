package database

import (
	"context"
	"errors"
	"io"
	"net"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/taskwire/taskwire/pkg/outage"
)

// The database of this process as its connections find it, whoever uses them: so its
// outage is two lines in the log, not two for each request and worker.
var (
	away = &outage.Outage{Gone: "the database can not be reached; trying again", Back: "the database is reached again"}
	full = &outage.Outage{Gone: "the database refuses to write: its disk is full", Back: "the database has refused no write for a while", Calm: refusedFor}
	// reading is that it can only be read.
	reading = &outage.Outage{Gone: "the database refuses to write: it is read-only", Back: "the database has refused no write for a while", Calm: refusedFor}

	// refusals are those two by the SQLSTATE of a write that is refused.
	refusals = map[string]*outage.Outage{diskFull: full, readOnly: reading}
)

// IsOutage says whether err is of an outage of the database, or of its refusal to write
// since its disk is full or it is read-only, which this package has logged already.
func IsOutage(err error) bool {
	return away.On() && IsTransient(err) || full.On() && (code(err) == diskFull || errors.Is(err, errDiskFull)) ||
		reading.On() && (code(err) == readOnly || errors.Is(err, errReadOnly))
}

// lost says whether err, of a connection or a statement, means that the server was
// not there. A statement that was ended does not.
func lost(err error) bool {
	var connecting *pgconn.ConnectError
	var network *net.OpError
	switch c := code(err); {
	case errors.As(err, &connecting), c == "57P01", c == "57P02", c == "57P03":
		return true
	case c != "":
		return c[:2] == "08"
	default:
		return errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, pgconn.ErrConnClosed)
	}
}

// watch sees each connection that is made and each statement that ends.
type watch struct{}

// TraceConnectStart implements pgx.ConnectTracer.
func (watch) TraceConnectStart(ctx context.Context, _ pgx.TraceConnectStartData) context.Context {
	return ctx
}

// TraceConnectEnd implements pgx.ConnectTracer.
func (watch) TraceConnectEnd(ctx context.Context, data pgx.TraceConnectEndData) {
	_ = Noticed(ctx, data.Err) // its caller has it, too
}

// TraceQueryStart implements pgx.QueryTracer.
func (watch) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	return ctx
}

// TraceQueryEnd implements pgx.QueryTracer.
func (watch) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryEndData) {
	_ = Noticed(ctx, data.Err) // its caller has it, too
}

// Noticed takes note of what an attempt to use the database came to, and returns it.
// Only pings and the wait for a notification are not noticed by themselves.
func Noticed(ctx context.Context, err error) error {
	switch {
	case err == nil:
		away.Worked()
	case errors.Is(ctx.Err(), context.Canceled): // nobody waits: it says nothing of the database
	case lost(err):
		away.Failed(ctx, err)
	case code(err) != "": // the server's answer
		away.Worked()
	}
	return err
}

const (
	firstPause   = 200 * time.Millisecond
	longestPause = 3 * time.Second
)

// Backoff is the pause after so many failures in a row (1, 2, …) of work that needs
// the database: short at first, and never so long that its recovery is missed.
func Backoff(failures int) time.Duration { return outage.Backoff(failures, firstPause, longestPause) }

// Repeat does work again and again until ctx ends: after the pause that work returns
// or when wake receives, and after a failure with backoff, which begins anew behind
// work that has lasted. What fails for another reason than that the database is away
// is logged through o.
func Repeat(ctx context.Context, o *outage.Outage, wake <-chan struct{}, work func(context.Context) (time.Duration, error)) error {
	for failures := 0; ; {
		began := time.Now()
		pause, err := work(ctx)
		woken := wake
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // it was told to stop
		case err != nil:
			if failures++; time.Since(began) > longestPause {
				failures = 1
			}
			pause, woken = Backoff(failures), nil
			if !IsOutage(err) {
				o.Failed(ctx, err)
			}
		default:
			failures = 0
			o.Worked()
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-woken:
		case <-timer.C:
		}
		timer.Stop()
	}
}
