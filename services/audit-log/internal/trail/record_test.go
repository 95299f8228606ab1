package trail_test

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/event"
)

func TestAnEntryHoldsTheContract(t *testing.T) {
	s := newService(t)
	ada, task, list := uuid.New(), uuid.New(), uuid.New()
	c := newChange(ada, task, "task.updated", time.Minute).in(list)
	s.keep(c)
	var p answered
	s.by(list).get(ada, "/api/audit", http.StatusOK, &p)
	require.Equal(t, []map[string]any{{
		"id": c.id.String(), "action": "task.updated", "task_id": task.String(), "list_id": list.String(),
		"actor": map[string]any{"user_id": ada.String(), "email": "ada@example.com"}, "target": "task/" + task.String(),
		"before": map[string]any{"title": "tea", "list_id": list.String()}, "after": map[string]any{"title": "coffee", "list_id": list.String()}, "changed": []any{"title"}, "truncated": []any{},
		"ip": "192.0.2.7", "user_agent": "curl/8", "request_id": "r-1", "trace_id": traceID, "at": "2027-01-04T09:59:00Z", "erased": false,
	}}, p.Items)
	require.Nil(t, p.NextCursor)

	var row struct {
		Sequence   string
		RecordedAt time.Time
	}
	require.NoError(t, s.db.NewRaw("SELECT sequence, recorded_at FROM audit.entries").Scan(context.Background(), &row))
	require.Len(t, row.Sequence, 19)
	require.True(t, now.Equal(row.RecordedAt))
}

func TestWhatDoesNotExistIsNull(t *testing.T) {
	s := newService(t)
	ada := uuid.New()
	c := newChange(ada, uuid.Nil, "user.registered", 0)
	c.data.Before, c.data.After, c.data.Changed = json.RawMessage("null"), nil, nil
	s.keep(c)
	var p answered
	s.get(ada, "/api/audit", http.StatusOK, &p)
	item := p.Items[0]
	for _, name := range []string{"task_id", "list_id", "before", "after"} {
		require.Contains(t, item, name)
		require.Nil(t, item[name])
	}
	require.Equal(t, []any{}, item["changed"])
}

func TestTextIsKeptAsItWasWritten(t *testing.T) {
	s := newService(t)
	ada := uuid.New()
	title := `\u0000 \\u0000 '"; DROP TABLE audit.entries; -- 🐈 ?0 %s` + "\n\u2028"
	state, err := json.Marshal(map[string]string{"title": title})
	require.NoError(t, err)
	c := newChange(ada, uuid.New(), "task.created", 0)
	c.data.Before, c.data.After, c.data.UserAgent, c.data.Changed = nil, state, title, []string{title, `a,b{}"`}
	s.keep(c)
	var p answered
	s.get(ada, "/api/audit", http.StatusOK, &p)
	require.Equal(t, map[string]any{"title": title}, p.Items[0]["after"])
	require.Equal(t, title, p.Items[0]["user_agent"])
	require.Equal(t, []any{title, `a,b{}"`}, p.Items[0]["changed"])
}

func TestEachChangeIsOneEntryThoughReplicasRaceAndEventsComeTwice(t *testing.T) {
	s := newService(t)
	ada := uuid.New()
	records := make([][]byte, 300)
	for i := range records {
		records[i] = newChange(ada, uuid.New(), "task.updated", 0).record(t)
	}
	var replicas sync.WaitGroup
	for range 3 {
		replica := s.replica()
		mine := append(append([][]byte{}, records...), records[:100]...)
		rand.Shuffle(len(mine), func(i, j int) { mine[i], mine[j] = mine[j], mine[i] })
		replicas.Go(func() {
			for len(mine) > 0 {
				n := min(len(mine), 1+rand.IntN(100))
				var again [][]byte
				for i, status := range s.deliver(replica, mine[:n]...) {
					if status != "SUCCESS" {
						again = append(again, mine[i])
					}
				}
				mine = append(mine[n:], again...)
			}
		})
	}
	replicas.Wait()
	require.Equal(t, 300, s.count("entries"))
	require.Zero(t, s.count("dead_letters"))
}

