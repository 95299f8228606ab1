package frontdoor

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/taskwire/taskwire/pkg/auth"
	"github.com/taskwire/taskwire/pkg/httpapi"
)

const (
	// mostRead is the most that is read of an answer to Get, in bytes: more than a page has.
	mostRead = 16 << 20
	// mostAnswered is the most that is read of an answer to Call, in bytes.
	mostAnswered = 1 << 20
)

// Get asks a service, through the sidecar, for something of the caller whose request ctx
// belongs to, and answers the body of a 200, which the caller closes. Any other answer is
// a 503: the service is not there, or is of a version that knows no such thing.
func (d *Door) Get(ctx context.Context, app, path string) (io.ReadCloser, error) {
	res, err := d.send(ctx, app, http.MethodGet, path, nil)
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		_ = res.Body.Close() // what it says is for nobody here
		return nil, away(app)
	}
	return struct {
		io.Reader
		io.Closer
	}{io.LimitReader(res.Body, mostRead), res.Body}, nil
}

// Call asks a service, through the sidecar, for something in the name of the caller whose
// request ctx belongs to, and returns the status and the body of what the service answers
// itself. With body, which is sent as JSON unless it is nil. The error is a 503 problem where
// the service is not there, and it is not known whether it has acted.
func (d *Door) Call(ctx context.Context, app, method, path string, body any) (status int, answer []byte, err error) {
	var sent io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return 0, nil, fmt.Errorf("encode a call of %s: %w", app, err)
		}
		sent = bytes.NewReader(raw)
	}
	res, err := d.send(ctx, app, method, path, sent)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	answer, err = io.ReadAll(io.LimitReader(res.Body, mostAnswered))
	if err != nil {
		return 0, nil, away(app)
	}
	return res.StatusCode, answer, nil
}

// send sends a request, with a body of JSON if there is one, to a service in the name of the
// caller whose request ctx belongs to. Its answer is the service's own; the error is a 503
// problem where there is none.
func (d *Door) send(ctx context.Context, app, method, path string, body io.Reader) (*http.Response, error) {
	token, err := d.sign(auth.CallerOf(ctx), time.Now())
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, d.sidecar.String()+path, body)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", app, err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("dapr-app-id", app)
	if d.token != "" {
		req.Header.Set("dapr-api-token", d.token)
	}
	gone := d.away[app] // nil for a service that nothing is passed on to
	res, err := d.transport.RoundTrip(req)
	if err != nil {
		if gone != nil && ctx.Err() == nil {
			gone.Failed(ctx, err)
		}
		return nil, away(app)
	}
	// What is neither done nor a problem document is the sidecar's word.
	kind, _, _ := strings.Cut(res.Header.Get("Content-Type"), ";")
	if res.StatusCode >= http.StatusInternalServerError || res.StatusCode >= http.StatusBadRequest && kind != "application/problem+json" {
		_ = res.Body.Close() // what it says is for nobody here
		return nil, away(app)
	}
	if gone != nil {
		gone.Worked()
	}
	return res, nil
}

// away counts a service that is not there, and is the problem that says so.
func away(app string) error {
	unavailable.WithLabelValues(app).Inc()
	return httpapi.Unavailable(app + " is not there at the moment; try again shortly")
}
