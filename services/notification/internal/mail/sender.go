// Package mail writes the reminder mails and hands them to an SMTP server.
package mail

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"net/url"
	"strconv"
	"sync"
	"time"

	gomail "github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"

	"github.com/taskwire/taskwire/pkg/outage"
)

// dialPause is how long a server that could not be reached is left alone:
// with a thousand mails waiting, one of them asks and the others learn from it.
const dialPause = time.Second

// Sender sends mails over connections that it keeps open between them. It is
// safe for use by many goroutines; each mail has a connection to itself.
type Sender struct {
	host    string
	address string
	options []gomail.Option
	tls     *tls.Config // for smtps: TLS from the first byte
	from    *netmail.Address
	timeout time.Duration
	away    *outage.Outage

	mu        sync.Mutex
	idle      []*connection
	downUntil time.Time
	downWith  error
}

// New returns a sender for the server at rawURL, smtp://[user:password@]host[:port]
// or smtps://…, that writes from as the sender's address. With smtp the
// connection is encrypted when the server offers STARTTLS; ?tls=required
// insists on it and ?tls=off does without. A mail that takes longer than
// timeout is given up.
func New(rawURL, from string, timeout time.Duration) (*Sender, error) {
	s, urlErr := server(rawURL, timeout)
	sender, err := netmail.ParseAddress(from)
	if err != nil {
		err = fmt.Errorf("MAIL_FROM must be an address, or Name <address>, not %q", from)
	}
	if err = errors.Join(urlErr, err); err != nil {
		return nil, err
	}
	s.from = sender
	return s, nil
}

// server is a Sender that knows its server, and not yet who sends. The URL may hold a
// password: no error repeats a part of it.
func server(rawURL string, timeout time.Duration) (*Sender, error) {
	u, err := url.Parse(rawURL)
	if err != nil || u.Hostname() == "" || u.Scheme != "smtp" && u.Scheme != "smtps" {
		return nil, errors.New("SMTP_URL must be the address of a mail server, smtp://[user:password@]host[:port] or smtps://…")
	}
	s := &Sender{host: u.Hostname(), timeout: timeout,
		away: &outage.Outage{Gone: "the mail server can not be reached; mails are kept and tried again", Back: "the mail server is reached again"}}
	tlsConfig := &tls.Config{ServerName: s.host, MinVersion: tls.VersionTLS12}
	port, policy := "587", gomail.TLSOpportunistic
	switch mode := u.Query().Get("tls"); {
	case u.Scheme == "smtps":
		port, s.tls = "465", tlsConfig
	case mode == "required":
		policy = gomail.TLSMandatory
	case mode == "off":
		policy = gomail.NoTLS
	case mode != "":
		return nil, errors.New("SMTP_URL must have tls=required or tls=off, or no tls")
	}
	if u.Port() != "" {
		port = u.Port()
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil || number == 0 {
		return nil, errors.New("SMTP_URL must have a port from 1 to 65535, or none")
	}
	s.address = net.JoinHostPort(s.host, port)
	s.options = []gomail.Option{
		gomail.WithPort(int(number)), gomail.WithTLSPolicy(policy), gomail.WithTLSConfig(tlsConfig),
		// The context of a Send decides; go-mail's own deadline lies behind it.
		gomail.WithTimeout(timeout + time.Second),
		// A transaction that ended well leaves nothing to reset.
		gomail.WithoutRset(),
	}
	if u.User != nil {
		if policy == gomail.NoTLS {
			return nil, errors.New("SMTP_URL must not have both tls=off and a login: a password is not sent over a connection without TLS")
		}
		password, _ := u.User.Password()
		s.options = append(s.options, gomail.WithUsername(u.User.Username()), gomail.WithPassword(password),
			// The strongest mechanism that the server offers; none that shows
			// the password on a connection that is not encrypted.
			gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover))
	}
	if _, err := gomail.NewClient(s.host, s.options...); err != nil {
		return nil, fmt.Errorf("SMTP_URL must be one that the mail client can use: %w", err)
	}
	return s, nil
}

