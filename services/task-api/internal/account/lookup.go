package account

import (
	"context"
	"crypto/sha256"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun/dialect/pgdialect"

	"github.com/taskwire/taskwire/pkg/auth"
	"github.com/taskwire/taskwire/pkg/cache"
)

const (
	// lookups is how many questions for sessions the database has at once: who sends made-up
	// ones takes no more of its connections.
	lookups = 4
	// lookedUp is how many sessions are asked for in one question.
	lookedUp = 1000
	// lookupTime is how long a question that many wait for may take.
	lookupTime = 5 * time.Second
)

// lookup is a question for sessions that several wait for: with a change, or a heartbeat,
// all streams ask at once. Who comes while others are answered is in the next question, so
// that 1,000 are three of them and not 1,000.
type lookup struct {
	ids  []uuid.UUID
	done chan struct{} // closed when the rest is set

	sessions map[uuid.UUID]storedSession
	at       time.Time     // of the question
	known    knownSessions // of before it
	err      error
}

type knownSessions = *cache.Cache[[sha256.Size]byte, knownSession]

// storedSession is one as the database has it.
type storedSession struct {
	ID        uuid.UUID `bun:"id"`
	UserID    uuid.UUID `bun:"user_id"`
	Email     string    `bun:"email"`
	ExpiresAt time.Time `bun:"expires_at"`
}

// joining is the question that waits for its turn.
type joining struct {
	mu   sync.Mutex
	next *lookup
}

// lookUp asks for a session by its id, together with others who ask for theirs.
func (s *Sessions) lookUp(ctx context.Context, id uuid.UUID) (*lookup, error) {
	s.joining.mu.Lock()
	l := s.joining.next
	if l == nil {
		l = &lookup{done: make(chan struct{})}
		s.joining.next = l
		// It is of all who join, and does not end with who came first.
		go s.ask(context.WithoutCancel(ctx), l)
	}
	if l.ids = append(l.ids, id); len(l.ids) == lookedUp {
		s.joining.next = nil
	}
	s.joining.mu.Unlock()
	select {
	case <-l.done:
		return l, l.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// ask asks when it is its turn. From then on nobody joins: what has ended before he came is
// to be seen by the question.
func (s *Sessions) ask(ctx context.Context, l *lookup) {
	defer close(l.done)
	ctx, cancel := context.WithTimeout(ctx, lookupTime)
	defer cancel()
	l.err = s.turn(ctx)
	if l.err == nil {
		defer s.yield()
	}
	s.joining.mu.Lock()
	if s.joining.next == l {
		s.joining.next = nil
	}
	s.joining.mu.Unlock()
	if l.err != nil {
		return
	}
	l.at, l.known = s.changes.Now(), s.all()
	var found []storedSession
	if found, l.err = s.stored(ctx, l.at, "s.id = ANY (?::uuid[])", pgdialect.Array(l.ids)); l.err != nil {
		return
	}
	l.sessions = make(map[uuid.UUID]storedSession, len(found))
	for _, f := range found {
		l.sessions[f.ID] = f
	}
}

// turn waits for one of the questions that the database may have at once; yield ends it.
func (s *Sessions) turn(ctx context.Context) error {
	select {
	case s.turns <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Sessions) yield() { <-s.turns }

// stored reads sessions that have not expired.
func (s *Sessions) stored(ctx context.Context, now time.Time, where string, args ...any) ([]storedSession, error) {
	var found []storedSession
	err := s.db.NewRaw("SELECT s.id, s.user_id, u.email, s.expires_at FROM task.sessions s JOIN task.users u ON u.id = s.user_id WHERE s.expires_at > ? AND "+where,
		append([]any{now}, args...)...).Scan(ctx, &found)
	if err != nil {
		return nil, fmt.Errorf("look sessions up: %w", err)
	}
	return found, nil
}

// remember keeps that a session was alive when it was looked up, among those that were known
// before: one that has ended since is in nothing that anybody reads any more.
func (s *Sessions) remember(known knownSessions, key [sha256.Size]byte, f storedSession, at time.Time) auth.Caller {
	k := knownSession{auth.Caller{UserID: f.UserID, Email: f.Email, SessionID: f.ID, ExpiresAt: f.ExpiresAt}, at.Add(knownTime)}
	if f.ExpiresAt.Before(k.until) {
		k.until = f.ExpiresAt
	}
	known.Put(key, k, mostKnown)
	s.use(f.ID, at)
	return k.caller
}
