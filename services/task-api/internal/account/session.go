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
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/auth"
	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/erasure"
	"github.com/taskwire/taskwire/pkg/event"
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
	LastSeenAt time.Time `bun:"last_seen_at" json:"last_seen_at" doc:"When it was last used, to the minute; by an open stream, to ten minutes"`
	Current    bool      `bun:"current" json:"current" doc:"Whether it is the one that asks"`
}

const (
	// sessionLife is how long a session lives from its last use on.
	sessionLife = 30 * 24 * time.Hour
	// mostSessions is how many a user has at most: those that were not used for the longest
	// time end when there are more.
	mostSessions = 500
)

// Sessions are who is signed in.
type Sessions struct {
	*credentialCache

	db      *bun.DB
	changes *change.Writer
	log     *slog.Logger
	ended   <-chan struct{} // in any replica
	joining joining
	// VerifiedOnly: those of accounts whose address was not verified are of no use.
	VerifiedOnly bool
	// AlsoForget is called when sessions have ended in any replica, unless it is nil.
	AlsoForget func()
}

// NewSessions returns the sessions in a database. Ended receives when one has ended in
// another replica.
func NewSessions(db *bun.DB, changes *change.Writer, ended <-chan struct{}, log *slog.Logger) *Sessions {
	return &Sessions{credentialCache: newCredentialCache(), db: db, changes: changes, log: log, ended: ended}
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
	tx.Queue(`DELETE FROM task.sessions WHERE user_id = ? AND id IN (SELECT id FROM task.sessions WHERE user_id = ? ORDER BY last_seen_at DESC, id DESC OFFSET ?)`, user, user, mostSessions-1)
	tx.Queue(`INSERT INTO task.sessions (id, user_id, secret, device, ip, created_at, last_seen_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
		s.ID, user, hash[:], tx.Actor.UserAgent, tx.Actor.IP, tx.Now, tx.Now, s.Expires)
	return s
}

// ByCookie is who has a session with a secret.
func (s *Sessions) ByCookie(ctx context.Context, secret string) (auth.Caller, error) {
	if len(secret) != len(sessionPrefix)+base64.RawURLEncoding.EncodedLen(sha256.Size) || !strings.HasPrefix(secret, sessionPrefix) {
		return auth.Caller{}, auth.ErrRefused
	}
	hash := sha256.Sum256([]byte(secret))
	now := s.changes.Now()
	return s.callerOf(ctx, hash, now, byRequest, func() (id uuid.UUID, caller auth.Caller, err error) {
		found, err := s.stored(ctx, now, "s.secret = ?", hash[:])
		switch {
		case err != nil:
			return id, caller, err
		case len(found) == 0:
			return id, caller, auth.ErrRefused
		}
		return found[0].ID, found[0].caller(), nil
	})
}

// Alive says whose the session of a token is.
func (s *Sessions) Alive(ctx context.Context, caller auth.Caller) (auth.Caller, error) {
	return s.alive(ctx, caller, byRequest)
}

func (s *Sessions) alive(ctx context.Context, caller auth.Caller, by usage) (auth.Caller, error) {
	key := sha256.Sum256(slices.Concat(caller.SessionID[:], caller.UserID[:]))
	alive, ok := s.isKnown(key, s.changes.Now(), by)
	if !ok {
		l, err := s.lookUp(ctx, caller.SessionID)
		if err != nil {
			return auth.Caller{}, err
		}
		found, ok := l.sessions[caller.SessionID]
		if !ok || found.UserID != caller.UserID {
			return auth.Caller{}, auth.ErrRefused
		}
		alive = found.caller()
		s.remember(l.known, key, found.ID, alive, l.at, by)
	}
	// The token ends before its session.
	alive.IssuedAt, alive.ExpiresAt = caller.IssuedAt, caller.ExpiresAt
	return alive, nil
}

// notBlocked refuses a user without a session who is blocked, or is being erased.
func (s *Sessions) notBlocked(ctx context.Context, user uuid.UUID) error {
	key := sha256.Sum256(slices.Concat([]byte("user"), user[:]))
	now, known := s.changes.Now(), s.all()
	if k, ok := known.Get(key); ok && now.Before(k.until) {
		return nil
	}
	if err := s.acquire(ctx); err != nil {
		return err
	}
	defer s.release()
	var blocked bool
	if err := s.db.NewRaw("SELECT EXISTS (SELECT FROM task.users WHERE id = ? AND blocked_at IS NOT NULL) OR EXISTS (SELECT FROM task.erasures WHERE id = ?)", user, erasure.Hash(user)).Scan(ctx, &blocked); err != nil {
		return fmt.Errorf("look whether a user is blocked: %w", err)
	}
	if blocked {
		return auth.ErrRefused
	}
	known.Put(key, knownCaller{until: now.Add(knownTime)}, mostKnown)
	return nil
}

// EndedChannel is where replicas tell each other that sessions and API tokens have ended:
// the name of the signal that both are to hear.
const EndedChannel = "taskwire.sessions"

// end deletes sessions of a user in a change, and says how many. Other replicas hear of it with the
// commit: sessions end too seldom for commits to wait for each other.
func end(ctx context.Context, tx *change.Tx, u *User, where string, args ...any) (n int, err error) {
	var gone []uuid.UUID
	if err := tx.NewRaw("DELETE FROM task.sessions WHERE user_id = ? AND "+where+" RETURNING id", append([]any{u.ID}, args...)...).Scan(ctx, &gone); err != nil {
		return 0, fmt.Errorf("end sessions: %w", err)
	}
	for _, id := range gone {
		if err := appendAudit(tx, event.UserSignedOut, u, nil, nil, map[string]any{event.MetaSession: id}); err != nil {
			return 0, err
		}
	}
	if len(gone) > 0 {
		tx.Queue("SELECT pg_notify('" + EndedChannel + "', '')")
	}
	return len(gone), nil
}

func userOf(actor access.Actor) *User { return &User{ID: actor.UserID, Email: actor.Email} }

// End ends a session of the actor's.
func (s *Sessions) End(ctx context.Context, actor access.Actor, id uuid.UUID) error {
	defer s.forget()
	return s.changes.Do(ctx, actor, func(ctx context.Context, tx *change.Tx) error {
		n, err := end(ctx, tx, userOf(actor), "id = ?", id)
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
		_, err := end(ctx, tx, userOf(actor), "id <> ?", but)
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

// Listen hears of sessions that have ended in other replicas, until ctx ends.
func (s *Sessions) Listen(ctx context.Context) error { return s.listen(ctx, s.ended, s.AlsoForget) }

// KeepUsed writes when sessions were used, and deletes those that have expired, until ctx
// ends.
func (s *Sessions) KeepUsed(ctx context.Context) error { return s.keepUsed(ctx, s.ofUse()) }

func (s *Sessions) ofUse() ofUse {
	return ofUse{
		db: s.db, log: s.log, kind: "sessions",
		update: `UPDATE task.sessions s SET last_seen_at = u.at, expires_at = u.at + make_interval(secs => ?2)
			FROM (SELECT * FROM unnest(?0::uuid[], ?1::timestamptz[]) AS u (id, at) ORDER BY id) u
			WHERE s.id = u.id AND s.last_seen_at < u.at`,
		args: []any{sessionLife.Seconds()},
		old: func() database.Old {
			return database.Old{Table: "task.sessions", Key: "id", Age: "expires_at", Before: s.changes.Now()}
		},
	}
}
