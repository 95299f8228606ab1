package account

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"
	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/taskapi"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
	"github.com/taskwire/taskwire/services/task-api/internal/refuse"
)

const (
	// mostPasskeys is how many a user has at most.
	mostPasskeys = 20
	// ceremonyLife is how long a browser may take to answer.
	ceremonyLife = 5 * time.Minute
)

// Passkey is a key on a device of a user's, or in his keychain, that signs him in.
type Passkey struct {
	bun.BaseModel `bun:"table:task.passkeys" json:"-"`

	ID             uuid.UUID  `bun:"id,pk" json:"id" format:"uuid" doc:"The passkey"`
	UserID         uuid.UUID  `bun:"user_id" json:"-"`
	Name           string     `bun:"name" json:"name" doc:"As you call it"`
	Credential     []byte     `bun:"credential" json:"-"`
	PublicKey      []byte     `bun:"public_key" json:"-"`
	SignCount      int64      `bun:"sign_count" json:"-"`
	BackupEligible bool       `bun:"backup_eligible" json:"-"`
	BackedUp       bool       `bun:"backed_up" json:"backed_up" doc:"Whether it is in a keychain that several devices share"`
	Transports     []string   `bun:"transports,array" json:"-"`
	CreatedAt      time.Time  `bun:"created_at" json:"created_at" doc:"When it was added"`
	LastUsedAt     *time.Time `bun:"last_used_at" json:"last_used_at" doc:"When it signed you in last"`
}

// Passkeys sign users in by what their devices keep (WebAuthn). What a browser is asked to
// sign is kept until it has, once.
type Passkeys struct {
	authenticator *Authenticator
	relying       *webauthn.WebAuthn // nil where there can be none
	log           *slog.Logger
}

// NewPasskeys returns the passkeys of a suite that users reach at a URL, whose host they
// belong to for ever. Browsers make none for an address; this machine's is localhost.
func NewPasskeys(a *Authenticator, public url.URL, log *slog.Logger) (*Passkeys, error) {
	host := public.Hostname()
	if ip := net.ParseIP(host); ip != nil {
		if !ip.IsLoopback() {
			return &Passkeys{authenticator: a, log: log}, nil
		}
		host = "localhost"
	}
	origin := public.Scheme + "://" + host
	if port := public.Port(); port != "" {
		origin += ":" + port
	}
	life := webauthn.TimeoutConfig{Timeout: ceremonyLife, TimeoutUVD: ceremonyLife}
	relying, err := webauthn.New(&webauthn.Config{
		RPID: host, RPDisplayName: "taskwire", RPOrigins: []string{origin},
		AttestationPreference: protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			ResidentKey: protocol.ResidentKeyRequirementRequired, RequireResidentKey: protocol.ResidentKeyRequired(), UserVerification: protocol.VerificationPreferred,
		},
		// Some clients answer what nobody has asked for; nothing is made of it.
		ExtensionsUnsolicitedOutputPolicy: protocol.UnsolicitedOutputPolicyIgnore,
		Timeouts:                          webauthn.TimeoutsConfig{Login: life, Registration: life},
	})
	if err != nil {
		return nil, fmt.Errorf("passkeys for %s: %w", origin, err)
	}
	return &Passkeys{a, relying, log}, nil
}

// owner is a user as the library asks for him.
type owner struct {
	*User

	keys []*Passkey
}

// WebAuthnID is what devices know a user by.
func (o owner) WebAuthnID() []byte { return o.ID[:] }

// WebAuthnName is what devices show.
func (o owner) WebAuthnName() string { return o.Email }

// WebAuthnDisplayName is what devices show besides.
func (o owner) WebAuthnDisplayName() string {
	if o.Name == "" {
		return o.Email
	}
	return o.Name
}

// WebAuthnCredentials are the keys that there are.
func (o owner) WebAuthnCredentials() []webauthn.Credential {
	all := make([]webauthn.Credential, len(o.keys))
	for i, k := range o.keys {
		all[i] = webauthn.Credential{
			ID: k.Credential, PublicKey: k.PublicKey, Flags: webauthn.CredentialFlags{BackupEligible: k.BackupEligible, BackupState: k.BackedUp},
			Authenticator: webauthn.Authenticator{SignCount: uint32(k.SignCount)}, //nolint:gosec // it was one
		}
		for _, t := range k.Transports {
			all[i].Transport = append(all[i].Transport, protocol.AuthenticatorTransport(t))
		}
	}
	return all
}

