package account

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/pquerna/otp/totp"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/database/databasetest"
	"github.com/taskwire/taskwire/pkg/eventlog"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
	"github.com/taskwire/taskwire/services/task-api/internal/migrations"
)

func TestACodeIsThatOfNowOrOfAPeriodBesideIt(t *testing.T) {
	const secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ" //nolint:gosec // that of RFC 6238
	now := time.Date(2026, 11, 1, 9, 0, 15, 0, time.UTC)
	step := now.Unix() / 30
	for name, c := range map[string]struct {
		of    time.Duration // from now
		last  int64         // the step that was accepted last, from now's
		right bool
	}{
		"of now":                            {0, -10, true},
		"of a clock that is late":           {-30 * time.Second, -10, true},
		"of a clock that is early":          {30 * time.Second, -10, true},
		"of a clock that is too late":       {-60 * time.Second, -10, false},
		"of a clock that is too early":      {60 * time.Second, -10, false},
		"that was accepted":                 {0, 0, false},
		"of before the last one":            {-30 * time.Second, 0, false},
		"of after the last one":             {30 * time.Second, 0, true},
		"of now, after one of an early one": {0, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			code, err := totp.GenerateCode(secret, now.Add(c.of))
			require.NoError(t, err)
			f := &secondFactor{Secret: secret, LastStep: step + c.last}
			got, right, err := f.step(code, now)
			require.NoError(t, err)
			require.Equal(t, c.right, right)
			if right {
				require.Equal(t, step+int64(c.of/codePeriod), got)
			}
		})
	}
}

// Two replicas may have looked at the same code before either has accepted it.
func TestACodeIsAcceptedOnceOfAllWhoHaveLookedAtIt(t *testing.T) {
	db, url := databasetest.Open(t, migrations.Schema)
	log, now := slog.New(slog.DiscardHandler), time.Date(2026, 11, 1, 9, 0, 0, 0, time.UTC)
	signal := func() *eventlog.Signal { return eventlog.NewSignal(url, "nobody", log) }
	users := &Store{DB: db, Changes: &change.Writer{DB: db, Events: signal(), Clock: signal(), Now: func() time.Time { return now }}}
	u := &User{ID: uuid.New(), Email: "ada@example.org", Timezone: "UTC"}
	_, err := users.Create(t.Context(), access.Origin{}, u)
	require.NoError(t, err)
	actor := access.Actor{UserID: u.ID, Email: u.Email, SignedInAt: now}
	made, err := users.BeginTOTP(t.Context(), actor)
	require.NoError(t, err)
	code := func() string {
		code, err := totp.GenerateCode(made.Secret, now)
		require.NoError(t, err)
		return code
	}
	recovery, err := users.ConfirmTOTP(t.Context(), actor, code())
	require.NoError(t, err)
	now = now.Add(time.Minute)
	looked, err := factorOf(t.Context(), db, u.ID)
	require.NoError(t, err)
	for _, code := range []string{code(), recovery[0]} {
		for _, first := range []bool{true, false} {
			require.NoError(t, users.Changes.Do(t.Context(), actor, func(ctx context.Context, tx *change.Tx) error {
				right, _, err := looked.use(ctx, tx, code)
				require.Equal(t, first, right)
				return err
			}))
		}
	}
	require.NoError(t, users.RemoveTOTP(t.Context(), actor))
	_, err = users.BeginTOTP(t.Context(), actor)
	require.NoError(t, err)
	now = now.Add(time.Minute)
	require.NoError(t, users.Changes.Do(t.Context(), actor, func(ctx context.Context, tx *change.Tx) error {
		right, _, err := looked.use(ctx, tx, code())
		require.False(t, right, "a secret that was removed meanwhile")
		return err
	}))
}

// RFC 6238, appendix B, of which the last six digits are those that are shown.
func TestACodeIsThatOfTheStandard(t *testing.T) {
	f := &secondFactor{Secret: "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"} //nolint:gosec // that of RFC 6238
	for at, code := range map[int64]string{59: "287082", 1111111109: "081804", 20000000000: "353130"} {
		_, right, err := f.step(code, time.Unix(at, 0))
		require.NoError(t, err)
		require.True(t, right, "%d", at)
	}
}
