package account

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/auth"
	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/page"
	"github.com/taskwire/taskwire/pkg/taskapi"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
	"github.com/taskwire/taskwire/services/task-api/internal/refuse"
)

// APIToken is what a program of a user's shows, as he sees it: what it says is kept
// nowhere.
type APIToken struct {
	ID         uuid.UUID    `bun:"id" json:"id" format:"uuid" doc:"The token"`
	Name       string       `bun:"name" json:"name" doc:"How you call it"`
	Scopes     []auth.Scope `bun:"scopes,array" json:"scopes" nullable:"false" doc:"What it may do"`
	ListIDs    []uuid.UUID  `bun:"list_ids,array" json:"list_ids" nullable:"true" format:"uuid" doc:"The lists that it is for, as far as you are a member of them; null for all of yours"`
	CreatedAt  time.Time    `bun:"created_at" json:"created_at" doc:"When it was made"`
	ExpiresAt  time.Time    `bun:"expires_at" json:"expires_at" doc:"When it ends, or has ended; it is listed for 30 days from then"`
	LastUsedAt *time.Time   `bun:"last_used_at" json:"last_used_at" nullable:"true" doc:"When it was last used, to the minute; by an open stream, to ten minutes; null for never"`
}

// TokenLimits bound what a user can have. 0 is no limit.
type TokenLimits struct {
	Tokens int `env:"LIMIT_TOKENS" envDefault:"100" min:"0" max:"1000000"` // API tokens that have not expired
}

const (
	// tokenLife is how long a token lives that is not said to live for less or more.
	tokenLife = 90 * 24 * time.Hour
	// tokenKept is how long a token is listed that has expired.
	tokenKept = 30 * 24 * time.Hour
	// mostTokenLists is how many lists a token can be restricted to.
	mostTokenLists = 100
)

// APITokens are the API tokens of the users.
type APITokens struct {
	*credentialCache

	db      *bun.DB
	changes *change.Writer
	limits  TokenLimits
	log     *slog.Logger
	ended   <-chan struct{} // in any replica
	// VerifiedOnly: those of accounts whose address was not verified are of no use.
	VerifiedOnly bool
}

// NewAPITokens returns the API tokens in a database. Ended receives when one has ended in
// another replica.
func NewAPITokens(db *bun.DB, changes *change.Writer, limits TokenLimits, ended <-chan struct{}, log *slog.Logger) *APITokens {
	return &APITokens{credentialCache: newCredentialCache(), db: db, changes: changes, limits: limits, log: log, ended: ended}
}

// BySecret is whose API token this is, and what it may do. Its error is auth.ErrRefused
// where it is none, or none any more.
func (a *APITokens) BySecret(ctx context.Context, secret string) (auth.Caller, error) {
	if !isTokenSecret(secret) {
		return auth.Caller{}, auth.ErrRefused
	}
	hash := sha256.Sum256([]byte(secret))
	return a.find(ctx, hash, byRequest, "t.secret = ?", hash[:])
}

// Alive says whose an API token is that was shown before, by what goes on.
func (a *APITokens) Alive(ctx context.Context, caller auth.Caller) (auth.Caller, error) {
	key := sha256.Sum256(slices.Concat(caller.TokenID[:], caller.UserID[:]))
	return a.find(ctx, key, goingOn, "t.id = ? AND t.user_id = ?", caller.TokenID, caller.UserID)
}

func (a *APITokens) find(ctx context.Context, key [sha256.Size]byte, by usage, where string, args ...any) (auth.Caller, error) {
	now := a.changes.Now()
	return a.callerOf(ctx, key, now, by, func() (id uuid.UUID, caller auth.Caller, err error) {
		var found []struct {
			APIToken
			Restricted bool      `bun:"restricted"`
			UserID     uuid.UUID `bun:"user_id"`
			Email      string    `bun:"email"`
		}
		err = a.db.NewRaw("SELECT "+listedColumns+", t.list_ids IS NOT NULL AS restricted, t.user_id, u.email FROM task.api_tokens t JOIN task.users u ON u.id = t.user_id WHERE t.expires_at > ? AND u.blocked_at IS NULL AND (u.verified OR u.password_hash IS NULL OR NOT ?) AND "+where,
			append([]any{now, a.VerifiedOnly}, args...)...).Scan(ctx, &found)
		switch {
		case err != nil:
			return id, caller, fmt.Errorf("look an API token up: %w", err)
		case len(found) == 0:
			return id, caller, auth.ErrRefused
		}
		t := found[0]
		if t.Restricted && t.ListIDs == nil {
			t.ListIDs = []uuid.UUID{} // to none, and not to all
		}
		return t.ID, auth.Caller{UserID: t.UserID, Email: t.Email, TokenID: t.ID, Scopes: t.Scopes, Lists: t.ListIDs, ExpiresAt: t.ExpiresAt}, nil
	})
}

