package account

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/taskapi"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/accountmail"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
	"github.com/taskwire/taskwire/services/task-api/internal/refuse"
)

const (
	// mostIdentities is how many a user has at most.
	mostIdentities = 20
	// longestSubject is that of OpenID Connect Core 1.0, section 2, in bytes.
	longestSubject = 255
)

// Identity is who an OpenID provider says that a user is.
type Identity struct {
	bun.BaseModel `bun:"table:task.identities" json:"-"`

	ID        uuid.UUID `bun:"id,pk" json:"id" format:"uuid" doc:"The link"`
	UserID    uuid.UUID `bun:"user_id" json:"-"`
	Issuer    string    `bun:"issuer" json:"issuer" doc:"The provider's URL"`
	Subject   string    `bun:"subject" json:"-"`
	Email     string    `bun:"email" json:"email" doc:"What the provider called you by when it was linked; it may be empty"`
	CreatedAt time.Time `bun:"created_at" json:"created_at" doc:"When it was linked"`
}

// Claimed is what a provider says of somebody. Issuer and Subject are who he is; by the
// rest nobody is known.
type Claimed struct {
	Issuer, Subject string
	Email           string
	EmailVerified   bool
	Name            string
}

// names says whether it says who somebody is.
func (c Claimed) names() bool {
	return c.Subject != "" && len(c.Subject) <= longestSubject && database.Storable(c.Subject)
}

// identity is it as a link to an account.
func (c Claimed) identity(user uuid.UUID, now time.Time) *Identity {
	i := &Identity{ID: uuid.Must(uuid.NewV7()), UserID: user, Issuer: c.Issuer, Subject: c.Subject, CreatedAt: now}
	if accountmail.IsAddress(c.Email) && len(c.Email) <= longestEmail {
		i.Email = c.Email
	}
	return i
}

// longestEmail is that of an account, in bytes.
const longestEmail = 254

// owner is the user whom an identity is linked to.
func (s *Store) owner(ctx context.Context, c Claimed) (*User, error) {
	return s.one(ctx, access.Condition{SQL: "id = (SELECT i.user_id FROM task.identities i WHERE i.issuer = ? AND i.subject = ?)", Args: []any{c.Issuer, c.Subject}})
}

// CountElsewhere counts an answer of a provider against the network that it came through,
// and refuses beyond its limit; right ones are given back.
func (a *Authenticator) CountElsewhere(ctx context.Context, from Stranger) (giveBack func(context.Context) error, err error) {
	of := counted{a.Limits.ForNetwork(), from.network}
	if from.known {
		of = counted{a.Limits.ForDevice(), "device " + from.device.id}
	}
	wait, _, err := a.Attempts.Count(ctx, of.limit, of.key)
	if err != nil {
		return nil, err
	}
	if wait > 0 {
		return nil, tooManySignIns(wait)
	}
	return func(ctx context.Context) error { return a.Attempts.GiveBack(ctx, of.limit, of.key) }, nil
}

// SignInElsewhere begins a session of the user whom a provider has signed in. Whoever is
// not known yet gets an account, with the address that the provider has verified. He never
// gets one that is there: that somebody has registered an address, here or at the provider,
// does not show that he is who the other says. Its owner may link the two.
func (a *Authenticator) SignInElsewhere(ctx context.Context, from Stranger, c Claimed) (*User, *Opened, error) {
	if !c.names() {
		return nil, nil, refuse.Because(refuse.ProviderRefused, "the provider does not say who you are")
	}
	for again := false; ; again = true {
		u, err := a.Store.owner(ctx, c)
		switch {
		case err == nil:
			if err := a.mayEnter(u); err != nil {
				return nil, nil, err
			}
			opened, err := a.Store.openSession(ctx, from, u, func(context.Context, *change.Tx) (map[string]any, error) {
				return map[string]any{event.MetaIssuer: c.Issuer}, nil
			})
			return u, opened, err
		case !errors.Is(err, errNoUser):
			return nil, nil, err
		}
		u, opened, err := a.registerElsewhere(ctx, from, c)
		var no *refuse.Error
		if errors.As(err, &no) && no.Code == refuse.EmailTaken {
			if !again {
				continue // perhaps by himself, in another tab, a moment ago
			}
			return nil, nil, linkFirst()
		}
		return u, opened, err
	}
}

