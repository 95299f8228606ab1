package settings

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/test/services"
)

// names are those of the services.
func names(t *testing.T) []string {
	t.Helper()
	all, err := services.Read(services.Root)
	require.NoError(t, err)
	return services.IDs(all)
}

// binaries builds the services.
func binaries(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	args := []string{"build", "-o", dir + string(filepath.Separator)}
	for _, s := range names(t) {
		args = append(args, "github.com/taskwire/taskwire/services/"+s)
	}
	out, err := exec.CommandContext(t.Context(), "go", args...).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return dir
}

// key is an Ed25519 key, or with RSA another, in PEM, with its public half.
func key(t *testing.T, kind string) (private, public string) {
	t.Helper()
	var signs, verifies any
	signing, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	signs, verifies = signing, signing.Public()
	if kind != "RSA" {
		verifies, signs, err = ed25519.GenerateKey(rand.Reader)
		require.NoError(t, err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(signs)
	require.NoError(t, err)
	publicDER, err := x509.MarshalPKIXPublicKey(verifies)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: publicDER}))
}

// tried are values of a setting, with what else has to be set for them.
type tried struct {
	wrong []string
	says  string // of each that is wrong, after the name
	right []string
	with  []string
}

const (
	port     = `must be a whole number from 0 to 65535`
	boolean  = "must be true or false"
	aLimit   = "must be a whole number from 0 to 1000000"
	aURL     = "must be a URL such as https://host.example/path"
	aHost    = "must be a name or an address without a port"
	postgres = "must be the address of a Postgres database, such as postgres://login:password@host:5432/database" //nolint:gosec // nobody's
	aToken   = "must have at least 8 characters, in ASCII and without space around them, as `openssl rand -hex 24` makes them"
	suchAs   = ", such as 30s, 5m or 72h"
)

