package service

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"

	// Images hold nothing but the binary: users' zones, and whom to trust over
	// TLS where the system names nobody, are in it.
	_ "time/tzdata"

	"github.com/caarlos0/env/v11"
	_ "golang.org/x/crypto/x509roots/fallback"
)

// Settings are those that every service has. A service embeds them in a
// struct of its own; docs/settings.md lists all of them.
type Settings struct {
	Host               string        `env:"HOST" envDefault:"127.0.0.1"`
	Port               int           `env:"PORT,required"`
	MetricsPort        int           `env:"METRICS_PORT" envDefault:"0"` // 0: no metrics listener
	DatabaseURL        string        `env:"DATABASE_URL,required"`
	MigrateDatabaseURL string        `env:"MIGRATE_DATABASE_URL"`
	MigrateAtStart     bool          `env:"MIGRATE_AT_START" envDefault:"true"`
	DaprHost           string        `env:"DAPR_HOST" envDefault:"127.0.0.1"`
	DaprHTTPPort       int           `env:"DAPR_HTTP_PORT" envDefault:"3500"`
	DaprGRPCPort       int           `env:"DAPR_GRPC_PORT" envDefault:"50001"`
	AppAPIToken        string        `env:"APP_API_TOKEN,required,notEmpty"`
	DaprAPIToken       string        `env:"DAPR_API_TOKEN"`
	PubsubName         string        `env:"PUBSUB_NAME" envDefault:"pubsub"`
	EventRetention     time.Duration `env:"EVENT_RETENTION" envDefault:"720h"`
	LogLevel           slog.Level    `env:"LOG_LEVEL" envDefault:"info"`
	LogFormat          string        `env:"LOG_FORMAT" envDefault:"text"`
	ShutdownTimeout    time.Duration `env:"SHUTDOWN_TIMEOUT" envDefault:"8s"`
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

// Validate checks what the types cannot.
func (s Settings) Validate() error {
	for name, port := range map[string]int{"PORT": s.Port, "METRICS_PORT": s.MetricsPort, "DAPR_HTTP_PORT": s.DaprHTTPPort, "DAPR_GRPC_PORT": s.DaprGRPCPort} {
		if port < 0 || port > 65535 {
			return fmt.Errorf("%s must be a port from 0 to 65535, not %d", name, port)
		}
	}
	if u, err := url.Parse(s.SidecarURL()); err != nil || u.Hostname() != s.DaprHost {
		return fmt.Errorf("DAPR_HOST must be a name or an address without a port, not %q", s.DaprHost)
	}
	if s.LogFormat != "text" && s.LogFormat != "json" {
		return fmt.Errorf("LOG_FORMAT must be text or json, not %q", s.LogFormat)
	}
	if s.ShutdownTimeout < time.Second {
		return fmt.Errorf("SHUTDOWN_TIMEOUT must be at least 1s, not %s", s.ShutdownTimeout)
	}
	if s.EventRetention < 24*time.Hour {
		return fmt.Errorf("EVENT_RETENTION must be at least 24h, not %s", s.EventRetention)
	}
	return nil
}

// Configured is a service's settings: a struct that embeds Settings.
type Configured interface {
	Validate() error
	common() Settings
}

func (s Settings) common() Settings { return s }

// load reads the settings from the environment. The error names each variable
// that is missing or wrong.
func load[S Configured]() (S, error) {
	settings, err := env.ParseAs[S]()
	if err != nil {
		return settings, fmt.Errorf("settings: %w", withVariableNames(err, reflect.TypeFor[S]()))
	}
	if err := settings.Validate(); err != nil {
		return settings, fmt.Errorf("settings: %w", err)
	}
	return settings, nil
}

// withVariableNames says which variable could not be parsed; env names the struct's field.
func withVariableNames(err error, settings reflect.Type) error {
	var all env.AggregateError
	if !errors.As(err, &all) {
		return err
	}
	errs := make([]error, len(all.Errors))
	for i, one := range all.Errors {
		errs[i] = one
		var bad env.ParseError
		if errors.As(one, &bad) {
			if variable := variableOf(settings, bad.Name); variable != "" {
				errs[i] = fmt.Errorf("%s is not as it must be: %w", variable, bad.Err)
			}
		}
	}
	return errors.Join(errs...)
}

func variableOf(settings reflect.Type, field string) string {
	for i := range settings.NumField() {
		f := settings.Field(i)
		if f.Name == field && f.Tag.Get("env") != "" {
			return strings.Split(f.Tag.Get("env"), ",")[0]
		}
		if f.Type.Kind() == reflect.Struct && f.Tag.Get("env") == "" {
			if variable := variableOf(f.Type, field); variable != "" {
				return variable
			}
		}
	}
	return ""
}
