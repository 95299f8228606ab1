package mail_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/services/notification/internal/mail"
)

func TestAMailThatMayGoInPlainTextIsKnown(t *testing.T) {
	for url, falls := range map[string]bool{
		"smtp://u:p@mail.example":          true,
		"smtp://mail.example:25":           true,
		"smtp://mail.example?tls=required": false,
		"smtp://mail.example?tls=off":      false, // somebody has said so
		"smtps://u:p@mail.example":         false,
		"smtp://127.0.0.1:1025":            false,
		"smtp://localhost:1025":            false,
	} {
		require.Equal(t, falls, mail.FallsBack(url), url)
	}
}
