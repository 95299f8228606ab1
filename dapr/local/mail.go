package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/mail"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/emersion/go-smtp"
)

// serveMail is a mail server that accepts every message and writes it to a
// file: a mail client can open it, and a test can read it.
func serveMail(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("mail", flag.ContinueOnError)
	host := flags.String("host", "127.0.0.1", "address that it listens on")
	port := flags.Int("port", 1025, "port that it listens on")
	dir := flags.String("dir", "", "folder for the messages")
	if err := flags.Parse(args); err != nil {
		return err
	}
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) {
		return &mailSession{dir: *dir}, nil
	}))
	server.Addr, server.Domain = net.JoinHostPort(*host, strconv.Itoa(*port)), "localhost"
	server.MaxMessageBytes = 16 << 20
	server.ReadTimeout, server.WriteTimeout = time.Minute, time.Minute
	ended := make(chan error, 1)
	go func() { ended <- server.ListenAndServe() }()
	select {
	case err := <-ended:
		return fmt.Errorf("mail sink: %w", err)
	case <-ctx.Done():
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := server.Shutdown(stopping); err != nil {
		_ = server.Close() // idle clients do not hold the suite up
	}
	return nil
}

// mailSession is one connection of a mail client.
type mailSession struct{ dir string }

func (*mailSession) Reset()                               {}
func (*mailSession) Logout() error                        { return nil }
func (*mailSession) Mail(string, *smtp.MailOptions) error { return nil }
func (*mailSession) Rcpt(string, *smtp.RcptOptions) error { return nil }

// Data writes a message under a name that sorts by time. The name appears only
// once the message is whole.
func (s *mailSession) Data(r io.Reader) error {
	f, err := os.CreateTemp(s.dir, time.Now().UTC().Format("20060102T150405.000000")+"-*.part")
	if err != nil {
		return fmt.Errorf("open a message: %w", err)
	}
	_, err = io.Copy(f, r)
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("write a message: %w", err)
	}
	name := strings.TrimSuffix(filepath.Base(f.Name()), ".part") + ".eml"
	if err := os.Rename(f.Name(), filepath.Join(s.dir, name)); err != nil {
		return fmt.Errorf("keep a message: %w", err)
	}
	// Where its files can not be seen, its log tells of a mail that came twice.
	message, err := os.Open(filepath.Join(s.dir, name))
	if err != nil {
		return fmt.Errorf("read a message: %w", err)
	}
	defer message.Close()
	if parsed, err := mail.ReadMessage(message); err == nil {
		fmt.Println("took", parsed.Header.Get("Message-Id"))
	}
	return nil
}

// mailProcess is the sink as a process of the suite.
func mailProcess(dir string, port int) (process, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return process{}, fmt.Errorf("make the folder of the mail: %w", err)
	}
	self, err := os.Executable()
	if err != nil {
		return process{}, fmt.Errorf("find this program: %w", err)
	}
	return process{
		name: "mail", path: self, env: environment(nil), stopWithin: 2 * time.Second,
		args: []string{"mail", "-port", strconv.Itoa(port), "-dir", dir},
	}, nil
}