// errNoPasskeys says that there can be none here.
var errNoPasskeys = refuse.Because(refuse.NotFound, "there are no passkeys here: they need a host name, which PUBLIC_URL does not have")

// BeginAdding is what the actor's browser is asked for, to make a key.
func (p *Passkeys) BeginAdding(ctx context.Context, actor access.Actor) (*protocol.PublicKeyCredentialCreationOptions, error) {
	store := p.authenticator.Store
	if err := actor.SignedInRecently(store.Changes.Now()); err != nil {
		return nil, err
	}
	if p.relying == nil {
		return nil, errNoPasskeys
	}
	u, err := store.Get(ctx, actor)
	if err != nil {
		return nil, err
	}
	keys, err := p.List(ctx, actor)
	if err != nil {
		return nil, err
	}
	if len(keys) >= mostPasskeys {
		return nil, tooManyPasskeys()
	}
	o := owner{u, keys}
	asked, session, err := p.relying.BeginRegistration(o, webauthn.WithExclusions(webauthn.Credentials(o.WebAuthnCredentials()).CredentialDescriptors()))
	if err != nil {
		return nil, fmt.Errorf("ask for a passkey: %w", err)
	}
	return &asked.Response, p.keep(ctx, session, &u.ID)
}

func tooManyPasskeys() error {
	return refuse.Because(refuse.LimitReached, fmt.Sprintf("an account has at most %d passkeys", mostPasskeys))
}

// keep keeps what an answer is held against.
func (p *Passkeys) keep(ctx context.Context, session *webauthn.SessionData, user *uuid.UUID) error {
	raw, err := json.Marshal(session)
	if err != nil {
		return fmt.Errorf("write what a passkey was asked for: %w", err)
	}
	_, err = p.authenticator.Store.DB.NewRaw("INSERT INTO task.ceremonies (challenge, user_id, session, expires_at) VALUES (?, ?, ?, ?)",
		session.Challenge, user, string(raw), p.authenticator.Store.Changes.Now().Add(ceremonyLife)).Exec(ctx)
	if err != nil {
		return fmt.Errorf("keep what a passkey was asked for: %w", err)
	}
	return nil
}

// take is what was asked for by a challenge; false where it was nothing, or was answered.
func (p *Passkeys) take(ctx context.Context, challenge string, user *uuid.UUID) (session webauthn.SessionData, ok bool, err error) {
	if !database.Storable(challenge) { // it is within what was signed, and so looked at by nobody before
		return session, false, nil
	}
	var raw []byte
	err = p.authenticator.Store.DB.NewRaw("DELETE FROM task.ceremonies WHERE challenge = ? AND user_id IS NOT DISTINCT FROM ? AND expires_at > ? RETURNING session",
		challenge, user, p.authenticator.Store.Changes.Now()).Scan(ctx, &raw)
	if errors.Is(err, sql.ErrNoRows) {
		return session, false, nil
	}
	if err != nil {
		return session, false, fmt.Errorf("look for what a passkey was asked for: %w", err)
	}
	if err := json.Unmarshal(raw, &session); err != nil {
		return session, false, fmt.Errorf("read what a passkey was asked for: %w", err)
	}
	return session, true, nil
}

