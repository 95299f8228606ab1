// Command stranger is a pod that has no business with the suite: it tries to
// connect to each address that it is given and says what came of it. With
// "https:" before an address it also asks there, without a certificate.
package main

import (
	"context"
	"crypto/tls"
	"net"
	"os"
	"strings"
	"time"
)

const patience = 2 * time.Second

func main() {
	for _, to := range os.Args[1:] {
		said := "reached"
		if err := try(to); err != nil {
			said = "refused: " + err.Error()
		}
		// Nobody is there to be told when this can not be written.
		_, _ = os.Stdout.WriteString(to + " " + said + "\n")
	}
}

func try(to string) error {
	address, ask := strings.CutPrefix(to, "https:")
	conn, err := (&net.Dialer{Timeout: patience}).DialContext(context.Background(), "tcp", address)
	if err != nil || !ask {
		if err == nil {
			err = conn.Close()
		}
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	// Whoever is there is not to be trusted, but to refuse this client.
	client := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}) //nolint:gosec // see above
	// With TLS 1.3 a server says after the handshake what it thinks of a missing
	// certificate. Read makes the handshake first.
	_, err = client.Read(make([]byte, 1))
	return err
}
