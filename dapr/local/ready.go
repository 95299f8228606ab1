package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"
)

// waitReady returns when every service and sidecar says that it is ready.
func waitReady(ctx context.Context, apps []*app, say func(string, ...any)) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	waiting := make(chan string, 1)
	progress := time.NewTicker(5 * time.Second)
	defer progress.Stop()
	ended := make(chan error, 1)
	go func() {
		ended <- poll(ctx, func(ctx context.Context) error {
			err := notReady(ctx, apps)
			if err != nil {
				select { // keep the newest
				case <-waiting:
				default:
				}
				waiting <- err.Error()
			}
			return err
		})
	}()
	for {
		select {
		case err := <-ended:
			return err
		case <-progress.C:
			select {
			case reason := <-waiting:
				say("waiting: %s", reason)
			default:
			}
		}
	}
}

// notReady names the first part that is not ready.
func notReady(ctx context.Context, apps []*app) error {
	for _, a := range apps {
		status, err := readiness(ctx, "http://"+loopback(a.Port)+"/readyz")
		if err != nil {
			return fmt.Errorf("%s: %w", a.ID, err)
		}
		if status != "ready" {
			return fmt.Errorf("%s is %s", a.ID, status)
		}
		if _, err := readiness(ctx, "http://"+loopback(a.HTTPPort)+"/v1.0/healthz"); err != nil {
			return fmt.Errorf("%s-daprd: %w", a.ID, err)
		}
	}
	return nil
}

func readiness(ctx context.Context, url string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	if res.StatusCode >= 300 {
		return "", fmt.Errorf("%s answers %s", url, strconv.Itoa(res.StatusCode))
	}
	if res.StatusCode == http.StatusNoContent {
		return "ready", nil
	}
	var body struct{ Status string }
	if err := json.NewDecoder(res.Body).Decode(&body); err != nil {
		return "", fmt.Errorf("%s: %w", url, err)
	}
	return body.Status, nil
}

// waitListening returns when something accepts connections at address.
func waitListening(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	return poll(ctx, func(ctx context.Context) error {
		conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", address)
		if err != nil {
			return err
		}
		return conn.Close()
	})
}
