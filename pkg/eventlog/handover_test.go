package eventlog_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/eventlog"
)

// line is a connection to Postgres that can be cut without either end being
// told: nothing comes through any more, and nothing is closed.
type line struct {
	listener  net.Listener
	mu        sync.RWMutex // held by who cuts
	accepting sync.WaitGroup
	carrying  sync.WaitGroup
	conns     []net.Conn
}

func newLine(t *testing.T, target string) *line {
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	c := &line{listener: l}
	c.accepting.Go(func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := new(net.Dialer).DialContext(t.Context(), "tcp", target)
			if err != nil {
				_ = near.Close()
				continue
			}
			c.conns = append(c.conns, near, far)
			c.carrying.Go(func() { c.carry(near, far) })
			c.carrying.Go(func() { c.carry(far, near) })
		}
	})
	return c
}

func (c *line) carry(to, from net.Conn) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		c.mu.RLock()
		if n > 0 {
			_, _ = to.Write(buffer[:n]) // the other direction finds a broken line too
		}
		c.mu.RUnlock()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				_ = from.Close()
			}
			_ = to.Close()
			return
		}
	}
}

func (c *line) cut() { c.mu.Lock() }

// end mends the line and closes it.
func (c *line) end() {
	c.mu.Unlock()
	_ = c.listener.Close()
	c.accepting.Wait()
	for _, conn := range c.conns {
		_ = conn.Close()
	}
	c.carrying.Wait()
}

func TestAnotherRelayTakesOverFromAnOwnerThatIsCutOff(t *testing.T) {
	l, b := newLog(t), &broker{}
	direct, err := url.Parse(l.url)
	require.NoError(t, err)
	far := newLine(t, direct.Host)
	distant := *direct
	distant.Host = far.listener.Addr().String()
	db, err := database.Open(t.Context(), distant.String())
	require.NoError(t, err)

	// The first owner works over the line.
	ctx, cancel := context.WithCancel(context.Background())
	signal := eventlog.NewSignal(distant.String(), "events", slog.New(slog.DiscardHandler))
	first := &eventlog.Relay{DB: db, URL: distant.String(), Schema: "log", Topics: []string{"a", "b"}, Publisher: b, Signal: signal, Log: slog.New(slog.DiscardHandler)}
	var running sync.WaitGroup
	running.Go(func() { _ = first.Run(ctx) }) // ends with its context
	l.commit("a", "k", 1)
	b.wait(t, atLeast(1))

	l.relay(b) // waits for its turn
	far.cut()
	began := time.Now()
	l.commit("a", "k", 2)
	inOrder(t, b.wait(t, atLeast(2)))
	t.Logf("handed over in %s", time.Since(began))
	l.commit("a", "k", 3)
	inOrder(t, b.wait(t, atLeast(3)))

	cancel()
	far.end()
	running.Wait()
	_ = db.Close() // its connections are broken
}
