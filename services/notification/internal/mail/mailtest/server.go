// Package mailtest is a mail server for tests that refuses, hangs and hangs up
// as a test wants it to.
package mailtest

import (
	"bytes"
	"errors"
	"io"
	"net"
	netmail "net/mail"
	"sync"
	"testing"

	"github.com/emersion/go-smtp"
)

// Answer is what the server does with a mail; the zero value accepts it.
type Answer struct {
	RcptCode int  // refuse the recipient with this code
	DataCode int  // refuse the mail with this code after its text was sent
	Hang     bool // never answer the text
	Drop     bool // accept the mail, and cut the connection before saying so

	Wait <-chan struct{} // answer the text when this is closed
}

// Mail is what the server accepted.
type Mail struct {
	From, To string
	Header   netmail.Header
	Raw      []byte
}

// Server is a real SMTP server on a loopback port.
type Server struct {
	// Decide says what happens to the attempt'th mail (from 1) to a recipient.
	// Set it before the first mail.
	Decide func(to string, attempt int) Answer

	address string
	server  *smtp.Server
	stopped chan struct{}

	mu       sync.Mutex
	mails    []Mail
	attempts map[string]int
	sessions int
	hanging  int
}

// New starts a server that accepts everything and ends with the test.
func New(t testing.TB) *Server {
	t.Helper()
	s := &Server{attempts: map[string]int{}, stopped: make(chan struct{})}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listen: %v", err)
	}
	s.address = l.Addr().String()
	s.serve(l)
	t.Cleanup(func() {
		close(s.stopped)
		s.Stop()
	})
	return s
}

// URL is for SMTP_URL.
func (s *Server) URL() string { return "smtp://" + s.address }

// Stop closes the port and all connections.
func (s *Server) Stop() {
	// Closing twice is an error that means nothing here.
	_ = s.server.Close()
}

// Start opens the port again after Stop.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	l, err := net.Listen("tcp", s.address)
	if err != nil {
		t.Fatalf("listen again: %v", err)
	}
	s.serve(l)
}

func (s *Server) serve(l net.Listener) {
	server := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.sessions++
		return &session{server: s, conn: c}, nil
	}))
	server.Domain = "localhost"
	server.EnableSMTPUTF8 = true
	server.ErrorLog = quiet{}
	s.server = server
	// Serve ends with an error when the test closes it.
	go func() { _ = server.Serve(l) }()
}

// Mails are those accepted so far.
func (s *Server) Mails() []Mail {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Mail(nil), s.mails...)
}

// Count is how many mails were accepted for a recipient; "" is everyone.
func (s *Server) Count(to string) int {
	n := 0
	for _, m := range s.Mails() {
		if to == "" || m.To == to {
			n++
		}
	}
	return n
}

// Sessions is how many connections were made.
func (s *Server) Sessions() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions
}

// Hanging is how many mails wait for an answer that does not come, or not yet.
func (s *Server) Hanging() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hanging
}

type session struct {
	server   *Server
	conn     *smtp.Conn
	from, to string
	answer   Answer
}

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	s.from = from
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = to
	s.server.mu.Lock()
	s.server.attempts[to]++
	attempt := s.server.attempts[to]
	s.server.mu.Unlock()
	if s.server.Decide != nil {
		s.answer = s.server.Decide(to, attempt)
	}
	return refusal(s.answer.RcptCode)
}

func (s *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if s.answer.Hang || s.answer.Wait != nil {
		s.server.mu.Lock()
		s.server.hanging++
		s.server.mu.Unlock()
		select {
		case <-s.answer.Wait: // nil, and never, where the mail hangs
		case <-s.server.stopped:
			return errors.New("the test is over")
		}
		s.server.mu.Lock()
		s.server.hanging--
		s.server.mu.Unlock()
	}
	if s.answer.DataCode != 0 {
		return refusal(s.answer.DataCode)
	}
	msg, err := netmail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return &smtp.SMTPError{Code: 554, Message: "not a mail: " + err.Error()}
	}
	s.server.mu.Lock()
	s.server.mails = append(s.server.mails, Mail{From: s.from, To: s.to, Header: msg.Header, Raw: raw})
	s.server.mu.Unlock()
	if s.answer.Drop {
		return s.conn.Conn().Close()
	}
	return nil
}

func (s *session) Reset()        { s.answer = Answer{} }
func (s *session) Logout() error { return nil }

func refusal(code int) error {
	switch {
	case code == 0:
		return nil
	case code >= 500:
		return &smtp.SMTPError{Code: code, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such mailbox"}
	default:
		return &smtp.SMTPError{Code: code, EnhancedCode: smtp.EnhancedCode{4, 2, 1}, Message: "mailbox busy"}
	}
}

type quiet struct{}

func (quiet) Printf(string, ...any) {}
func (quiet) Println(...any)        {}
