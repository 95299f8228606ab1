// Package live tries the suite on a real cluster: pods with sidecars, network
// policies, mutual TLS. `make k8s-test` brings the cluster up and runs it there,
// in the network of the node.
package live

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/test/suite"
	"github.com/taskwire/taskwire/test/suite/suitetest"
)

// patience is how long a condition may take. It bounds a failure, not a success.
const patience = 4 * time.Minute

func TestMain(m *testing.M) {
	if os.Getenv("TASKWIRE_CLUSTER") == "" {
		fmt.Println("skipped: there is no cluster (make k8s-test brings one up)")
		return
	}
	os.Exit(m.Run())
}

func eventually(t *testing.T, condition func() error) {
	t.Helper()
	suitetest.Within(t, patience, condition)
}

// kubectl runs it and returns what it has printed.
func kubectl(t *testing.T, args ...string) (string, error) {
	t.Helper()
	return kubectlWith(t, "", args...)
}

func kubectlWith(t *testing.T, input string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "kubectl", append([]string{"--kubeconfig", os.Getenv("TASKWIRE_CLUSTER")}, args...)...)
	// Not under the test's context: what is cleaned up comes after its end.
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), &out, &errs
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("kubectl %s: %w: %s%s", strings.Join(args, " "), err, out.String(), errs.String())
	}
	return strings.TrimSpace(out.String()), nil
}

func must(t *testing.T, args ...string) string {
	t.Helper()
	out, err := kubectl(t, args...)
	require.NoError(t, err)
	return out
}

// in is what an operator does in a namespace.
func in(t *testing.T, namespace string, args ...string) string {
	t.Helper()
	return must(t, append([]string{"-n", namespace}, args...)...)
}

// of is must in the suite's own namespace.
func of(t *testing.T, args ...string) string { t.Helper(); return in(t, "taskwire", args...) }

// rolledOut waits until everything in the namespace runs as it is described.
func rolledOut(t *testing.T, namespace string) {
	t.Helper()
	for what := range strings.SplitSeq(in(t, namespace, "get", "statefulsets,deployments", "-o", "name"), "\n") {
		if what != "" {
			in(t, namespace, "rollout", "status", what, "--timeout="+patience.String())
		}
	}
}

// applied brings a kustomization up with new secrets, and waits until all of it
// is ready.
func applied(t *testing.T, folder string, secrets string) {
	t.Helper()
	must(t, "apply", "--warnings-as-errors", "--validate=strict", "-k", folder)
	_, err := kubectlWith(t, secrets, "create", "-f", "-")
	require.NoError(t, err)
	began := time.Now()
	rolledOut(t, "taskwire")
	t.Logf("every pod of %s is ready after %s", filepath.Base(folder), time.Since(began).Round(time.Second))
	t.Log("\n" + of(t, "get", "pods"))
}

func removed(t *testing.T, namespaces ...string) {
	t.Helper()
	must(t, append([]string{"delete", "namespace", "--timeout=180s", "--ignore-not-found"}, namespaces...)...)
}

// secrets are what k8s/secrets.sh makes for an overlay.
func secrets(t *testing.T, overlay string, env ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(root, "k8s", "secrets.sh"), overlay)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.Output()
	require.NoError(t, err)
	return string(out)
}

const root = "../../.."

// api is the address of task-api's Service.
func api(t *testing.T) string {
	t.Helper()
	return "http://" + of(t, "get", "service", "task-api", "-o", "jsonpath={.spec.clusterIP}:{.spec.ports[0].port}")
}

// ip is the address of the first pod of a part.
func ip(t *testing.T, namespace, part string) string {
	t.Helper()
	return in(t, namespace, "get", "pods", "-l", "app.kubernetes.io/name="+part, "--field-selector=status.phase=Running", "-o", "jsonpath={.items[0].status.podIP}")
}

// secret reads a value of a Secret.
func secret(t *testing.T, name, key string) string {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(of(t, "get", "secret", name, "-o", `jsonpath={.data.`+key+`}`))
	require.NoError(t, err)
	return string(raw)
}

// database is where the tests look after what the suite has done.
type database struct{ namespace string }

// query reads one number, as the owner of the schemas.
func (d database) query(t *testing.T, sql string, args ...any) int {
	t.Helper()
	var n int
	eventually(t, func() error {
		conn, err := d.connect(t)
		if err != nil {
			return err
		}
		defer conn.Close(context.WithoutCancel(t.Context()))
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		return conn.QueryRow(ctx, sql, args...).Scan(&n)
	})
	return n
}

// connect signs in as the owner of the schemas.
func (d database) connect(t *testing.T) (*pgx.Conn, error) {
	t.Helper()
	login, err := url.Parse(secret(t, "database-owner", "MIGRATE_DATABASE_URL"))
	require.NoError(t, err)
	login.Host = ip(t, d.namespace, "postgres") + ":5432"
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	return pgx.Connect(ctx, login.String())
}

// user registers somebody.
func user(t *testing.T) *suite.Client {
	t.Helper()
	s := &suite.Suite{API: api(t)}
	var c *suite.Client
	eventually(t, func() (err error) {
		c, err = s.Register(t.Context(), fmt.Sprintf("user%d@example.org", time.Now().UnixNano()), "Europe/Berlin")
		return err
	})
	return c
}
