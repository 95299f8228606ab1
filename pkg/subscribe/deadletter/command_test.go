package deadletter

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/user"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/database/databasetest"
	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/progress"
	"github.com/taskwire/taskwire/pkg/subscribe"
)

func TestMain(m *testing.M) { os.Exit(databasetest.Main(m)) }

// harness is a consumer that refuses all events while mended is false.
type harness struct {
	t      *testing.T
	events *subscribe.Subscriber
	router chi.Router
	mended bool
}

func newHarness(t *testing.T) *harness {
	db, err := database.Open(t.Context(), databasetest.New(t))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	_, err = db.ExecContext(t.Context(), "CREATE SCHEMA consumer;"+fmt.Sprintf(subscribe.Tables, "consumer")+fmt.Sprintf(subscribe.Letters, "consumer")+fmt.Sprintf(subscribe.Progress, "consumer"))
	require.NoError(t, err)
	h := &harness{t: t, router: chi.NewRouter()}
	h.events = subscribe.New(subscribe.Options{DB: db, Schema: "consumer", AppAPIToken: "token", Log: slog.New(slog.DiscardHandler), Now: time.Now})
	h.events.InTx(event.TopicTasks, func(context.Context, bun.Tx, []subscribe.Event) error {
		if !h.mended {
			return subscribe.Poison(fmt.Errorf("not \x1b[2Jmended"))
		}
		return nil
	})
	h.events.Mount(h.router)
	return h
}

// deadLetter makes a letter of a record.
func (h *harness) deadLetter(raw []byte) {
	body, err := json.Marshal(map[string]any{"type": "com.dapr.event.sent", "data_base64": raw})
	require.NoError(h.t, err)
	req := httptest.NewRequest(http.MethodPost, "/events/"+event.TopicTasks, bytes.NewReader(body))
	req.Header.Set("dapr-api-token", "token")
	rec := httptest.NewRecorder()
	h.router.ServeHTTP(rec, req)
	require.Contains(h.t, rec.Body.String(), "SUCCESS")
}

func (h *harness) run(args ...string) (string, error) {
	var out bytes.Buffer
	c, err := parse(args)
	if err == nil {
		err = c.run(h.t.Context(), h.events, &out, progress.Silent)
	}
	return out.String(), err
}

func taskEvent(t *testing.T) []byte {
	raw, err := event.Encode(event.Header{
		ID: uuid.Must(uuid.NewV7()), Topic: event.TopicTasks, Type: event.TaskCreated, Subject: "s", Time: time.Now(), PartitionKey: "s", Sequence: 1,
	}, json.RawMessage(`{"event_type":"task.created"}`))
	require.NoError(t, err)
	return raw
}

func TestAnOperatorSeesToAllLetters(t *testing.T) {
	h := newHarness(t)
	out, err := h.run("list")
	require.NoError(t, err)
	require.Equal(t, "no dead letters\n", out)

	h.deadLetter([]byte("\x00\xff\x1b[2J"))
	h.deadLetter(taskEvent(t))
	h.deadLetter(taskEvent(t))

	out, err = h.run("list", "--limit", "2")
	require.NoError(t, err)
	require.Contains(t, out, "not ·[2Jmended", "a letter has no power over the terminal")
	require.Contains(t, out, "there are more: --after 2")
	out, err = h.run("list", "--after", "2")
	require.NoError(t, err)
	require.NotContains(t, out, "there are more")

	out, err = h.run("show", "2")
	require.NoError(t, err)
	require.Contains(t, out, `"event_type":"task.created"`)
	out, err = h.run("show", "1")
	require.NoError(t, err)
	require.Contains(t, out, "00 ff 1b 5b 32 4a", "what is no text is shown as numbers")
	out, err = h.run("show", "1", "--raw")
	require.NoError(t, err)
	require.Equal(t, "\x00\xff\x1b[2J", out)

	out, err = h.run("replay", "--all", "--dry-run")
	require.ErrorContains(t, err, "3 letters failed")
	require.Contains(t, out, "0 would be replayed, 3 failed")
	_, err = h.run("replay", "2", "--operator", "ada")
	require.ErrorContains(t, err, "1 letter failed")

	h.mended = true
	out, err = h.run("replay", "--all", "--topic", event.TopicTasks, "--operator", "ada")
	require.ErrorContains(t, err, "1 letter failed")
	require.Contains(t, out, "2 replayed, 1 failed")
	require.Contains(t, out, "1: not a CloudEvent")

	_, err = h.run("discard", "1")
	require.ErrorContains(t, err, "--reason")
	out, err = h.run("discard", "1", "2", "--reason", "a stranger's bytes", "--operator", "bob")
	require.ErrorContains(t, err, "1 letter failed")
	require.Contains(t, out, "1: discarded")
	require.Contains(t, out, "2: the dead letter is resolved already (replayed at ")

	out, err = h.run("list")
	require.NoError(t, err)
	require.Equal(t, "no dead letters\n", out)
	out, err = h.run("list", "--all")
	require.NoError(t, err)
	require.Contains(t, out, "discarded")
	out, err = h.run("show", "1")
	require.NoError(t, err)
	require.Contains(t, out, `discard: resolved by "bob" a stranger's bytes`)
}

