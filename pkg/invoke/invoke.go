// Package invoke calls another service of the suite through the sidecar, by
// Dapr service invocation.
package invoke

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
)

const (
	// timeout bounds one call; the callers try again.
	timeout = 5 * time.Second
	// maxAnswer is the most that is read of an answer, in bytes.
	maxAnswer = 1 << 20
)

// Client calls through one sidecar.
type Client struct {
	base  string
	token string
	http  *http.Client
}

// At returns a client of the sidecar at a URL. Token is DAPR_API_TOKEN, ""
// where the sidecar asks for none.
func At(sidecar, token string) *Client {
	return &Client{
		base: sidecar + "/v1.0/invoke/", token: token,
		http: &http.Client{Timeout: timeout, Transport: otelhttp.NewTransport(http.DefaultTransport)},
	}
}

// Post sends body as JSON to a path of an app, such as /internal/occurrences, and reads a 2xx answer into
// answer. Any other status is answered as it is, for the caller to judge. An
// error means that nobody knows whether the app has acted: the call is to be
// made again.
func (c *Client) Post(ctx context.Context, app, path string, body, answer any) (status int, err error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return 0, fmt.Errorf("encode a call of %s: %w", app, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+app+"/method"+path, bytes.NewReader(raw))
	if err != nil {
		return 0, fmt.Errorf("call %s: %w", app, err)
	}
	req.Header.Set("Content-Type", "application/json")
	if c.token != "" {
		req.Header.Set("dapr-api-token", c.token)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return 0, fmt.Errorf("call %s: %w", app, err)
	}
	defer res.Body.Close()
	limited := io.LimitReader(res.Body, maxAnswer)
	if res.StatusCode/100 != 2 {
		// Read so that the connection can be used again; what is in it is for a
		// person to read, and stands in the other service's log.
		_, _ = io.Copy(io.Discard, limited)
		return res.StatusCode, nil
	}
	if err := json.NewDecoder(limited).Decode(answer); err != nil {
		return 0, fmt.Errorf("read the answer of %s: %w", app, err)
	}
	return res.StatusCode, nil
}
