package main

import (
	"context"
	"fmt"
	"maps"
	"time"
)

// caughtUp is how long a client may take to have what the server has, when nothing
// changes any more: it may be away when that begins.
const caughtUp = time.Minute

// haveWhatTheServerHas: each client's copy is what a new one would begin with.
func (c *clients) haveWhatTheServerHas(ctx context.Context) (*check, error) {
	found := &check{name: "clients' copies = snapshots", log: c.sent.log}
	deadline := time.Now().Add(caughtUp)
	fresh := map[*user]*follower{}
	for _, f := range c.all {
		for {
			server := fresh[f.user]
			if server == nil {
				server = &follower{user: f.user, way: "a new client", clients: c}
				if err := server.begin(ctx); err != nil {
					return nil, fmt.Errorf("take the snapshot of %s: %w", f.Email, err)
				}
				fresh[f.user] = server
			}
			f.mu.Lock()
			same := maps.Equal(f.has, server.has)
			last := same || time.Now().After(deadline)
			if last {
				f.differences(found, server.has)
			}
			f.mu.Unlock()
			if last {
				break
			}
			sleep(ctx, time.Second)
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			delete(fresh, f.user) // what was under way is in the next one
		}
	}
	return found, nil
}

// differences counts what a copy lacks, has as it was before, or has too much.
func (f *follower) differences(found *check, server things) {
	for of, is := range server {
		found.compared++
		switch has, ok := f.has[of]; {
		case !ok:
			found.lose("%s of %s has no %s %s of list %s", f.way, f.Email, of.Kind, of.ID, of.List)
		case has != is:
			found.lose("%s of %s has %s %s of list %s as %s, not as %s", f.way, f.Email, of.Kind, of.ID, of.List, has, is)
		}
	}
	for of := range f.has {
		if _, ok := server[of]; !ok {
			found.invent("%s of %s has %s %s of list %s, which is not there", f.way, f.Email, of.Kind, of.ID, of.List)
		}
	}
}
