package e2e

import (
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-smtp"
	"github.com/stretchr/testify/require"
)

// mailServer refuses refused@ for good and busy@ twice, and takes all else.
type mailServer struct {
	address string
	mu      sync.Mutex
	mails   map[string]int // by recipient
	turned  int            // how often busy@ was turned away
}

func newMailServer(t *testing.T) *mailServer {
	t.Helper()
	m := &mailServer{mails: map[string]int{}}
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &mailSession{server: m}, nil }))
	server.Domain = "localhost"
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	m.address = listener.Addr().String()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(listener) // ends with an error when it is closed
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-ended
	})
	return m
}

// taken counts the mails whose recipient begins with a prefix.
func (m *mailServer) taken(prefix string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for to, mails := range m.mails {
		if strings.HasPrefix(to, prefix) {
			n += mails
		}
	}
	return n
}

type mailSession struct {
	server *mailServer
	to     string
}

func (s *mailSession) Reset()                             { s.to = "" }
func (*mailSession) Logout() error                        { return nil }
func (*mailSession) Mail(string, *smtp.MailOptions) error { return nil }

// Rcpt answers for the recipient, as a mail server does.
func (s *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	switch {
	case strings.HasPrefix(to, "refused@"):
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such user"}
	case strings.HasPrefix(to, "busy@") && s.server.turned < 2:
		s.server.turned++
		return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "come back later"}
	}
	s.to = to
	return nil
}

func (s *mailSession) Data(r io.Reader) error {
	if _, err := io.Copy(io.Discard, r); err != nil {
		return err
	}
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.server.mails[s.to]++
	return nil
}
