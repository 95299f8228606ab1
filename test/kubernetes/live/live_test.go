package live

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var consumers = []string{"audit-log", "recurring-task", "notification"}

// The suite with all that it needs inside of the cluster.
func TestTheSuiteInACluster(t *testing.T) {
	applied(t, "../overlay", secrets(t, "local"))
	db := database{"taskwire"}
	mails := map[string]int{}
	t.Cleanup(func() {
		if t.Failed() {
			keepLogs(t)
		}
	})
	t.Run("the tour of the README passes", tour)
	t.Run("strangers reach the front door and nothing else", strangers)
	t.Run("sidecars speak mutual TLS", mutualTLS)
	t.Run("another app's identity is refused", identities)
	t.Run("an app that is none of the suite is refused everywhere", strangeApp)
	t.Run("a deleted pod loses and doubles nothing", func(t *testing.T) { deletedPods(t, db, mails) })
	t.Run("a restarted Deployment fails no request that one retry does not cure", func(t *testing.T) { restarts(t, db) })
	t.Run("a consumer that is scaled to zero and back loses nothing", func(t *testing.T) { scaled(t, db) })
	t.Run("all services can start while the broker is away", func(t *testing.T) { withoutBroker(t, db) })
	t.Run("sidecars that are told something else lose and double nothing", func(t *testing.T) { reloaded(t, db) })
	t.Run("reconcile finds no gap", reconciled)
	t.Run("an operator brings back what a consumer has lost", func(t *testing.T) { broughtBack(t, db) })
	t.Run("no mail came twice", func(t *testing.T) { mailsOnce(t, mails) })
	if !t.Failed() {
		removed(t, "taskwire")
	}
}

// keepLogs writes down what the pods say, for whoever looks after a failure.
func keepLogs(t *testing.T) {
	t.Helper()
	folder := filepath.Join(filepath.Dir(os.Getenv("TASKWIRE_CLUSTER")), "..", "..", "failed")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Log(err)
		return
	}
	for pod := range strings.FieldsSeq(of(t, "get", "pods", "-o", "jsonpath={.items[*].metadata.name}")) {
		out, err := kubectl(t, "-n", "taskwire", "logs", pod, "--all-containers", "--prefix")
		if err == nil {
			err = os.WriteFile(filepath.Join(folder, pod+".log"), []byte(out), 0o600)
		}
		if err != nil {
			t.Log(err)
		}
	}
	t.Log("the logs of the pods are kept in", folder)
}

// tour types the README's blocks into a shell, with the Service in place of the
// address on one machine. The mails are in another pod: what is asked of that
// block is the notification.
func tour(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	require.NoError(t, err)
	_, section, ok := strings.Cut(string(readme), "\n## Two minutes with curl\n")
	require.True(t, ok)
	section, _, _ = strings.Cut(section, "\n## ")
	section = strings.ReplaceAll(section, "http://127.0.0.1:8000", api(t))
	section = strings.ReplaceAll(section, "cat .local/mail/*.eml\n", "")
	blocks := regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(section, -1)
	shows := [][]string{
		{`"title":"Water the orchids"`, `"version":1`},
		{`"title":"Water the orchids"`, `"unread":1`},
		{`"is_complete":true`, `"version":2`},
		{`"action":"task.created"`, `"action":"task.completed"`},
		{`"status":"open","due_at":"2030-04-06T07:00:00Z"`, `"status":"done"`},
	}
	require.Len(t, blocks, len(shows))
	typed := ""
	for i, block := range blocks {
		// What follows from a request may take a moment: all up to here is typed
		// anew, by somebody new.
		typed += block[1] + "\n"
		eventually(t, func() error {
			script := strings.Replace(typed, "date +%s", "date +%s%N", 1)
			if i > 0 {
				// Between the blocks a person reads.
				script = strings.ReplaceAll(script, "\napi ", "\nsleep 1; api ")
			}
			out, err := exec.CommandContext(t.Context(), "bash", "-c", script).CombinedOutput()
			if err != nil {
				return fmt.Errorf("%w: %s", err, out)
			}
			for _, want := range shows[i] {
				if !strings.Contains(string(out), want) {
					return fmt.Errorf("no %s in: %s", want, out)
				}
			}
			return nil
		})
	}
}

