package live

import (
	"crypto/rand"
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/certtest"
)

const kafkaHost = "kafka.outside.svc.cluster.local"

// The overlay "production" as it is: two replicas and more, a Kafka with TLS and
// a password, and Postgres and the mail server outside of the suite's namespace.
func TestTheSuiteWithEverythingOutside(t *testing.T) {
	certificate, key := certtest.SelfSigned(t, kafkaHost)
	file := filepath.Join(t.TempDir(), "ca.crt")
	require.NoError(t, os.WriteFile(file, certificate, 0o600))
	password := map[string]string{}
	for _, of := range []string{"KAFKA", "OWNER", "TASK_API", "AUDIT_LOG", "RECURRING_TASK", "NOTIFICATION"} {
		password[of] = random(t)
	}
	must(t, "apply", "-k", "../outside")
	in(t, "outside", "create", "secret", "generic", "kafka", "--from-literal=password="+password["KAFKA"],
		"--from-literal=tls.crt="+string(certificate), "--from-literal=tls.key="+string(key))
	in(t, "outside", "create", "secret", "generic", "postgres", "--from-literal=POSTGRES_PASSWORD="+password["OWNER"],
		"--from-literal=TASK_API_PASSWORD="+password["TASK_API"], "--from-literal=AUDIT_LOG_PASSWORD="+password["AUDIT_LOG"],
		"--from-literal=RECURRING_TASK_PASSWORD="+password["RECURRING_TASK"], "--from-literal=NOTIFICATION_PASSWORD="+password["NOTIFICATION"])
	rolledOut(t, "outside")

	env := []string{
		"WITHOUT_TLS=allowed", "DATABASE=postgres.outside.svc.cluster.local:5432/taskwire?sslmode=disable", "SMTP_URL=smtp://mail.outside.svc.cluster.local:587?tls=off",
		"MAIL_FROM=reminders@example.org",
		"KAFKA_BROKERS=" + kafkaHost + ":9092", "KAFKA_USERNAME=taskwire", "KAFKA_CA_FILE=" + file,
	}
	for of, p := range password {
		env = append(env, of+"_PASSWORD="+p)
	}
	applied(t, filepath.Join(root, "k8s/overlays/production"), secrets(t, "production", env...))
	t.Cleanup(func() {
		if t.Failed() {
			keepLogs(t)
		}
	})
	db := database{"outside"}
	t.Run("the tour of the README passes", tour)
	t.Run("a new version of everything at once", func(t *testing.T) {
		l := underLoad(t, func() {
			restarted(t, "deployment")
		})
		require.Empty(t, l.uncured)
		l.holds(t, db)
	})
	t.Run("reconcile finds no gap", reconciled)
	if !t.Failed() {
		removed(t, "taskwire", "outside")
	}
}

func random(t *testing.T) string {
	t.Helper()
	raw := make([]byte, 16)
	_, err := rand.Read(raw)
	require.NoError(t, err)
	return hex.EncodeToString(raw)
}
