package e2e

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/test/suite"
)

// willBeErased has the user ask to be erased, and its time come.
func (u *user) willBeErased() (id uuid.UUID) {
	u.t.Helper()
	must[any](u, http.StatusAccepted, http.MethodDelete, "/api/auth/me", nil)
	id = must[struct{ ID uuid.UUID }](u, http.StatusOK, http.MethodGet, "/api/auth/me", nil).ID
	u.s.execute(u.t, fmt.Sprintf("UPDATE task.users SET erase_at = now() WHERE id = '%s'", id))
	return id
}

// isErased has the user erased, as he asks for it and its time comes, everywhere.
func (u *user) isErased() {
	u.t.Helper()
	id := u.willBeErased()
	eventually(u.t, func() error {
		for _, schema := range []string{"audit", "recurring", "notification"} {
			if u.s.query(u.t, "SELECT count(*) FROM "+pgx.Identifier{schema, "erased"}.Sanitize()+" WHERE id = sha256(uuid_send($1::uuid)) AND done_at IS NOT NULL", id) == 0 {
				return errNotYet("the acknowledgement of " + schema)
			}
		}
		return nil
	})
}

// holding are the tables of the suite that have a text somewhere.
func (s world) holding(t *testing.T, text string) (found []string) {
	t.Helper()
	tables := s.column(t, `SELECT c.relnamespace::regnamespace || '.' || c.relname FROM pg_class c
		WHERE c.relnamespace::regnamespace::text IN ('task', 'audit', 'recurring', 'notification') AND c.relkind IN ('r', 'p') AND NOT c.relispartition`)
	require.Greater(t, len(tables), 30)
	conn, err := pgx.Connect(t.Context(), s.Database.OwnerURL)
	require.NoError(t, err)
	defer conn.Close(context.WithoutCancel(t.Context()))
	for table := range tables {
		where := "x::text ILIKE '%' || $1 || '%'"
		if strings.HasSuffix(table, ".dead_letters") {
			where += " OR encode(x.payload, 'escape') ILIKE '%' || $1 || '%'"
		}
		var there bool
		require.NoError(t, conn.QueryRow(t.Context(), "SELECT EXISTS (SELECT FROM "+table+" x WHERE "+where+")", text).Scan(&there)) // the name is out of the catalog
		if there {
			found = append(found, table)
		}
	}
	return found
}

// backup is one of now. It says whether it has a text somewhere, as it is or in bytes.
func (s world) backup(t *testing.T) (has func(text string) bool) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "dump.sql")
	s.dump(t, file)
	raw, err := os.ReadFile(file)
	require.NoError(t, err)
	backup := strings.ToLower(string(raw))
	require.Contains(t, backup, "copy task.events")
	return func(text string) bool {
		return strings.Contains(backup, strings.ToLower(text)) || strings.Contains(backup, hex.EncodeToString([]byte(text)))
	}
}

// onTopics are the topics that have a text somewhere.
func (s world) onTopics(t *testing.T, text string) (found []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for _, topic := range event.Topics {
		records, err := s.All(ctx, topic)
		require.NoError(t, err)
		if slices.ContainsFunc(records, func(r suite.Record) bool {
			return strings.Contains(strings.ToLower(string(r.Value)), strings.ToLower(text))
		}) {
			found = append(found, topic)
		}
	}
	return found
}

