package main

import (
	"errors"
	"net/url"
	"time"

	"github.com/taskwire/taskwire/pkg/auth"
	"github.com/taskwire/taskwire/pkg/service"
	"github.com/taskwire/taskwire/pkg/setting"
	"github.com/taskwire/taskwire/services/notification/internal/mail"
)

// settings are what the operator chooses, read from the environment.
type settings struct {
	service.Settings
	Auth auth.Settings

	// SMTPURL is the mail server: smtp://[user:password@]host[:port] (STARTTLS
	// when offered; ?tls=required or ?tls=off) or smtps://… (TLS from the start).
	SMTPURL string `env:"SMTP_URL,required,notEmpty,unset" secret:"url"`
	// MailFrom is the sender of the mails: an address, or "Name <address>".
	MailFrom string `env:"MAIL_FROM,required,notEmpty"`
	// SMTPConnections is how many mails may be on their way at once.
	SMTPConnections int `env:"SMTP_CONNECTIONS" envDefault:"16" min:"1" max:"100"`
	// SMTPTimeout bounds one mail, from the connection to the server's answer.
	SMTPTimeout time.Duration `env:"SMTP_TIMEOUT" envDefault:"30s" min:"1s" max:"10m"`
	// MailRetryFor is how long a mail that a server refuses for the moment is
	// tried again before it is given up.
	MailRetryFor time.Duration `env:"MAIL_RETRY_FOR" envDefault:"72h" min:"1s"`
	// MailBudget is how many mails a recipient gets within an hour; 0: any number.
	MailBudget int `env:"MAIL_BUDGET" envDefault:"60" min:"0"`
	// PublicURL is where users reach task-api: https://host, for links in mails.
	PublicURL string `env:"PUBLIC_URL"`
	// Retention is how long deliveries and notifications are kept.
	Retention time.Duration `env:"NOTIFICATION_RETENTION" envDefault:"2160h" min:"24h"`
}

// Validate checks what types and tags cannot.
func (s settings) Validate() error {
	_, badMail := mail.New(s.SMTPURL, s.MailFrom, s.SMTPTimeout)
	_, badURL := s.publicURL()
	return errors.Join(s.Settings.Validate(), s.Auth.Validate(), badMail, badURL)
}

// publicURL is nil where there is none.
func (s settings) publicURL() (*url.URL, error) {
	if s.PublicURL == "" {
		return nil, nil
	}
	return setting.PublicURL(s.PublicURL)
}