func attempts(t *testing.T) map[string]tried {
	private, public := key(t, "Ed25519")
	rsaPrivate, rsaPublic := key(t, "RSA")
	numbers := []string{"many", "-1", "1000001", "1.5", "99999999999999999999"}
	ports := tried{wrong: []string{"http", "-1", "65536", "80.0", "99999999999999999999"}, says: port, right: []string{"0", "8000", "65535"}}
	booleans := tried{wrong: []string{"yes", "2", "maybe"}, says: boolean, right: []string{"true", "false", "1", "0"}}
	limits := tried{wrong: numbers, says: aLimit, right: []string{"0", "1000000"}}
	urls := tried{wrong: []string{"nope", "ftp://x", "https://", "http:x", "https://user:hunter2@"}, says: aURL, right: []string{"https://id.example/keys", "http://127.0.0.1:8000/jwks.json"}}
	hosts := tried{wrong: []string{"sidecar:3500", "http://sidecar", "a b", "a/b"}, says: aHost, right: []string{"sidecar", "10.0.0.7", "::1"}}
	databases := tried{
		wrong: []string{"mysql://x", "nope", "postgres://u:hunter2@db:x/y", "postgres://u:hunter2@db/y?sslmode=maybe", "postgres://u:hunter2@db/y?sslrootcert=/none&sslmode=verify-full"}, says: postgres,
		right: []string{"postgres://u:p@db/taskwire", "postgresql://u@db:5433/x?sslmode=disable", "postgres:///x?host=/run/postgresql&user=u", "postgres://u@a:1,b:2/x", "host=/run/postgresql user=u dbname=x"},
	}
	secrets := tried{wrong: []string{"a", "seven77", " a secret token with spaces ", "a secret token\nof two lines", "ein Geheimnis mit ß"}, says: aToken, right: []string{"sixteen letters.", strings.Repeat("0f", 24)}}
	broker := []string{"EVENT_TRANSPORT=kafka", "KAFKA_BOOTSTRAP_SERVERS=kafka:9092"}
	return map[string]tried{
		"HOST": hosts, "DAPR_HOST": hosts,
		"PORT": ports, "METRICS_PORT": {wrong: ports.wrong, says: port, right: []string{"0", "9100"}}, "DAPR_HTTP_PORT": ports, "DAPR_GRPC_PORT": ports,
		"DATABASE_URL": databases, "MIGRATE_DATABASE_URL": databases,
		"MIGRATE_AT_START": booleans,
		"APP_API_TOKEN":    secrets, "DAPR_API_TOKEN": secrets,
		"PUBSUB_NAME":      {wrong: []string{"pub sub", "a/b"}, says: "must be the name of a Dapr component, without spaces and slashes", right: []string{"pubsub-2"}},
		"EVENT_RETENTION":  {wrong: []string{"23h", "30", "30d", "soon", "-720h"}, says: "must be a duration of at least 24h" + suchAs, right: []string{"24h", "720h"}},
		"LOG_LEVEL":        {wrong: []string{"loud", "7"}, says: "must be debug, info, warn or error", right: []string{"debug", "info", "warn", "error", "INFO"}},
		"LOG_FORMAT":       {wrong: []string{"xml", "JSON"}, says: "must be text or json", right: []string{"text", "json"}},
		"SHUTDOWN_TIMEOUT": {wrong: []string{"8", "-1s", "0", "999ms", "soon"}, says: "must be a duration of at least 1s" + suchAs, right: []string{"1s", "8s"}},

		"OTEL_EXPORTER_OTLP_ENDPOINT":        {wrong: []string{"nonsense", "collector:4318"}, says: aURL, right: []string{"http://collector:4318"}},
		"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": {wrong: []string{"nonsense"}, says: aURL, right: []string{"http://collector:4318/v1/traces"}},

		"JWT_ISSUER": {right: []string{"anybody"}}, "JWT_AUDIENCE": {right: []string{"anybody"}},
		"JWT_JWKS_URL": urls, "TASK_API_JWKS_URL": urls,
		"JWT_OUTSIDE_ISSUER":   {wrong: []string{"https://id.example"}, says: "needs JWT_JWKS_URL or JWT_SECRET: without them there is no outside issuer"},
		"JWT_OUTSIDE_AUDIENCE": {wrong: []string{"tasks"}, says: "needs JWT_JWKS_URL or JWT_SECRET: without them there is no outside issuer"},
		"JWT_SECRET":           {wrong: []string{"too short"}, says: "must have at least 32 bytes", right: []string{strings.Repeat("s", 32)}, with: []string{"JWT_OUTSIDE_ISSUER=x", "JWT_OUTSIDE_AUDIENCE=x"}},

		"EVENT_PUBLISHING_ENABLED": booleans,
		"EVENT_TRANSPORT":          {wrong: []string{"rabbit", "Kafka"}, says: "must be dapr or kafka", right: []string{"dapr"}},
		"KAFKA_BOOTSTRAP_SERVERS":  {wrong: []string{"kafka-0", "kafka-0:9092,", "kafka://kafka-0:9092", "kafka-0:kafka", "kafka-0:0"}, says: "must be host:port, with commas between them", right: []string{"kafka-0:9092,[::1]:9092"}, with: broker[:1]},
		"KAFKA_TLS":                booleans,
		"KAFKA_CA_FILE":            {wrong: []string{"ca.pem"}, says: "needs KAFKA_TLS=true", with: broker},
		"KAFKA_SASL_MECHANISM":     {wrong: []string{"gssapi", "PLAIN"}, says: "must be plain, scram-sha-256 or scram-sha-512", right: []string{"plain", "scram-sha-512"}, with: append(broker, "KAFKA_SASL_USERNAME=u", "KAFKA_SASL_PASSWORD=p")},
		"KAFKA_SASL_USERNAME":      {wrong: []string{""}, says: "is needed with KAFKA_SASL_MECHANISM", right: []string{"u"}, with: append(broker, "KAFKA_SASL_MECHANISM=plain", "KAFKA_SASL_PASSWORD=p")},
		"KAFKA_SASL_PASSWORD":      {wrong: []string{""}, says: "is needed with KAFKA_SASL_MECHANISM", right: []string{"p"}, with: append(broker, "KAFKA_SASL_MECHANISM=plain", "KAFKA_SASL_USERNAME=u")},
		"JWT_PRIVATE_KEY":          {wrong: []string{"secret", public, rsaPrivate}, says: "must be an Ed25519 key in PEM, as `openssl genpkey -algorithm ed25519` makes it", right: []string{private}},
		"JWT_ACCEPTED_KEYS":        {wrong: []string{"ssh-ed25519 AAAA", private, rsaPublic, public + "and more"}, says: "must be public Ed25519 keys in PEM, as `openssl pkey -pubout` makes them", right: []string{public, public + public}},
		"JWT_LIFETIME":             {wrong: []string{"24", "0", "-1h"}, says: "must be a duration of at least 1s" + suchAs, right: []string{"15m"}},
		"COOKIE_SECURE":            booleans,
		"REGISTRATION":             {wrong: []string{"on", "Open", "none"}, says: "must be open, invite or closed", right: []string{"open", "invite", "closed"}},
		"MAIL_VERIFICATION":        {wrong: []string{"true", "never"}, says: "must be required or optional", right: []string{"required", "optional"}},
		"TRUSTED_PROXIES": {
			wrong: []string{"10.0.0.1", "proxies", "0.0.0.0/0", "10.0.0.0/8;10.1.0.0/16", "::ffff:10.0.0.0/104"}, says: "must be networks of proxies alone, such as 10.244.3.0/24, with commas between them and IPv4 written as IPv4",
			right: []string{"10.244.3.0/24", "10.0.0.0/8, fd00::/8"},
		},
		"OIDC_PROVIDERS": {
			wrong: []string{"nobody", `{"id": "nobody"}`, `[{"id": "a", "issuer": "https://a.example", "client_secret": "hunter2"}]`, `[{"id": "a", "issuer": "a.example", "client_id": "hunter2"}]`}, says: "must be a list in JSON, such as",
			right: []string{`[{"id": "company", "issuer": "https://id.example.org", "client_id": "taskwire", "client_secret": "s", "name": "Our company", "scopes": ["email"]}]`},
		},
		"LIMIT_SIGN_INS": limits, "LIMIT_SIGN_INS_NETWORK": limits, "LIMIT_REGISTRATIONS": limits, "LIMIT_ACCOUNT_MAILS": limits, "LIMIT_INVITATIONS": limits, "LIMIT_WRITES": limits, "LIMIT_IN_FLIGHT": limits, "LIMIT_LISTS": limits, "LIMIT_TOKENS": limits, "LIMIT_MEMBERS": limits, "LIMIT_TASKS": limits, "LIMIT_COMMENTS": limits,
		"TRASH_RETENTION": {wrong: []string{"30", "59m", "-1h"}, says: "must be a duration of at least 1h" + suchAs, right: []string{"1h"}},
		"ERASE_AFTER":     {wrong: []string{"7", "-1h"}, says: "must be a duration of at least 0s" + suchAs, right: []string{"0", "168h"}},

		"SMTP_URL": {
			wrong: []string{
				"mail.example:25", "http://u:hunter2@mail.example", "smtp://u:hunter2@:25", "smtp://u:hunter2@mail.example:x", "smtp://mail.example:70000",
				"smtp://mail.example?tls=maybe", "smtp://u:hunter2@mail.example?tls=off",
			},
			says:  "must ",
			right: []string{"smtp://mail.example", "smtps://u:p@mail.example:465", "smtp://u:p@mail.example?tls=required", "smtp://mail.example?tls=off"},
		},
		"MAIL_FROM":              {wrong: []string{"nobody", "a@example.com\r\nBcc: b@example.com"}, says: "must be an address, or Name <address>", right: []string{"Tasks <tasks@example.org>"}},
		"SMTP_CONNECTIONS":       {wrong: []string{"0", "101", "many"}, says: "must be a whole number from 1 to 100", right: []string{"1", "100"}},
		"SMTP_TIMEOUT":           {wrong: []string{"0", "11m", "30"}, says: "must be a duration from 1s to 10m" + suchAs, right: []string{"1s", "10m"}},
		"MAIL_RETRY_FOR":         {wrong: []string{"0", "-1h", "3d"}, says: "must be a duration of at least 1s" + suchAs, right: []string{"1h"}},
		"MAIL_BUDGET":            {wrong: []string{"-1", "some"}, says: "must be a whole number of at least 0", right: []string{"0", "60"}},
		"PUBLIC_URL":             {wrong: []string{"tasks.example.org", "ftp://tasks.example.org", "https://u:hunter2@example.org", "https://example.org/?x=1"}, says: "must be like https://tasks.example.org, with a path where there is one before /api", right: []string{"https://tasks.example.org", "https://example.org/tasks/"}},
		"NOTIFICATION_RETENTION": {wrong: []string{"0", "23h", "90d"}, says: "must be a duration of at least 24h" + suchAs, right: []string{"24h"}},
	}
}