// Of somebody who is erased, who has used all that there is, no table of the suite, no
// backup from then on and no log of a process has his address, his name or what he has
// written for himself, nor has a topic what is published from then on; and what others have
// is whole.
func TestWhoIsErasedIsGoneEverywhere(t *testing.T) {
	u, bob := s.newUser(t, "UTC"), s.newUser(t, "UTC")
	const secret = "quittenbrot"
	name := "Zenobia " + uuid.NewString()[:8]
	type made struct{ ID uuid.UUID }
	id := must[made](u, http.StatusOK, http.MethodPatch, "/api/auth/me", object{"name": name}).ID
	must[any](u, http.StatusUnauthorized, http.MethodPost, "/api/auth/login", object{"email": u.Email, "password": "wrong wrong wrong"})
	lists := map[string]uuid.UUID{}
	for of, owner := range map[string]*user{"hers": u, "his": bob} {
		other := bob
		if owner == bob {
			other = u
		}
		lists[of] = must[made](owner, http.StatusCreated, http.MethodPost, "/api/lists", object{"name": map[string]string{"hers": secret, "his": "Garden"}[of]}).ID
		invitation := must[made](owner, http.StatusCreated, http.MethodPost, "/api/lists/"+lists[of].String()+"/members", object{"email": other.Email, "role": "editor"}).ID
		must[any](other, http.StatusOK, http.MethodPost, "/api/invitations/"+invitation.String()+"/accept", nil)
	}
	due := time.Now().Add(-time.Minute).UTC()
	for _, list := range []uuid.UUID{uuid.Nil, lists["hers"]} {
		task := object{
			"title": secret, "description": strings.Repeat(secret+" ", 1000), "due_at": due, "timezone": "UTC", "recurrence": object{"rrule": "FREQ=DAILY"},
			"reminders": []object{{"at": time.Now().UTC()}},
		}
		if list != uuid.Nil {
			task["list_id"] = list
		}
		series := u.create(task)
		u.delivered(1)
		u.complete(series)
		u.next(series)
		if list != uuid.Nil {
			must[any](bob, http.StatusCreated, http.MethodPost, "/api/tasks/"+series.ID.String()+"/comments", object{"text": "@" + u.Email + " what is this?"})
		}
	}
	hers := u.create(object{"title": "Water", "list_id": lists["his"], "assignee_id": id})
	his := bob.create(object{"title": "Mow", "list_id": lists["his"], "assignee_id": must[made](bob, http.StatusOK, http.MethodGet, "/api/auth/me", nil).ID})
	must[any](bob, http.StatusOK, http.MethodPatch, "/api/tasks/"+hers.ID.String(), object{"title": "Water more"})
	must[any](u, http.StatusCreated, http.MethodPost, "/api/tasks/"+his.ID.String()+"/comments", object{"text": secret + " @" + bob.Email})
	eventually(t, func() error { // Bob is told by her name
		if s.query(t, "SELECT count(*) FROM notification.notifications WHERE author ->> 'name' = $1", name) == 0 {
			return errNotYet("the notification of the comment")
		}
		return nil
	})
	poison, err := event.Encode(event.Header{
		ID: uuid.Must(uuid.NewV7()), Topic: event.TopicReminders, Type: event.ReminderDue, Subject: hers.ID.String(), Time: time.Now(), PartitionKey: hers.ID.String(), Sequence: 1,
	}, json.RawMessage(fmt.Sprintf(`{"event_type":"reminder.due","user_id":%q,"title":%q}`, id, secret)))
	require.NoError(t, err)
	require.NoError(t, s.Produce(t.Context(), event.TopicReminders, hers.ID.String(), poison))
	eventually(t, func() error {
		if !slices.Contains(s.holding(t, secret), "notification.dead_letters") {
			return errNotYet("the dead letter")
		}
		return nil
	})
	s.drained(t)

	must[any](u, http.StatusCreated, http.MethodPost, "/api/auth/tokens", object{"name": secret, "scopes": []string{"tasks:read"}})

	// All of it is in her export.
	a, err := u.Do(t.Context(), http.MethodPost, "/api/auth/export", nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, a.Status, "%s", a.Body)
	archive, err := zip.NewReader(bytes.NewReader(a.Body), int64(len(a.Body)))
	require.NoError(t, err)
	for _, f := range archive.File {
		if !slices.Contains([]string{"invitations.ndjson", "trash.ndjson", "passkeys.ndjson", "identities.ndjson"}, f.Name) {
			require.NotZero(t, f.UncompressedSize64, f.Name)
		}
	}
	history := bob.history(hers, 2)
	inBackup := s.backup(t)
	for _, text := range []string{u.Email, name, secret} {
		require.True(t, inBackup(text), text)
		require.NotEmpty(t, s.onTopics(t, text), text)
	}

	u.isErased()
	inBackup = s.backup(t)
	for _, text := range []string{u.Email, name, secret} {
		require.Empty(t, s.holding(t, text), text)
		require.False(t, inBackup(text), text)
		// It is the broker's to forget what was published before, as docs/operations.md says.
		require.NotEmpty(t, s.onTopics(t, text), text)
	}
	s.drained(t)
	for _, topic := range event.Topics {
		require.NoError(t, s.Expire(t.Context(), topic))
	}
	logs, err := filepath.Glob(filepath.Join(s.LogDir, "*.log"))
	require.NoError(t, err)
	require.NotEmpty(t, logs)
	for _, log := range logs {
		raw, err := os.ReadFile(log)
		require.NoError(t, err)
		for _, text := range []string{u.Email, name, secret} {
			require.NotContains(t, strings.ToLower(string(raw)), strings.ToLower(text), log)
		}
	}

	// What others have is whole, and so are the log and what came of it.
	require.Equal(t, "Water more", must[event.Task](bob, http.StatusOK, http.MethodGet, "/api/tasks/"+hers.ID.String(), nil).Title)
	must[any](bob, http.StatusNotFound, http.MethodGet, "/api/lists/"+lists["hers"].String(), nil)
	eventually(t, func() error { // of who has left, and whose the task was no more
		now := must[page[auditEntry]](bob, http.StatusOK, http.MethodGet, "/api/tasks/"+hers.ID.String()+"/history", nil).Items
		if len(now) < len(history) {
			return fmt.Errorf("%d entries of %d", len(now), len(history))
		}
		return nil
	})
	s.healthy(t)
	out, code := s.operate(t, "task-api", "replay", "--from", time.Now().Add(-10*time.Minute).Format(time.RFC3339))
	require.Zero(t, code, out)
	s.drained(t)
	require.NotEmpty(t, s.onTopics(t, hers.ID.String()), "it was published again")
	for _, text := range []string{u.Email, name, secret} {
		require.Empty(t, s.holding(t, text), text)
		require.Empty(t, s.onTopics(t, text), text)
	}
	require.Zero(t, s.query(t, "SELECT count(*) FROM audit.entries WHERE actor_id = $1 OR user_id = $1", id))
}