// FinishAdding adds the key that the actor's browser has made. The answer is the JSON of
// its PublicKeyCredential.
func (p *Passkeys) FinishAdding(ctx context.Context, actor access.Actor, name string, answer []byte) (*Passkey, error) {
	store := p.authenticator.Store
	if err := actor.SignedInRecently(store.Changes.Now()); err != nil {
		return nil, err
	}
	if p.relying == nil {
		return nil, errNoPasskeys
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes(answer)
	if err != nil {
		return nil, refuse.Part("credential", "is not what PublicKeyCredential.toJSON() makes of a new passkey")
	}
	session, ok, err := p.take(ctx, parsed.Response.CollectedClientData.Challenge, &actor.UserID)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, refuse.Part("credential", "answers nothing that you were asked for in the last five minutes; begin again")
	}
	u, err := store.Get(ctx, actor)
	if err != nil {
		return nil, err
	}
	made, err := p.relying.CreateCredential(owner{User: u}, session, parsed)
	if err != nil {
		return nil, refuse.Part("credential", "is not what you were asked for: "+whyNot(err))
	}
	key := &Passkey{
		ID: uuid.Must(uuid.NewV7()), UserID: u.ID, Name: name, Credential: made.ID, PublicKey: made.PublicKey, SignCount: int64(made.Authenticator.SignCount),
		BackupEligible: made.Flags.BackupEligible, BackedUp: made.Flags.BackupState, Transports: []string{},
	}
	if key.Name == "" {
		key.Name = "Passkey"
	}
	for _, t := range made.Transport {
		if len(key.Transports) < 8 && len(t) <= 32 && database.Storable(string(t)) {
			key.Transports = append(key.Transports, string(t))
		}
	}
	return key, store.Changes.Do(ctx, actor, func(ctx context.Context, tx *change.Tx) error {
		if _, err := lockUser(ctx, tx, actor.UserID); err != nil {
			return err
		}
		var there int
		if err := tx.NewRaw("SELECT count(*) FROM task.passkeys WHERE user_id = ?", u.ID).Scan(ctx, &there); err != nil {
			return fmt.Errorf("count the passkeys: %w", err)
		}
		if there >= mostPasskeys {
			return tooManyPasskeys()
		}
		key.CreatedAt = tx.Now
		done, err := wrote(tx.NewInsert().Model(key).On("CONFLICT DO NOTHING").Returning("NULL").Exec(ctx))
		if err != nil {
			return fmt.Errorf("insert the passkey: %w", err)
		}
		if !done {
			return refuse.Part("credential", "is a passkey that there is already")
		}
		if err := noticeOf(ctx, tx, taskapi.NoticePasskeyAdded); err != nil {
			return err
		}
		return appendAudit(tx, event.UserPasskeyAdded, u, nil, nil, map[string]any{event.MetaPasskey: key.ID})
	})
}

// whyNot is what the library says of an answer: in its own words alone, without what was
// sent.
func whyNot(err error) string {
	var no *protocol.Error
	if errors.As(err, &no) {
		return no.Details
	}
	return "it does not verify"
}

// List reads the actor's passkeys, the oldest first.
func (p *Passkeys) List(ctx context.Context, actor access.Actor) ([]*Passkey, error) {
	return p.of(ctx, actor.UserID)
}

func (p *Passkeys) of(ctx context.Context, user uuid.UUID) ([]*Passkey, error) {
	found := []*Passkey{}
	err := p.authenticator.Store.DB.NewSelect().Model(&found).Where("user_id = ?", user).Order("created_at", "id").Limit(mostPasskeys).Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the passkeys: %w", err)
	}
	return found, nil
}

// Remove takes a passkey of the actor's away, unless it is the last way in which he can
// sign in.
func (p *Passkeys) Remove(ctx context.Context, actor access.Actor, id uuid.UUID) error {
	return p.authenticator.Store.removeWayIn(ctx, actor, "passkey", taskapi.NoticePasskeyRemoved, event.UserPasskeyRemoved,
		func(ctx context.Context, tx *change.Tx, u *User) (about map[string]any, err error) {
			var gone []uuid.UUID
			if err := tx.NewRaw("DELETE FROM task.passkeys WHERE user_id = ? AND id = ? RETURNING id", u.ID, id).Scan(ctx, &gone); err != nil {
				return nil, fmt.Errorf("remove the passkey: %w", err)
			}
			if len(gone) == 0 {
				return nil, nil
			}
			return map[string]any{event.MetaPasskey: id}, nil
		})
}

// BeginSignIn is what a browser is asked for, to sign somebody in; it says who that is. So
// many are kept of a network as passwords may be tried from there.
func (p *Passkeys) BeginSignIn(ctx context.Context, from Stranger) (*protocol.PublicKeyCredentialRequestOptions, error) {
	if p.relying == nil {
		return nil, errNoPasskeys
	}
	wait, _, err := p.authenticator.Attempts.Count(ctx, p.authenticator.Limits.ForNetwork(), "passkey "+from.network)
	if err != nil {
		return nil, err
	}
	if wait > 0 {
		return nil, tooManySignIns(wait)
	}
	asked, session, err := p.relying.BeginDiscoverableLogin()
	if err != nil {
		return nil, fmt.Errorf("ask for a signature: %w", err)
	}
	return &asked.Response, p.keep(ctx, session, nil)
}

