package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/eventlog"
	"github.com/taskwire/taskwire/services/task-api/internal/migrations"
)

// delayed is how long an event may wait for the broker, or a change of the feed for a
// transaction, before readiness says degraded. Both take milliseconds where all is well.
const delayed = 3 * time.Second

// eventsCheck fails while events wait: here, or in the replica that owns the log.
func eventsCheck(db *bun.DB, relay *eventlog.Relay) func(context.Context) error {
	return func(ctx context.Context) error {
		if relay.Failing() {
			return errors.New("the broker does not take events")
		}
		oldest, err := eventlog.OldestUnpublished(ctx, db, migrations.Name)
		if err != nil {
			return err
		}
		if waited := time.Since(oldest); !oldest.IsZero() && waited > delayed {
			return fmt.Errorf("an event has waited for %s", waited)
		}
		return nil
	}
}

// ownerCheck fails once no replica has owned the event log for longer than it takes
// another to take over: nothing is published, though nothing may wait for it yet.
func ownerCheck(db *bun.DB) func(context.Context) error {
	var mu sync.Mutex
	var missing time.Time // since when there is none; zero while there is one
	var last int64        // the epoch that had begun when it went missing
	return func(ctx context.Context) error {
		held, epoch, err := eventlog.Owner(ctx, db, migrations.Name)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		switch {
		case held && (missing.IsZero() || epoch != last): // a restore may have gone back
			missing = time.Time{}
		case missing.IsZero():
			missing, last = time.Now(), epoch
		case time.Since(missing) > delayed:
			return fmt.Errorf("no replica has owned the event log for %s", time.Since(missing))
		}
		return nil
	}
}

// sidecarCheck asks the sidecar at a URL whether it and its components are up. It
// asks without regard to this service's own health, which waits for this answer.
func sidecarCheck(sidecar string) func(context.Context) error {
	client := &http.Client{Timeout: time.Second}
	return func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, sidecar+"/v1.0/healthz/outbound", nil)
		if err != nil {
			return err
		}
		res, err := client.Do(req)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		if res.StatusCode >= 300 {
			return fmt.Errorf("the sidecar answered %s", res.Status)
		}
		return nil
	}
}
