package manifests

import (
	"cmp"
	"encoding/base64"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/test/settings"
)

func code(t *testing.T) Code {
	t.Helper()
	c, err := ReadCode(func(service string) map[string]settings.Setting { return settings.Of(t, service) })
	require.NoError(t, err)
	// One of each kind: the patterns that find them have not gone stale.
	require.NotEmpty(t, c.Consumes["notification"])
	for _, call := range []Call{
		{"audit-log", "task-api", "GET", "/.well-known/jwks.json"},
		{"recurring-task", "task-api", "POST", "/internal/occurrences"},
		{"task-api", "audit-log", "HEAD", "/api/tasks/{id}/history"},
		{"task-api", "notification", "PATCH", "/api/notifications/{id}"},
	} {
		require.Contains(t, c.Calls, call)
	}
	return c
}

// Everything that an overlay refers to exists, and agrees with the code.
func TestEveryReferenceLeadsSomewhere(t *testing.T) {
	code := code(t)
	overlays, err := Overlays()
	require.NoError(t, err)
	require.Subset(t, overlays, []string{"local", "production", "serverless"})
	for _, overlay := range overlays {
		t.Run(overlay, func(t *testing.T) {
			objects, err := Render(overlay)
			require.NoError(t, err)
			secrets, err := Secrets(overlay)
			require.NoError(t, err)
			require.Empty(t, Walk(objects, secrets, code))
		})
	}
}

// The parts of a production that a trial does without.
func TestProductionSurvivesANode(t *testing.T) {
	objects, err := Render("production")
	require.NoError(t, err)
	for service := range code(t).Ports {
		require.NotNil(t, find(objects, "PodDisruptionBudget", service))
		d := find(objects, "Deployment", service)
		require.Len(t, list(at(d, "spec", "template", "spec", "topologySpreadConstraints")), 2)
		if service != "task-api" {
			require.GreaterOrEqual(t, at(d, "spec", "replicas"), 2)
		}
	}
	require.Equal(t, 2, at(find(objects, "HorizontalPodAutoscaler", "task-api"), "spec", "minReplicas"))
}

// The passwords of a production are chosen by others.
func TestAPasswordOfAnySignsIsKept(t *testing.T) {
	secrets, err := Secrets("production")
	require.NoError(t, err)
	for secret, login := range map[string][2]string{
		"database-owner": {"MIGRATE_DATABASE_URL", "taskwire"}, "task-api": {"DATABASE_URL", "task_api"},
		"audit-log": {"DATABASE_URL", "audit_log"}, "recurring-task": {"DATABASE_URL", "recurring_task"},
		"notification": {"DATABASE_URL", "notification"},
	} {
		c, err := pgx.ParseConfig(value(t, secrets, secret, login[0]))
		require.NoError(t, err)
		require.Equal(t, login[1], c.User)
		require.Equal(t, Password, c.Password)
		require.Equal(t, "db.operator.example", c.Host)
		require.Equal(t, "taskwire", c.Database)
	}
	require.Equal(t, Password, value(t, secrets, "kafka", "password"))
}

// value is what a Secret holds.
func value(t *testing.T, secrets []Object, secret, key string) string {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(text(at(find(secrets, "Secret", secret), "data", key)))
	require.NoError(t, err)
	return string(raw)
}

// What only the operator can know is asked for, and not made up.
func TestAProductionHasNothingOfOurs(t *testing.T) {
	env, err := operator()
	require.NoError(t, err)
	for _, overlay := range []string{"production", "serverless"} {
		for i, variable := range env {
			name, _, _ := strings.Cut(variable, "=")
			_, err := secretsWith(overlay, append(slices.Clone(env[:i]), append(slices.Clone(env[i+1:]), name+"=")...))
			require.ErrorContains(t, err, name, overlay)
		}
		secrets, err := secretsWith(overlay, env)
		require.NoError(t, err)
		require.Equal(t, MailFrom, value(t, secrets, "notification", "MAIL_FROM"))
		objects, err := Render(overlay)
		require.NoError(t, err)
		whole, err := Write(objects)
		require.NoError(t, err)
		for line := range strings.SplitSeq(whole, "\n") {
			// The one name that can not be in a Secret; ingress.yaml says so.
			require.NotContains(t, strings.ReplaceAll(line, "tasks.taskwire.example", ""), ".example", overlay)
		}
	}
}

// A database that shows a certificate of a private authority is held to it by
// every container that signs in there.
func TestTheAuthorityOfTheDatabaseIsMounted(t *testing.T) {
	env, err := operator()
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(file, []byte("-----BEGIN CERTIFICATE-----\n"), 0o600))
	code := code(t)
	objects, err := Render("serverless")
	require.NoError(t, err)
	const files = "sslrootcert=/etc/taskwire/database/ca.crt"
	for database, want := range map[string][2]string{
		"db.operator.example:5432/taskwire":                     {"?sslmode=verify-full&" + files, "?sslmode=require"},
		"db.operator.example:5432/taskwire?connect_timeout=3":   {"?connect_timeout=3&sslmode=verify-full&" + files, "?connect_timeout=3&sslmode=require"},
		"db.operator.example:5432/taskwire?sslmode=verify-ca":   {"?sslmode=verify-ca&" + files, "?sslmode=require"},
		"db.operator.example:5432/taskwire?sslmode=verify-full": {"?sslmode=verify-full&" + files, "?sslmode=require"},
	} {
		secrets, err := secretsWith("serverless", append(slices.Clone(env), "DATABASE="+database, "DATABASE_CA_FILE="+file))
		require.NoError(t, err)
		require.Contains(t, value(t, secrets, "database-ca", "ca.crt"), "BEGIN CERTIFICATE")
		for secret, key := range map[string]string{
			"database-owner": "MIGRATE_DATABASE_URL", "task-api": "DATABASE_URL", "audit-log": "DATABASE_URL",
			"recurring-task": "DATABASE_URL", "notification": "DATABASE_URL",
		} {
			login := value(t, secrets, secret, key)
			require.Equal(t, want[0], login[strings.Index(login, "?"):], secret)
		}
		login := value(t, secrets, "notification-scaler", "connection")
		require.Equal(t, want[1], login[strings.Index(login, "?"):])
		require.Empty(t, Walk(objects, secrets, code))
		without := slices.DeleteFunc(secrets, func(s Object) bool { return s.Name() == "database-ca" })
		require.Contains(t, strings.Join(Walk(objects, without, code), "\n"), "reconcile: DATABASE_URL names /etc/taskwire/database/ca.crt, which is not there")
	}
}

