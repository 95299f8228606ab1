package main

import (
	"errors"
	"time"

	"github.com/taskwire/taskwire/pkg/auth"
	"github.com/taskwire/taskwire/pkg/httpapi"
	"github.com/taskwire/taskwire/pkg/publish"
	"github.com/taskwire/taskwire/pkg/service"
	"github.com/taskwire/taskwire/pkg/setting"
	"github.com/taskwire/taskwire/services/task-api/internal/account"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
	"github.com/taskwire/taskwire/services/task-api/internal/comment"
	"github.com/taskwire/taskwire/services/task-api/internal/limit"
	"github.com/taskwire/taskwire/services/task-api/internal/list"
	"github.com/taskwire/taskwire/services/task-api/internal/provider"
)

// settings are what task-api reads from its environment.
type settings struct {
	service.Settings
	Auth              auth.Settings
	Outside           auth.OutsideSettings
	PublishingEnabled bool   `env:"EVENT_PUBLISHING_ENABLED" envDefault:"true"`
	Transport         string `env:"EVENT_TRANSPORT" envDefault:"dapr" oneof:"dapr kafka"`
	Kafka             publish.KafkaSettings
	PrivateKey        string          `env:"JWT_PRIVATE_KEY,unset" secret:"value" neededBy:"serve" is:"an Ed25519 key in PEM, as 'openssl genpkey -algorithm ed25519' makes it"`
	AcceptedKeys      string          `env:"JWT_ACCEPTED_KEYS"`
	TokenLife         time.Duration   `env:"JWT_LIFETIME" envDefault:"1h" min:"1s"`
	CookieSecure      bool            `env:"COOKIE_SECURE" envDefault:"true"`
	TrustedProxies    httpapi.Proxies `env:"TRUSTED_PROXIES" is:"networks of proxies alone, such as 10.244.3.0/24, with commas between them and IPv4 written as IPv4"`
	Accounts          account.Settings
	Limits            limit.Settings
	TaskLimits        change.Limits
	ListLimits        list.Limits
	TrashRetention    time.Duration `env:"TRASH_RETENTION" envDefault:"720h" min:"1h"`
	CommentLimits     comment.Limits
	TokenLimits       account.TokenLimits
	EraseAfter        time.Duration `env:"ERASE_AFTER" envDefault:"168h" min:"0s"`
	// PublicURL is where users reach task-api: providers send their browsers back there.
	PublicURL string `env:"PUBLIC_URL" envDefault:"http://localhost:8080"`
	// OIDCProviders are the OpenID providers that users may sign in at.
	OIDCProviders string `env:"OIDC_PROVIDERS,unset" secret:"value"`
}

// transportKafka is the EVENT_TRANSPORT of events that go straight to the broker.
const transportKafka = "kafka"

// Validate checks what types and tags cannot.
func (s settings) Validate() error {
	_, badURL := setting.PublicURL(s.PublicURL)
	_, badProviders := provider.Parse(s.OIDCProviders)
	errs := []error{badURL, badProviders, s.Settings.Validate(), s.Auth.Validate(), s.Outside.Validate(), account.CheckKeys(s.PrivateKey, s.AcceptedKeys)}
	if s.Transport == transportKafka {
		errs = append(errs, s.Kafka.Validate())
	}
	return errors.Join(errs...)
}
