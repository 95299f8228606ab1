package httpapi

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"golang.org/x/sync/semaphore"
)

const (
	// bodyTime is how long a body may take to come.
	bodyTime = 5 * time.Second
	// freeBody of each body counts for nothing, so that who sends a task waits for
	// nobody's megabytes.
	freeBody = 16 << 10
	// bodyStep is what the rest is counted in.
	bodyStep = 64 << 10
	// bodiesBytes is how much all bodies that are held may have beyond that.
	bodiesBytes = 48 << 20
)

// Bodies returns a middleware that reads each request's body, of at most max bytes,
// before the handler is called: a client that sends it slowly holds nothing that
// others wait for. Those of GET and HEAD are not read; they mean nothing (RFC 9110,
// section 9.3.1). All bodies together have 48 MiB. What takes longer than 5 s is
// answered 408, and what there is no room for in that time 503.
func Bodies(max int64) func(http.Handler) http.Handler {
	room := semaphore.NewWeighted(bodiesBytes)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet || r.Method == http.MethodHead {
				r.Body, r.ContentLength, r.TransferEncoding = http.NoBody, 0, nil
			}
			if r.Body == nil || r.Body == http.NoBody {
				next.ServeHTTP(w, r)
				return
			}
			body := held{room: room}
			defer body.free()
			err := body.read(w, r, max)
			var tooLarge *http.MaxBytesError
			switch {
			case err == nil:
			case errors.As(err, &tooLarge):
				NewProblem(TooLarge, "the request body is too large").Write(w, r)
				return
			case errors.Is(err, context.DeadlineExceeded):
				Unavailable("there is no room for the request body at the moment; try again shortly").Write(w, r)
				return
			case errors.Is(err, os.ErrDeadlineExceeded):
				w.Header().Set("Connection", "close")
				NewProblem(TooSlow, "the request body did not come in time").Write(w, r)
				return
			default:
				NewProblem(Malformed, "the request body could not be read").Write(w, r)
				return
			}
			r.Body, r.ContentLength, r.TransferEncoding = io.NopCloser(bytes.NewReader(body.bytes)), int64(len(body.bytes)), nil
			next.ServeHTTP(w, r)
		})
	}
}

// held is a body in memory.
type held struct {
	room  *semaphore.Weighted
	taken int64
	bytes []byte
}

func (h *held) free() { h.room.Release(h.taken) }

func (h *held) read(w http.ResponseWriter, r *http.Request, max int64) error {
	until := time.Now().Add(bodyTime)
	connection := http.NewResponseController(w)
	// A writer that knows no deadlines is a test's.
	_ = connection.SetReadDeadline(until)
	waiting, cancel := context.WithDeadline(r.Context(), until)
	defer cancel()
	body := http.MaxBytesReader(w, r.Body, max)
	for step := int64(freeBody); ; step = bodyStep {
		n, err := io.Copy((*appender)(&h.bytes), io.LimitReader(body, step))
		switch {
		case err != nil:
			return err
		case n < step:
			// The client's connection is watched from here on, without a limit: it
			// would end the request.
			_ = connection.SetReadDeadline(time.Time{})
			return nil
		}
		if err := h.room.Acquire(waiting, bodyStep); err != nil {
			return err
		}
		h.taken += bodyStep
	}
}

type appender []byte

func (a *appender) Write(p []byte) (int, error) {
	*a = append(*a, p...)
	return len(p), nil
}