// A connection that is encrypted only where the other side offers it is not
// encrypted where somebody in between takes the offer away.
func TestAProductionDoesNotFallBackToPlainText(t *testing.T) {
	env, err := operator()
	require.NoError(t, err)
	with := func(overlay string, more ...string) ([]Object, error) {
		return secretsWith(overlay, append(slices.Clone(env), more...))
	}
	for _, overlay := range []string{"production", "serverless"} {
		for _, mode := range []string{"disable", "allow", "prefer", "require"} {
			for _, before := range []string{"?", "?connect_timeout=3&"} {
				_, err := with(overlay, "DATABASE=db.operator.example:5432/taskwire"+before+"sslmode="+mode)
				require.ErrorContains(t, err, "sslmode must be verify-full", mode)
			}
		}
		for _, bad := range []string{"smtp://mail.operator.example?tls=off", "smtp://mail.operator.example?x=y&tls=off", "http://mail.operator.example"} {
			_, err := with(overlay, "SMTP_URL="+bad)
			require.ErrorContains(t, err, "SMTP_URL", bad)
		}
		for given, want := range map[string]string{ //nolint:gosec // nobody's password
			"smtp://u:p@mail.operator.example:587":              "smtp://u:p@mail.operator.example:587?tls=required",
			"smtp://u:p@mail.operator.example:587?tls=required": "smtp://u:p@mail.operator.example:587?tls=required",
			"smtps://u:p@mail.operator.example":                 "smtps://u:p@mail.operator.example",
		} {
			secrets, err := with(overlay, "SMTP_URL="+given)
			require.NoError(t, err)
			require.Equal(t, want, value(t, secrets, "notification", "SMTP_URL"))
			for secret, key := range map[string]string{
				"database-owner": "MIGRATE_DATABASE_URL", "task-api": "DATABASE_URL", "audit-log": "DATABASE_URL",
				"recurring-task": "DATABASE_URL", "notification": "DATABASE_URL", "notification-scaler": "connection",
			} {
				require.True(t, strings.HasSuffix(value(t, secrets, secret, key), "?sslmode=verify-full"), secret)
			}
			require.Equal(t, "enable", value(t, secrets, "kafka", "tls"))
		}
		objects, err := Render(overlay)
		require.NoError(t, err)
		metadata := map[string]string{}
		for _, m := range list(at(find(objects, "Component", "pubsub"), "spec", "metadata")) {
			metadata[text(at(m, "name"))] = text(at(m, "value"))
		}
		require.Equal(t, "false", metadata["disableTls"], overlay)
		require.NotEqual(t, "true", metadata["skipVerify"], overlay)
	}
	// A trial may do without, and has to say so.
	secrets, err := with("production", "WITHOUT_TLS=allowed", "DATABASE=db.operator.example/taskwire?sslmode=disable", "SMTP_URL=smtp://mail.operator.example?tls=off")
	require.NoError(t, err)
	require.Contains(t, value(t, secrets, "task-api", "DATABASE_URL"), "?sslmode=disable")
}

// How to sign in at Kafka has one name for Dapr and one for KEDA.
func TestHowToSignInAtKafka(t *testing.T) {
	env, err := operator()
	require.NoError(t, err)
	for sasl, mechanism := range map[string]string{"": "SHA-512", "scram_sha512": "SHA-512", "scram_sha256": "SHA-256", "plaintext": "PLAINTEXT"} {
		secrets, err := secretsWith("production", append(slices.Clone(env), "KAFKA_SASL="+sasl))
		require.NoError(t, err)
		require.Equal(t, mechanism, value(t, secrets, "kafka", "mechanism"))
		require.Equal(t, cmp.Or(sasl, "scram_sha512"), value(t, secrets, "kafka", "sasl"))
	}
	_, err = secretsWith("production", append(slices.Clone(env), "KAFKA_SASL=gssapi"))
	require.ErrorContains(t, err, "not gssapi")
}

// A Secret with an empty authority would be worse than none.
func TestAnAuthorityThatIsNotThere(t *testing.T) {
	env, err := operator()
	require.NoError(t, err)
	for _, file := range []string{"KAFKA_CA_FILE", "DATABASE_CA_FILE"} {
		_, err := secretsWith("production", append(slices.Clone(env), file+"=/nowhere/ca.pem"))
		require.ErrorContains(t, err, "/nowhere/ca.pem", file)
	}
}
