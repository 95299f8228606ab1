package eventlog

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/taskwire/taskwire/pkg/database"
)

const (
	// sessionTimeout is how long Postgres keeps the lock of a silent owner.
	sessionTimeout = 2 * time.Second
	// pingInterval is how often an owner speaks, and a candidate asks.
	pingInterval = 500 * time.Millisecond
)

// own runs work whenever this process owns the log, until ctx ends. Work's
// context ends with the ownership.
func own(ctx context.Context, url, schema string, log *slog.Logger, work func(ctx context.Context, epoch int64) error) error {
	for ctx.Err() == nil {
		if err := ownOnce(ctx, url, schema, log, work); err != nil && ctx.Err() == nil {
			log.WarnContext(ctx, "ownership of the event log ended", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(pingInterval):
		}
	}
	return nil
}

func ownOnce(ctx context.Context, url, schema string, log *slog.Logger, work func(ctx context.Context, epoch int64) error) error {
	config, err := database.Config(url)
	if err != nil {
		return err
	}
	config.RuntimeParams["idle_session_timeout"] = strconv.FormatInt(sessionTimeout.Milliseconds(), 10)
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return fmt.Errorf("connect to own the event log: %w", err)
	}
	// Closing the session is what gives the lock back.
	defer conn.Close(context.WithoutCancel(ctx))
	for owned := false; !owned; {
		if err := conn.QueryRow(ctx, "SELECT pg_try_advisory_lock(hashtext($1))", "eventlog:"+schema).Scan(&owned); err != nil {
			return fmt.Errorf("ask for the event log: %w", err)
		}
		if owned {
			break
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pingInterval):
		}
	}
	var epoch int64
	if err := conn.QueryRow(ctx, "UPDATE "+pgx.Identifier{schema, "event_head"}.Sanitize()+" SET epoch = epoch + 1 RETURNING epoch").Scan(&epoch); err != nil {
		return fmt.Errorf("begin an epoch of the event log: %w", err)
	}
	log.InfoContext(ctx, "this process owns the event log", "epoch", epoch)

	working, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- work(working, epoch) }()
	for {
		select {
		case err := <-ended:
			return err
		case <-time.After(pingInterval):
		}
		pinging, stop := context.WithTimeout(ctx, sessionTimeout)
		err := conn.Ping(pinging)
		stop()
		if err != nil {
			cancel()
			<-ended
			return fmt.Errorf("keep the event log: %w", err)
		}
	}
}
