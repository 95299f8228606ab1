package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/taskwire/taskwire/pkg/local"
)

// waitReady returns when every service and sidecar says that it is ready. What
// it waits for is said when that changes, and now and then.
func waitReady(ctx context.Context, apps []*app, say func(string, ...any)) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	begun := time.Now()
	var last string
	var said time.Time
	return poll(ctx, func(context.Context) error {
		// Not ctx: its end must not hide the reason.
		err := notReady(context.WithoutCancel(ctx), apps)
		if err != nil && time.Since(begun) > 5*time.Second && (err.Error() != last || time.Since(said) > 15*time.Second) {
			last, said = err.Error(), time.Now()
			say("waiting: %s", last)
		}
		return err
	})
}

// notReady names the first part that is not ready.
func notReady(ctx context.Context, apps []*app) error {
	for _, a := range apps {
		status, err := readiness(ctx, "http://"+local.Address(a.Port)+"/readyz")
		if err != nil {
			return fmt.Errorf("%s: %w", a.name(), err)
		}
		if status != "ready" {
			return fmt.Errorf("%s is %s", a.name(), status)
		}
		if _, err := readiness(ctx, "http://"+local.Address(a.HTTPPort)+"/v1.0/healthz"); err != nil {
			return fmt.Errorf("%s-daprd: %w", a.name(), err)
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
	var body struct {
		Status string
		Checks map[string]string
	}
	if err := json.NewDecoder(res.Body).Decode(&body); err != nil {
		return "", fmt.Errorf("%s: %w", url, err)
	}
	// What is switched off is nothing to wait for.
	if failing := slices.Contains(slices.Collect(maps.Values(body.Checks)), "failing"); body.Status == "degraded" && !failing {
		return "ready", nil
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
