package eventlog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// recentWindow is how far back a look for rows without a place goes. It spares
	// Postgres the partitions of all the days before, whose number would else
	// be the price of every look.
	recentWindow = 24 * time.Hour
	// Placings begin at least placeInterval apart, and placeShare times as long as one has
	// taken, up to maxPlaceInterval. What is committed meanwhile goes along together, from
	// here to the consumers: each stop on the way costs as much for one event as for ten.
	// The busier Postgres and the machine, the longer it takes, and the more go together.
	placeInterval    = 10 * time.Millisecond
	placeShare       = 20
	maxPlaceInterval = 150 * time.Millisecond
	// fullScanInterval is how often all partitions are looked through: a row may be older
	// than recentWindow when its transaction took as long, or when nobody owned the log.
	fullScanInterval = 2 * time.Second
	// distrustInterval is how often that is done without regard to the horizon, which
	// whoever sets positions by hand can put a row behind.
	distrustInterval = time.Hour
)

// errFenced ends an ownership that a newer one has overtaken.
var errFenced = errors.New("another process owns the event log now")

// placedRange is how far the log is placed, and since when the rows that were placed
// last were recorded. Never read past upTo: the recorded_at of later rows is unknown.
type placedRange struct {
	mu      sync.Mutex
	changed bool // since the last take
	since   time.Time
	upTo    int64
	wake    chan struct{}
}

// extend adds rows up to upTo that were recorded since a time.
func (p *placedRange) extend(since time.Time, upTo int64) {
	p.mu.Lock()
	if !p.changed || since.Before(p.since) {
		p.since = since
	}
	p.changed, p.upTo = true, upTo
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// take returns the range, and whether it was extended since the last take.
func (p *placedRange) take() (since time.Time, upTo int64, changed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	changed, p.changed = p.changed, false
	return p.since, p.upTo, changed
}

// sequence numbers what has become visible and wakes the topics' relays.
func (r *Relay) sequence(ctx context.Context, epoch int64, signal <-chan struct{}, placed []*placedRange) error {
	h, err := r.horizon(ctx)
	if err != nil {
		return err
	}
	var since time.Time // zero: rows of any age
	var looked time.Time
	trusted := time.Now()
	for {
		began := time.Now()
		if began.Sub(looked) > fullScanInterval {
			since = time.Time{}
		}
		if began.Sub(trusted) > distrustInterval {
			since, trusted, h = time.Time{}, began, horizon{}
		}
		p, err := r.place(ctx, epoch, since, h)
		if err != nil {
			return err
		}
		h.looked(p, since.IsZero())
		pause := min(max(placeInterval, placeShare*time.Since(began)), maxPlaceInterval)
		if p.Count > 0 {
			for i, topic := range r.Topics {
				if slices.Contains(p.Topics, topic) {
					placed[i].extend(p.Since, p.UpTo)
				}
			}
			if p.Count == placeRows {
				continue
			}
		}
		if since.IsZero() {
			since, looked = p.Now.Add(-recentWindow), time.Now()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-signal:
		case <-time.After(pollInterval):
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Until(began.Add(pause))):
		}
	}
}

// placing is what one look for rows without a place has found.
type placing struct {
	Count     int
	Topics    []string  // of them
	Since     time.Time // when the earliest of them was recorded
	UpTo      int64     // the last seq given
	Last      int64     // the highest position of them
	Now       time.Time // by the database's clock, which also records
	XID       int64     // of the look's own transaction
	OldestXID int64     // all transactions with a lower id had ended when it looked
	Fenced    bool      // nothing was placed, for another process owns the log
}

// place gives up to placeRows rows behind the horizon that were recorded after since
// their seq, the lowest positions first, and records the horizon with them.
// The head's row is locked first, so an owner that was overtaken waits, sees
// the new epoch, and places nothing.
func (r *Relay) place(ctx context.Context, epoch int64, since time.Time, h horizon) (placing, error) {
	var p placing
	query := strings.ReplaceAll(`
		WITH head AS (
			SELECT last_seq FROM ?.event_head WHERE single AND epoch = $1 FOR UPDATE
		), fresh AS (
			SELECT recorded_at, position FROM ?.events
			WHERE seq IS NULL AND recorded_at >= $3 AND position > $4 AND EXISTS (SELECT FROM head) ORDER BY position LIMIT $2
		), numbered AS (
			SELECT recorded_at, position, (SELECT last_seq FROM head) + row_number() OVER (ORDER BY position) AS seq FROM fresh
		), placed AS (
			UPDATE ?.events e SET seq = n.seq FROM numbered n
			WHERE e.recorded_at = n.recorded_at AND e.position = n.position AND e.recorded_at >= $3 RETURNING e.topic, e.recorded_at, e.position, e.seq
		), moved AS (
			UPDATE ?.event_head SET last_seq = last_seq + (SELECT count(*) FROM placed), horizon = $5
			WHERE single AND epoch = $1 AND EXISTS (SELECT FROM placed)
		)
		SELECT count(*), coalesce(array_agg(DISTINCT topic), '{}'), coalesce(min(recorded_at), now()), coalesce(max(seq), 0), coalesce(max(position), 0),
			now(), pg_current_xact_id()::text::bigint, pg_snapshot_xmin(pg_current_snapshot())::text::bigint, NOT EXISTS (SELECT FROM head) FROM placed`,
		"?", pgx.Identifier{r.Schema}.Sanitize())
	err := r.prepared(ctx, query, []any{epoch, placeRows, since, h.behind(since.IsZero()), h.all}, func(results pgx.BatchResults) error {
		return results.QueryRow().Scan(
			&p.Count, &p.Topics, &p.Since, &p.UpTo, &p.Last, &p.Now, &p.XID, &p.OldestXID, &p.Fenced)
	})
	if err != nil {
		return p, fmt.Errorf("sequence the event log: %w", err)
	}
	if p.Fenced {
		return p, errFenced
	}
	return p, nil
}
