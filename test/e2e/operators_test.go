package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/event"
)

// description is what the runner says of the services (run/suite.json), as far
// as an operator needs it.
type description struct {
	Services map[string]struct {
		AppToken    string `json:"app_token"`
		DaprToken   string `json:"dapr_token"`
		MetricsPort int    `json:"metrics_port"`
		Sidecar     struct {
			HTTPPort int `json:"http_port"`
			GRPCPort int `json:"grpc_port"`
		} `json:"sidecar"`
	} `json:"services"`
}

func (s world) described(t *testing.T) (d description) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(s.RunDir, "suite.json"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(raw, &d))
	return d
}

// operate runs a command of a service as an operator does: with the service's
// settings. It returns what the command answered and its exit code.
func (s world) operate(t *testing.T, service string, args ...string) (string, int) {
	t.Helper()
	return s.operateWith(t, "", []string{"MIGRATE_DATABASE_URL=" + s.Database.OwnerURL}, service, args...)
}

// operateWith runs a command with an input, and with more in its environment
// than the service has.
func (s world) operateWith(t *testing.T, input string, environment []string, service string, args ...string) (string, int) {
	t.Helper()
	own := s.described(t).Services[service]
	// The tests run in the folder of their package.
	binary, err := filepath.Abs(filepath.Join("..", "..", ".local", "bin", service))
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), binary, args...)
	cmd.Env = append(os.Environ(), "PORT=0", "DATABASE_URL="+s.Database.URLs[service],
		"APP_API_TOKEN="+own.AppToken, "DAPR_API_TOKEN="+own.DaprToken,
		fmt.Sprint("DAPR_HTTP_PORT=", own.Sidecar.HTTPPort), fmt.Sprint("DAPR_GRPC_PORT=", own.Sidecar.GRPCPort),
		"SMTP_URL=smtp://127.0.0.1:1", "MAIL_FROM=taskwire@example.org")
	cmd.Env = append(cmd.Env, environment...)
	var out, log bytes.Buffer
	cmd.Stdin = strings.NewReader(input)
	cmd.Stdout, cmd.Stderr = &out, &log
	err = cmd.Run()
	t.Logf("%s %s: %v\n%s%s", service, strings.Join(args, " "), err, &out, &log)
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), cmd.ProcessState.ExitCode()
}

func TestAnOperatorDiscardsWhatIsPoison(t *testing.T) {
	text := fmt.Sprintf(`{"poison": %d}`, time.Now().UnixNano())
	require.NoError(t, s.Produce(t.Context(), event.TopicAudit, "poison", []byte(text)))
	var id int
	eventually(t, func() error {
		if id = s.query(t, "SELECT coalesce(max(id), 0) FROM audit.dead_letters WHERE payload = $1", []byte(text)); id == 0 {
			return fmt.Errorf("it is no dead letter yet")
		}
		return nil
	})
	letter := fmt.Sprint(id)
	listed, code := s.operate(t, "audit-log", "dead-letters", "list", "--after", fmt.Sprint(id-1))
	require.Zero(t, code)
	require.Contains(t, listed, "not a CloudEvent")
	shown, code := s.operate(t, "audit-log", "dead-letters", "show", letter, "--raw")
	require.Zero(t, code)
	require.Equal(t, text, shown)
	_, code = s.operate(t, "audit-log", "dead-letters", "replay", letter, "--operator", "ada")
	require.Equal(t, 1, code, "it can not be handled now either")
	_, code = s.operate(t, "audit-log", "dead-letters", "discard", letter, "--operator", "ada", "--reason", "a test")
	require.Zero(t, code)
	said, code := s.operate(t, "audit-log", "dead-letters", "discard", letter, "--operator", "bob", "--reason", "too late")
	require.Equal(t, 1, code)
	require.Contains(t, said, "resolved already (discarded at ")

	require.Equal(t, 1, s.query(t, `SELECT count(*) FROM audit.dead_letter_acts
		WHERE dead_letter_id = $1 AND act = 'replay' AND outcome = 'failed' AND operator = 'ada' AND reason LIKE '%CloudEvent%'`, id))
	require.Equal(t, 1, s.query(t, `SELECT count(*) FROM audit.dead_letter_acts
		WHERE dead_letter_id = $1 AND act = 'discard' AND outcome = 'resolved' AND operator = 'ada' AND reason = 'a test'`, id))
	require.Equal(t, 2, s.query(t, "SELECT count(*) FROM audit.dead_letter_acts WHERE dead_letter_id = $1", id))

	// What was done stays on record: the services' own logins can not change it.
	for service, schema := range map[string]string{"audit-log": "audit", "recurring-task": "recurring", "notification": "notification"} {
		conn, err := pgx.Connect(t.Context(), s.Database.URLs[service])
		require.NoError(t, err)
		for _, sql := range []string{"DELETE FROM %s.dead_letter_acts", "UPDATE %s.dead_letter_acts SET reason = ''"} {
			_, err = conn.Exec(t.Context(), fmt.Sprintf(sql, schema))
			require.ErrorContains(t, err, "permission denied")
		}
		require.NoError(t, conn.Close(t.Context()))
	}
}

// healthy waits until the suite has nothing in flight and no gap, at one moment.
func (s world) healthy(t *testing.T) {
	t.Helper()
	eventually(t, func() error {
		if out, code := s.operate(t, "task-api", "reconcile", "--since", "1h"); code != 0 {
			return fmt.Errorf("%s", out)
		}
		return nil
	})
}

