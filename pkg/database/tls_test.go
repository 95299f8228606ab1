package database_test

import (
	"context"
	"encoding/base64"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/certtest"
	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/database/databasetest"
)

// A server whose certificate no public authority has signed is trusted where the
// URL names the one that has (sslrootcert), and not otherwise.
func TestTheServersCertificateIsHeldAgainstTheNamedAuthority(t *testing.T) {
	if os.Getenv("TEST_DATABASE_URL") != "" {
		t.Skip("it gives the server a certificate, and this one is somebody else's")
	}
	plain := databasetest.New(t)
	certificate, key := certtest.SelfSigned(t, "127.0.0.1")
	stranger, _ := certtest.SelfSigned(t, "127.0.0.1")
	conn, err := pgx.Connect(t.Context(), plain)
	require.NoError(t, err)
	defer conn.Close(context.WithoutCancel(t.Context()))
	for _, sql := range []string{
		// The server's own account writes them, and is to own the key.
		"COPY (SELECT '" + base64.StdEncoding.EncodeToString(certificate) + "') TO PROGRAM 'base64 -d > server.crt'",
		"COPY (SELECT '" + base64.StdEncoding.EncodeToString(key) + "') TO PROGRAM 'umask 077; base64 -d > server.key'",
		"ALTER SYSTEM SET ssl = on",
		"SELECT pg_reload_conf()",
	} {
		_, err := conn.Exec(t.Context(), sql)
		require.NoError(t, err)
	}
	with := func(sslmode string, authority []byte) string {
		u, err := url.Parse(plain)
		require.NoError(t, err)
		query := url.Values{"sslmode": {sslmode}}
		if authority != nil {
			file := filepath.Join(t.TempDir(), "ca.crt")
			require.NoError(t, os.WriteFile(file, authority, 0o600))
			query.Set("sslrootcert", file)
		}
		u.RawQuery = query.Encode()
		return u.String()
	}
	// The server reads its settings again when it comes to it.
	require.Eventually(t, func() bool {
		db, err := database.Open(t.Context(), with("require", nil))
		return err == nil && db.Close() == nil
	}, 10*time.Second, 50*time.Millisecond)

	db, err := database.Open(t.Context(), with("verify-full", certificate))
	require.NoError(t, err)
	var encrypted bool
	require.NoError(t, db.QueryRowContext(t.Context(), "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").Scan(&encrypted))
	require.True(t, encrypted)
	require.NoError(t, db.Close())
	for _, authority := range [][]byte{stranger, nil} {
		_, err := database.Open(t.Context(), with("verify-full", authority))
		require.ErrorContains(t, err, "certificate signed by unknown authority")
	}
	_, err = database.Open(t.Context(), "postgres://localhost/taskwire?sslmode=verify-full&sslrootcert=/nowhere/ca.crt")
	require.ErrorContains(t, err, "/nowhere/ca.crt")
}
