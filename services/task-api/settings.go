package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/taskwire/taskwire/pkg/auth"
	"github.com/taskwire/taskwire/pkg/httpapi"
	"github.com/taskwire/taskwire/pkg/publish"
	"github.com/taskwire/taskwire/pkg/service"
	"github.com/taskwire/taskwire/services/task-api/internal/limit"
)

// settings are what task-api reads from its environment.
type settings struct {
	service.Settings
	Auth              auth.Settings
	PublishingEnabled bool   `env:"EVENT_PUBLISHING_ENABLED" envDefault:"true"`
	Transport         string `env:"EVENT_TRANSPORT" envDefault:"dapr"`
	Kafka             publish.KafkaSettings
	PrivateKey        string          `env:"JWT_PRIVATE_KEY,unset"`
	PrivateKeyFile    string          `env:"JWT_PRIVATE_KEY_FILE"`
	AcceptedKeys      string          `env:"JWT_ACCEPTED_KEYS"`
	TokenLife         time.Duration   `env:"JWT_LIFETIME" envDefault:"24h"`
	CookieSecure      bool            `env:"COOKIE_SECURE" envDefault:"true"`
	TrustedProxies    httpapi.Proxies `env:"TRUSTED_PROXIES"`
	Limits            limit.Settings
}

// The ways of an event to the broker, in EVENT_TRANSPORT.
const (
	transportDapr  = "dapr"
	transportKafka = "kafka"
)

// Validate checks what the types cannot.
func (s settings) Validate() error {
	switch s.Transport {
	case transportDapr:
	case transportKafka:
		if err := s.Kafka.Validate(); err != nil {
			return fmt.Errorf("%w (EVENT_TRANSPORT is kafka)", err)
		}
	default:
		return fmt.Errorf("EVENT_TRANSPORT must be dapr or kafka, not %q", s.Transport)
	}
	if s.TokenLife <= 0 {
		return errors.New("JWT_LIFETIME must be longer than 0")
	}
	if err := s.Limits.Validate(); err != nil {
		return err
	}
	return s.Settings.Validate()
}