// strangers are pods that are not of the suite: one within its namespace, one
// there whose own way out is open, so that what refuses it stands at the other
// end, and one of another namespace.
func strangers(t *testing.T) {
	part := func(name string) string { return ip(t, "taskwire", name) }
	door := part("task-api") + ":8000"
	tried := []string{
		part("audit-log") + ":8001", part("recurring-task") + ":8002", part("notification") + ":8003", // consumers
		"https:" + part("task-api") + ":50002", "https:" + part("audit-log") + ":50002", // sidecars, for other sidecars
		part("task-api") + ":3500", part("task-api") + ":50001", part("audit-log") + ":3500", // their APIs
		part("task-api") + ":9100", part("task-api") + ":9090", // metrics
		part("postgres") + ":5432", part("kafka") + ":9092", part("mail") + ":1025",
	}
	must(t, "create", "namespace", "strangers")
	t.Cleanup(func() { removed(t, "strangers") })
	_, err := kubectlWith(t, `{"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "stranger", "namespace": "taskwire"},
		"spec": {"podSelector": {"matchLabels": {"way-out": "open"}}, "policyTypes": ["Egress"], "egress": [{}]}}`, "create", "-f", "-")
	require.NoError(t, err)
	t.Cleanup(func() { of(t, "delete", "networkpolicy", "stranger") })
	for _, c := range []struct {
		who, namespace string
		labels         map[string]string
		leaves         bool
	}{
		{"in the suite's namespace", "taskwire", nil, false},
		{"in the suite's namespace, with a way out", "taskwire", map[string]string{"way-out": "open"}, true},
		{"in another namespace", "strangers", nil, true},
	} {
		out := strange(t, c.namespace, map[string]any{"labels": c.labels}, append([]string{door}, tried...))
		t.Logf("a stranger %s:\n%s", c.who, out)
		for _, address := range tried {
			require.Contains(t, out, address+" refused", c.who)
		}
		if c.leaves {
			require.Contains(t, out, door+" reached", "the front door: the attempts are real")
		}
	}
	// What the policies spare it, a sidecar's peer still has to prove: see mutualTLS.
}

// strange runs a stranger in a namespace and returns what it says. With
// metadata it may be more than any pod is.
func strange(t *testing.T, namespace string, metadata map[string]any, addresses []string) string {
	t.Helper()
	type object = map[string]any
	meta := object{"name": "stranger", "namespace": namespace}
	maps.Copy(meta, metadata)
	pod, err := json.Marshal(object{"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": object{
		"restartPolicy": "Never", "automountServiceAccountToken": false,
		"securityContext": object{"runAsNonRoot": true, "runAsUser": 65532, "seccompProfile": object{"type": "RuntimeDefault"}},
		"containers": []object{{
			"name": "stranger", "image": "local.test/stranger:dev", "args": addresses,
			"securityContext": object{"allowPrivilegeEscalation": false, "capabilities": object{"drop": []string{"ALL"}}},
		}},
	}})
	require.NoError(t, err)
	_, err = kubectlWith(t, string(pod), "create", "-f", "-")
	require.NoError(t, err)
	in(t, namespace, "wait", "pod/stranger", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=120s")
	out := in(t, namespace, "logs", "stranger", "-c", "stranger")
	in(t, namespace, "delete", "pod", "stranger", "--now")
	return out
}

// mutualTLS speaks to a sidecar's port for other sidecars from the node, which
// no network policy keeps out.
func mutualTLS(t *testing.T) {
	address := net.JoinHostPort(ip(t, "taskwire", "task-api"), "50002")
	dialer := &net.Dialer{Timeout: 5 * time.Second}

	plain, err := dialer.DialContext(t.Context(), "tcp", address)
	require.NoError(t, err, "the port is there")
	defer plain.Close()
	require.NoError(t, plain.SetDeadline(time.Now().Add(10*time.Second)))
	_, err = io.WriteString(plain, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
	require.NoError(t, err)
	answer, err := io.ReadAll(plain)
	require.NotContains(t, string(answer), "\x00\x00\x06\x04", "no HTTP/2 without TLS (%v)", err)
	t.Logf("without TLS: %d bytes, then %v", len(answer), errors.Join(err))

	var seen string
	conn, err := dialer.DialContext(t.Context(), "tcp", address)
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	client := tls.Client(conn, &tls.Config{
		InsecureSkipVerify: true, NextProtos: []string{"h2"}, //nolint:gosec // what the server shows is looked at below
		VerifyConnection: func(state tls.ConnectionState) error {
			for _, id := range state.PeerCertificates[0].URIs {
				seen = id.String()
			}
			return nil
		},
	})
	err = client.HandshakeContext(t.Context())
	if err == nil {
		_, err = client.Read(make([]byte, 1))
	}
	require.Error(t, err, "who shows no certificate is refused")
	require.Equal(t, "spiffe://taskwire/ns/taskwire/task-api", seen)
	t.Logf("without a certificate: %v; the sidecar's own is %s", err, seen)
}

// invoke has the sidecar of an app call another app's route, as the app itself
// would.
func invoke(t *testing.T, from, method, app, path string) (status int, body string) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	pod := of(t, "get", "pods", "-l", "app.kubernetes.io/name="+from, "--field-selector=status.phase=Running", "-o", "jsonpath={.items[0].metadata.name}")
	forward := exec.CommandContext(ctx, "kubectl", "--kubeconfig", os.Getenv("TASKWIRE_CLUSTER"), "-n", "taskwire", "port-forward", "pod/"+pod, ":3500")
	out, err := forward.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, forward.Start())
	defer func() { stop(); _ = forward.Wait() }() // killed: an exit status means nothing
	line := make([]byte, 256)
	n, err := out.Read(line)
	require.NoError(t, err)
	port := regexp.MustCompile(`127.0.0.1:(\d+)`).FindSubmatch(line[:n])
	require.NotNil(t, port, "%s", line[:n])
	req, err := http.NewRequestWithContext(ctx, method, fmt.Sprintf("http://127.0.0.1:%s/v1.0/invoke/%s/method/%s", port[1], app, path), strings.NewReader("{}"))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("dapr-api-token", secret(t, from+"-dapr-token", "token"))
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res.StatusCode, string(raw)
}

