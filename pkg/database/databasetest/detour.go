package databasetest

import (
	"context"
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
)

// Detour leads to a test database, which is away while it is cut.
type Detour struct {
	URL string

	t       *testing.T
	server  string // host:port
	address string
	mu      sync.Mutex
	refuse  bool
	conns   map[net.Conn]struct{}
	carried sync.WaitGroup
	l       net.Listener
}

// NewDetour returns a way to the database at a URL. It is closed when the test ends.
func NewDetour(t *testing.T, to string) *Detour {
	t.Helper()
	u, err := url.Parse(to)
	if err != nil {
		t.Fatalf("parse the URL of the test database: %v", err)
	}
	d := &Detour{t: t, server: u.Host, conns: map[net.Conn]struct{}{}, address: "127.0.0.1:0"}
	d.Mend()
	u.Host = d.address
	d.URL = u.String()
	t.Cleanup(d.Cut)
	return d
}

// Cut ends all connections, and lets none be made.
func (d *Detour) Cut() {
	_ = d.l.Close() // its end is all that is wanted
	d.mu.Lock()
	d.refuse = true
	for c := range d.conns {
		_ = c.Close()
	}
	d.mu.Unlock()
	d.carried.Wait()
}

// Mend lets connections be made again.
func (d *Detour) Mend() {
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", d.address)
	if err != nil {
		d.t.Fatalf("listen: %v", err)
	}
	d.l, d.address, d.refuse = l, l.Addr().String(), false
	d.carried.Go(func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			d.carried.Go(func() { d.carry(near) })
		}
	})
}

func (d *Detour) carry(near net.Conn) {
	defer near.Close()
	far, err := net.Dial("tcp", d.server) //nolint:noctx // it ends with the detour
	if err != nil {
		return
	}
	defer far.Close()
	d.mu.Lock()
	refuse := d.refuse
	d.conns[near], d.conns[far] = struct{}{}, struct{}{}
	d.mu.Unlock()
	if refuse {
		return
	}
	d.carried.Go(func() {
		_, _ = io.Copy(far, near) // both ends are closed when one is
		_ = far.Close()
	})
	_, _ = io.Copy(near, far)
	d.mu.Lock()
	delete(d.conns, near)
	delete(d.conns, far)
	d.mu.Unlock()
}
