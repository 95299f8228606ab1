package main

import (
	"errors"
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
	}
	return s.Settings.Validate()
}