func TestWhatCanNotBeMeantIsRefused(t *testing.T) {
	h := newHarness(t)
	for _, args := range [][]string{
		{}, {"lift"}, {"list", "1"}, {"list", "--limit", "0"}, {"show"}, {"show", "1", "2"}, {"show", "one"}, {"show", "7"},
		{"list", "--before", "yesterday"}, {"replay", "1", "--type", "t"}, {"discard", "1", "--before", "2027-01-01T00:00:00Z", "--reason", "x", "--operator", "ada"},
		{"discard", "1", "--all", "--reason", "x", "--operator", "ada"}, {"discard", "--all", "--operator", "ada"}, {"discard", "--dry-run"},
		{"replay"}, {"replay", "1", "--all"}, {"replay", "1", "--topic", "t"}, {"replay", "7", "--operator", "ada"}, {"discard", "--reason", "x", "--operator", "ada"},
		{"discard", "1", "--reason", " ", "--operator", "ada"}, {"list", "--raw"},
	} {
		t.Run(fmt.Sprint(args), func(t *testing.T) {
			_, err := h.run(args...)
			require.Error(t, err)
		})
	}
}

// In an image, where the account says nothing, it has to be given: the tests of
// the cluster see to that.
func TestWhoActsHasAName(t *testing.T) {
	me, err := user.Current()
	require.NoError(t, err)
	for name, c := range map[string]struct {
		operator []string
		fail     string
	}{
		"a name":            {[]string{"--operator", "Zoë <zoe@example.org>"}, ""},
		"the longest":       {[]string{"--operator", strings.Repeat("ö", 100)}, ""},
		"none":              {nil, ""},
		"an empty one":      {[]string{"--operator", ""}, "say who you are with --operator NAME"},
		"spaces":            {[]string{"--operator", "  "}, "say who you are with --operator NAME"},
		"space around":      {[]string{"--operator", " ada"}, "--operator must be a name"},
		"too long":          {[]string{"--operator", strings.Repeat("o", 101)}, "--operator must be a name"},
		"two lines":         {[]string{"--operator", "ada\nbob"}, "--operator must be a name"},
		"a terminal's code": {[]string{"--operator", "\x1b[2Jada"}, "--operator must be a name"},
		"a NUL":             {[]string{"--operator", "a\x00"}, "--operator must be a name"},
		"no UTF-8":          {[]string{"--operator", "a\xff"}, "--operator must be a name"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHarness(t)
			h.deadLetter(taskEvent(t))
			h.deadLetter(taskEvent(t))
			h.mended = true
			for _, args := range [][]string{{"replay", "1"}, {"replay", "--all"}, {"discard", "2", "--reason", "x"}} {
				_, err := h.run(append(args, c.operator...)...)
				if c.fail != "" {
					require.ErrorContains(t, err, c.fail, "%q", args)
				}
			}
			letters, err := h.events.Letters(t.Context(), subscribe.LetterFilter{All: true, Limit: 10})
			require.NoError(t, err)
			require.Len(t, letters, 2)
			for _, l := range letters {
				_, acts, err := h.events.Letter(t.Context(), l.ID)
				require.NoError(t, err)
				if c.fail != "" {
					require.Nil(t, l.ResolvedAt)
					require.Empty(t, acts)
					continue
				}
				require.Len(t, acts, 1)
				want := me.Username
				if c.operator != nil {
					want = c.operator[1]
				}
				require.Equal(t, want, acts[0].Operator)
			}
		})
	}
}

