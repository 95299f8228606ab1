package manifests

import (
	"encoding/base64"
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

// What is written twice, for one machine and for a cluster, is the same.
func TestTheSidecarsAreToldTheSameAsOnOneMachine(t *testing.T) {
	for overlay, broker := range map[string]string{"local": "kafka", "local-redis": "redis", "production": "kafka"} {
		objects, err := Render(overlay)
		require.NoError(t, err)
		for _, file := range []string{"resiliency.yaml", "subscriptions-" + broker + ".yaml"} {
			local, err := ReadFile("dapr", "components", file)
			require.NoError(t, err)
			for _, want := range local {
				got := find(objects, want.Kind(), want.Name())
				require.Equal(t, want["spec"], got["spec"], "%s in %s", want, overlay)
				require.Equal(t, want["scopes"], got["scopes"], "%s in %s", want, overlay)
			}
		}
	}
}

// The parts of a production that a trial does without.
func TestProductionSurvivesANode(t *testing.T) {
	objects, err := Render("production")
	require.NoError(t, err)
	for service := range ports {
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
			require.NotContains(t, line, ".example", overlay)
		}
		// The API server refuses a name of capital letters: an Ingress that nobody
		// has written a host into does not run.
		for _, rule := range list(at(find(objects, "Ingress", "task-api"), "spec", "rules")) {
			require.Equal(t, "YOUR-HOST-NAME", at(rule, "host"))
		}
	}
}