// ofTheCode are words that say nothing to who reads an error.
var ofTheCode = []string{"strconv", "time:", "parse ", "parsing", "netip", "x509", "asn1", "*rsa", "ed25519.", "reflect", "int64", "bool", "mail:", "url.", "unmarshal", "Duration", "hunter2"}

// Every setting of every service is tried with wrong values: each is named with what it must be, in
// words, with code 2, and no secret is repeated. Right ones are taken, also from a file.
func TestEachWrongSettingIsNamed(t *testing.T) {
	bin, tried := binaries(t), attempts(t)
	private, _ := key(t, "Ed25519")
	good := map[string]string{
		"PATH": os.Getenv("PATH"), "PORT": "8000", "DATABASE_URL": "postgres://u@127.0.0.1/x", "APP_API_TOKEN": "what the sidecar says",
		"JWT_PRIVATE_KEY": private, "SMTP_URL": "smtp://127.0.0.1:1025", "MAIL_FROM": "tasks@example.org",
	}
	config := func(t *testing.T, service string, set ...string) (string, int) {
		t.Helper()
		all := maps.Clone(good)
		for _, line := range set {
			name, value, _ := strings.Cut(line, "=")
			all[name] = value
		}
		cmd := exec.CommandContext(t.Context(), filepath.Join(bin, service), "config")
		for name, value := range all {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
		var out, said bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &said
		err := cmd.Run()
		var failed *exec.ExitError
		require.True(t, err == nil || errors.As(err, &failed), "%v", err)
		if cmd.ProcessState.ExitCode() == 0 {
			require.Empty(t, said.String())
			return out.String(), 0
		}
		require.Empty(t, out.String())
		return said.String(), cmd.ProcessState.ExitCode()
	}
	shared := Of(t, "audit-log")
	for _, service := range names(t) {
		known := Of(t, service)
		t.Run(service, func(t *testing.T) {
			t.Parallel()
			shown, code := config(t, service)
			require.Zero(t, code, shown)
			for name, setting := range known {
				if variable, ok := strings.CutSuffix(name, "_FILE"); ok && known[variable].Secret {
					continue // below
				}
				require.Contains(t, shown, name+" ", "%s config shows it", service)
				of, ok := tried[name]
				require.True(t, ok, "%s is tried with no value", name)
				if _, all := shared[name]; all && service != "task-api" {
					// Each process takes its time, and they have it from the same struct.
					of.wrong, of.right = of.wrong[:min(len(of.wrong), 1)], nil
				}
				for _, value := range of.wrong {
					said, code := config(t, service, append(slices.Clone(of.with), name+"="+value)...)
					require.Equal(t, 2, code, "%s=%s: %s", name, value, said)
					require.Contains(t, said, service+": settings: "+name+" "+of.says, value)
					require.Equal(t, 1, strings.Count(said, "\n"), "it alone is wrong: %s", said)
					for _, word := range ofTheCode {
						require.NotContains(t, said, word)
					}
					if setting.Secret && len(value) > 4 {
						require.NotContains(t, said, value)
					}
				}
				for _, value := range of.right {
					said, code := config(t, service, append(slices.Clone(of.with), name+"="+value)...)
					require.Zero(t, code, "%s=%s: %s", name, value, said)
					if !setting.Secret {
						continue
					}
					file := filepath.Join(t.TempDir(), "secret")
					require.NoError(t, os.WriteFile(file, []byte(value+"\n"), 0o600))
					said, code = config(t, service, append(slices.Clone(of.with), name+"=", name+"_FILE="+file)...)
					require.Zero(t, code, "%s_FILE with %s: %s", name, value, said)
					require.Regexp(t, name+` .* `+file+"\n", said)
					said, code = config(t, service, append(slices.Clone(of.with), name+"="+value, name+"_FILE="+file)...)
					require.Equal(t, 2, code)
					require.Contains(t, said, "settings: "+name+" and "+name+"_FILE are both set")
				}
				if setting.Required {
					said, code := config(t, service, name+"=")
					require.Equal(t, 2, code, "without %s: %s", name, said)
					require.Contains(t, said, "settings: "+name+" is not set")
					require.Contains(t, said, "; it must ")
				}
			}
			said, code := config(t, service, "DATABASE_URL=postgres://u@db/x?sslmode=verify-full&sslrootcert=/none")
			require.Equal(t, 2, code)
			require.Contains(t, said, "(unable to read CA file: open /none: no such file or directory)")
			said, code = config(t, service, "PORT=http", "LOG_FORMAT=xml", "DATABASE_URL=")
			require.Equal(t, 2, code)
			require.Equal(t, 3, strings.Count(said, service+": settings: "), "all of them at once: %s", said)
		})
	}
}