var errWrongPasskey = refuse.Because(refuse.WrongPasskey, "this passkey signs nobody in here")

// FinishSignIn begins a session of the user whose passkey has signed. The answer is the
// JSON of the browser's PublicKeyCredential.
func (p *Passkeys) FinishSignIn(ctx context.Context, from Stranger, answer []byte) (*User, *Opened, error) {
	if p.relying == nil {
		return nil, nil, errNoPasskeys
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes(answer)
	if err != nil {
		return nil, nil, refuse.Part("credential", "is not what PublicKeyCredential.toJSON() makes of a signature")
	}
	session, ok, err := p.take(ctx, parsed.Response.CollectedClientData.Challenge, nil)
	if err != nil {
		return nil, nil, err
	}
	if !ok {
		return nil, nil, refuse.Because(refuse.SignInNotBegun, "this sign-in was not begun, was finished, or took longer than five minutes; begin again")
	}
	store := p.authenticator.Store
	key := new(Passkey)
	err = store.DB.NewSelect().Model(key).Where("credential = ?", parsed.RawID).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil, errWrongPasskey
	}
	if err != nil {
		return nil, nil, fmt.Errorf("look for the passkey: %w", err)
	}
	u, err := store.one(ctx, access.Condition{SQL: "id = ?", Args: []any{key.UserID}})
	if errors.Is(err, errNoUser) {
		return nil, nil, errWrongPasskey
	}
	if err != nil {
		return nil, nil, err
	}
	// The library refuses a key that is not backed up any more, or is now, where it never
	// was; keychains do that to the keys that they had before. It is signed like all else.
	key.BackupEligible = parsed.Response.AuthenticatorData.Flags.HasBackupEligible()
	_, used, err := p.relying.ValidatePasskeyLogin(func(_, _ []byte) (webauthn.User, error) { return owner{u, []*Passkey{key}}, nil }, session, parsed)
	switch {
	case err == nil && used.Authenticator.CloneWarning:
		err = errors.New("it has counted backwards")
	case err == nil:
		opened, err := p.openSession(ctx, from, u, key, used, parsed.Response.AuthenticatorData.Flags.HasUserVerified())
		return u, opened, err
	}
	p.log.DebugContext(ctx, "a passkey was refused", "error", err)
	p.authenticator.Failed.Note(ctx, from.Origin, u.Email, reasonPasskey)
	return nil, nil, errWrongPasskey
}

// openSession begins a session of a passkey's owner. One that has not asked who he is, by a
// finger or a number, is one factor alone.
func (p *Passkeys) openSession(ctx context.Context, from Stranger, u *User, key *Passkey, used *webauthn.Credential, verified bool) (*Opened, error) {
	store := p.authenticator.Store
	if err := p.authenticator.mayEnter(u); err != nil {
		return nil, err
	}
	if !verified {
		more, err := store.HasSecondFactor(ctx, u.ID)
		if err != nil {
			return nil, err
		}
		if more {
			return nil, refuse.Because(refuse.SecondFactorRequired, "your device has not asked who you are, and your account has a second factor: sign in with your password and a code")
		}
	}
	return store.openSession(ctx, from, u, func(ctx context.Context, tx *change.Tx) (map[string]any, error) {
		done, err := wrote(tx.NewRaw(`UPDATE task.passkeys SET sign_count = ?0, backup_eligible = ?1, backed_up = ?2, last_used_at = ?3
			WHERE id = ?4 AND (sign_count < ?0 OR sign_count = 0 AND ?0 = 0)`,
			used.Authenticator.SignCount, key.BackupEligible, used.Flags.BackupState, tx.Now, key.ID).Exec(ctx))
		if err != nil {
			return nil, fmt.Errorf("use the passkey: %w", err)
		}
		if !done {
			return nil, errWrongPasskey // it was removed, or has counted on, meanwhile
		}
		return map[string]any{event.MetaPasskey: key.ID}, nil
	})
}

// Forget deletes what no browser has answered, now and then, until ctx ends.
func (p *Passkeys) Forget(ctx context.Context) error {
	store := p.authenticator.Store
	return database.KeepPruned(ctx, store.DB, p.log, time.Minute, func() database.Old {
		return database.Old{Table: "task.ceremonies", Key: "challenge", Age: "expires_at", Before: store.Changes.Now()}
	})
}
