package eventlog

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"golang.org/x/sync/errgroup"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/outage"
)

// Signal wakes those who wait for new work, in this process at once and in
// the other replicas by LISTEN and NOTIFY. It is a hint: whoever waits also
// looks by itself now and then, so a lost one costs a moment, not an event.
//
// The notification is sent beside the requests, and at most once per
// signalInterval: inside a transaction NOTIFY takes a lock that makes commits
// wait for each other.
type Signal struct {
	url     string
	channel string
	log     *slog.Logger
	raised  chan struct{}

	mu      sync.Mutex
	waiters []chan struct{}
}

const signalInterval = 20 * time.Millisecond

// NewSignal returns a signal of the database at url. Those of one channel
// name, in any process, wake each other.
func NewSignal(url, channel string, log *slog.Logger) *Signal {
	return &Signal{url: url, channel: channel, log: log, raised: make(chan struct{}, 1)}
}

// Raise wakes all waiters. It never blocks.
func (s *Signal) Raise() {
	s.wake()
	select {
	case s.raised <- struct{}{}:
	default:
	}
}

// Waiter returns a channel that receives after each Raise; several in a row
// may be one.
func (s *Signal) Waiter() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := make(chan struct{}, 1)
	s.waiters = append(s.waiters, c)
	return c
}

func (s *Signal) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.waiters {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

// Run carries the signal between the replicas until ctx ends.
func (s *Signal) Run(ctx context.Context) error {
	failing := &outage.Outage{Log: s.log, Gone: "replicas can not wake each other; they look by themselves meanwhile", Back: "replicas wake each other again"}
	return database.Repeat(ctx, failing, nil, func(ctx context.Context) (time.Duration, error) {
		return 0, s.carry(ctx, failing.Worked)
	})
}

// carry listens and notifies until its connections are lost. It calls listens once
// it does.
func (s *Signal) carry(ctx context.Context, listens func()) error {
	config, err := database.Config(s.url)
	if err != nil {
		return err
	}
	// Listening is no statement that Postgres could cancel: a stop would wait a second
	// for its answer.
	config.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.DeadlineContextWatcherHandler{Conn: conn.Conn()}
	}
	listening, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return err
	}
	defer listening.Close(context.WithoutCancel(ctx))
	if _, err := listening.Exec(ctx, "LISTEN "+pgx.Identifier{s.channel}.Sanitize()); err != nil {
		return err
	}
	notifying, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return err
	}
	defer notifying.Close(context.WithoutCancel(ctx))

	carrying, ctx := errgroup.WithContext(ctx)
	carrying.Go(func() error {
		for {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-s.raised:
			}
			if _, err := notifying.Exec(ctx, "SELECT pg_notify($1, '')", s.channel); err != nil {
				return err
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(signalInterval):
			}
		}
	})
	carrying.Go(func() error {
		listens()
		s.wake() // what was raised while nobody listened
		for {
			heard, err := listening.WaitForNotification(ctx)
			if err != nil {
				return database.Noticed(ctx, err)
			}
			if heard.PID != notifying.PgConn().PID() { // those of this process are awake
				s.wake()
			}
		}
	})
	return carrying.Wait()
}
