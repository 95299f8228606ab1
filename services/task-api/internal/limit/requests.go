package limit

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/httpapi"
)

// Requests bounds the requests of each client in this process.
type Requests struct {
	settings Settings
	key      func(*http.Request) string
	failures httpapi.Failures

	mu       sync.Mutex
	inFlight map[string]int
	writes   buckets
}

// NewRequests bounds the requests of each key. Where key is empty, nothing does.
func NewRequests(s Settings, key func(*http.Request) string, failures httpapi.Failures) *Requests {
	return &Requests{settings: s, key: key, failures: failures, inFlight: map[string]int{}, writes: buckets{perMinute: s.Writes}}
}

// InFlight refuses requests beyond those that a client may have in flight. With
// it the bytes under way are bounded: for each request a body of 1 MiB and a
// page of 2 MiB at most.
func (u *Requests) InFlight(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key := u.key(r)
		if u.settings.InFlight == 0 || key == "" {
			next.ServeHTTP(w, r)
			return
		}
		if !u.enter(key) {
			refusals.WithLabelValues(inFlight).Inc()
			u.failures.Write(w, r, httpapi.TooMany("you have too many requests in flight; wait for the answers", time.Second))
			return
		}
		defer u.leave(key)
		next.ServeHTTP(w, r)
	})
}

func (u *Requests) enter(key string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.inFlight[key] >= u.settings.InFlight {
		return false
	}
	u.inFlight[key]++
	return true
}

func (u *Requests) leave(key string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.inFlight[key]--; u.inFlight[key] == 0 {
		delete(u.inFlight, key)
	}
}

// safe are the methods that change nothing (RFC 9110, section 9.2.1).
var safe = []string{http.MethodGet, http.MethodHead, http.MethodOptions}

// Writes refuses unsafe requests that come faster than a client may send them. One that
// makes several changes says so (Several).
func (u *Requests) Writes(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key := u.key(r)
		if u.settings.Writes == 0 || key == "" || slices.Contains(safe, r.Method) {
			next.ServeHTTP(w, r)
			return
		}
		take := func(n int) error {
			if wait := u.writes.take(key, n, time.Now()); wait > 0 {
				refusals.WithLabelValues(writes).Inc()
				return httpapi.TooMany("you have sent too many changes; go on more slowly", wait)
			}
			return nil
		}
		if err := take(1); err != nil {
			u.failures.Write(w, r, err)
			return
		}
		// What bounds the request besides has counted its first change, too.
		besides, ok := r.Context().Value(moreKey{}).(func(int) error)
		more := func(n int) error {
			if ok {
				if err := besides(n); err != nil {
					return err
				}
			}
			return take(n)
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), moreKey{}, more)))
	})
}

type moreKey struct{}

// changesOfAWrite are those that cost about as much in one request as a request does that
// makes one.
const changesOfAWrite = 10

// Several counts the changes that a request makes besides its first: ten of them are a
// write of its client. Its error is a refusal, where they are more than he may send.
func Several(ctx context.Context, changes int) error {
	more, ok := ctx.Value(moreKey{}).(func(int) error)
	if n := changes / changesOfAWrite; ok && n > 0 {
		return more(n)
	}
	return nil
}

// buckets is a token bucket for each key (golang.org/x/time/rate), which fills
// in a minute. One that has not been used for a minute is full again, and need
// not be kept.
type buckets struct {
	perMinute int

	mu            sync.Mutex
	minute        time.Time
	recent, older map[string]*rate.Limiter
}

// take takes n out of a key's bucket, or all that it holds, or says how long it takes until
// there are as many.
func (b *buckets) take(key string, n int, now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now.Sub(b.minute) >= time.Minute {
		b.older = b.recent
		if now.Sub(b.minute) >= 2*time.Minute {
			b.older = nil
		}
		b.minute, b.recent = now, map[string]*rate.Limiter{}
	}
	bucket := b.recent[key]
	if bucket == nil {
		if bucket = b.older[key]; bucket == nil {
			bucket = rate.NewLimiter(rate.Limit(float64(b.perMinute)/60), b.perMinute)
		}
		b.recent[key] = bucket
	}
	taken := bucket.ReserveN(now, min(n, b.perMinute))
	wait := taken.DelayFrom(now)
	if wait > 0 {
		taken.CancelAt(now)
		return atLeastASecond(wait)
	}
	return 0
}

const (
	// poolShare is how many connections one user's requests hold at once.
	poolShare = database.MaxConnections / 3
	// readTurns and writeTurns are how many requests of those who are signed in work
	// at once. Reads are bound by the cores, writes by the disk, whose waiting they
	// share. Both are more than one user's share, so that one alone holds up nobody.
	readTurns  = database.MaxConnections / 2
	writeTurns = 2 * poolShare
	// searchTurns are those of searches: each may look through many long texts, which
	// costs Postgres what a hundred lists do.
	searchTurns = 2
	// connectionWait is how long a request waits for the user's others, and for
	// everybody's.
	connectionWait = 10 * time.Second
)

// Connections returns a middleware by which each client's requests use at most a third
// of a pool of connections at once: of the own database's, or of a service's
// behind the front door. All clients' take turns (Fair). Each call makes one for
// another pool.
func (u *Requests) Connections() func(http.Handler) http.Handler {
	places := NewPerKey(poolShare)
	reads, writes, searches := NewFair(readTurns, time.Now), NewFair(writeTurns, time.Now), NewFair(searchTurns, time.Now)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			waiting, cancel := context.WithTimeout(r.Context(), connectionWait)
			defer cancel()
			key := u.key(r)
			leave, err := places.Take(waiting, key)
			if err != nil {
				u.refuse(w, r, httpapi.TooMany("your other requests take too long; wait for their answers", time.Second))
				return
			}
			defer leave()
			turns := writes
			if slices.Contains(safe, r.Method) {
				turns = reads
				if r.URL.Query().Has("q") {
					turns = searches
				}
			}
			done, err := turns.Take(waiting, key)
			if err != nil {
				u.refuse(w, r, httpapi.Unavailable("there are too many requests at the moment; try again shortly"))
				return
			}
			defer done()
			next.ServeHTTP(&answering{w, done}, r)
		})
	}
}

// refuse answers a request that has waited for too long, or whose client has gone.
func (u *Requests) refuse(w http.ResponseWriter, r *http.Request, late error) {
	if gone := r.Context().Err(); gone != nil {
		u.failures.Write(w, r, gone)
		return
	}
	refusals.WithLabelValues(share).Inc()
	u.failures.Write(w, r, late)
}
