package account

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"

	"github.com/taskwire/taskwire/pkg/auth"
	"github.com/taskwire/taskwire/pkg/cache"
	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/outage"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
	"github.com/taskwire/taskwire/services/task-api/internal/refuse"
)

// Session is that somebody has signed in, as he sees it.
type Session struct {
	ID         uuid.UUID `bun:"id" json:"id" format:"uuid" doc:"The session"`
	Device     string    `bun:"device" json:"device" doc:"As it calls itself (User-Agent)"`
	IP         string    `bun:"ip" json:"ip" doc:"Where it signed in from"`
	CreatedAt  time.Time `bun:"created_at" json:"created_at" doc:"When it signed in"`
	LastSeenAt time.Time `bun:"last_seen_at" json:"last_seen_at" doc:"When it was last used, to the minute"`
	Current    bool      `bun:"current" json:"current" doc:"Whether it is the one that asks"`
}

const (
	// sessionLife is how long a session lives from its last use on.
	sessionLife = 30 * 24 * time.Hour
	// mostSessions is how many a user has at most: those that were not used for the longest
	// time end when there are more.
	mostSessions = 500

	// knownTime is how long a session is taken for alive that was, where no replica has said
	// that one has ended (they tell each other at once).
	knownTime = 5 * time.Second
	// mostKnown is how many are remembered, of some 200 bytes each.
	mostKnown = 20_000
	// lookups is how many are looked up at once: who sends made-up ones takes no more of the
	// database's connections.
	lookups = 4
)

// Sessions are who is signed in. A request asks the database for one at most every
// knownTime, and writes nothing: when a session was used last is written beside the
// requests.
type Sessions struct {
	db      *bun.DB
	changes *change.Writer
	log     *slog.Logger
	ended   <-chan struct{} // in any replica
	turns   chan struct{}
	// AlsoForget is called when sessions have ended in any replica, unless it is nil.
	AlsoForget func()

	mu    sync.Mutex
	known *cache.Cache[[sha256.Size]byte, knownSession]
	used  map[uuid.UUID]time.Time // since it was written last
}

type knownSession struct {
	caller auth.Caller
	until  time.Time
}

// NewSessions returns the sessions in a database. Ended receives when one has ended in
// another replica.
func NewSessions(db *bun.DB, changes *change.Writer, ended <-chan struct{}, log *slog.Logger) *Sessions {
	return &Sessions{
		db: db, changes: changes, log: log, ended: ended, turns: make(chan struct{}, lookups),
		known: new(cache.Cache[[sha256.Size]byte, knownSession]), used: map[uuid.UUID]time.Time{},
	}
}

// Opened is a session that has just begun.
type Opened struct {
	ID      uuid.UUID
	Secret  string    // for the cookie; it is kept nowhere
	Expires time.Time // unless it is used
}

// sessionPrefix tells a session's secret from other credentials.
const sessionPrefix = "tws_"

