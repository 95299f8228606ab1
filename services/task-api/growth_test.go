package main

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What has been kept for long enough goes without anybody asking for it, of each table
// that has such: a worker of the service sees to it. What is young stays.
func TestWhatIsOldGoesByItself(t *testing.T) {
	first := start(t)
	u := first.newUser()
	for _, title := range []string{"long gone", "just gone"} {
		require.Equal(t, http.StatusNoContent, u.do(http.MethodDelete, at(u.create(object{"title": title}).ID), nil).status)
	}
	first.end()
	old, young := time.Now().AddDate(-3, 0, 0), time.Now().Add(time.Hour)
	_, err := first.db.NewRaw(`
		UPDATE task.trash SET deleted_at = ? WHERE title = 'long gone';
		DELETE FROM task.feed; DELETE FROM task.operations; DELETE FROM task.sessions`, old).Exec(t.Context())
	require.NoError(t, err)
	tables := map[string]string{ //nolint:gosec // parts of statements
		"trash":            "", // there are two already
		"idempotency_keys": "(user_id, key, request_hash, created_at) VALUES (gen_random_uuid(), 'k', '', ?)",
		"attempts":         "(key, since, until, count, previous, refused, admitted) VALUES (gen_random_uuid()::text, ?0, ?0, 1, 0, 0, true)",
		"operations":       "(user_id, request_id, recorded_at) VALUES (gen_random_uuid(), 'r', ?)",
		"cut_texts":        "(recorded_at, entity_id, version, before, after) VALUES (?, gen_random_uuid(), 1, '', '')",
		"ceremonies":       "(challenge, session, expires_at) VALUES (gen_random_uuid()::text, '{}', ?)",
		"account_mails":    "(id, kind, address, about, created_at) VALUES (gen_random_uuid(), 'reset', '', '{}', ?)",
		"api_tokens":       "(id, user_id, name, scopes, secret, created_at, expires_at) VALUES (gen_random_uuid(), gen_random_uuid(), '', '{}', gen_random_uuid()::text::bytea, ?0, ?0)",
		"sessions":         "(id, user_id, secret, device, ip, created_at, last_seen_at, expires_at) VALUES (gen_random_uuid(), gen_random_uuid(), gen_random_uuid()::text::bytea, '', '', ?0, ?0, ?0)",
		"feed":             "(list_id, kind, entity_id, changed, gone, at) VALUES (gen_random_uuid(), 'task', gen_random_uuid(), '3', true, ?)",
	}
	for table, row := range tables {
		for _, at := range []time.Time{old, young} {
			if row == "" {
				continue
			}
			_, err := first.db.NewRaw("INSERT INTO task."+table+" "+row, at).Exec(t.Context())
			require.NoError(t, err, table)
		}
	}
	s := start(t, "DATABASE_URL="+first.url)
	for table := range tables {
		eventually(t, table, func() bool {
			n, err := s.db.NewSelect().Table("task." + table).Count(t.Context())
			require.NoError(t, err)
			return n == 1
		})
	}
}