func identities(t *testing.T) {
	for _, c := range []struct {
		from, method, app, path string
		allowed                 bool
	}{
		{"recurring-task", http.MethodPost, "task-api", "internal/occurrences", true},
		{"audit-log", http.MethodPost, "task-api", "internal/occurrences", false},
		{"notification", http.MethodPost, "task-api", "internal/occurrences", false},
		{"notification", http.MethodPost, "task-api", "internal/reminders/check", true},
		{"recurring-task", http.MethodPost, "task-api", "internal/reminders/check", false},
		{"task-api", http.MethodGet, "audit-log", "api/audit", true},
		{"notification", http.MethodGet, "audit-log", "api/audit", false},
		{"task-api", http.MethodPost, "audit-log", "events/audit-logs", false},
		{"recurring-task", http.MethodGet, "task-api", "api/tasks", false},
	} {
		status, body := invoke(t, c.from, c.method, c.app, c.path)
		t.Logf("%s calls %s %s of %s: %d", c.from, c.method, c.path, c.app, status)
		denied := status == http.StatusForbidden && strings.Contains(body, "ERR_DIRECT_INVOKE")
		require.Equal(t, c.allowed, !denied, "%d %s", status, body)
	}
}

// strangeApp is the most that somebody can be who may make pods in the
// namespace, short of taking the app id of a service: the network policies take
// it for one of the suite, its sidecar has a certificate of the suite's trust
// domain, and only its name is not that of a service.
func strangeApp(t *testing.T) {
	calls := []string{
		"invoke:task-api/internal/occurrences", "invoke:task-api/internal/reminders/check", "invoke:audit-log/api/audit",
		"invoke:audit-log/events/audit-logs", "invoke:notification/events/reminders", "invoke:recurring-task/events/task-events",
	}
	out := strange(t, "taskwire", map[string]any{
		"labels": map[string]string{"app.kubernetes.io/part-of": "taskwire", "app.kubernetes.io/component": "service"},
		"annotations": map[string]string{
			"dapr.io/enabled": "true", "dapr.io/app-id": "stranger", "dapr.io/config": "recurring-task",
			"dapr.io/enable-native-sidecar": "true", "dapr.io/disable-builtin-k8s-secret-store": "true",
			"dapr.io/placement-host-address": "", "dapr.io/scheduler-host-address": "",
		},
	}, calls)
	t.Logf("a stranger with a sidecar:\n%s", out)
	for _, call := range calls {
		require.Contains(t, out, call+" answered 403 ")
	}
}

