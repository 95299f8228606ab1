package account

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"database/sql"
	"encoding/base32"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
	"github.com/pquerna/otp/totp"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/taskapi"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
	"github.com/taskwire/taskwire/services/task-api/internal/refuse"
)

const (
	// codePeriod is how long a code of an application is shown, and codeDigits how long it
	// is: what all applications know. SHA-1 is, too; nothing is known against it in an HMAC.
	codePeriod = 30 * time.Second
	codeDigits = otp.DigitsSix
	// codeDrift is by how many periods the clock of a telephone may be off.
	codeDrift = 1
	// codeIssuer is how an application calls us.
	codeIssuer = "taskwire"

	// recoveryCodes is how many there are, of recoveryBytes random bytes each.
	recoveryCodes = 10
	recoveryBytes = 10
)

// TOTP is what an application needs to show codes.
type TOTP struct {
	Secret string // in base 32, for who types it
	URL    string // otpauth:, for a picture of it
}

// secondFactor is that of a user.
type secondFactor struct {
	bun.BaseModel `bun:"table:task.second_factors"`

	UserID      uuid.UUID  `bun:"user_id,pk"`
	Secret      string     `bun:"secret"`
	BegunAt     time.Time  `bun:"begun_at"`
	ConfirmedAt *time.Time `bun:"confirmed_at"`
	LastStep    int64      `bun:"last_step"`
}

// SecondFactor is what there is of an account's second factor. RecoveryCodesLeft is 0 where
// it is not confirmed.
type SecondFactor struct {
	Confirmed         bool
	RecoveryCodesLeft int
}

// SecondFactor reads what there is of the actor's.
func (s *Store) SecondFactor(ctx context.Context, actor access.Actor) (f SecondFactor, err error) {
	err = s.DB.NewRaw(`SELECT EXISTS (SELECT 1 FROM task.second_factors WHERE user_id = ?0 AND confirmed_at IS NOT NULL),
		(SELECT count(*) FROM task.recovery_codes WHERE user_id = ?0)`, actor.UserID).Scan(ctx, &f.Confirmed, &f.RecoveryCodesLeft)
	if err != nil {
		return f, fmt.Errorf("read the second factor: %w", err)
	}
	return f, nil
}

// BeginTOTP makes a secret for the actor's application. Nobody is asked for its codes until
// ConfirmTOTP has seen one; to begin again makes another.
func (s *Store) BeginTOTP(ctx context.Context, actor access.Actor) (TOTP, error) {
	if err := actor.SignedInRecently(s.Changes.Now()); err != nil {
		return TOTP{}, err
	}
	key, err := totp.Generate(totp.GenerateOpts{
		Issuer: codeIssuer, AccountName: actor.Email, Period: uint(codePeriod / time.Second), Digits: codeDigits, Algorithm: otp.AlgorithmSHA1,
	})
	if err != nil {
		return TOTP{}, fmt.Errorf("make a secret for codes: %w", err)
	}
	err = s.Changes.Do(ctx, actor, func(ctx context.Context, tx *change.Tx) error {
		// Not by way of an error: Postgres would write the secret into its log.
		done, err := wrote(tx.NewRaw(`INSERT INTO task.second_factors AS f (user_id, secret, begun_at) VALUES (?, ?, ?)
			ON CONFLICT (user_id) DO UPDATE SET (secret, begun_at) = (EXCLUDED.secret, EXCLUDED.begun_at) WHERE f.confirmed_at IS NULL`,
			actor.UserID, key.Secret(), tx.Now).Exec(ctx))
		if err != nil {
			return fmt.Errorf("keep the secret for codes: %w", err)
		}
		if !done {
			return hasSecondFactor()
		}
		return nil
	})
	return TOTP{Secret: key.Secret(), URL: key.URL()}, err
}

func hasSecondFactor() error {
	return refuse.Because(refuse.SecondFactorExists, "your account has a second factor; remove it first")
}

