package migrations_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/database/databasetest"
	"github.com/taskwire/taskwire/services/task-api/internal/account"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
	"github.com/taskwire/taskwire/services/task-api/internal/migrations"
)

// Nobody is signed out by what accounts have got since sessions (0028 and later), not where
// verified addresses are asked for either; nor is who signs in or registers at the version
// before meanwhile, which goes on to write as it did, by a role that knows nothing of it.
func TestWhoIsSignedInAtTheVersionBeforeStays(t *testing.T) {
	url := databasetest.New(t)
	ctx := t.Context()
	migrate := func(schema database.Schema) {
		require.NoError(t, database.Migrate(ctx, database.Migration{Schema: schema, OwnerURL: url, RuntimeURL: url, Log: slog.New(slog.DiscardHandler)}))
	}
	migrate(before(t, "0028"))
	db, err := database.Open(ctx, url)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	role := bun.Ident("older_" + uuid.NewString())
	for _, grant := range []string{"CREATE ROLE ?", "GRANT USAGE ON SCHEMA task TO ?", "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA task TO ?"} {
		_, err := db.ExecContext(ctx, grant, role)
		require.NoError(t, err)
	}
	asOlder := func(query string, args ...any) int64 {
		t.Helper()
		var n int64
		require.NoError(t, db.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
			if _, err := tx.ExecContext(ctx, "SET LOCAL ROLE ?", role); err != nil {
				return err
			}
			res, err := tx.ExecContext(ctx, query, args...)
			if err == nil {
				n, err = res.RowsAffected()
			}
			return err
		}))
		return n
	}
	// The statements of that version.
	register := func(id uuid.UUID) {
		asOlder(`INSERT INTO task.users (id, email, name, timezone, created_at, updated_at, password_hash) VALUES (?, ?, '', 'UTC', now(), now(), 'hash') ON CONFLICT DO NOTHING`, id, id.String()+"@example.org")
	}
	signIn := func(id uuid.UUID) (secret string) {
		sum := sha256.Sum256(id[:])
		secret = "tws_" + base64.RawURLEncoding.EncodeToString(sum[:])
		hash := sha256.Sum256([]byte(secret))
		asOlder(`INSERT INTO task.sessions (id, user_id, secret, device, ip, created_at, last_seen_at, expires_at) VALUES (?, ?, ?, 'x', '127.0.0.1', now(), now(), now() + interval '30 days')`, uuid.New(), id, hash[:])
		return secret
	}
	changePassword := func(id uuid.UUID) {
		require.Equal(t, int64(1), asOlder("UPDATE task.users SET password_hash = 'other', updated_at = now() WHERE id = ? AND password_hash = 'hash'", id))
	}
	first, second := uuid.New(), uuid.New()
	secrets := map[uuid.UUID]string{}
	register(first)
	secrets[first] = signIn(first)

	migrate(migrations.Schema)
	register(second)
	secrets[second] = signIn(second)
	for id := range secrets {
		changePassword(id)
		n := asOlder("SELECT s.id, s.user_id, u.email, s.expires_at FROM task.sessions s JOIN task.users u ON u.id = s.user_id WHERE s.expires_at > now() AND s.user_id = ?", id)
		require.Equal(t, int64(1), n, "signed in there")
	}
	sessions := account.NewSessions(db, &change.Writer{DB: db, Now: time.Now}, nil, slog.New(slog.DiscardHandler))
	sessions.VerifiedOnly = true
	for id, secret := range secrets {
		caller, err := sessions.ByCookie(ctx, secret)
		require.NoError(t, err)
		require.Equal(t, id, caller.UserID)
	}
	require.Equal(t, int64(2), asOlder("DELETE FROM task.sessions WHERE true RETURNING id"), "a logout there")
	for _, secret := range secrets {
		sessions := account.NewSessions(db, &change.Writer{DB: db, Now: time.Now}, nil, slog.New(slog.DiscardHandler))
		_, err := sessions.ByCookie(ctx, secret)
		require.Error(t, err)
	}
}
