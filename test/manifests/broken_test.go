package manifests

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Each check can fail: a copy of the manifests with one mistake in it is caught.
func TestAMistakeIsCaught(t *testing.T) {
	code := code(t)
	whole := map[string]string{}
	for _, overlay := range []string{"local", "production", "serverless"} {
		objects, err := Render(overlay)
		require.NoError(t, err)
		whole[overlay], err = Write(objects)
		require.NoError(t, err)
	}
	for name, c := range map[string]struct {
		overlay      string // local unless another is named
		right, wrong string
		says         string
	}{
		"a subscription to a topic that does not exist":  {right: "topic: audit-logs", wrong: "topic: audit-log", says: `Subscription/audit-logs: topic "audit-log" does not exist`},
		"a subscription that nobody handles":             {right: "default: /events/reminders", wrong: "default: /events/reminder", says: "is not that of the topic"},
		"a subscription of another broker":               {right: "pubsubname: pubsub", wrong: "pubsubname: broker", says: `pubsub "broker" does not exist`},
		"a component type that does not exist":           {right: "type: pubsub.kafka", wrong: "type: pubsub.kafak", says: `no component of type "pubsub.kafak"`},
		"a component that begins with the newest event":  {right: "value: oldest", wrong: "value: newest", says: "initialOffset"},
		"a pod that waits for the broker":                {right: "ignoreErrors: true", wrong: "ignoreErrors: false", says: "is kept out of its Service"},
		"a sidecar that tries the broker once":           {right: "- enabled: true\n          name: HotReload", wrong: "- enabled: false\n          name: HotReload", says: "stays without it"},
		"a publisher too many":                           {right: "audit-log=;recurring-task=", wrong: "audit-log=reminders;recurring-task=", says: "who may publish"},
		"a scope that is no app":                         {right: "scopes:\n    - audit-log\n", wrong: "scopes:\n    - auditlog\n", says: `scope "auditlog" is no app`},
		"an app id of another name":                      {right: "dapr.io/app-id: notification", wrong: "dapr.io/app-id: notifications", says: `app id "notifications"`},
		"an app port that is not opened":                 {right: `dapr.io/app-port: "8001"`, wrong: `dapr.io/app-port: "8010"`, says: `app port "8010"`},
		"a configuration that does not exist":            {right: "dapr.io/config: audit-log", wrong: "dapr.io/config: audit", says: `Configuration "audit" does not exist`},
		"a route that a service does not have":           {right: "name: /internal/occurrences", wrong: "name: /internal/occurrence", says: "recurring-task may not call POST /internal/occurrences, and does"},
		"a caller too many":                              {right: "appId: task-api", wrong: "appId: notification", says: "notification has no call of"},
		"everybody may call":                             {right: "accessControl:\n        defaultAction: deny", wrong: "accessControl:\n        defaultAction: allow", says: "who is not named may call"},
		"a ConfigMap that does not exist":                {right: "- configMapRef:\n                        name: settings", wrong: "- configMapRef:\n                        name: setting", says: "does not exist"},
		"a Secret that does not exist":                   {right: "name: database-owner", wrong: "name: database-owners", says: `Secret "database-owners" does not exist`},
		"a key that a Secret does not have":              {right: "key: token", wrong: "key: tokens", says: `has no key "tokens"`},
		"a Service of other pods":                        {right: "selector:\n        app.kubernetes.io/name: task-api\n", wrong: "selector:\n        app.kubernetes.io/name: tasks\n", says: "Service/task-api: no pod is selected"},
		"a port that is not opened":                      {right: "targetPort: http", wrong: "targetPort: web", says: `port "web" is not one of`},
		"a probe of no port":                             {right: "path: /readyz\n                        port: http\n", wrong: "path: /readyz\n                        port: web\n", says: `asks port "web"`},
		"a policy for nobody":                            {right: "podSelector:\n        matchLabels:\n            app.kubernetes.io/name: task-api\n", wrong: "podSelector:\n        matchLabels:\n            app: task-api\n", says: "no pod is selected"},
		"a policy for a port that nobody has":            {right: "- port: 50002", wrong: "- port: 50003", says: `no pod listens on port "50003"`},
		"a setting that is none":                         {right: "SHUTDOWN_TIMEOUT:", wrong: "SHUTDOWN_TIME:", says: "has no setting SHUTDOWN_TIME"},
		"a setting that is missing":                      {right: "- name: PORT", wrong: "- name: OTEL_PORT", says: "notification is not given PORT"},
		"a secret in the open":                           {right: "HOST: 0.0.0.0", wrong: "JWT_SECRET: 0.0.0.0", says: "the secret JWT_SECRET stands in the manifests"},
		"a container that may gain privileges":           {right: "allowPrivilegeEscalation: false", wrong: "allowPrivilegeEscalation: true", says: "may gain privileges"},
		"a container that keeps capabilities":            {right: "- ALL", wrong: "- NET_RAW", says: "keeps capabilities"},
		"an image without a version":                     {right: "ghcr.io/taskwire/audit-log:dev", wrong: "ghcr.io/taskwire/audit-log:latest", says: "an image without a version"},
		"a mounted token":                                {right: "automountServiceAccountToken: false\n            containers", wrong: "automountServiceAccountToken: true\n            containers", says: "the token of its service account is mounted"},
		"another health check than on one machine":       {right: `dapr.io/app-health-threshold: "3"`, wrong: `dapr.io/app-health-threshold: "5"`, says: "in dapr.yaml"},
		"an ingress to something else":                   {overlay: "production", right: "service:\n                        name: task-api", wrong: "service:\n                        name: audit-log", says: "task-api alone is the front door"},
		"a scaler of nothing":                            {overlay: "production", right: "scaleTargetRef:\n        apiVersion: apps/v1\n        kind: Deployment\n        name: task-api", wrong: "scaleTargetRef:\n        apiVersion: apps/v1\n        kind: Deployment\n        name: api", says: `Deployment "api" does not exist`},
		"a disruption budget for nobody":                 {overlay: "production", right: "app.kubernetes.io/name: audit-log\n    unhealthyPodEvictionPolicy", wrong: "app.kubernetes.io/name: auditlog\n    unhealthyPodEvictionPolicy", says: "PodDisruptionBudget/audit-log: no pod is selected"},
		"a scaler that looks at another service's topic": {overlay: "serverless", right: "topic: reminders", wrong: "topic: audit-logs", says: `notification does not read the topic "audit-logs"`},
		"a scaler that is not told where the broker is":  {overlay: "serverless", right: "- name: KAFKA_BOOTSTRAP_SERVERS", wrong: "- name: OTEL_SERVERS", says: "has no variable KAFKA_BOOTSTRAP_SERVERS"},
		"a scaler that is let in by nobody":              {overlay: "serverless", right: "authenticationRef:\n            name: kafka", wrong: "authenticationRef:\n            name: broker", says: `TriggerAuthentication "broker" does not exist`},
	} {
		t.Run(name, func(t *testing.T) {
			overlay := c.overlay
			if overlay == "" {
				overlay = "local"
			}
			require.Contains(t, whole[overlay], c.right, "there is nothing to break")
			objects, err := parse([]byte(strings.ReplaceAll(whole[overlay], c.right, c.wrong)))
			require.NoError(t, err)
			secrets, err := Secrets(overlay)
			require.NoError(t, err)
			require.Contains(t, strings.Join(Walk(objects, secrets, code), "\n"), c.says)
		})
	}
}
