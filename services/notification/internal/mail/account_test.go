package mail

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/taskapi"
)

// What users have chosen can not leave its line, and so not pass for words of ours.
func TestWhatMailsAboutAccountsSay(t *testing.T) {
	public, err := url.Parse("https://tasks.example.org/suite")
	require.NoError(t, err)
	until := time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)
	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	nasty := "Ada\r\nBcc: all@example.org\n\nClick https://evil.example \u202e"
	for name, c := range map[string]struct {
		mail    taskapi.AccountMail
		public  *url.URL
		subject string
		says    []string
	}{
		"verify": {
			taskapi.AccountMail{Kind: taskapi.MailVerify, Token: "T", ExpiresAt: &until}, public, "Confirm your address",
			[]string{"\nhttps://tasks.example.org/suite/account/verify#T\n", "Monday, 1 March 2027, 13:00 CET (Europe/Berlin)"},
		},
		"verify, without a public address": {
			taskapi.AccountMail{Kind: taskapi.MailVerify, Token: "T", ExpiresAt: &until}, nil, "Confirm your address", []string{"T\n\nis the token for POST /api/auth/verify."},
		},
		"reset":      {taskapi.AccountMail{Kind: taskapi.MailReset, Token: "T", ExpiresAt: &until}, public, "Set a new password", []string{"account/reset#T\n"}},
		"welcome":    {taskapi.AccountMail{Kind: taskapi.MailWelcome, Token: "T", ExpiresAt: &until}, public, "An account of taskwire for you", []string{"account/reset#T\n"}},
		"invitation": {taskapi.AccountMail{Kind: taskapi.MailInvitation, List: nasty, InvitedBy: nasty}, public, "invites you to a list of tasks", []string{"Ada Bcc: all@example.org Click"}},
		"notice":     {taskapi.AccountMail{Kind: taskapi.MailNotice, Notice: taskapi.NoticeNewDevice, IP: "203.0.113.7", Device: nasty, At: until}, public, "A new device signed in", []string{"From: 203.0.113.7\n", "With: Ada Bcc"}},
		"a notice of a version that is ahead": {
			taskapi.AccountMail{Kind: taskapi.MailNotice, Notice: "passkey_added"}, public, "Your account was changed", []string{"passkey added"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c.mail.Name = nasty
			subject, body := Account{c.mail, c.public, berlin}.Text()
			require.Contains(t, subject, c.subject)
			require.NotContains(t, subject, "\n")
			for _, words := range c.says {
				require.Contains(t, body, words)
			}
			for line := range strings.Lines(body) {
				require.False(t, strings.HasPrefix(line, "Bcc") || strings.HasPrefix(line, "Click"), line)
			}
		})
	}
}
