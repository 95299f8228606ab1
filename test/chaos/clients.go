package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/test/suite"
)

const (
	// followed is of how many users there are clients that keep a copy.
	followed = 3
	// silence is how long a stream may say nothing, of which there is a sign every 15 s.
	silence = 40 * time.Second
	// anew is how often a client that reads snapshots reads one.
	anew = 10 * time.Second
	// online and offline are how long a client is there and then away.
	online, offline = 5 * time.Second, 20 * time.Second
)

// The ways in which a client keeps its copy.
var ways = map[string]func(*follower, context.Context) error{
	"long poll": func(f *follower, ctx context.Context) error { return f.catchUp(ctx, 25) },
	"stream":    (*follower).listen,
	"snapshots": func(f *follower, ctx context.Context) error {
		err := errors.Join(f.begin(ctx), f.catchUp(ctx, 0))
		f.clients.away(ctx, anew)
		return err
	},
	"offline and back": func(f *follower, ctx context.Context) error {
		for until := time.Now().Add(online); time.Now().Before(until) && ctx.Err() == nil; {
			if err := f.catchUp(ctx, 1); err != nil {
				return err // it is away no sooner than it has come back
			}
		}
		f.clients.away(ctx, offline)
		return nil
	},
}

// clients are the followers of the feed, and what they were sent.
type clients struct {
	all  []*follower
	load *load
	over chan struct{} // closed when nothing changes any more: whoever is away comes back

	mu    sync.Mutex
	sent  *check
	ended struct{ anew, broken int } // how often a place was not known, or a request failed
}

// follower is a client that keeps a copy of what its user sees, by the feed alone.
type follower struct {
	*user
	way     string
	clients *clients

	mu    sync.Mutex
	place string
	has   things
}

// thing is what a client has something of.
type thing struct {
	List uuid.UUID
	Kind string
	ID   uuid.UUID
}

type things map[thing]string

// fed is a change, or a line of a snapshot.
type fed struct {
	ListID uuid.UUID `json:"list_id"`
	Kind   string
	ID     uuid.UUID
	Op     string
	Data   map[string]any
}

type fedPage struct {
	Changes []fed
	Next    string
	More    bool
}

func newClients(ctx context.Context, l *load, log *journal) (*clients, error) {
	c := &clients{load: l, over: make(chan struct{}), sent: &check{name: "what clients were sent = what their users may see", log: log}}
	for _, u := range l.users[:min(followed, len(l.users))] {
		for way := range ways {
			f := &follower{user: u, way: way, clients: c}
			if err := f.begin(ctx); err != nil {
				return nil, err
			}
			c.all = append(c.all, f)
		}
	}
	return c, nil
}

// start has the copies kept until leave is called, which waits until that has ended. What
// fails is tried again, from where it was.
func (c *clients) start(ctx context.Context) (leave func()) {
	ctx, stop := context.WithCancel(ctx)
	var following sync.WaitGroup
	for _, f := range c.all {
		following.Go(func() {
			for ctx.Err() == nil {
				if err := ways[f.way](f, ctx); err != nil && ctx.Err() == nil {
					c.mu.Lock()
					c.ended.broken++
					c.mu.Unlock()
					sleep(ctx, 200*time.Millisecond) // the connection may be refused at once
				}
			}
		})
	}
	return func() { stop(); following.Wait() }
}

// away lets so much time pass, or when nothing changes any more a second.
func (c *clients) away(ctx context.Context, length time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(length):
	case <-c.over:
		sleep(ctx, time.Second)
	}
}

func sleep(ctx context.Context, length time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(length):
	}
}

// ask makes one request, and gives its answer where that is one of these.
func (f *follower) ask(ctx context.Context, path string, expected ...int) (suite.Answer, error) {
	a, err := f.Do(ctx, http.MethodGet, path, nil)
	if err != nil {
		return a, err
	}
	for _, status := range expected {
		if a.Status == status {
			return a, nil
		}
	}
	return a, fmt.Errorf("%s answers %d: %.200s", path, a.Status, a.Body)
}

// begin takes a snapshot in the place of the copy.
func (f *follower) begin(ctx context.Context) error {
	place, has, err := f.snapshot(ctx, "")
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.place, f.has = place, has
	return nil
}

// beginAnew is begin where the place is not known any more.
func (f *follower) beginAnew(ctx context.Context) error {
	f.clients.mu.Lock()
	f.clients.ended.anew++
	f.clients.mu.Unlock()
	return f.begin(ctx)
}

// snapshot reads all that the user sees, or all of a list.
func (f *follower) snapshot(ctx context.Context, query string) (place string, has things, err error) {
	barred := f.clients.load.barred(f.user)
	a, err := f.ask(ctx, "/api/snapshot"+query, http.StatusOK, http.StatusUnprocessableEntity)
	if err != nil {
		return "", nil, err
	}
	has = things{}
	if a.Status != http.StatusOK {
		if query == "" {
			return "", nil, fmt.Errorf("the snapshot is refused: %s", a.Body)
		}
		return "", has, nil // the list is lost again meanwhile, which is told next
	}
	lines := json.NewDecoder(bytes.NewReader(a.Body))
	var first struct{ Next string }
	if err := lines.Decode(&first); err != nil {
		return "", nil, fmt.Errorf("read the place of a snapshot: %w", err)
	}
	var all []fed
	for lines.More() {
		var c fed
		if err := lines.Decode(&c); err != nil {
			return "", nil, fmt.Errorf("read a snapshot: %w", err)
		}
		all = append(all, c)
		has.put(c)
	}
	f.clients.see(f, all, barred)
	return first.Next, has, nil
}

