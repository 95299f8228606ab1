package eventlog

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/uptrace/bun"
)

const (
	// young is how far back a look for rows without a place goes. It spares
	// Postgres the partitions of all the days before, whose number would else
	// be the price of every look.
	young = 24 * time.Hour
	// allAges is how often all partitions are looked through: a row may be older
	// than young when its transaction took as long, or when nobody owned the log.
	allAges = time.Minute
)

// errFenced ends an ownership that a newer one has overtaken.
var errFenced = errors.New("another process owns the event log now")

// news tells a topic's relay how far the log is placed, and since when the
// rows that were placed last were recorded. The relay reads no row beyond upTo:
// of those the times are not known yet, and a later row must not be read
// before one with an earlier time.
type news struct {
	mu    sync.Mutex
	fresh bool
	since time.Time
	upTo  int64
	wake  chan struct{}
}

func (n *news) tell(since time.Time, upTo int64) {
	n.mu.Lock()
	if !n.fresh || since.Before(n.since) {
		n.since = since
	}
	n.fresh, n.upTo = true, upTo
	n.mu.Unlock()
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// take returns what was told since the last take, if anything was.
func (n *news) take() (since time.Time, upTo int64, fresh bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	fresh, n.fresh = n.fresh, false
	return n.since, n.upTo, fresh
}

// sequence numbers what has become visible and wakes the topics' relays.
func (r *Relay) sequence(ctx context.Context, epoch int64, signal <-chan struct{}, placed []*news) error {
	var since time.Time // zero: rows of any age
	var looked time.Time
	for {
		if time.Since(looked) > allAges {
			since = time.Time{}
		}
		p, err := r.place(ctx, epoch, since)
		if err != nil {
			return err
		}
		if p.Count > 0 {
			for _, n := range placed {
				n.tell(p.Since, p.UpTo)
			}
			if p.Count == placeRows {
				continue
			}
		}
		if since.IsZero() {
			since, looked = p.Now.Add(-young), time.Now()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-signal:
		case <-time.After(lookAgain):
		}
	}
}

// placing is what one look for rows without a place has found.
type placing struct {
	Count  int       `bun:"count"`
	Since  time.Time `bun:"since"`  // when the earliest of them was recorded
	UpTo   int64     `bun:"up_to"`  // the last seq given
	Now    time.Time `bun:"now"`    // by the database's clock, which also records
	Fenced bool      `bun:"fenced"` // nothing was placed, for another process owns the log
}

// place gives up to placeRows rows that were recorded after since their seq.
// The head's row is locked first, so an owner that was overtaken waits, sees
// the new epoch, and places nothing.
func (r *Relay) place(ctx context.Context, epoch int64, since time.Time) (placing, error) {
	var p placing
	err := r.DB.NewRaw(`
		WITH head AS (
			SELECT last_seq FROM ?0.event_head WHERE epoch = ?1 FOR UPDATE
		), fresh AS (
			SELECT recorded_at, position FROM ?0.events
			WHERE seq IS NULL AND recorded_at >= ?3 AND EXISTS (SELECT FROM head) ORDER BY position LIMIT ?2
		), numbered AS (
			SELECT recorded_at, position, (SELECT last_seq FROM head) + row_number() OVER (ORDER BY position) AS seq FROM fresh
		), placed AS (
			UPDATE ?0.events e SET seq = n.seq FROM numbered n
			WHERE e.recorded_at = n.recorded_at AND e.position = n.position AND e.recorded_at >= ?3 RETURNING e.recorded_at, e.seq
		), moved AS (
			UPDATE ?0.event_head SET last_seq = last_seq + (SELECT count(*) FROM placed)
			WHERE epoch = ?1 AND EXISTS (SELECT FROM placed)
		)
		SELECT count(*), coalesce(min(recorded_at), now()) AS since, coalesce(max(seq), 0) AS up_to,
			now() AS now, NOT EXISTS (SELECT FROM head) AS fenced FROM placed`,
		bun.Ident(r.Schema), epoch, placeRows, since).Scan(ctx, &p)
	if err != nil {
		return p, fmt.Errorf("sequence the event log: %w", err)
	}
	if p.Fenced {
		return p, errFenced
	}
	return p, nil
}