func linkFirst() error {
	return refuse.Because(refuse.LinkFirst, "your account at the provider is linked to none here, and no new one can be made of it: sign in with your password, and link the provider then")
}

// registerElsewhere makes an account of who is known to a provider alone. It has no
// password, until its owner sets one.
func (a *Authenticator) registerElsewhere(ctx context.Context, from Stranger, c Claimed) (*User, *Opened, error) {
	if !c.EmailVerified || len(c.Email) > longestEmail || !accountmail.IsAddress(c.Email) {
		return nil, nil, linkFirst()
	}
	switch _, err := a.Store.ByEmail(ctx, c.Email); {
	case err == nil:
		return nil, nil, refuse.Because(refuse.EmailTaken, "there is an account with this email address")
	case !errors.Is(err, errNoUser):
		return nil, nil, err
	}
	if err := a.mayRegister(ctx, c.Email); err != nil {
		return nil, nil, err
	}
	wait, _, err := a.Attempts.Count(ctx, a.Limits.ForRegistrations(), from.network)
	if err != nil {
		return nil, nil, err
	}
	if wait > 0 {
		return nil, nil, tooManyAccounts(wait)
	}
	id, err := uuid.NewV7()
	if err != nil {
		return nil, nil, err
	}
	none := noUserHash
	u := &User{ID: id, Email: c.Email, Name: shortened(c.Name), Timezone: "UTC", Verified: true, PasswordHash: &none}
	opened, err := a.Store.createWith(ctx, from.Origin, u, func(ctx context.Context, tx *change.Tx) (map[string]any, error) {
		return map[string]any{event.MetaIssuer: c.Issuer}, link(ctx, tx, u, c)
	})
	return u, opened, err
}

// longestName is that of an account, in characters.
const longestName = 200

func shortened(name string) string {
	if !database.Storable(name) {
		return ""
	}
	if runes := []rune(name); len(runes) > longestName {
		return string(runes[:longestName])
	}
	return name
}

// link has an identity be a user's, and refuses one that is somebody's.
func link(ctx context.Context, tx *change.Tx, u *User, c Claimed) error {
	done, err := wrote(tx.NewInsert().Model(c.identity(u.ID, tx.Now)).On("CONFLICT DO NOTHING").Returning("NULL").Exec(ctx))
	if err != nil {
		return fmt.Errorf("link the identity: %w", err)
	}
	if !done {
		return refuse.Because(refuse.IdentityTaken, "your account at the provider is linked to an account already")
	}
	return nil
}

// LinkIdentity links what a provider says of the actor to his account. Whose browser began
// with it had signed in recently then.
func (s *Store) LinkIdentity(ctx context.Context, actor access.Actor, c Claimed) error {
	if !c.names() {
		return refuse.Because(refuse.ProviderRefused, "the provider does not say who you are")
	}
	return s.Changes.Do(ctx, actor, func(ctx context.Context, tx *change.Tx) error {
		u, err := lockUser(ctx, tx, actor.UserID)
		if err != nil {
			return err
		}
		var there []Identity
		if err := tx.NewSelect().Model(&there).Where("user_id = ?", u.ID).Scan(ctx); err != nil {
			return fmt.Errorf("read the identities: %w", err)
		}
		for _, i := range there {
			if i.Issuer == c.Issuer && i.Subject == c.Subject {
				return nil
			}
		}
		if len(there) >= mostIdentities {
			return refuse.Because(refuse.LimitReached, fmt.Sprintf("an account has at most %d links to providers", mostIdentities))
		}
		if err := link(ctx, tx, u, c); err != nil {
			return err
		}
		if err := noticeOf(ctx, tx, taskapi.NoticeIdentityAdded); err != nil {
			return err
		}
		return appendAudit(tx, event.UserIdentityAdded, u, nil, nil, map[string]any{event.MetaIssuer: c.Issuer})
	})
}

