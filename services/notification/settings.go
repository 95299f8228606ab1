package main

import (
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/taskwire/taskwire/pkg/auth"
	"github.com/taskwire/taskwire/pkg/service"
)

// settings are what the operator chooses, read from the environment.
type settings struct {
	service.Settings
	Auth auth.Settings

	// SMTPURL is the mail server: smtp://[user:password@]host[:port] (STARTTLS
	// when offered; ?tls=required or ?tls=off) or smtps://… (TLS from the start).
	SMTPURL string `env:"SMTP_URL,required,notEmpty,unset"`
	// MailFrom is the sender of the mails: an address, or "Name <address>".
	MailFrom string `env:"MAIL_FROM,required,notEmpty"`
	// SMTPConnections is how many mails may be on their way at once.
	SMTPConnections int `env:"SMTP_CONNECTIONS" envDefault:"16"`
	// SMTPTimeout bounds one mail, from the connection to the server's answer.
	SMTPTimeout time.Duration `env:"SMTP_TIMEOUT" envDefault:"30s"`
	// MailRetryFor is how long a mail that a server refuses for the moment is
	// tried again before it is given up.
	MailRetryFor time.Duration `env:"MAIL_RETRY_FOR" envDefault:"72h"`
	// MailBudget is how many mails a recipient gets within an hour; 0: any number.
	MailBudget int `env:"MAIL_BUDGET" envDefault:"60"`
	// PublicURL is where users reach task-api: https://host, for links in mails.
	PublicURL string `env:"PUBLIC_URL"`
	// Retention is how long deliveries and notifications are kept.
	Retention time.Duration `env:"NOTIFICATION_RETENTION" envDefault:"2160h"`
}

// Validate checks what the types cannot; service.Load calls it.
func (s settings) Validate() error {
	switch {
	case s.SMTPConnections < 1 || s.SMTPConnections > 100:
		return errors.New("SMTP_CONNECTIONS must be from 1 to 100")
	case s.SMTPTimeout < time.Second || s.SMTPTimeout > 10*time.Minute:
		return errors.New("SMTP_TIMEOUT must be from 1s to 10m")
	case s.MailRetryFor <= 0:
		return errors.New("MAIL_RETRY_FOR must be more than 0")
	case s.MailBudget < 0:
		return errors.New("MAIL_BUDGET must be 0, for any number, or more")
	case s.Retention < 24*time.Hour:
		return fmt.Errorf("NOTIFICATION_RETENTION must be at least 24h, not %s", s.Retention)
	}
	if _, err := s.publicURL(); err != nil {
		return err
	}
	return s.Settings.Validate()
}

// publicURL is nil where there is none.
func (s settings) publicURL() (*url.URL, error) {
	if s.PublicURL == "" {
		return nil, nil
	}
	u, err := url.Parse(s.PublicURL)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("PUBLIC_URL must be like https://tasks.example.org, with a path where there is one before /api")
	}
	return u, nil
}
