package httpapi

import (
	"net/http"
	"slices"
	"sync/atomic"
	"time"
)

// writeTime is how long a client may take to read what is written to it at
// once. Who does not read costs a connection for that long, and what waits to
// be written is let go.
const writeTime = 30 * time.Second

// writeDeadline sets a deadline before each write. A handler that sets one by
// http.ResponseController, as a stream does, has it in its own hands from then on.
func writeDeadline(within time.Duration, waiting *backlog) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			d := &deadlineWriter{ResponseWriter: w, within: within, waiting: waiting}
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
	within  time.Duration
	own     bool // the handler's
	waiting *backlog
	isCut   atomic.Bool
}

func (d *deadlineWriter) renew() {
	if d.own {
		return
	}
	// A writer that knows no deadlines is a test's.
	_ = http.NewResponseController(d.ResponseWriter).SetWriteDeadline(time.Now().Add(d.within))
	if d.isCut.Load() { // meanwhile, perhaps
		d.cut()
	}
}

func (d *deadlineWriter) WriteHeader(code int) {
	d.renew()
	d.ResponseWriter.WriteHeader(code)
}

func (d *deadlineWriter) Write(b []byte) (int, error) {
	if len(b) <= pieceSize {
		d.renew()
		return d.ResponseWriter.Write(b)
	}
	rest := d.waiting.add(len(b), d.cut, time.Now())
	defer d.waiting.remove(rest)
	written := 0
	for piece := range slices.Chunk(b, pieceSize) {
		d.renew()
		n, err := d.ResponseWriter.Write(piece)
		if written += n; err != nil {
			return written, err
		}
		d.waiting.progress(rest, n, time.Now())
	}
	return written, nil
}

// cut ends a write that waits for its client.
func (d *deadlineWriter) cut() {
	d.isCut.Store(true)
	// A writer that knows no deadlines is a test's.
	_ = http.NewResponseController(d.ResponseWriter).SetWriteDeadline(time.Unix(1, 0))
}

// SetWriteDeadline is called by http.ResponseController.
func (d *deadlineWriter) SetWriteDeadline(at time.Time) error {
	d.own = true
	return http.NewResponseController(d.ResponseWriter).SetWriteDeadline(at)
}

// Unwrap lets http.ResponseController reach the connection.
func (d *deadlineWriter) Unwrap() http.ResponseWriter { return d.ResponseWriter }
