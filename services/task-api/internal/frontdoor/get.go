package frontdoor

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/taskwire/taskwire/pkg/auth"
	"github.com/taskwire/taskwire/pkg/httpapi"
)

// mostRead is the most that is read of an answer, in bytes: more than a page has.
const mostRead = 16 << 20

// Get asks a service, through the sidecar, for something of the caller whose request ctx
// belongs to, and answers the body of a 200, which the caller closes. Any other answer is
// a 503: the service is not there, or is of a version that knows no such thing.
func (d *Door) Get(ctx context.Context, app, path string) (io.ReadCloser, error) {
	token, err := d.sign(auth.CallerOf(ctx), time.Now())
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.sidecar.String()+path, nil)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", app, err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("dapr-app-id", app)
	if d.token != "" {
		req.Header.Set("dapr-api-token", d.token)
	}
	away := httpapi.Unavailable(app + " is not there at the moment, and has a part of this; try again shortly")
	res, err := d.transport.RoundTrip(req)
	if err != nil {
		if away := d.away[app]; away != nil && ctx.Err() == nil {
			away.Failed(ctx, err)
		}
		unavailable.WithLabelValues(app).Inc()
		return nil, away
	}
	if res.StatusCode != http.StatusOK {
		_ = res.Body.Close() // what it says is for nobody here
		unavailable.WithLabelValues(app).Inc()
		return nil, away
	}
	return struct {
		io.Reader
		io.Closer
	}{io.LimitReader(res.Body, mostRead), res.Body}, nil
}
