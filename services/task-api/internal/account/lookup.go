package account

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun/dialect/pgdialect"

	"github.com/taskwire/taskwire/pkg/auth"
)

const (
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
	at       time.Time    // of the question
	known    knownCallers // of before it
	err      error
}

// storedSession is one as the database has it.
type storedSession struct {
	ID        uuid.UUID `bun:"id"`
	UserID    uuid.UUID `bun:"user_id"`
	Email     string    `bun:"email"`
	CreatedAt time.Time `bun:"created_at"`
	ExpiresAt time.Time `bun:"expires_at"`
}

// caller is whose session it is.
func (f storedSession) caller() auth.Caller {
	return auth.Caller{UserID: f.UserID, Email: f.Email, SessionID: f.ID, SignedInAt: f.CreatedAt, ExpiresAt: f.ExpiresAt}
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
	l.err = s.acquire(ctx)
	if l.err == nil {
		defer s.release()
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

// stored reads sessions that have not expired, of users who are not blocked.
func (s *Sessions) stored(ctx context.Context, now time.Time, where string, args ...any) ([]storedSession, error) {
	var found []storedSession
	err := s.db.NewRaw("SELECT s.id, s.user_id, u.email, s.created_at, s.expires_at FROM task.sessions s JOIN task.users u ON u.id = s.user_id WHERE s.expires_at > ? AND u.blocked_at IS NULL AND (u.verified OR u.password_hash IS NULL OR NOT ?) AND "+where,
		append([]any{now, s.VerifiedOnly}, args...)...).Scan(ctx, &found)
	if err != nil {
		return nil, fmt.Errorf("look sessions up: %w", err)
	}
	return found, nil
}