// deletedPods deletes each pod of the namespace in turn.
func deletedPods(t *testing.T, db database, mails map[string]int) {
	for _, part := range []string{"audit-log", "recurring-task", "notification", "task-api", "kafka", "mail", "postgres"} {
		t.Run(part, func(t *testing.T) {
			l := underLoad(t, func() {
				if part == "mail" {
					took(t, mails) // its log goes with it
				}
				of(t, "delete", "pod", "-l", "app.kubernetes.io/name="+part)
				rolledOut(t, "taskwire")
			})
			l.holds(t, db)
		})
	}
}

// restarts replaces the pods of each Deployment, as a new version does.
func restarts(t *testing.T, db database) {
	for _, name := range append([]string{"task-api"}, consumers...) {
		t.Run(name, func(t *testing.T) {
			l := underLoad(t, func() {
				restarted(t, "deployment/"+name)
			})
			require.Empty(t, l.uncured)
			l.holds(t, db)
		})
	}
}

// restarted replaces the pods of Deployments, and waits until the old ones have
// gone: it is their end that a request could fail at.
func restarted(t *testing.T, what string) {
	t.Helper()
	old := strings.Fields(of(t, "get", "pods", "-l", "app.kubernetes.io/part-of=taskwire,pod-template-hash", "-o", "jsonpath={.items[*].metadata.name}"))
	of(t, "rollout", "restart", what)
	rolledOut(t, "taskwire")
	for _, pod := range old {
		if what == "deployment" || strings.HasPrefix("deployment/"+pod, what+"-") {
			of(t, "wait", "pod/"+pod, "--for=delete", "--timeout=120s")
		}
	}
}

func scaled(t *testing.T, db database) {
	for _, name := range consumers {
		t.Run(name, func(t *testing.T) {
			l := underLoad(t, func() {
				of(t, "scale", "deployment/"+name, "--replicas=0")
				of(t, "wait", "pod", "-l", "app.kubernetes.io/name="+name, "--for=delete", "--timeout=120s")
				missed := db.query(t, "SELECT count(*) FROM task.events")
				eventually(t, func() error {
					if now := db.query(t, "SELECT count(*) FROM task.events"); now < missed+5*rate {
						return fmt.Errorf("%d events it has missed", now-missed)
					}
					return nil
				})
				of(t, "scale", "deployment/"+name, "--replicas=1")
				rolledOut(t, "taskwire")
			})
			require.Empty(t, l.uncured)
			l.holds(t, db)
		})
	}
}

// withoutBroker replaces every pod of the services while the broker is away.
func withoutBroker(t *testing.T, db database) {
	l := underLoad(t, func() {
		of(t, "scale", "statefulset/kafka", "--replicas=0")
		of(t, "wait", "pod/kafka-0", "--for=delete", "--timeout=120s")
		restarted(t, "deployment")
		// Ready by themselves, the consumers answer as well.
		for _, path := range []string{"/api/audit", "/api/notifications"} {
			a, err := user(t).Do(t.Context(), http.MethodGet, path, nil)
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, a.Status, "%s: %s", path, a.Body)
		}
		a, err := user(t).Do(t.Context(), http.MethodGet, "/readyz", nil)
		require.NoError(t, err)
		require.Contains(t, string(a.Body), "degraded")
		of(t, "scale", "statefulset/kafka", "--replicas=1")
		rolledOut(t, "taskwire")
	})
	require.Empty(t, l.uncured)
	l.holds(t, db)
}

// reloaded changes what the sidecars are told, which all of them take up at once:
// a component without a restart, a policy by one within the process.
func reloaded(t *testing.T, db database) {
	l := underLoad(t, func() {
		since := time.Now().UTC().Format(time.RFC3339)
		of(t, "patch", "component", "pubsub", "--type=json", "-p",
			`[{"op": "add", "path": "/spec/metadata/-", "value": {"name": "channelBufferSize", "value": "128"}}]`)
		said(t, since, "Closing existing Component to reload: pubsub", "Component loaded: pubsub")
		since = time.Now().UTC().Format(time.RFC3339)
		of(t, "patch", "resiliency", "taskwire", "--type=merge", "-p", `{"spec": {"policies": {"timeouts": {"publish": "9s"}}}}`)
		said(t, since, "triggering SIGHUP reload", "dapr initialized. Status: Running")
	})
	require.Empty(t, l.uncured)
	l.holds(t, db)
}

