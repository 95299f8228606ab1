package service

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"time"

	// Images hold nothing but the binary: users' zones, and whom to trust over
	// TLS where the system names nobody, are in it.
	_ "time/tzdata"

	"github.com/jackc/pgx/v5/pgconn"
	_ "golang.org/x/crypto/x509roots/fallback"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/setting"
)

// Settings are those that every service has. A service embeds them in a
// struct of its own; docs/settings.md lists all of them, and pkg/setting says
// what the tags mean.
type Settings struct {
	Host               string        `env:"HOST" envDefault:"127.0.0.1"`
	Port               int           `env:"PORT,required,notEmpty" min:"0" max:"65535"`
	MetricsPort        int           `env:"METRICS_PORT" envDefault:"0" min:"0" max:"65535"` // 0: no metrics listener
	DatabaseURL        string        `env:"DATABASE_URL,required,notEmpty" secret:"url"`
	MigrateDatabaseURL string        `env:"MIGRATE_DATABASE_URL" secret:"url"`
	MigrateAtStart     bool          `env:"MIGRATE_AT_START" envDefault:"true"`
	DaprHost           string        `env:"DAPR_HOST" envDefault:"127.0.0.1"`
	DaprHTTPPort       int           `env:"DAPR_HTTP_PORT" envDefault:"3500" min:"0" max:"65535"`
	DaprGRPCPort       int           `env:"DAPR_GRPC_PORT" envDefault:"50001" min:"0" max:"65535"`
	AppAPIToken        string        `env:"APP_API_TOKEN,required,notEmpty" secret:"value"`
	DaprAPIToken       string        `env:"DAPR_API_TOKEN" secret:"value"`
	PubsubName         string        `env:"PUBSUB_NAME" envDefault:"pubsub"`
	EventRetention     time.Duration `env:"EVENT_RETENTION" envDefault:"720h" min:"24h"`
	LogLevel           slog.Level    `env:"LOG_LEVEL" envDefault:"info"`
	LogFormat          string        `env:"LOG_FORMAT" envDefault:"text" oneof:"text json"`
	ShutdownTimeout    time.Duration `env:"SHUTDOWN_TIMEOUT" envDefault:"8s" min:"1s"`
	// OpenTelemetry reads these by itself (pkg/telemetry), and takes whatever they say.
	OTLPEndpoint       string `env:"OTEL_EXPORTER_OTLP_ENDPOINT"`
	OTLPTracesEndpoint string `env:"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"`
}

// OwnerURL is the database login that migrations run with, and that sees what
// the service's own may not.
func (s Settings) OwnerURL() string {
	if s.MigrateDatabaseURL != "" {
		return s.MigrateDatabaseURL
	}
	return s.DatabaseURL
}

// WorkersTime is what of the time for stopping is left to the workers at least.
func (s Settings) WorkersTime() time.Duration {
	return s.ShutdownTimeout - s.ShutdownTimeout*drainShare/8
}

// SidecarURL is where the sidecar's HTTP API is.
func (s Settings) SidecarURL() string {
	return "http://" + net.JoinHostPort(s.DaprHost, strconv.Itoa(s.DaprHTTPPort))
}

// SidecarGRPC is host and port of the sidecar's gRPC API.
func (s Settings) SidecarGRPC() string {
	return net.JoinHostPort(s.DaprHost, strconv.Itoa(s.DaprGRPCPort))
}

// Validate checks what types and tags cannot.
func (s Settings) Validate() error {
	errs := []error{
		setting.CheckHost("HOST", s.Host),
		setting.CheckHost("DAPR_HOST", s.DaprHost),
		checkDatabase("DATABASE_URL", s.DatabaseURL),
		checkToken("APP_API_TOKEN", s.AppAPIToken),
		setting.CheckURL("OTEL_EXPORTER_OTLP_ENDPOINT", s.OTLPEndpoint),
		setting.CheckURL("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", s.OTLPTracesEndpoint),
	}
	if s.MigrateDatabaseURL != "" {
		errs = append(errs, checkDatabase("MIGRATE_DATABASE_URL", s.MigrateDatabaseURL))
	}
	if s.DaprAPIToken != "" {
		errs = append(errs, checkToken("DAPR_API_TOKEN", s.DaprAPIToken))
	}
	if strings.ContainsFunc(s.PubsubName, func(r rune) bool { return r <= ' ' || r > '~' || r == '/' }) {
		errs = append(errs, fmt.Errorf("PUBSUB_NAME must be the name of a Dapr component, without spaces and slashes, not %q", s.PubsubName))
	}
	if s.MetricsPort != 0 && s.MetricsPort == s.Port {
		errs = append(errs, errors.New("METRICS_PORT must be another port than PORT"))
	}
	return errors.Join(errs...)
}

// minToken is how long a token between service and sidecar is at least: whoever
// guesses it can say that he is the sidecar.
const minToken = 8

// checkToken wants a token that an HTTP header can carry, and nobody can guess.
func checkToken(name, token string) error {
	if len(token) < minToken || strings.TrimSpace(token) != token || strings.ContainsFunc(token, func(r rune) bool { return r < ' ' || r > '~' }) {
		return fmt.Errorf("%s must have at least %d characters, in ASCII and without space around them, as `openssl rand -hex 24` makes them", name, minToken)
	}
	return nil
}

// checkDatabase wants the address of a Postgres database. It may hold a password: the
// error says no more of it than is certain to be none.
func checkDatabase(name, address string) error {
	_, err := database.Config(address)
	if err == nil && address != "" {
		return nil
	}
	because := ""
	var parsing *pgconn.ParseConfigError
	// A cause that quotes something quotes a part of the address.
	if errors.As(err, &parsing) && parsing.Unwrap() != nil && !strings.ContainsAny(parsing.Unwrap().Error(), "\"'`") {
		because = fmt.Sprintf(" (%v)", parsing.Unwrap())
	}
	return fmt.Errorf("%s must be the address of a Postgres database, such as postgres://login:password@host:5432/database%s", name, because)
}

// Configured is a service's settings: a struct that embeds Settings.
type Configured interface {
	Validate() error
	common() Settings
}

func (s Settings) common() Settings { return s }
