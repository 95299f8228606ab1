package eventlog

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/outage"
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
	failing := &outage.Outage{Log: log, Gone: "this process can not own the event log; trying again", Back: "this process owns the event log again, or waits for its turn", Causes: 3}
	return database.Repeat(ctx, failing, nil, func(ctx context.Context) (time.Duration, error) {
		return pingInterval, ownOnce(ctx, url, schema, log, failing.Worked, work)
	})
}

// ownOnce waits for its turn to own the log, and works until it is over. It calls
// well for as long as it waits or works.
func ownOnce(ctx context.Context, url, schema string, log *slog.Logger, well func(), work func(ctx context.Context, epoch int64) error) error {
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
		if err := conn.QueryRow(ctx, "SELECT pg_try_advisory_lock(hashtext($1))", lockName(schema)).Scan(&owned); err != nil {
			return fmt.Errorf("ask for the event log: %w", err)
		}
		if owned {
			break
		}
		well()
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

	working, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- work(working, epoch) }()
	for logged := false; ; logged = true {
		select {
		case err := <-ended:
			return err
		case <-time.After(pingInterval):
		}
		pinging, stop := context.WithTimeout(ctx, sessionTimeout)
		err := database.Noticed(pinging, conn.Ping(pinging))
		stop()
		if err != nil {
			cancel()
			<-ended
			return fmt.Errorf("keep the event log: %w", err)
		}
		if well(); !logged { // not of one that ends at once, again and again
			log.InfoContext(ctx, "this process owns the event log", "epoch", epoch)
		}
	}
}

func lockName(schema string) string { return "eventlog:" + schema }

// Owner says whether a process holds the log of a schema, and the last epoch that
// began. A process that can not begin an epoch holds the log, too, for as long as it
// takes to find that out: an owner holds it in an epoch later than the one seen when
// nobody held it.
func Owner(ctx context.Context, db bun.IDB, schema string) (held bool, epoch int64, err error) {
	err = db.NewRaw(`SELECT EXISTS (
		SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1
			AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
			AND classid::bigint << 32 | objid::bigint = hashtext(?)::bigint), epoch
		FROM ?.event_head`, lockName(schema), bun.Ident(schema)).Scan(ctx, &held, &epoch)
	if err != nil {
		return false, 0, fmt.Errorf("look who owns the event log: %w", err)
	}
	return held, epoch, nil
}