// What a dry run says of a letter is what then comes of it, and it changes nothing.
func TestADryRunTellsWhatWillBe(t *testing.T) {
	h := newHarness(t)
	handled := 0
	h.events.InTx(event.TopicTasks, func(ctx context.Context, tx bun.Tx, events []subscribe.Event) error {
		handled++
		if _, err := tx.ExecContext(ctx, "INSERT INTO consumer.effects VALUES (1)"); err != nil {
			return err
		}
		switch {
		case !h.mended:
			return subscribe.Poison(errors.New("not mended"))
		case strings.Contains(string(events[0].Data()), "unstorable"):
			_, err := tx.ExecContext(ctx, "SELECT 1/0")
			return err
		}
		return nil
	})
	_, err := h.events.DB.ExecContext(t.Context(), "CREATE TABLE consumer.effects (n int)")
	require.NoError(t, err)
	count := func(table string) (n int) {
		require.NoError(t, h.events.DB.NewRaw("SELECT count(*) FROM consumer."+table).Scan(t.Context(), &n))
		return n
	}

	good := taskEvent(t)
	h.deadLetter(good)
	h.deadLetter([]byte("no event"))
	h.deadLetter(bytes.Replace(taskEvent(t), []byte("task-event/v1"), []byte("task-event/v2"), 1))
	h.deadLetter(bytes.Replace(taskEvent(t), []byte(`"event_type"`), []byte(`"unstorable":1,"event_type"`), 1))
	known := taskEvent(t)
	h.deadLetter(known)
	id := string(known[bytes.Index(known, []byte(`"id":"`))+6:][:36])
	_, err = h.events.DB.ExecContext(t.Context(), "INSERT INTO consumer.inbox VALUES (?, ?, now())", event.Source, id)
	require.NoError(t, err)

	h.mended = true
	outlooks := map[string]string{
		"1": "would be handled", "2": "not a CloudEvent", "3": "another major version", "4": "division by zero", "5": "has had its effect, and would be resolved",
	}
	for id, want := range outlooks {
		said, err := h.run("replay", id, "--dry-run")
		require.Contains(t, said, id+": ")
		require.Contains(t, said, want)
		require.Equal(t, strings.HasPrefix(want, "would be") || strings.HasPrefix(want, "has had"), err == nil, "%s: %v", id, err)
	}
	said, err := h.run("replay", "--all", "--dry-run")
	require.ErrorContains(t, err, "3 letters failed")
	require.Contains(t, said, "2 would be replayed, 3 failed")
	require.Zero(t, count("effects"))
	require.Equal(t, 1, count("inbox"))
	require.Zero(t, count("dead_letter_acts"))

	said, err = h.run("replay", "--all", "--operator", "ada")
	require.ErrorContains(t, err, "3 letters failed")
	require.Contains(t, said, "2 replayed, 3 failed")
	require.Equal(t, 1, count("effects"))

	said, err = h.run("replay", "1", "--dry-run")
	require.ErrorContains(t, err, "1 letter failed")
	require.Contains(t, said, "1: the dead letter is resolved already (replayed at ")
}

