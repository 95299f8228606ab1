// Command stranger is a pod that has no business with the suite: it tries to
// connect to each address that it is given and says what came of it. With
// "https:" before an address it also asks there, without a certificate; with
// "invoke:APP/PATH" it has a sidecar of its own call another app's route.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
)

const patience = 2 * time.Second

func main() {
	tried := os.Args[1:]
	said := make([]string, len(tried))
	var trying sync.WaitGroup
	for i, to := range tried {
		trying.Go(func() {
			if call, ok := strings.CutPrefix(to, "invoke:"); ok {
				said[i] = invoke(call)
			} else if err := try(to); err != nil {
				said[i] = "refused: " + err.Error()
			} else {
				said[i] = "reached"
			}
		})
	}
	trying.Wait()
	for i, to := range tried {
		// Nobody is there to be told when this can not be written.
		_, _ = os.Stdout.WriteString(to + " " + said[i] + "\n")
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

// invoke returns the status and the body of an app's answer.
func invoke(call string) string {
	app, path, _ := strings.Cut(call, "/")
	// A sidecar may take longer than a connection: it has to find the other one.
	ctx, cancel := context.WithTimeout(context.Background(), 10*patience)
	defer cancel()
	var res *http.Response
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://127.0.0.1:3500/v1.0/invoke/"+app+"/method/"+path, strings.NewReader("{}"))
		if err != nil {
			return err.Error()
		}
		req.Header.Set("Content-Type", "application/json")
		if res, err = http.DefaultClient.Do(req); err == nil {
			break
		}
		if ctx.Err() != nil || !errors.Is(err, syscall.ECONNREFUSED) {
			return "not answered: " + err.Error()
		}
		time.Sleep(patience / 10) // the sidecar is not there yet
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 4<<10))
	if err != nil {
		return "not answered: " + err.Error()
	}
	return fmt.Sprintf("answered %d %s", res.StatusCode, body)
}