func TestEverythingReplayedDoublesNothing(t *testing.T) {
	u := s.newUser(t, "UTC")
	task := u.create(object{
		"title": "Water the plants", "due_at": time.Now().Add(-time.Minute).UTC(), "timezone": "UTC", "recurrence": object{"rrule": "FREQ=DAILY"},
		"reminders": []object{{"at": time.Now().UTC()}},
	})
	eventually(t, func() error {
		if n := s.query(t, "SELECT count(*) FROM notification.notifications WHERE task_id = $1", task.ID); n != 1 {
			return fmt.Errorf("%d notifications", n)
		}
		return nil
	})
	u.next(u.complete(task))
	s.healthy(t)

	effects := func() [4]int {
		return [4]int{
			s.query(t, "SELECT count(*) FROM audit.entries"), s.query(t, "SELECT count(*) FROM task.tasks"),
			s.query(t, "SELECT count(*) FROM notification.notifications"), s.query(t, "SELECT count(*) FROM notification.deliveries WHERE state = 'sent'"),
		}
	}
	// What has come to audit-log a second time.
	repeated := func() (n float64) {
		res, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/metrics", s.described(t).Services["audit-log"].MetricsPort))
		require.NoError(t, err)
		defer res.Body.Close()
		lines := bufio.NewScanner(res.Body)
		for lines.Scan() {
			name, value, _ := strings.Cut(lines.Text(), " ")
			if strings.HasPrefix(name, "taskwire_events_consumed_total") && strings.Contains(name, `outcome="duplicate"`) {
				v, err := strconv.ParseFloat(value, 64)
				require.NoError(t, err)
				n += v
			}
		}
		require.NoError(t, lines.Err())
		return n
	}
	from := time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)
	audited := float64(s.query(t, "SELECT count(*) FROM task.events WHERE topic = 'audit-logs' AND occurred_at >= $1", from))
	before, already := effects(), repeated()

	counted, code := s.operate(t, "task-api", "replay", "--from", from, "--dry-run")
	require.Zero(t, code)
	require.Contains(t, counted, "task.completed")
	said, code := s.operate(t, "task-api", "replay", "--from", from)
	require.Zero(t, code)
	require.Contains(t, said, "published again: ")
	eventually(t, func() error {
		if n := repeated() - already; n < audited {
			return fmt.Errorf("%v of %v audit events came again", n, audited)
		}
		return nil
	})
	s.healthy(t)
	require.Equal(t, before, effects())

	_, code = s.operate(t, "task-api", "replay", "--from", time.Now().AddDate(0, -2, 0).UTC().Format(time.RFC3339))
	require.Equal(t, 1, code, "consumers need not remember events as old as that")
}

// takeEntry takes the audit entry of a task away, whose event has come of age. The
// inbox remembers the event.
func (s world) takeEntry(t *testing.T, task event.Task) {
	t.Helper()
	s.execute(t, fmt.Sprintf(`BEGIN;
		UPDATE task.events SET occurred_at = occurred_at - interval '5 min' WHERE topic = 'audit-logs' AND key = '%[1]s';
		ALTER TABLE audit.entries DISABLE TRIGGER entries_stay;
		DELETE FROM audit.entries WHERE task_id = '%[1]s';
		ALTER TABLE audit.entries ENABLE ALWAYS TRIGGER entries_stay;
		COMMIT`, task.ID))
}

func TestReconcileFindsWhatWasTakenAndBringsItBack(t *testing.T) {
	leaveOut(t)
	u := s.newUser(t, "UTC")
	task := u.create(object{"title": "Soon without an entry"})
	u.history(task, 1)
	s.healthy(t)
	s.takeEntry(t, task)
	// The memory of the event is gone, too.
	s.execute(t, fmt.Sprintf("DELETE FROM audit.inbox WHERE id IN (SELECT id::text FROM task.events WHERE topic = 'audit-logs' AND key = '%s')", task.ID))
	out, code := s.operate(t, "task-api", "reconcile", "--since", "1h")
	require.Equal(t, 1, code)
	require.Contains(t, out, "not true: every audit event has its entry")
	require.Contains(t, out, "audit.task.created of "+task.ID.String())
	out, code = s.operate(t, "task-api", "reconcile", "--since", "1h", "--replay", "--dry-run")
	require.Equal(t, 1, code)
	require.Equal(t, 1, strings.Count(out, "would be published again"))
	// In the service's own container, the owner's login is not at hand.
	_, code = s.operateWith(t, "", nil, "task-api", "reconcile", "--since", "1h", "--login-stdin")
	require.Equal(t, 1, code, "there is no login")
	out, code = s.operateWith(t, s.Database.OwnerURL+"\n", nil, "task-api", "reconcile", "--since", "1h", "--replay", "--login-stdin")
	require.Equal(t, 1, code, "there was a gap")
	require.Contains(t, out, "published again: 1")
	u.history(task, 1)
	s.healthy(t)
}

// The memory of the event is still there: to publish it again would change nothing.
func TestReconcileClosesAGapThatTheConsumerDoesNotKnowOf(t *testing.T) {
	leaveOut(t)
	u := s.newUser(t, "UTC")
	task := u.create(object{"title": "Soon without an entry, too"})
	u.history(task, 1)
	s.healthy(t)
	s.takeEntry(t, task)
	out, code := s.operate(t, "task-api", "reconcile", "--since", "1h", "--replay")
	require.Equal(t, 1, code, "there was a gap")
	require.Contains(t, out, "which audit has for handled")
	require.Contains(t, out, "forgotten by audit: 1\npublished again: 1\n")
	u.history(task, 1)
	s.healthy(t)
}