// An effect outside the database is not tried: of it the dry run says what it knows.
func TestADryRunDoesNotTryWhatCanNotBeUndone(t *testing.T) {
	h := newHarness(t)
	h.deadLetter(taskEvent(t))
	h.deadLetter(bytes.Replace(taskEvent(t), []byte(`"event_type"`), []byte(`"bad":1,"event_type"`), 1))
	h.events.Idempotent(event.TopicTasks, func(context.Context, subscribe.Event) error {
		t.Error("it was tried")
		return nil
	})
	said, err := h.run("replay", "1", "--dry-run")
	require.NoError(t, err)
	require.Contains(t, said, "1: would be handed to its handler")
	h.events.Check(event.TopicTasks, func(e subscribe.Event) error {
		if strings.Contains(string(e.Data()), `"bad"`) {
			return errors.New("it is bad")
		}
		return nil
	})
	said, err = h.run("replay", "1", "2", "--dry-run")
	require.ErrorContains(t, err, "1 letter failed")
	require.Contains(t, said, "1: would be handed to its handler")
	require.Contains(t, said, "2: it is bad")
}

func TestLettersAreDiscardedInBulk(t *testing.T) {
	h := newHarness(t)
	const many = 3001
	_, err := h.events.DB.ExecContext(t.Context(), `
		INSERT INTO consumer.dead_letters (fingerprint, topic, key, event_id, source, type, reason, payload, metadata, received_at)
		SELECT sha256(n::text::bytea), 'task-events', 'k', n::text, 's', CASE WHEN n % 3 = 0 THEN 'stranger.came' ELSE 'task.created' END, 'r', '', '{}', '2027-01-01T00:00:00Z'::timestamptz + n * interval '1 s'
		FROM generate_series(1, ?) n`, many)
	require.NoError(t, err)
	open := func() (n int) {
		require.NoError(t, h.events.DB.NewRaw("SELECT count(*) FROM consumer.dead_letters WHERE resolved_at IS NULL").Scan(t.Context(), &n))
		return n
	}
	discard := func(more ...string) string {
		said, err := h.run(append([]string{"discard", "--all", "--reason", "a stranger's", "--operator", "ada"}, more...)...)
		require.NoError(t, err)
		return said
	}
	listed, err := h.run("list", "--type", "stranger.came", "--before", "2027-01-01T00:00:07Z")
	require.NoError(t, err)
	require.Equal(t, 2, strings.Count(listed, "stranger.came"))
	require.NotContains(t, listed, "task.created")

	require.Equal(t, "2 would be discarded\n", discard("--type", "stranger.came", "--before", "2027-01-01T00:00:07Z", "--dry-run"))
	require.Equal(t, many, open())
	require.Equal(t, "2 discarded\n", discard("--type", "stranger.came", "--before", "2027-01-01T00:00:07Z"))
	require.Equal(t, "0 discarded\n", discard("--topic", "audit-logs"))
	require.Equal(t, "998 discarded\n", discard("--type", "stranger.came"))
	said, err := h.run("discard", "1", "2", "--dry-run")
	require.NoError(t, err)
	require.Equal(t, "1: would be discarded\n2: would be discarded\n", said)
	require.Equal(t, "2001 discarded\n", discard())
	require.Zero(t, open())
	var acts, letters int
	require.NoError(t, h.events.DB.NewRaw(`SELECT count(*), count(DISTINCT dead_letter_id) FROM consumer.dead_letter_acts
		WHERE act = 'discard' AND outcome = 'resolved' AND operator = 'ada' AND reason = 'a stranger''s'`).Scan(t.Context(), &acts, &letters))
	require.Equal(t, many, acts)
	require.Equal(t, many, letters)
}

// Of many letters that fail only the first are named.
func TestABulkReplayIsQuiet(t *testing.T) {
	h := newHarness(t)
	for range 25 {
		h.deadLetter(taskEvent(t))
	}
	said, err := h.run("replay", "--all", "--operator", "ada")
	require.ErrorContains(t, err, "25 letters failed")
	require.Equal(t, 20, strings.Count(said, "mended"))
	require.Contains(t, said, "… and 5 more\n0 replayed, 25 failed\n")
	h.mended = true
	said, err = h.run("replay", "--all", "--operator", "ada")
	require.NoError(t, err)
	require.Equal(t, "25 replayed, 0 failed\n", said)
}