// Identities reads the actor's, the oldest first.
func (s *Store) Identities(ctx context.Context, actor access.Actor) ([]*Identity, error) {
	found := []*Identity{}
	err := s.DB.NewSelect().Model(&found).Where("user_id = ?", actor.UserID).Order("created_at", "id").Limit(mostIdentities).Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the identities: %w", err)
	}
	return found, nil
}

// RemoveIdentity takes one of the actor's away, unless it is the last way in which he can
// sign in.
func (s *Store) RemoveIdentity(ctx context.Context, actor access.Actor, id uuid.UUID) error {
	return s.removeWayIn(ctx, actor, "link to a provider", taskapi.NoticeIdentityRemoved, event.UserIdentityRemoved,
		func(ctx context.Context, tx *change.Tx, u *User) (about map[string]any, err error) {
			var issuers []string
			if err := tx.NewRaw("DELETE FROM task.identities WHERE user_id = ? AND id = ? RETURNING issuer", u.ID, id).Scan(ctx, &issuers); err != nil {
				return nil, fmt.Errorf("remove the identity: %w", err)
			}
			if len(issuers) == 0 {
				return nil, nil
			}
			return map[string]any{event.MetaIssuer: issuers[0]}, nil
		})
}

// changeWaysIn changes by what the actor signs in, for which he has to have signed in
// recently. His row is locked.
func (s *Store) changeWaysIn(ctx context.Context, actor access.Actor, f func(ctx context.Context, tx *change.Tx, u *User) error) error {
	if err := actor.SignedInRecently(s.Changes.Now()); err != nil {
		return err
	}
	return s.Changes.Do(ctx, actor, func(ctx context.Context, tx *change.Tx) error {
		u, err := lockUser(ctx, tx, actor.UserID)
		if err != nil {
			return err
		}
		return f(ctx, tx, u)
	})
}

// removeWayIn takes away something that the actor can sign in by, unless it is the last. It
// is remove that deletes it, and returns what the audit trail says of it; nil for nothing
// there.
func (s *Store) removeWayIn(ctx context.Context, actor access.Actor, what, notice, action string, remove func(ctx context.Context, tx *change.Tx, u *User) (about map[string]any, err error)) error {
	return s.changeWaysIn(ctx, actor, func(ctx context.Context, tx *change.Tx, u *User) error {
		about, err := remove(ctx, tx, u)
		if err != nil {
			return err
		}
		if about == nil {
			return refuse.Missing(what)
		}
		if err := keepsAWayIn(ctx, tx, u); err != nil {
			return err
		}
		if err := noticeOf(ctx, tx, notice); err != nil {
			return err
		}
		return appendAudit(tx, action, u, nil, nil, about)
	})
}

// keepsAWayIn refuses a change after which a user, whose row it has locked, could not sign
// in any more.
func keepsAWayIn(ctx context.Context, tx *change.Tx, u *User) error {
	if u.hasPassword() {
		return nil
	}
	var others bool
	if err := tx.NewRaw("SELECT EXISTS (SELECT 1 FROM task.identities WHERE user_id = ?0) OR EXISTS (SELECT 1 FROM task.passkeys WHERE user_id = ?0)", u.ID).Scan(ctx, &others); err != nil {
		return fmt.Errorf("look for other ways to sign in: %w", err)
	}
	if !others {
		return refuse.Because(refuse.LastWayIn, "you could not sign in any more; set a password, link another provider or add a passkey first")
	}
	return nil
}
