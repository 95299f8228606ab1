// Package local starts servers on this machine, for tests and for a suite on a
// laptop: free ports, and whom to run Postgres as.
package local

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

var (
	mu    sync.Mutex
	given = map[int]bool{}
)

// FreePort is a port of 127.0.0.1 that nobody listens on, and that this process was
// not given before. It lies below those that outgoing connections get: one of them
// could otherwise hold it while its server is started again.
func FreePort() (int, error) {
	l, err := Listen()
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}

// Listen listens on a port as FreePort gives them.
func Listen() (net.Listener, error) {
	mu.Lock()
	defer mu.Unlock()
	for range 100 {
		port := 20000 + rand.IntN(10000)
		if given[port] {
			continue
		}
		l, err := net.Listen("tcp", Address(port))
		if err != nil {
			continue
		}
		given[port] = true
		return l, nil
	}
	return nil, errors.New("there is no free port from 20000 to 29999")
}

// Address is a port of 127.0.0.1.
func Address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
