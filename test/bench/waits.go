package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/taskwire/taskwire/test/figures"
)

// lookEvery is how long it is at least between two looks at the locks: by so much a time that
// was seen may be too short.
const lookEvery = 5 * time.Millisecond

// locking is what was seen of the locks while something worked.
type locking struct {
	tables, rows, others waits           // whoever waited for a lock, by what it was of
	held                 []time.Duration // how long each transaction of the worker's went on
}

// waits are those for one kind of lock.
type waits struct {
	number  int
	longest time.Duration
}

func (w waits) String() string {
	return fmt.Sprintf("%s of %d", figures.Milliseconds(w.longest), w.number)
}

// watching works, and sees meanwhile who waits for locks, and for how long each transaction
// of the session with this pid keeps what it has locked.
func watching(ctx context.Context, url string, pid uint32, work func() error) (*locking, error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return nil, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	type seen struct {
		locking *locking
		err     error
	}
	looking, stop := context.WithCancel(ctx)
	defer stop()
	looked := make(chan seen, 1)
	go func() {
		l, err := look(looking, conn, pid)
		looked <- seen{l, err}
	}()
	err = work()
	stop()
	s := <-looked
	return s.locking, errors.Join(err, s.err)
}

// look looks until ctx ends.
func look(ctx context.Context, conn *pgx.Conn, pid uint32) (*locking, error) {
	type wait struct {
		pid   int64
		kind  string
		since time.Time
	}
	l, longest := new(locking), map[wait]time.Duration{}
	var began time.Time // of the transaction that was seen last
	for pause(ctx, lookEvery) == nil {
		rows, err := conn.Query(context.WithoutCancel(ctx), `SELECT pid, locktype, waitstart, clock_timestamp() FROM pg_locks WHERE NOT granted AND waitstart IS NOT NULL
			UNION ALL SELECT pid, '', xact_start, clock_timestamp() FROM pg_stat_activity WHERE pid = $1 AND xact_start IS NOT NULL`, int64(pid))
		if err != nil {
			return nil, fmt.Errorf("look at the locks: %w", err)
		}
		var one wait
		var now time.Time
		_, err = pgx.ForEachRow(rows, []any{&one.pid, &one.kind, &one.since, &now}, func() error {
			took := now.Sub(one.since)
			switch {
			case one.kind != "":
				longest[one] = max(longest[one], took)
			case !one.since.Equal(began):
				began, l.held = one.since, append(l.held, took)
			default:
				l.held[len(l.held)-1] = took
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("look at the locks: %w", err)
		}
	}
	for one, took := range longest {
		of := &l.others
		switch {
		case one.kind == "relation":
			of = &l.tables
		case one.kind == "tuple" || strings.HasSuffix(one.kind, "transactionid"):
			of = &l.rows
		}
		of.number, of.longest = of.number+1, max(of.longest, took)
	}
	return l, nil
}
