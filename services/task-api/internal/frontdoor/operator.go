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

// mostAnswered is the most that is read of an answer to Call, in bytes.
const mostAnswered = 1 << 20

// Call asks a service, through the sidecar, for something in the name of the caller whose
// request ctx belongs to, and returns the status and the body of what the service answers
// itself. With body, which is sent as JSON unless it is nil. The error is a 503 problem where
// the service is not there, and it is not known whether it has acted.
func (d *Door) Call(ctx context.Context, app, method, path string, body any) (status int, answer []byte, err error) {
	token, err := d.sign(auth.CallerOf(ctx), time.Now())
	if err != nil {
		return 0, nil, err
	}
	var sent io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return 0, nil, fmt.Errorf("encode a call of %s: %w", app, err)
		}
		sent = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, d.sidecar.String()+path, sent)
	if err != nil {
		return 0, nil, fmt.Errorf("call %s: %w", app, err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("dapr-app-id", app)
	if d.token != "" {
		req.Header.Set("dapr-api-token", d.token)
	}
	away := func() (int, []byte, error) {
		unavailable.WithLabelValues(app).Inc()
		return 0, nil, httpapi.Unavailable(app + " is not there at the moment; try again shortly")
	}
	res, err := d.transport.RoundTrip(req)
	if err != nil {
		if gone := d.away[app]; gone != nil && ctx.Err() == nil {
			gone.Failed(ctx, err)
		}
		return away()
	}
	defer res.Body.Close()
	// What is neither done nor a problem document is the sidecar's word.
	kind, _, _ := strings.Cut(res.Header.Get("Content-Type"), ";")
	if res.StatusCode >= http.StatusInternalServerError || res.StatusCode >= http.StatusBadRequest && kind != "application/problem+json" {
		return away()
	}
	answer, err = io.ReadAll(io.LimitReader(res.Body, mostAnswered))
	if err != nil {
		return away()
	}
	return res.StatusCode, answer, nil
}