// FallsBack says whether mails are encrypted only where the server offers it:
// whoever is in between can take the offer away. On the machine's own loopback
// nobody is.
func FallsBack(rawURL string) bool {
	u, err := url.Parse(rawURL)
	if err != nil || u.Scheme != "smtp" || u.Query().Get("tls") != "" {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback())
}

// Send hands one mail to the server and returns nil once the server has
// accepted it. Its errors are *Error. When the connection is lost after the
// mail was sent and before the answer came, the server may have it all the
// same; a second Send of the same message carries the same Message-ID.
func (s *Sender) Send(ctx context.Context, m Message) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	msg, err := s.compose(m)
	if err != nil {
		return err
	}
	for reuse := true; ; reuse = false {
		c, used, err := s.take(ctx, reuse)
		if err != nil {
			return &Error{Reason: "connect to the mail server: " + err.Error()}
		}
		err = c.send(ctx, msg)
		if err == nil {
			s.put(c)
			return nil
		}
		failure := classify(ctx, err)
		if failure.healthy {
			s.put(c)
			return failure
		}
		c.close()
		// A server may close a connection that was idle, or that it thinks has
		// done enough. Nothing was sent on it: the mail gets a new one.
		if used && failure.unsent && ctx.Err() == nil {
			continue
		}
		return failure
	}
}

// CloseIdle ends the connections that no mail is using.
func (s *Sender) CloseIdle() {
	s.mu.Lock()
	idle := s.idle
	s.idle = nil
	s.mu.Unlock()
	var wg sync.WaitGroup
	for _, c := range idle {
		wg.Go(c.quit)
	}
	wg.Wait()
}

// take returns a connection, and whether it has been used before.
func (s *Sender) take(ctx context.Context, reuse bool) (*connection, bool, error) {
	s.mu.Lock()
	if n := len(s.idle); reuse && n > 0 {
		c := s.idle[n-1]
		s.idle = s.idle[:n-1]
		s.mu.Unlock()
		return c, true, nil
	}
	down, err := time.Now().Before(s.downUntil), s.downWith
	s.mu.Unlock()
	if down {
		return nil, false, err
	}
	c, err := s.dial(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		if !errors.Is(ctx.Err(), context.Canceled) { // else the service stops
			s.away.Failed(ctx, err)
		}
		s.downUntil, s.downWith = time.Now().Add(dialPause), err
		return nil, false, err
	}
	s.away.Worked()
	s.downUntil = time.Time{}
	return c, false, nil
}

func (s *Sender) put(c *connection) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.idle = append(s.idle, c)
}

func (s *Sender) dial(ctx context.Context) (*connection, error) {
	c := &connection{}
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		var err error
		if s.tls != nil {
			c.conn, err = (&tls.Dialer{Config: s.tls}).DialContext(ctx, network, address)
		} else {
			c.conn, err = (&net.Dialer{}).DialContext(ctx, network, address)
		}
		return c.conn, err
	}
	var err error
	if c.mailer, err = gomail.NewClient(s.host, append(s.options[:len(s.options):len(s.options)], gomail.WithDialContextFunc(dial))...); err != nil {
		return nil, err
	}
	if c.client, err = c.mailer.DialToSMTPClientWithContext(ctx); err != nil {
		// go-mail leaves the connection open when the greeting, STARTTLS or AUTH fails.
		c.close()
		return nil, err
	}
	return c, nil
}

// connection is one authenticated session with the server.
type connection struct {
	conn   net.Conn
	mailer *gomail.Client
	client *smtp.Client
}

func (c *connection) send(ctx context.Context, msg *gomail.Msg) error {
	// go-mail knows a deadline per connection only; closing it ends any wait.
	stop := context.AfterFunc(ctx, c.close)
	defer stop()
	if err := c.mailer.SendWithSMTPClient(c.client, msg); err != nil && !msg.IsDelivered() {
		return err
	}
	return nil
}

func (c *connection) close() {
	if c.conn != nil {
		// There is nothing to do about a connection that will not close.
		_ = c.conn.Close()
	}
}

func (c *connection) quit() {
	if c.client.UpdateDeadline(time.Second) == nil {
		// The server frees the session sooner; it may be gone as well.
		_ = c.mailer.CloseWithSMTPClient(c.client)
	}
	c.close()
}
