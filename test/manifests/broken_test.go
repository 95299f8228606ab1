package manifests

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Each check can fail: a copy of the manifests with one mistake in it is caught.
func TestAMistakeIsCaught(t *testing.T) {
	code := code(t)
	whole, wholeSecrets := map[string]string{}, map[string]string{}
	for _, overlay := range []string{"local", "local-redis", "production", "serverless"} {
		objects, err := Render(overlay)
		require.NoError(t, err)
		whole[overlay], err = Write(objects)
		require.NoError(t, err)
		secrets, err := Secrets(overlay)
		require.NoError(t, err)
		wholeSecrets[overlay], err = Write(secrets)
		require.NoError(t, err)
	}
	for name, c := range map[string]struct {
		overlay      string // local unless another is named
		in           string // where the mistake is, Secret/key, unless it is in the manifests
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
		"a publisher too many":                           {right: "task-api=task-events,reminders,audit-logs", wrong: "task-api=task-events,reminders,audit-logs;audit-log=reminders", says: "who may publish"},
		"a topic for whoever asks":                       {right: "name: protectedTopics\n          value: task-events,reminders,audit-logs", wrong: "name: protectedTopics\n          value: task-events,reminders", says: "these are protected"},
		"a service that does not know the broker":        {right: "scopes:\n    - task-api\n    - audit-log\n", wrong: "scopes:\n    - task-api\n", says: "audit-log is not in its scopes"},
		"a configuration of another service":             {right: "dapr.io/config: audit-log", wrong: "dapr.io/config: notification", says: `Configuration "notification" is another's`},
		"a scope that is no app":                         {right: "scopes:\n    - audit-log\n", wrong: "scopes:\n    - auditlog\n", says: `scope "auditlog" is no app`},
		"an app id of another name":                      {right: "dapr.io/app-id: notification", wrong: "dapr.io/app-id: notifications", says: `app id "notifications"`},
		"an app port that is not opened":                 {right: `dapr.io/app-port: "8001"`, wrong: `dapr.io/app-port: "8010"`, says: `app port "8010"`},
		"a configuration that does not exist":            {right: "dapr.io/config: audit-log", wrong: "dapr.io/config: audit", says: `Configuration "audit" does not exist`},
		"a route that a service does not have":           {right: "name: /internal/occurrences", wrong: "name: /internal/occurrence", says: "recurring-task may not call POST /internal/occurrences, and does"},
		"an operation that is never found":               {right: "name: /api/tasks/**/history", wrong: "name: /api/audit/history", says: "/api/audit/history is never found: /api/audit is above it"},
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
		"a signing key that is missing":                  {right: "- secretRef:\n                        name: task-api\n", wrong: "- secretRef:\n                        name: audit-log\n", says: "task-api is not given JWT_PRIVATE_KEY"},
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
		"a scaler of another broker":                     {overlay: "serverless", right: "bootstrapServersFromEnv: KAFKA_BOOTSTRAP_SERVERS", wrong: "bootstrapServers: kafka.taskwire.example:9093", says: `it looks at "kafka.taskwire.example:9093"`},
		"a broker that is not there":                     {right: "value: kafka:9092", wrong: "value: broker:9092", says: `brokers: Service "broker" does not exist`},
		"a broker on another port":                       {right: "value: kafka:9092", wrong: "value: kafka:9093", says: "brokers: nobody answers at kafka:9093"},
		"a Service on another port":                      {right: "port: 9092\n", wrong: "port: 9093\n", says: "brokers: nobody answers at kafka:9092"},
		"a broker that sends its clients elsewhere":      {right: "PLAINTEXT://kafka:9092", wrong: "PLAINTEXT://kafka-0:9092", says: `KAFKA_ADVERTISED_LISTENERS: Service "kafka-0" does not exist`},
		"a Redis that is not there":                      {overlay: "local-redis", right: "value: redis:6379", wrong: "value: redis-master:6379", says: `redisHost: Service "redis-master" does not exist`},
		"a broker outside of a trial":                    {right: "value: kafka:9092", wrong: "value: kafka.taskwire.example:9092", says: "brokers: no policy lets audit-log to kafka.taskwire.example:9092"},
		"a database that is not there":                   {in: "audit-log/DATABASE_URL", right: "@postgres:5432", wrong: "@database:5432", says: `DATABASE_URL: Service "database" does not exist`},
		"a database on another port":                     {in: "database-owner/MIGRATE_DATABASE_URL", right: "@postgres:5432", wrong: "@postgres:5433", says: "MIGRATE_DATABASE_URL: nobody answers at postgres:5433"},
		"a mail server that is not there":                {in: "notification/SMTP_URL", right: "mail:1025", wrong: "mailpit:1025", says: `SMTP_URL: Service "mailpit" does not exist`},
		"a mail server on a port that is closed":         {overlay: "production", in: "notification/SMTP_URL", right: "mail.operator.example", wrong: "mail.operator.example:2525", says: "SMTP_URL: no policy lets notification to mail.operator.example:2525"},
		"a broker on a port that is closed":              {overlay: "production", in: "kafka/brokers", right: ":9093", wrong: ":29093", says: "brokers: no policy lets task-api to kafka.operator.example:29093"},
		"a collector of another namespace":               {overlay: "production", right: "collector.monitoring.svc", wrong: "collector.observability.svc", says: "OTEL_EXPORTER_OTLP_ENDPOINT: no policy lets"},
		"a sentry that is not there":                     {right: "sentryAddress: dapr-sentry.dapr-system", wrong: "sentryAddress: dapr-sentry.dapr", says: "sentryAddress: no policy lets"},
		"a certificate that nobody makes":                {overlay: "production", right: "secretName: task-api-tls", wrong: "secretName: task-tls", says: `Secret "task-tls" does not exist`},
		"a host without a certificate":                   {overlay: "production", right: "- host: tasks.taskwire.example", wrong: "- host: tasks.example.org", says: `"tasks.example.org" is served without TLS`},
		"a scaler that is let in by nobody":              {overlay: "serverless", right: "authenticationRef:\n            name: kafka", wrong: "authenticationRef:\n            name: broker", says: `TriggerAuthentication "broker" does not exist`},
	} {
		t.Run(name, func(t *testing.T) {
			overlay := c.overlay
			if overlay == "" {
				overlay = "local"
			}
			text := whole[overlay]
			secrets, err := parse([]byte(wholeSecrets[overlay]))
			require.NoError(t, err)
			if name, key, ok := strings.Cut(c.in, "/"); ok {
				right := value(t, secrets, name, key)
				require.Contains(t, right, c.right, "there is nothing to break")
				dict(find(secrets, "Secret", name)["data"])[key] = base64.StdEncoding.EncodeToString([]byte(strings.ReplaceAll(right, c.right, c.wrong)))
			} else {
				require.Contains(t, text, c.right, "there is nothing to break")
				text = strings.ReplaceAll(text, c.right, c.wrong)
			}
			objects, err := parse([]byte(text))
			require.NoError(t, err)
			require.Contains(t, strings.Join(Walk(objects, secrets, code), "\n"), c.says)
		})
	}
}
