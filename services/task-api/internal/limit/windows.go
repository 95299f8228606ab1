package limit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/database"
)

// Windows counts attempts in a sliding window, in Postgres, for all replicas
// together. What is refused does not count: who keeps trying is let in again as
// soon as who waits.
//
// One statement counts and decides, so that a burst over several replicas does
// not pass together. (httprate reads, decides and writes in turns under a lock
// of one process, and always says to come back after a whole window.)
type Windows struct {
	DB  *bun.DB
	Now func() time.Time

	mu      sync.Mutex
	refused map[string]time.Time // until when, by key
}

// Limit is how many attempts pass in a time. Max 0 is no limit.
type Limit struct {
	name string
	Max  int
	Per  time.Duration
}

// ForAddress bounds the sign-ins to the account of an address.
func (s Settings) ForAddress() Limit { return Limit{signIns, s.SignIns, time.Minute} }

// ForDevice bounds those of a device that has signed in to that account before.
func (s Settings) ForDevice() Limit { return Limit{signIns, s.SignIns, time.Minute} }

// ForCodes bounds the wrong codes of a second factor, which are a million: at ten an hour,
// who knows the password guesses one in four years, rather than in 23 days at ten a minute.
func (s Settings) ForCodes() Limit { return Limit{signIns, s.SignIns, time.Hour} }

// ForNetwork bounds the sign-ins from a network.
func (s Settings) ForNetwork() Limit { return Limit{signInsNetwork, s.SignInsNetwork, time.Minute} }

// ForRegistrations bounds the accounts that a network makes.
func (s Settings) ForRegistrations() Limit { return Limit{registrations, s.Registrations, time.Hour} }

// ForMails bounds the mails about accounts that are asked for to go to an address.
func (s Settings) ForMails() Limit { return Limit{accountMails, s.AccountMails, time.Hour} }

// ForMailsNetwork bounds those that a network asks for, as its registrations.
func (s Settings) ForMailsNetwork() Limit { return Limit{mailsNetwork, s.Registrations, time.Hour} }

// ForInvitations bounds the mails that invite somebody which a user has sent.
func (s Settings) ForInvitations() Limit { return Limit{invitations, s.Invitations, time.Hour} }

// Count counts an attempt. A wait above 0 says that it is refused, and when the
// next one would not be; first, that it is the first one refused in this window.
func (w *Windows) Count(ctx context.Context, l Limit, key string) (wait time.Duration, first bool, err error) {
	if l.Max == 0 {
		return 0, false, nil
	}
	if wait := w.Refused(l, key); wait > 0 {
		return wait, false, nil
	}
	now := w.Now()
	since := now.Truncate(l.Per)
	elapsed := now.Sub(since)
	var row struct {
		Count    int  `bun:"count"`
		Previous int  `bun:"previous"`
		Refused  int  `bun:"refused"`
		Admitted bool `bun:"admitted"`
	}
	// The attempts of the window before are taken to have come evenly: the part
	// of it that is still in sight counts.
	err = w.DB.NewRaw(`
		INSERT INTO task.attempts AS a (key, since, until, count, previous, refused, admitted)
		VALUES (?0, ?1, ?2, 1, 0, 0, true)
		ON CONFLICT (key) DO UPDATE SET (since, until, count, previous, refused, admitted) = (
			SELECT w.since, greatest(a.until, EXCLUDED.until), w.count + f.fits::int, w.previous, w.refused + (NOT f.fits)::int, f.fits
			FROM (SELECT
				-- Another replica's clock may be ahead.
				greatest(a.since, EXCLUDED.since) AS since,
				CASE WHEN a.since >= EXCLUDED.since THEN a.count ELSE 0 END AS count,
				CASE WHEN a.since >= EXCLUDED.since THEN a.previous WHEN a.since = ?3 THEN a.count ELSE 0 END AS previous,
				CASE WHEN a.since >= EXCLUDED.since THEN a.refused ELSE 0 END AS refused) w,
			LATERAL (SELECT w.previous * ?4::float8 + w.count + 1 <= ?5 AS fits) f)
		RETURNING count, previous, refused, admitted`,
		l.row(key), since, since.Add(2*l.Per), since.Add(-l.Per), 1-float64(elapsed)/float64(l.Per), l.Max).Scan(ctx, &row)
	if err != nil {
		return 0, false, fmt.Errorf("count an attempt: %w", err)
	}
	if row.Admitted {
		return 0, false, nil
	}
	refusals.WithLabelValues(l.name).Inc()
	wait = atLeastASecond(l.wait(row.Count, row.Previous, elapsed))
	w.remember(l.row(key), now, wait)
	return wait, row.Refused == 1, nil
}

// Refused is how long attempts are still refused, as far as this replica knows;
// 0 when it does not know. It asks nobody, so that a flood of them costs nothing.
func (w *Windows) Refused(l Limit, key string) time.Duration {
	if l.Max == 0 {
		return 0
	}
	w.mu.Lock()
	until, ok := w.refused[l.row(key)]
	w.mu.Unlock()
	if wait := until.Sub(w.Now()); ok && wait > 0 {
		refusals.WithLabelValues(l.name).Inc()
		return atLeastASecond(wait)
	}
	return 0
}

// mostRemembered bounds the memory of refusals; beyond it Postgres is asked.
const mostRemembered = 10_000

func (w *Windows) remember(key string, now time.Time, wait time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.refused == nil {
		w.refused = map[string]time.Time{}
	}
	if len(w.refused) >= mostRemembered {
		for k, until := range w.refused {
			if !until.After(now) {
				delete(w.refused, k)
			}
		}
	}
	if len(w.refused) < mostRemembered {
		w.refused[key] = now.Add(wait)
	}
}

// wait is how long it takes until an attempt fits, when there are no others.
func (l Limit) wait(count, previous int, elapsed time.Duration) time.Duration {
	over, window := -elapsed, previous
	room := l.Max - count - 1 // what may still be in sight of the window before
	if room < 0 {
		// Not in this window: in the next, as soon as enough of this one is out of sight.
		over, window, room = l.Per-elapsed, count, l.Max-1
	}
	gone := 1 - float64(room)/float64(max(window, 1))
	return over + time.Duration(gone*float64(l.Per)) + time.Millisecond
}

// GiveBack uncounts an attempt of this window.
func (w *Windows) GiveBack(ctx context.Context, l Limit, key string) error {
	if l.Max == 0 {
		return nil
	}
	_, err := w.DB.NewRaw("UPDATE task.attempts SET count = count - 1 WHERE key = ? AND since = ? AND count > 0", l.row(key), w.Now().Truncate(l.Per)).Exec(ctx)
	if err != nil {
		return fmt.Errorf("give an attempt back: %w", err)
	}
	return nil
}

// row is the key of what is counted: a hash, so that no address lies there.
func (l Limit) row(key string) string {
	sum := sha256.Sum256([]byte(l.name + "\x00" + key))
	return hex.EncodeToString(sum[:16])
}

// pruneInterval is how often what is out of sight is looked for.
const pruneInterval = time.Minute

// Prune deletes what is out of sight, now and then, until ctx ends.
func (w *Windows) Prune(ctx context.Context, log *slog.Logger) error {
	return database.KeepPruned(ctx, w.DB, log, pruneInterval, func() database.Old {
		return database.Old{Table: "task.attempts", Key: "key", Age: "until", Before: w.Now()}
	})
}
