package httpapi

import (
	"slices"
	"sync"
	"time"
)

const (
	// pieceSize is how much of an answer is written at once: whether its client
	// reads is told by the pieces. An answer that is not larger is not waited for.
	pieceSize = 64 << 10
	// maxBacklog is how many bytes of answers may wait to be read, of all clients.
	maxBacklog = 48 << 20
	// stalled is how long a client may take for a piece when there are more.
	stalled = time.Second
)

// backlog is what waits to be read. A client that does not read keeps his page in
// memory for as long as a write may take. Many such clients would keep all of it:
// when there is more than most, those that have read nothing for the longest time
// lose their connections.
type backlog struct {
	most int

	mu    sync.Mutex
	bytes int
	of    []*unread // who read last is last
}

// unread is an answer of which a part waits to be read.
type unread struct {
	bytes int
	read  time.Time // when the last piece was
	cut   func()    // ends the connection
}

// add notes an answer.
func (b *backlog) add(bytes int, cut func(), now time.Time) *unread {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bytes += bytes
	for len(b.of) > 0 && b.bytes > b.most && now.Sub(b.of[0].read) >= stalled {
		// Its handler is told by the write that fails.
		b.of[0].cut()
		b.bytes -= b.of[0].bytes
		b.of[0].bytes = 0
		b.of = b.of[1:]
	}
	u := &unread{bytes: bytes, read: now, cut: cut}
	b.of = append(b.of, u)
	return u
}

// progress notes that a piece was read.
func (b *backlog) progress(u *unread, bytes int, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	read := min(bytes, u.bytes)
	u.bytes -= read
	b.bytes -= read
	u.read = now
	if at := slices.Index(b.of, u); at >= 0 {
		b.of = append(slices.Delete(b.of, at, at+1), u)
	}
}

// remove takes an answer off that has been read, or never will be.
func (b *backlog) remove(u *unread) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bytes -= u.bytes
	u.bytes = 0
	if at := slices.Index(b.of, u); at >= 0 {
		b.of = slices.Delete(b.of, at, at+1)
	}
}