// listedColumns are those of an APIToken, of task.api_tokens t.
const listedColumns = "t.id, t.name, t.scopes, t.list_ids, t.created_at, t.expires_at, t.last_used_at"

// List reads up to limit of the actor's API tokens, the latest first, behind one.
func (a *APITokens) List(ctx context.Context, actor access.Actor, behind *page.Place, limit int) ([]*APIToken, error) {
	where := access.Condition{SQL: "t.user_id = ?", Args: []any{actor.UserID}}
	if behind != nil {
		where = where.And("(t.created_at, t.id) < (?, ?)", behind.At, behind.ID)
	}
	found := []*APIToken{}
	err := a.db.NewRaw("SELECT "+listedColumns+" FROM task.api_tokens t WHERE "+where.SQL+" ORDER BY t.created_at DESC, t.id DESC LIMIT ?",
		append(where.Args, limit)...).Scan(ctx, &found)
	if err != nil {
		return nil, fmt.Errorf("read the API tokens: %w", err)
	}
	return found, nil
}

// TokenDraft is an API token as its user wants it.
type TokenDraft struct {
	Name      string
	Scopes    []auth.Scope
	ListIDs   []uuid.UUID // nil for all
	ExpiresAt *time.Time  // nil for in 90 days
}

// check refuses what can not be, and puts the rest in order.
func (d *TokenDraft) check(now time.Time) error {
	d.Name = strings.TrimSpace(d.Name)
	if n := utf8.RuneCountInString(d.Name); n < 1 || n > 100 {
		return refuse.Part("name", "must have 1 to 100 characters")
	}
	if i := slices.IndexFunc(d.Scopes, func(s auth.Scope) bool { return !slices.Contains(auth.Scopes, s) }); i >= 0 {
		return refuse.Part(fmt.Sprintf("scopes[%d]", i), "is none that there is")
	}
	if len(d.Scopes) == 0 {
		return refuse.Part("scopes", "must name one at least")
	}
	if twice(d.Scopes) {
		return refuse.Part("scopes", "must name each once")
	}
	if twice(d.ListIDs) {
		return refuse.Part("list_ids", "must name each once")
	}
	wanted := d.Scopes
	d.Scopes = slices.DeleteFunc(slices.Clone(auth.Scopes), func(s auth.Scope) bool { return !slices.Contains(wanted, s) })
	if n := len(d.ListIDs); d.ListIDs != nil && (n == 0 || n > mostTokenLists) {
		return refuse.Part("list_ids", fmt.Sprintf("must name 1 to %d lists, or be left out for all", mostTokenLists))
	}
	if d.ExpiresAt == nil {
		at := now.Add(tokenLife)
		d.ExpiresAt = &at
	}
	at := d.ExpiresAt.UTC().Truncate(time.Microsecond)
	if d.ExpiresAt = &at; !at.After(now) || at.After(now.AddDate(1, 0, 0)) {
		return refuse.Part("expires_at", "must be in the future, and at most a year from now")
	}
	return nil
}

// twice says whether something is there more than once.
func twice[T comparable](all []T) bool {
	seen := make(map[T]bool, len(all))
	for _, one := range all {
		if seen[one] {
			return true
		}
		seen[one] = true
	}
	return false
}

// Create makes an API token of the actor's, who must have signed in a moment ago, and
// answers what it says, which is kept nowhere.
func (a *APITokens) Create(ctx context.Context, actor access.Actor, draft TokenDraft) (t *APIToken, secret string, err error) {
	if err := actor.SignedInRecently(a.changes.Now()); err != nil {
		return nil, "", err
	}
	err = a.changes.Do(ctx, actor, func(ctx context.Context, tx *change.Tx) error {
		d := draft
		if err := d.check(tx.Now); err != nil {
			return err
		}
		if err := checkLists(ctx, tx, d.ListIDs); err != nil {
			return err
		}
		if err := a.room(ctx, tx); err != nil {
			return err
		}
		secret = newTokenSecret()
		hash := sha256.Sum256([]byte(secret))
		t = &APIToken{ID: uuid.Must(uuid.NewV7()), Name: d.Name, Scopes: d.Scopes, ListIDs: d.ListIDs, CreatedAt: tx.Now, ExpiresAt: *d.ExpiresAt}
		tx.Queue("INSERT INTO task.api_tokens (id, user_id, name, scopes, list_ids, secret, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
			t.ID, actor.UserID, t.Name, t.Scopes, t.ListIDs, hash[:], t.CreatedAt, t.ExpiresAt)
		if err := noticeOf(ctx, tx, taskapi.NoticeTokenCreated); err != nil {
			return err
		}
		return appendTokenAudit(tx, event.UserTokenCreated, t)
	})
	if err != nil {
		return nil, "", err
	}
	return t, secret, nil
}

