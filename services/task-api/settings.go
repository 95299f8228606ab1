package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/taskwire/taskwire/pkg/auth"
	"github.com/taskwire/taskwire/pkg/service"
)

// settings are what task-api reads from its environment.
type settings struct {
	service.Settings
	Auth              auth.Settings
	PublishingEnabled bool          `env:"EVENT_PUBLISHING_ENABLED" envDefault:"true"`
	Transport         string        `env:"EVENT_TRANSPORT" envDefault:"dapr"`
	PrivateKey        string        `env:"JWT_PRIVATE_KEY,unset"`
	PrivateKeyFile    string        `env:"JWT_PRIVATE_KEY_FILE"`
	TokenLife         time.Duration `env:"JWT_LIFETIME" envDefault:"24h"`
	CookieSecure      bool          `env:"COOKIE_SECURE" envDefault:"true"`
}

// Validate checks what the types cannot.
func (s settings) Validate() error {
	if s.Transport != "dapr" {
		return fmt.Errorf("EVENT_TRANSPORT must be dapr, not %q", s.Transport)
	}
	if s.TokenLife <= 0 {
		return errors.New("JWT_LIFETIME must be longer than 0")
	}
	return s.Settings.Validate()
}