// said waits until the sidecar of every service has said first and then second.
func said(t *testing.T, since, first, second string) {
	t.Helper()
	eventually(t, func() error {
		for _, app := range append([]string{"task-api"}, consumers...) {
			log, err := kubectl(t, "-n", "taskwire", "logs", "deployment/"+app, "-c", "daprd", "--since-time="+since)
			if err != nil {
				return err
			}
			if _, after, _ := strings.Cut(log, first); !strings.Contains(after, second) {
				return fmt.Errorf("the sidecar of %s has not said %q after %q", app, second, first)
			}
		}
		return nil
	})
}

// reconciled runs the nightly job now.
func reconciled(t *testing.T) {
	of(t, "create", "job", "now", "--from=cronjob/reconcile")
	var failed error
	eventually(t, func() error {
		status := of(t, "get", "job", "now", "-o", "jsonpath={.status.succeeded} {.status.failed}")
		switch strings.TrimSpace(status) {
		case "1":
			return nil
		case "":
			return errors.New("the job is not done")
		}
		failed = errors.New("the job failed")
		return nil
	})
	t.Log("\n" + of(t, "logs", "job/now"))
	require.NoError(t, failed)
}

// broughtBack takes an audit entry away, and has it published again as
// docs/operations.md says.
func broughtBack(t *testing.T, db database) {
	conn, err := db.connect(t)
	require.NoError(t, err)
	defer conn.Close(context.WithoutCancel(t.Context()))
	_, err = conn.Exec(t.Context(), `BEGIN;
		CREATE TEMPORARY TABLE lost AS SELECT e.id FROM task.events e JOIN audit.entries a USING (id)
			WHERE e.occurred_at < now() - interval '2 min' ORDER BY e.position LIMIT 3;
		DELETE FROM audit.inbox WHERE id IN (SELECT id::text FROM lost);
		ALTER TABLE audit.entries DISABLE TRIGGER entries_stay;
		DELETE FROM audit.entries WHERE id IN (SELECT id FROM lost);
		ALTER TABLE audit.entries ENABLE ALWAYS TRIGGER entries_stay;
		COMMIT`)
	require.NoError(t, err)
	owner := secret(t, "database-owner", "MIGRATE_DATABASE_URL")
	command := []string{"-n", "taskwire", "exec", "-i", "deployment/task-api", "-c", "task-api", "--", "/task-api"}
	out, err := kubectlWith(t, owner, append(command, "reconcile", "--since", "2h", "--login-stdin", "--replay")...)
	require.Error(t, err, "there is a gap")
	t.Log("\n" + out)
	require.Contains(t, out, "published again: 3")
	eventually(t, func() error {
		_, err := kubectlWith(t, owner, append(command, "reconcile", "--since", "2h", "--login-stdin")...)
		return err
	})
	dry, err := kubectlWith(t, "", append(command, "replay", "--from", time.Now().Add(-time.Hour).UTC().Format(time.RFC3339), "--dry-run")...)
	require.NoError(t, err)
	require.Contains(t, dry, "audit.task.created")
	_, err = kubectl(t, "-n", "taskwire", "exec", "deployment/audit-log", "-c", "audit-log", "--", "/audit-log", "dead-letters", "discard", "1", "--reason", "a test")
	require.ErrorContains(t, err, "say who you are", "everybody is the same user in an image")
}

// took counts the mails that the mail server has said that it took.
func took(t *testing.T, mails map[string]int) {
	t.Helper()
	for line := range strings.Lines(of(t, "logs", "mail-0")) {
		if id, ok := strings.CutPrefix(strings.TrimSpace(line), "took "); ok {
			mails[id]++
		}
	}
}

func mailsOnce(t *testing.T, mails map[string]int) {
	took(t, mails)
	require.NotEmpty(t, mails)
	for id, n := range mails {
		require.Equal(t, 1, n, id)
	}
	t.Log(len(mails), "mails, each once")
}