// ConfirmTOTP has sign-ins ask for a code from now on, once a code has shown that the
// actor's application has the secret. What it returns is kept nowhere: codes that sign in
// instead, each once.
func (s *Store) ConfirmTOTP(ctx context.Context, actor access.Actor, code string) (recovery []string, err error) {
	err = s.changeWaysIn(ctx, actor, func(ctx context.Context, tx *change.Tx, u *User) error {
		f, err := factorOf(ctx, tx, actor.UserID)
		switch {
		case err != nil:
			return err
		case f == nil:
			return refuse.Because(refuse.NotFound, "there is no second factor to confirm; begin with one")
		case f.ConfirmedAt != nil:
			return hasSecondFactor()
		}
		step, right, err := f.step(code, tx.Now)
		if err != nil {
			return err
		}
		if !right {
			return refuse.Part("code", "is not the code that your application shows now; see whether its clock is right")
		}
		if _, err := tx.NewRaw("UPDATE task.second_factors SET confirmed_at = ?, last_step = ? WHERE user_id = ?", tx.Now, step, actor.UserID).Exec(ctx); err != nil {
			return fmt.Errorf("confirm the second factor: %w", err)
		}
		var hashes [][]byte
		recovery, hashes = newRecoveryCodes()
		_, err = tx.NewRaw("INSERT INTO task.recovery_codes (user_id, hash) SELECT ?, unnest(?::bytea[])", actor.UserID, pgdialect.Array(hashes)).Exec(ctx)
		if err != nil {
			return fmt.Errorf("keep the recovery codes: %w", err)
		}
		if err := noticeOf(ctx, tx, taskapi.NoticeFactorAdded); err != nil {
			return err
		}
		return appendAudit(tx, event.UserSecondFactorAdded, u, nil, nil, nil)
	})
	return recovery, err
}

// RemoveTOTP has sign-ins ask the actor for no code any more, and forgets his recovery
// codes. Where there is no second factor, nothing happens.
func (s *Store) RemoveTOTP(ctx context.Context, actor access.Actor) error {
	return s.changeWaysIn(ctx, actor, func(ctx context.Context, tx *change.Tx, u *User) error {
		var confirmed []bool
		if err := tx.NewRaw("DELETE FROM task.second_factors WHERE user_id = ? RETURNING confirmed_at IS NOT NULL", actor.UserID).Scan(ctx, &confirmed); err != nil {
			return fmt.Errorf("remove the second factor: %w", err)
		}
		if _, err := tx.NewRaw("DELETE FROM task.recovery_codes WHERE user_id = ?", actor.UserID).Exec(ctx); err != nil {
			return fmt.Errorf("remove the recovery codes: %w", err)
		}
		if len(confirmed) == 0 || !confirmed[0] {
			return nil
		}
		if err := noticeOf(ctx, tx, taskapi.NoticeFactorRemoved); err != nil {
			return err
		}
		return appendAudit(tx, event.UserSecondFactorRemoved, u, nil, nil, nil)
	})
}

// HasSecondFactor says whether a user is asked for a code at a sign-in with his password.
func (s *Store) HasSecondFactor(ctx context.Context, user uuid.UUID) (bool, error) {
	f, err := factorOf(ctx, s.DB, user)
	return f != nil && f.ConfirmedAt != nil, err
}

// factorOf is the second factor of a user, confirmed or not; nil for none.
func factorOf(ctx context.Context, db bun.IDB, user uuid.UUID) (*secondFactor, error) {
	f := new(secondFactor)
	err := db.NewSelect().Model(f).Where("user_id = ?", user).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil //nolint:nilnil // most have none
	}
	if err != nil {
		return nil, fmt.Errorf("read the second factor: %w", err)
	}
	return f, nil
}

// step is the time step whose code it is, of those that are near enough and were not
// accepted yet.
func (f *secondFactor) step(code string, now time.Time) (step int64, right bool, err error) {
	at := now.Unix() / int64(codePeriod/time.Second)
	for near := at - codeDrift; near <= at+codeDrift; near++ {
		want, err := hotp.GenerateCodeCustom(f.Secret, uint64(near), hotp.ValidateOpts{Digits: codeDigits, Algorithm: otp.AlgorithmSHA1}) //nolint:gosec // it is after 1970
		if err != nil {
			return 0, false, errors.New("the stored secret of a second factor can not be read") // the library's error may have it
		}
		if subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 && near > f.LastStep {
			step, right = near, true
		}
	}
	return step, right, nil
}

