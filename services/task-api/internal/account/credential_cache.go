package account

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"

	"github.com/taskwire/taskwire/pkg/auth"
	"github.com/taskwire/taskwire/pkg/cache"
	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/outage"
)

const (
	// knownTime is how long a credential is taken for alive that was, where no replica has
	// said that one has ended (they notify each other at once).
	knownTime = 5 * time.Second
	// mostKnown is how many are remembered, of some 200 bytes each.
	mostKnown = 20_000
	// lookups is how many are looked up at once: who sends made-up ones takes no more of the
	// database's connections.
	lookups = 4
)

// credentialCache knows the credentials of one kind that requests have shown. The database is asked
// for one at most every knownTime, and when each was used last is written beside the
// requests.
type credentialCache struct {
	turns chan struct{}

	mu    sync.Mutex
	known knownCallers
	used  map[uuid.UUID]time.Time // since it was written last
}

type knownCallers = *cache.Cache[[sha256.Size]byte, knownCaller]

// knownCaller is whose a credential is, with its id.
type knownCaller struct {
	id     uuid.UUID
	caller auth.Caller
	until  time.Time
}

func newCredentialCache() *credentialCache {
	return &credentialCache{turns: make(chan struct{}, lookups), known: new(cache.Cache[[sha256.Size]byte, knownCaller]), used: map[uuid.UUID]time.Time{}}
}

// usage is to what it is known when a credential was used.
type usage time.Duration

const (
	// byRequest is when a request has shown it.
	byRequest usage = 0
	// goingOn is by what goes on, as a stream does, and is asked for again and again: 1,000
	// rows each minute were most of what streams took of the database at rest.
	goingOn usage = usage(10 * time.Minute)
)

// callerOf is whose the credential with a key is: as is remembered, or as look finds it,
// whose error is returned as it is. It is used then.
func (s *credentialCache) callerOf(ctx context.Context, key [sha256.Size]byte, now time.Time, by usage, look func() (id uuid.UUID, caller auth.Caller, err error)) (auth.Caller, error) {
	if caller, ok := s.isKnown(key, now, by); ok {
		return caller, nil
	}
	if err := s.acquire(ctx); err != nil {
		return auth.Caller{}, err
	}
	defer s.release()
	known := s.all()
	id, caller, err := look()
	if err != nil {
		return auth.Caller{}, err
	}
	s.remember(known, key, id, caller, now, by)
	return caller, nil
}

// isKnown is whose a credential is that was alive a moment ago. It is used then.
func (s *credentialCache) isKnown(key [sha256.Size]byte, now time.Time, by usage) (auth.Caller, bool) {
	k, ok := s.all().Get(key)
	if !ok || !now.Before(k.until) {
		return auth.Caller{}, false
	}
	s.use(k.id, now, by)
	return k.caller, true
}

// remember keeps that a credential was alive when it was looked up, among those that were
// known before: one that has ended since is in nothing that anybody reads any more.
func (s *credentialCache) remember(known knownCallers, key [sha256.Size]byte, id uuid.UUID, caller auth.Caller, at time.Time, by usage) {
	k := knownCaller{id, caller, at.Add(knownTime)}
	if caller.ExpiresAt.Before(k.until) {
		k.until = caller.ExpiresAt
	}
	known.Put(key, k, mostKnown)
	s.use(id, at, by)
}

// acquire waits for one of the lookups that the database may have at once; release ends it.
func (s *credentialCache) acquire(ctx context.Context) error {
	select {
	case s.turns <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *credentialCache) release() { <-s.turns }

func (s *credentialCache) all() knownCallers {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known
}

func (s *credentialCache) use(id uuid.UUID, now time.Time, by usage) {
	now = now.Truncate(time.Duration(by))
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.After(s.used[id]) {
		s.used[id] = now
	}
}

// forget has each looked up again.
func (s *credentialCache) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known = new(cache.Cache[[sha256.Size]byte, knownCaller])
}

// listen forgets whenever one has ended in some replica, until ctx ends, and calls also
// then, unless it is nil.
func (s *credentialCache) listen(ctx context.Context, ended <-chan struct{}, also func()) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ended:
			s.forget()
			if also != nil {
				also()
			}
		}
	}
}

// usedEvery is how often it is written when credentials were used.
const usedEvery = time.Minute

// ofUse writes when credentials of one kind were used, and deletes old ones.
type ofUse struct {
	db  *bun.DB
	log *slog.Logger
	// kind is what they are called in the log.
	kind string
	// update is the statement that takes ids and times, as arrays, and then args.
	update string
	args   []any
	old    func() database.Old
}

// keepUsed does so every usedEvery, until ctx ends.
func (s *credentialCache) keepUsed(ctx context.Context, of ofUse) error {
	failing := &outage.Outage{Log: of.log, Gone: "it can not be written when " + of.kind + " were used; trying again", Back: "it is written again when " + of.kind + " were used"}
	err := database.Repeat(ctx, failing, nil, func(ctx context.Context) (time.Duration, error) {
		if err := s.writeUsed(ctx, of); err != nil {
			return 0, err
		}
		_, err := database.Prune(ctx, of.db, of.old())
		return usedEvery, err
	})
	// What is left when the service stops.
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeLast)
	defer cancel()
	if lastErr := s.writeUsed(last, of); lastErr != nil {
		of.log.WarnContext(last, "it was not written when credentials were last used", "kind", of.kind, "error", lastErr)
	}
	return err
}

func (s *credentialCache) writeUsed(ctx context.Context, of ofUse) error {
	s.mu.Lock()
	used := s.used
	s.used = map[uuid.UUID]time.Time{}
	s.mu.Unlock()
	if len(used) == 0 {
		return nil
	}
	ids, times := make([]uuid.UUID, 0, len(used)), make([]time.Time, 0, len(used))
	for id, at := range used {
		ids, times = append(ids, id), append(times, at.UTC())
	}
	_, err := of.db.NewRaw(of.update, append([]any{pgdialect.Array(ids), pgdialect.Array(times)}, of.args...)...).Exec(ctx)
	if err == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, at := range used {
		if at.After(s.used[id]) {
			s.used[id] = at
		}
	}
	return fmt.Errorf("write when %s were used: %w", of.kind, err)
}
