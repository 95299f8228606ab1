package deadletter_test

import (
	"bytes"
	"context"
	"encoding/json"
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
	"github.com/taskwire/taskwire/pkg/subscribe"
	"github.com/taskwire/taskwire/pkg/subscribe/deadletter"
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

// bury makes a letter of a record.
func (h *harness) bury(raw []byte) {
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
	err := deadletter.Run(h.t.Context(), h.events, &out, args)
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

	h.bury([]byte("\x00\xff\x1b[2J"))
	h.bury(taskEvent(t))
	h.bury(taskEvent(t))

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
	require.NoError(t, err)
	require.Contains(t, out, "3 letters would be replayed")
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
			h.bury(taskEvent(t))
			h.bury(taskEvent(t))
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