// catchUp applies what has changed, page by page, and waits for it for so many seconds.
func (f *follower) catchUp(ctx context.Context, wait int) error {
	for {
		barred := f.clients.load.barred(f.user)
		a, err := f.ask(ctx, fmt.Sprintf("/api/changes?since=%s&wait=%d", url.QueryEscape(f.place), wait), http.StatusOK, http.StatusGone)
		if err != nil {
			return err
		}
		if a.Status == http.StatusGone {
			return f.beginAnew(ctx)
		}
		var p fedPage
		if err := a.JSON(&p); err != nil {
			return fmt.Errorf("read a page of changes: %w", err)
		}
		f.clients.see(f, p.Changes, barred)
		if err := f.apply(ctx, p); err != nil || !p.More {
			return err
		}
	}
}

// listen applies what the stream says until it breaks off.
func (f *follower) listen(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	silent := time.AfterFunc(silence, stop)
	defer silent.Stop()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, f.Base+"/api/stream", nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+f.Token)
	req.Header.Set("Last-Event-ID", f.place)
	res, err := (&http.Client{Transport: suite.Transport}).Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("the stream answers %d", res.StatusCode)
	}
	event := map[string]string{}
	for lines := bufio.NewReader(res.Body); ; {
		line, err := lines.ReadString('\n')
		if err != nil {
			return err
		}
		silent.Reset(silence)
		if line = strings.TrimSuffix(line, "\n"); line != "" {
			name, value, _ := strings.Cut(line, ": ")
			event[name] = value
			continue
		}
		switch event["event"] {
		case "resync":
			return f.beginAnew(ctx)
		case "changes":
			var p fedPage
			if err := json.Unmarshal([]byte(event["data"]), &p); err != nil {
				return fmt.Errorf("read an event: %w", err)
			}
			p.Next = event["id"]
			// How long ago it was written is not known.
			f.clients.see(f, p.Changes, nil)
			if err := f.apply(ctx, p); err != nil {
				return err
			}
		}
		event = map[string]string{}
	}
}

// apply does what a page says; where that fails, the copy is as it was, at its place.
func (f *follower) apply(ctx context.Context, p fedPage) error {
	anew := map[uuid.UUID]things{}
	for _, c := range p.Changes {
		if c.Op != "reset" {
			continue
		}
		_, has, err := f.snapshot(ctx, "?list_id="+c.ListID.String())
		if err != nil {
			return err
		}
		anew[c.ListID] = has
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range p.Changes {
		switch {
		case c.Op == "put":
			f.has.put(c)
		case c.Op == "reset":
			f.has.drop(c.ListID)
			for of, is := range anew[c.ListID] {
				f.has[of] = is
			}
		case c.Kind == "list":
			f.has.drop(c.ListID)
		default:
			delete(f.has, thing{c.ListID, c.Kind, c.ID})
		}
	}
	f.place = p.Next
	return nil
}

func (t things) put(c fed) {
	delete(c.Data, "open_tasks") // which is counted when it is read
	if c.Kind == "list" {
		delete(c.Data, "members") // who are things of their own
	}
	raw, err := json.Marshal(c.Data)
	if err != nil {
		raw = []byte(err.Error()) // it is what was decoded from JSON
	}
	t[thing{c.ListID, c.Kind, c.ID}] = string(raw)
}

func (t things) drop(list uuid.UUID) {
	for of := range t {
		if of.List == list {
			delete(t, of)
		}
	}
}

// see checks that the user may see what he was sent: nothing of a list that he never came
// into, nor, in an answer to what he asked after he had left, of one that he was barred from.
func (c *clients) see(f *follower, changes []fed, barred map[uuid.UUID]int) {
	c.load.still(f.user, barred)
	strange := map[uuid.UUID]bool{}
	is := func(list uuid.UUID) bool {
		known, ok := strange[list]
		if !ok {
			known = c.load.strange(f.user, list)
			strange[list] = known
		}
		return known
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, change := range changes {
		if change.Op != "put" {
			continue
		}
		c.sent.compared++
		lists := []uuid.UUID{change.ListID}
		if text, ok := change.Data["list_id"].(string); ok {
			if id, err := uuid.Parse(text); err == nil && id != change.ListID {
				lists = append(lists, id)
			}
		}
		for _, list := range lists {
			if _, left := barred[list]; left {
				c.sent.invent("%s of %s was sent %s %s of list %s, which he had left", f.way, f.Email, change.Kind, change.ID, list)
			} else if is(list) {
				c.sent.invent("%s of %s was sent %s %s of list %s, which he never was in", f.way, f.Email, change.Kind, change.ID, list)
			}
		}
	}
}
