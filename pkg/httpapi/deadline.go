package httpapi

import (
	"net/http"
	"time"
)

// writeTime is how long a client may take to read what is written to it at
// once. Who does not read costs a connection for that long, and what waits to
// be written is let go.
const writeTime = 30 * time.Second

// writeDeadline sets a deadline before each write. A handler that sets one by
// http.ResponseController, as a stream does, has it in its own hands from then on.
func writeDeadline(within time.Duration) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			d := &deadlineWriter{ResponseWriter: w, within: within}
			// That of the request before on this connection may be past.
			d.renew()
			// net/http writes what is left in its buffer after the handler.
			defer d.renew()
			next.ServeHTTP(d, r)
		})
	}
}

type deadlineWriter struct {
	http.ResponseWriter
	within time.Duration
	own    bool // the handler's
}

func (d *deadlineWriter) renew() {
	if !d.own {
		// A writer that knows no deadlines is a test's.
		_ = http.NewResponseController(d.ResponseWriter).SetWriteDeadline(time.Now().Add(d.within))
	}
}

func (d *deadlineWriter) WriteHeader(code int) {
	d.renew()
	d.ResponseWriter.WriteHeader(code)
}

func (d *deadlineWriter) Write(b []byte) (int, error) {
	d.renew()
	return d.ResponseWriter.Write(b)
}

// SetWriteDeadline is called by http.ResponseController.
func (d *deadlineWriter) SetWriteDeadline(at time.Time) error {
	d.own = true
	return http.NewResponseController(d.ResponseWriter).SetWriteDeadline(at)
}

// Unwrap lets http.ResponseController reach the connection.
func (d *deadlineWriter) Unwrap() http.ResponseWriter { return d.ResponseWriter }
