package subscribe_test

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/subscribe"
)

// unread tells when the first byte of a request's body is asked for.
type unread struct {
	*bytes.Reader
	begun *atomic.Int32
	once  sync.Once
}

func (u *unread) Read(p []byte) (int, error) {
	u.once.Do(func() { u.begun.Add(1) })
	return u.Reader.Read(p)
}

func TestWhatASlowConsumerHasNoRoomForIsNotEvenRead(t *testing.T) {
	const deliveries, fit = 8, 3 // of 10 MiB, in the room of 32
	release := make(chan struct{})
	c := newConsumer(t, newDB(t), func(s *subscribe.Subscriber) {
		s.InTx(event.TopicTasks, func(context.Context, bun.Tx, []subscribe.Event) error { <-release; return nil })
	})
	var begun, handled atomic.Int32
	var sending sync.WaitGroup
	for range deliveries {
		// An event and much empty space around it.
		body := append(bytes.Repeat([]byte(" "), 10<<20), record(t, "k")...)
		sending.Go(func() {
			req := httptest.NewRequest(http.MethodPost, "/events/"+event.TopicTasks, &unread{Reader: bytes.NewReader(body), begun: &begun})
			req.ContentLength = int64(len(body))
			req.Header.Set("dapr-api-token", token)
			rec := httptest.NewRecorder()
			c.router.ServeHTTP(rec, req)
			if rec.Code == http.StatusOK {
				handled.Add(1)
			}
		})
	}
	require.Eventually(t, func() bool { return begun.Load() == fit }, 10*time.Second, time.Millisecond)
	require.Never(t, func() bool { return begun.Load() > fit }, 200*time.Millisecond, 10*time.Millisecond)
	close(release)
	sending.Wait()
	require.EqualValues(t, deliveries, handled.Load(), "each had its turn")
}