func TestAnEventThatCanNeverBeAnEntryIsADeadLetterAndBlocksNothing(t *testing.T) {
	s := newService(t)
	ada := uuid.New()
	existing := newChange(ada, uuid.New(), "task.created", 0)
	s.keep(existing)
	replaced := func(old, replacement string) func(*testing.T) []byte {
		return func(t *testing.T) []byte {
			raw := string(newChange(ada, uuid.New(), "task.updated", 0).record(t))
			require.Contains(t, raw, old)
			return []byte(strings.ReplaceAll(raw, old, replacement))
		}
	}
	with := func(modify func(*change)) func(*testing.T) []byte {
		return func(t *testing.T) []byte {
			c := newChange(ada, uuid.New(), "task.updated", 0)
			modify(&c)
			return c.record(t)
		}
	}
	for name, bad := range map[string]func(*testing.T) []byte{
		"an id that is no UUID":     replaced(`"id":"0`, `"id":"x`),
		"data that is no object":    replaced(`"data":{`, `"data":[1],"more":{`),
		"a user_id that is no UUID": replaced(`"user_id":"`+ada.String(), `"user_id":"7`),
		"a NUL in a state":          replaced(`"coffee"`, `"a\u0000b"`),
		"half a surrogate pair":     replaced(`"coffee"`, `"\ud83d"`),
		"a number out of range":     replaced(`"coffee"`, `1e999999`),
		"a state of extreme depth":  replaced(`"coffee"`, strings.Repeat("[", 20_000)+strings.Repeat("]", 20_000)),
		"no action":                 with(func(c *change) { c.data.Action = "" }),
		"an action of 200 bytes":    with(func(c *change) { c.data.Action = strings.Repeat("x", 200) }),
		"no owner":                  with(func(c *change) { c.data.UserID = uuid.Nil }),
		"a time before all times":   with(func(c *change) { c.at = time.Date(3, 1, 1, 0, 0, 0, 0, time.UTC) }),
		"another source's same id": func(t *testing.T) []byte {
			return []byte(strings.Replace(string(existing.record(t)), event.Source, "/elsewhere", 1))
		},
		"a reminder among the audit": replaced("audit-event/v1", "reminder-event/v1"),
	} {
		t.Run(name, func(t *testing.T) {
			entries, letters := s.count("entries"), s.count("dead_letters")
			poison, neighbour := bad(t), newChange(ada, uuid.New(), "task.updated", 0).record(t)
			for range 2 {
				require.Equal(t, []string{"SUCCESS", "SUCCESS"}, s.deliver(s.router, poison, neighbour))
			}
			require.Equal(t, entries+1, s.count("entries"), "the neighbour has its entry")
			require.Equal(t, letters+1, s.count("dead_letters"))
		})
	}
}

func TestAnEventWithoutItsOptionalTimeHappenedWhenItsDataSays(t *testing.T) {
	s := newService(t)
	ada := uuid.New()
	c := newChange(ada, uuid.New(), "task.updated", time.Hour)
	raw := string(c.record(t))
	bare := strings.Replace(raw, `"time":"2027-01-04T09:00:00Z",`, "", 1)
	require.NotEqual(t, raw, bare)
	require.Equal(t, []string{"SUCCESS"}, s.deliver(s.router, []byte(bare)))
	var p answered
	s.get(ada, "/api/audit", http.StatusOK, &p)
	require.Equal(t, "2027-01-04T09:00:00Z", p.Items[0]["at"])
}

func TestNobodyChangesAnEntry(t *testing.T) {
	s := newService(t)
	s.keep(newChange(uuid.New(), uuid.New(), "task.created", 0))
	ctx := context.Background()
	for _, statement := range []string{
		"UPDATE audit.entries SET action = 'x'",
		"DELETE FROM audit.entries",
		"TRUNCATE audit.entries",
		"INSERT INTO audit.entries SELECT * FROM audit.entries ON CONFLICT (id) DO UPDATE SET action = 'x'",
	} {
		_, err := s.db.ExecContext(ctx, statement)
		require.ErrorContains(t, err, "permission denied", "as the service: %s", statement)
		_, err = s.owner.ExecContext(ctx, statement)
		require.ErrorContains(t, err, "never changed or deleted", "as the owner: %s", statement)
		_, err = s.owner.ExecContext(ctx, "BEGIN; SET LOCAL session_replication_role = replica; "+statement+"; COMMIT")
		require.ErrorContains(t, err, "never changed or deleted", "as a replica: %s", statement)
	}
	for _, statement := range []string{
		"ALTER TABLE audit.entries DISABLE TRIGGER ALL",
		"DROP TABLE audit.entries",
		"DROP TRIGGER entries_stay ON audit.entries",
		"CREATE TABLE audit.more (id int)",
		"DELETE FROM audit.migrations",
	} {
		_, err := s.db.ExecContext(ctx, statement)
		require.Error(t, err, "as the service: %s", statement)
	}
	require.Equal(t, 1, s.count("entries WHERE action = 'task.created'"))

	// Beside the entries the service tidies up after itself.
	_, err := s.db.ExecContext(ctx, "DELETE FROM audit.inbox")
	require.NoError(t, err)
}

// What could not be kept as an entry is a trace as well.
func TestTheServiceTakesNoDeadLetterAway(t *testing.T) {
	s := newService(t)
	require.Equal(t, []string{"SUCCESS"}, s.deliver(s.router, []byte("no event")))
	for _, statement := range []string{
		"DELETE FROM audit.dead_letters", "TRUNCATE audit.dead_letters CASCADE", "UPDATE audit.dead_letters SET payload = ''",
		"UPDATE audit.dead_letters SET fingerprint = ''", "DELETE FROM audit.dead_letter_acts", "DELETE FROM audit.progress",
	} {
		_, err := s.db.ExecContext(t.Context(), statement)
		require.ErrorContains(t, err, "permission denied", statement)
	}
	require.Equal(t, 1, s.count("dead_letters"))
	// It resolves one, which is on record, and opens it again.
	_, err := s.db.ExecContext(t.Context(), "UPDATE audit.dead_letters SET resolved_at = now(), resolution = 'discarded'")
	require.NoError(t, err)
	require.Equal(t, []string{"SUCCESS"}, s.deliver(s.router, []byte("no event")))
	require.Equal(t, 1, s.count("dead_letters WHERE resolved_at IS NULL"))
}
