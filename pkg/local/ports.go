// Package local starts servers on this machine, for tests and for a suite on a
// laptop: free ports, and whom to run Postgres as.
package local

import (
	"context"
	"errors"
	"net"
	"os"
	"strconv"
	"sync"
)

var (
	mu    sync.Mutex
	tried int // ports that Listen has tried
)

// The ports lie below those that outgoing connections get: one of them could
// otherwise hold a port while its server is started again.
const firstPort, ports = 20000, 10000

// FreePort is a port of 127.0.0.1 that nobody listens on, and that this process was
// not given before, until it has been given all.
func FreePort() (int, error) {
	l, err := Listen()
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}

// Listen listens on a port as FreePort gives them. Processes begin at other ports: one
// that is free is not yet listened on, and of two suites that start at once both
// would take it.
func Listen() (net.Listener, error) {
	mu.Lock()
	defer mu.Unlock()
	for range ports {
		port := firstPort + (os.Getpid()*50+tried)%ports
		tried++
		if l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", Address(port)); err == nil { // it waits for nothing
			return l, nil
		}
	}
	return nil, errors.New("there is no free port from 20000 to 29999")
}

// Address is a port of 127.0.0.1.
func Address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
