package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/service"
)

func TestSettings(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*settings)
		says   string // "": it is taken
	}{
		"as they are":                  {func(*settings) {}, ""},
		"no budget":                    {func(s *settings) { s.MailBudget = 0 }, ""},
		"a negative budget":            {func(s *settings) { s.MailBudget = -1 }, "MAIL_BUDGET"},
		"a retention of no time":       {func(s *settings) { s.Retention = 0 }, "NOTIFICATION_RETENTION"},
		"a public URL":                 {func(s *settings) { s.PublicURL = "https://tasks.example.org" }, ""},
		"a public URL with a path":     {func(s *settings) { s.PublicURL = "https://example.org/tasks/" }, ""},
		"a public URL of no host":      {func(s *settings) { s.PublicURL = "tasks.example.org" }, "PUBLIC_URL"},
		"a public URL of another kind": {func(s *settings) { s.PublicURL = "ftp://tasks.example.org" }, "PUBLIC_URL"},
		"a public URL with a password": {func(s *settings) { s.PublicURL = "https://u:p@example.org" }, "PUBLIC_URL"},
		"a public URL with a query":    {func(s *settings) { s.PublicURL = "https://example.org/?x=1" }, "PUBLIC_URL"},
	} {
		t.Run(name, func(t *testing.T) {
			s := settings{
				Settings:        service.Settings{DaprHost: "127.0.0.1", LogFormat: "text", EventRetention: 720 * time.Hour, ShutdownTimeout: 8 * time.Second},
				SMTPConnections: 16, SMTPTimeout: 30 * time.Second, MailRetryFor: time.Hour, MailBudget: 60, Retention: 2160 * time.Hour,
			}
			c.change(&s)
			err := s.Validate()
			if c.says == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.says)
			require.NotContains(t, err.Error(), "u:p")
		})
	}
}