// open begins a session of a user, in a change that lets him in.
func open(tx *change.Tx, user uuid.UUID) *Opened {
	random := make([]byte, sha256.Size)
	// rand.Read never fails: it ends the process where there is no randomness.
	_, _ = rand.Read(random)
	s := &Opened{ID: uuid.Must(uuid.NewV7()), Secret: sessionPrefix + base64.RawURLEncoding.EncodeToString(random), Expires: tx.Now.Add(sessionLife)}
	hash := sha256.Sum256([]byte(s.Secret))
	tx.Later(`DELETE FROM task.sessions WHERE user_id = ? AND id IN (SELECT id FROM task.sessions WHERE user_id = ? ORDER BY last_seen_at DESC, id DESC OFFSET ?)`, user, user, mostSessions-1)
	tx.Later(`INSERT INTO task.sessions (id, user_id, secret, device, ip, created_at, last_seen_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
		s.ID, user, hash[:], tx.Actor.UserAgent, tx.Actor.IP, tx.Now, tx.Now, s.Expires)
	return s
}

// ByCookie is who has a session with a secret.
func (s *Sessions) ByCookie(ctx context.Context, secret string) (auth.Caller, error) {
	if len(secret) != len(sessionPrefix)+base64.RawURLEncoding.EncodedLen(sha256.Size) || !strings.HasPrefix(secret, sessionPrefix) {
		return auth.Caller{}, auth.ErrRefused
	}
	hash := sha256.Sum256([]byte(secret))
	return s.find(ctx, hash, "s.secret = ?", hash[:])
}

// Alive says whose the session of a token is.
func (s *Sessions) Alive(ctx context.Context, caller auth.Caller) (auth.Caller, error) {
	key := sha256.Sum256(slices.Concat(caller.SessionID[:], caller.UserID[:]))
	found, err := s.find(ctx, key, "s.id = ? AND s.user_id = ?", caller.SessionID, caller.UserID)
	if err != nil {
		return auth.Caller{}, err
	}
	// The token ends before its session.
	found.IssuedAt, found.ExpiresAt = caller.IssuedAt, caller.ExpiresAt
	return found, nil
}

func (s *Sessions) find(ctx context.Context, key [sha256.Size]byte, where string, args ...any) (auth.Caller, error) {
	now := s.changes.Now()
	known := s.all()
	if k, ok := known.Get(key); ok && now.Before(k.until) {
		s.use(k.caller.SessionID, now)
		return k.caller, nil
	}
	select {
	case s.turns <- struct{}{}:
		defer func() { <-s.turns }()
	case <-ctx.Done():
		return auth.Caller{}, ctx.Err()
	}
	var found []struct {
		ID        uuid.UUID `bun:"id"`
		UserID    uuid.UUID `bun:"user_id"`
		Email     string    `bun:"email"`
		CreatedAt time.Time `bun:"created_at"`
		ExpiresAt time.Time `bun:"expires_at"`
	}
	err := s.db.NewRaw("SELECT s.id, s.user_id, u.email, s.created_at, s.expires_at FROM task.sessions s JOIN task.users u ON u.id = s.user_id WHERE s.expires_at > ? AND "+where,
		append([]any{now}, args...)...).Scan(ctx, &found)
	if err != nil {
		return auth.Caller{}, fmt.Errorf("look a session up: %w", err)
	}
	if len(found) == 0 {
		return auth.Caller{}, auth.ErrRefused
	}
	f := found[0]
	k := knownSession{auth.Caller{UserID: f.UserID, Email: f.Email, SessionID: f.ID, SignedInAt: f.CreatedAt, ExpiresAt: f.ExpiresAt}, now.Add(knownTime)}
	if f.ExpiresAt.Before(k.until) {
		k.until = f.ExpiresAt
	}
	// Into those that were known before it was looked up: one that has ended since is in
	// nothing that anybody reads any more.
	known.Put(key, k, mostKnown)
	s.use(f.ID, now)
	return k.caller, nil
}

func (s *Sessions) all() *cache.Cache[[sha256.Size]byte, knownSession] {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known
}

func (s *Sessions) use(id uuid.UUID, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used[id] = now
}

// forget has each session looked up again.
func (s *Sessions) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known = new(cache.Cache[[sha256.Size]byte, knownSession])
}

// EndedChannel is where replicas tell each other that sessions have ended: the name of the
// signal that NewSessions is to hear.
const EndedChannel = "taskwire.sessions"

// end deletes sessions in a change, and says how many. Other replicas hear of it with the
// commit: sessions end too seldom for commits to wait for each other.
func end(ctx context.Context, tx *change.Tx, where string, args ...any) (n int, err error) {
	var gone []uuid.UUID
	if err := tx.NewRaw("DELETE FROM task.sessions WHERE "+where+" RETURNING id", args...).Scan(ctx, &gone); err != nil {
		return 0, fmt.Errorf("end sessions: %w", err)
	}
	for _, id := range gone {
		u := &User{ID: tx.Actor.UserID, Email: tx.Actor.Email}
		if err := appendAudit(tx, event.UserSignedOut, u, nil, nil, map[string]any{event.MetaSession: id}); err != nil {
			return 0, err
		}
	}
	if len(gone) > 0 {
		tx.Later("SELECT pg_notify('" + EndedChannel + "', '')")
	}
	return len(gone), nil
}

// End ends a session of the actor's.
func (s *Sessions) End(ctx context.Context, actor access.Actor, id uuid.UUID) error {
	defer s.forget()
	return s.changes.Do(ctx, actor, func(ctx context.Context, tx *change.Tx) error {
		n, err := end(ctx, tx, "user_id = ? AND id = ?", actor.UserID, id)
		if err == nil && n == 0 {
			err = refuse.Missing("session")
		}
		return err
	})
}

// EndOthers ends all sessions of the actor's but one.
func (s *Sessions) EndOthers(ctx context.Context, actor access.Actor, but uuid.UUID) error {
	defer s.forget()
	return s.changes.Do(ctx, actor, func(ctx context.Context, tx *change.Tx) error {
		_, err := end(ctx, tx, "user_id = ? AND id <> ?", actor.UserID, but)
		return err
	})
}

// List reads the actor's sessions, the last used first.
func (s *Sessions) List(ctx context.Context, actor access.Actor, current uuid.UUID) ([]*Session, error) {
	found := []*Session{}
	err := s.db.NewRaw(`SELECT id, device, ip, created_at, last_seen_at, id = ? AS current FROM task.sessions
		WHERE user_id = ? AND expires_at > ? ORDER BY last_seen_at DESC, id DESC LIMIT ?`, current, actor.UserID, s.changes.Now(), mostSessions).Scan(ctx, &found)
	if err != nil {
		return nil, fmt.Errorf("read the sessions: %w", err)
	}
	return found, nil
}

// usedEvery is how often it is written when sessions were used.
const usedEvery = time.Minute

// Listen hears of sessions that have ended in other replicas, until ctx ends.
func (s *Sessions) Listen(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.ended:
			s.forget()
			if s.AlsoForget != nil {
				s.AlsoForget()
			}
		}
	}
}

// KeepUsed writes when sessions were used, and deletes those that have expired, until ctx
// ends.
func (s *Sessions) KeepUsed(ctx context.Context) error {
	failing := &outage.Outage{Log: s.log, Gone: "it can not be written when sessions were used; trying again", Back: "it is written again when sessions were used"}
	err := database.Repeat(ctx, failing, nil, func(ctx context.Context) (time.Duration, error) {
		if err := s.writeUsed(ctx); err != nil {
			return 0, err
		}
		_, err := database.Prune(ctx, s.db, database.Old{Table: "task.sessions", Key: "id", Age: "expires_at", Before: s.changes.Now()})
		return usedEvery, err
	})
	// What is left when the service stops.
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeLast)
	defer cancel()
	if lastErr := s.writeUsed(last); lastErr != nil {
		s.log.WarnContext(last, "it was not written when sessions were last used", "error", lastErr)
	}
	return err
}

func (s *Sessions) writeUsed(ctx context.Context) error {
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
	_, err := s.db.NewRaw(`UPDATE task.sessions s SET last_seen_at = u.at, expires_at = u.at + make_interval(secs => ?)
		FROM (SELECT * FROM unnest(?::uuid[], ?::timestamptz[]) AS u (id, at) ORDER BY id) u
		WHERE s.id = u.id AND s.last_seen_at < u.at`, sessionLife.Seconds(), pgdialect.Array(ids), pgdialect.Array(times)).Exec(ctx)
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
	return fmt.Errorf("write when sessions were used: %w", err)
}