func newRecoveryCodes() (codes []string, hashes [][]byte) {
	for range recoveryCodes {
		random := make([]byte, recoveryBytes)
		// rand.Read never fails: it ends the process where there is no randomness.
		_, _ = rand.Read(random)
		text := base32.StdEncoding.EncodeToString(random)
		var parts []string
		for ; text != ""; text = text[4:] {
			parts = append(parts, text[:4])
		}
		code := strings.Join(parts, "-")
		hash := sha256.Sum256([]byte(plainCode(code)))
		codes, hashes = append(codes, code), append(hashes, hash[:])
	}
	return codes, hashes
}

// plainCode is a code as it is compared: people type spaces, dashes and small letters.
func plainCode(code string) string {
	return strings.ToUpper(strings.NewReplacer(" ", "", "-", "").Replace(code))
}

// use accepts a code of the user's application or a recovery code in a change that lets
// him in, and not again: of two that come at once, in two replicas, one waits for the
// other. It returns what the audit trail says of it.
func (f *secondFactor) use(ctx context.Context, tx *change.Tx, code string) (right bool, said map[string]any, err error) {
	code = plainCode(code)
	if len(code) != codeDigits.Length() {
		return useRecovery(ctx, tx, f.UserID, code)
	}
	step, right, err := f.step(code, tx.Now)
	if err != nil || !right {
		return false, nil, err
	}
	right, err = wrote(tx.NewRaw("UPDATE task.second_factors SET last_step = ? WHERE user_id = ? AND secret = ? AND last_step < ?", step, f.UserID, f.Secret, step).Exec(ctx))
	if err != nil {
		return false, nil, fmt.Errorf("use a code: %w", err)
	}
	return right, nil, nil
}

func useRecovery(ctx context.Context, tx *change.Tx, user uuid.UUID, code string) (right bool, said map[string]any, err error) {
	hash := sha256.Sum256([]byte(code))
	right, err = wrote(tx.NewRaw("DELETE FROM task.recovery_codes WHERE user_id = ? AND hash = ?", user, hash[:]).Exec(ctx))
	if err != nil {
		return false, nil, fmt.Errorf("use a recovery code: %w", err)
	}
	if !right {
		return false, nil, nil
	}
	var left int
	if err := tx.NewRaw("SELECT count(*) FROM task.recovery_codes WHERE user_id = ?", user).Scan(ctx, &left); err != nil {
		return false, nil, fmt.Errorf("count the recovery codes: %w", err)
	}
	return true, map[string]any{event.MetaRecoveryCodesLeft: left}, nil
}

// openSessionByCode begins a session of a user who has shown his password, and shows a code now.
// Codes are few enough to be guessed: wrong ones are counted for the account, those of a
// device that has signed in before on their own.
func (a *Authenticator) openSessionByCode(ctx context.Context, from Stranger, u *User, f *secondFactor, code string) (opened *Opened, err error) {
	if code == "" {
		return nil, refuse.Because(refuse.SecondFactorRequired, "the password is right; send a code of your application, or a recovery code, with it")
	}
	attempts := counted{a.Limits.ForCodes(), "code of a stranger " + u.ID.String()}
	if from.knows(u) {
		attempts.key = "code of a device " + from.device.id
	}
	wait, first, err := a.Attempts.Count(ctx, attempts.limit, attempts.key)
	if err != nil {
		return nil, err
	}
	if wait > 0 {
		if first {
			a.Failed.Note(ctx, from.Origin, u.Email, reasonTooMany)
		}
		return nil, refuse.Until(wait, "too many wrong codes; wait before you try again, or use a device that has signed in before")
	}
	opened, err = a.Store.openSession(ctx, from, u, func(ctx context.Context, tx *change.Tx) (map[string]any, error) {
		right, said, err := f.use(ctx, tx, code)
		if err == nil && !right {
			err = errWrongCode
		}
		return said, err
	})
	if errors.Is(err, errWrongCode) {
		a.Failed.Note(ctx, from.Origin, u.Email, reasonCode)
	}
	if err != nil {
		return nil, err
	}
	return opened, a.Attempts.GiveBack(ctx, attempts.limit, attempts.key)
}

var errWrongCode = refuse.Because(refuse.WrongCode, "the code is wrong, or was used before; send the next one that your application shows")