// checkLists refuses lists that the actor is no member of.
func checkLists(ctx context.Context, tx *change.Tx, lists []uuid.UUID) error {
	if len(lists) == 0 {
		return nil
	}
	tx.EnsureInbox() // it may be named
	mine := tx.Actor.Memberships(lists...)
	var found []uuid.UUID
	if err := tx.NewRaw("SELECT m.list_id FROM task.members m WHERE "+mine.SQL, mine.Args...).Scan(ctx, &found); err != nil {
		return fmt.Errorf("read the lists of an API token: %w", err)
	}
	for i, list := range lists {
		if !slices.Contains(found, list) {
			return refuse.Part(fmt.Sprintf("list_ids[%d]", i), "is none of your lists")
		}
	}
	return nil
}

// room refuses a user who has as many API tokens as he can have. Those that have expired
// make room. Several at once may overstep the limit by as many as they are.
func (a *APITokens) room(ctx context.Context, tx *change.Tx) error {
	if a.limits.Tokens == 0 {
		return nil
	}
	var tokens, live int
	err := tx.NewRaw("SELECT count(*), count(*) FILTER (WHERE expires_at > ?) FROM task.api_tokens WHERE user_id = ?", tx.Now, tx.Actor.UserID).Scan(ctx, &tokens, &live)
	switch {
	case err != nil:
		return fmt.Errorf("count the API tokens: %w", err)
	case live >= a.limits.Tokens:
		return refuse.Because(refuse.LimitReached, fmt.Sprintf("you have %d API tokens, the most that one can have here; revoke one that is not needed", live))
	case tokens >= a.limits.Tokens:
		tx.Queue("DELETE FROM task.api_tokens WHERE user_id = ? AND expires_at <= ?", tx.Actor.UserID, tx.Now)
	}
	return nil
}

// Revoke ends an API token of the actor's, who must have signed in a moment ago.
func (a *APITokens) Revoke(ctx context.Context, actor access.Actor, id uuid.UUID) error {
	if err := actor.SignedInRecently(a.changes.Now()); err != nil {
		return err
	}
	defer a.forget()
	return a.changes.Do(ctx, actor, func(ctx context.Context, tx *change.Tx) error {
		n, err := revoke(ctx, tx, "t.user_id = ? AND t.id = ?", actor.UserID, id)
		if err == nil && n == 0 {
			err = refuse.Missing("API token")
		}
		return err
	})
}

// revoke deletes API tokens of the actor's in a change, and says how many. Other replicas
// hear of it with the commit, as of sessions. Those that had expired get no event.
func revoke(ctx context.Context, tx *change.Tx, where string, args ...any) (n int, err error) {
	var gone []*APIToken
	if err := tx.NewRaw("DELETE FROM task.api_tokens t WHERE "+where+" RETURNING "+listedColumns, args...).Scan(ctx, &gone); err != nil {
		return 0, fmt.Errorf("revoke API tokens: %w", err)
	}
	for _, t := range gone {
		if !t.ExpiresAt.After(tx.Now) {
			continue
		}
		if err := appendTokenAudit(tx, event.UserTokenRevoked, t); err != nil {
			return 0, err
		}
	}
	if len(gone) > 0 {
		tx.Queue("SELECT pg_notify('" + EndedChannel + "', '')")
	}
	return len(gone), nil
}

// appendTokenAudit appends the audit event of what became of an API token. Readers of the trail
// see the token after it was made, and before it was revoked.
func appendTokenAudit(tx *change.Tx, action string, t *APIToken) error {
	before, after := (*APIToken)(nil), t
	if action == event.UserTokenRevoked {
		before, after = t, nil
	}
	user := tx.Actor.UserID
	return tx.AppendAudit(user, event.AuditOf[any]{
		Frame:  event.Frame{Metadata: map[string]any{event.MetaToken: t.ID, event.MetaName: t.Name, event.MetaScopes: t.Scopes}},
		Action: action, Target: "user/" + user.String(), Before: before, After: after,
	})
}

// Listen hears of API tokens that have ended in other replicas, until ctx ends.
func (a *APITokens) Listen(ctx context.Context) error { return a.listen(ctx, a.ended, nil) }

// KeepUsed writes when API tokens were used, and deletes those that expired long ago, until
// ctx ends.
func (a *APITokens) KeepUsed(ctx context.Context) error { return a.keepUsed(ctx, a.ofUse()) }

func (a *APITokens) ofUse() ofUse {
	return ofUse{
		db: a.db, log: a.log, kind: "API tokens",
		update: `UPDATE task.api_tokens t SET last_used_at = u.at
			FROM (SELECT * FROM unnest(?0::uuid[], ?1::timestamptz[]) AS u (id, at) ORDER BY id) u
			WHERE t.id = u.id AND (t.last_used_at < u.at) IS NOT FALSE`,
		old: func() database.Old {
			return database.Old{Table: "task.api_tokens", Key: "id", Age: "expires_at", Before: a.changes.Now().Add(-tokenKept)}
		},
	}
}
