package web

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// The command that makes somebody an operator is tried in e2e.
func TestTheOperatorsCorner(t *testing.T) {
	conn, err := pgx.Connect(t.Context(), s.Database.OwnerURL)
	require.NoError(t, err)
	defer conn.Close(t.Context())
	deadLetter := func(schema, payload string) (id int) {
		require.NoError(t, conn.QueryRow(t.Context(), "INSERT INTO "+schema+`.dead_letters (fingerprint, topic, key, event_id, source, type, reason, payload, metadata, received_at)
			VALUES (sha256(random()::text::bytea), 'task-events', '', '', '', 'test', 'a reason of its own', $1, '{}', now()) RETURNING id`, payload).Scan(&id))
		return id
	}
	c := newUser(t)
	plain := signIn(t, c)
	plain.visit("/#/operator")
	plain.see("heading", "Today")
	plain.gone("link", "Operator")

	me := ask[thing](t, c, http.MethodGet, "/api/auth/me", nil)
	_, err = conn.Exec(t.Context(), "UPDATE task.users SET operator = true WHERE id = $1", me.ID)
	require.NoError(t, err)
	first, second := deadLetter("notification", "{}"), deadLetter("audit", "{}")
	b := signIn(t, c)
	b.click("link", "Operator")
	b.see("heading", "Operator")
	b.see("rowheader", "task-events")
	b.reads("task-api publishes")
	b.reads("Last reconcile:")
	b.reads("a reason of its own")

	// What fails again says why, and stays.
	letter := fmt.Sprintf("notification, No. %d", first)
	b.click("button", "Replay: "+letter)
	b.see("dialog", "Replay: "+letter)
	b.click("button", "Replay")
	b.reads("It failed again, and stays open:")
	b.press("\x1b")
	b.gone("dialog", "Replay: "+letter)
	b.click("button", "Discard: "+letter)
	b.fill("textbox", "Reason", "a test")
	b.accessible("a dialog of the operator's corner")
	b.click("button", "Discard")
	b.gone("button", "Discard: "+letter)
	b.reads("Discarded.")
	b.eventually(func() error {
		if at := evaluate[string](b, `document.activeElement.innerText`); at != "Discarded." {
			return fmt.Errorf("what had the focus went with its letter, and now it is at %q", at)
		}
		return nil
	})

	// What somebody else does shows by itself.
	_, err = conn.Exec(t.Context(), "UPDATE audit.dead_letters SET resolved_at = now(), resolution = 'discarded' WHERE id = $1", second)
	require.NoError(t, err)
	b.gone("button", fmt.Sprintf("Discard: audit-log, No. %d", second))

	b.narrow()
	require.False(t, evaluate[bool](b, "document.documentElement.scrollWidth > innerWidth"), "it is not wider than a telephone")
	b.accessible("the operator's corner")
}
