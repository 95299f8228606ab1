package main

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"time"
)

// caughtUp is how long a client may take to have what the server has, when nothing changes any
// more; and toldNothing, how long it may have something else while the feed has nothing to tell
// it: a transaction that is still open holds back what comes after it.
const (
	caughtUp    = time.Minute
	toldNothing = 10 * time.Second
)

// haveWhatTheServerHas: each client's copy is what a new one would begin with.
func (c *clients) haveWhatTheServerHas(ctx context.Context) (*check, error) {
	found := &check{name: "clients' copies = snapshots", log: c.sent.log}
	close(c.over)
	began := time.Now()
	told := map[*follower]time.Time{} // when the feed last had something for it
	for waiting := c.all; len(waiting) > 0; {
		fresh := map[*user]*follower{} // what was under way is in the next ones
		var behind []*follower
		for _, f := range waiting {
			server := fresh[f.user]
			if server == nil {
				server = &follower{user: f.user, way: "a new client", clients: c}
				if err := server.begin(ctx); err != nil {
					return nil, fmt.Errorf("take the snapshot of %s: %w", f.Email, err)
				}
				fresh[f.user] = server
			}
			nothing, err := f.isToldNothing(ctx)
			if _, asked := told[f]; !asked || !nothing || err != nil { // whoever is not answered asks again
				told[f] = time.Now()
			}
			f.mu.Lock()
			if maps.Equal(f.has, server.has) || time.Since(told[f]) > toldNothing || time.Since(began) > caughtUp {
				f.differences(found, server.has)
			} else {
				behind = append(behind, f)
			}
			f.mu.Unlock()
		}
		if waiting = behind; len(waiting) > 0 {
			sleep(ctx, time.Second)
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	return found, nil
}

// isToldNothing is whether the feed has nothing new for a client at its place.
func (f *follower) isToldNothing(ctx context.Context) (bool, error) {
	f.mu.Lock()
	place := f.place
	f.mu.Unlock()
	a, err := f.ask(ctx, "/api/changes?since="+url.QueryEscape(place), http.StatusOK, http.StatusGone)
	if err != nil || a.Status == http.StatusGone {
		return false, err
	}
	var p fedPage
	if err := a.JSON(&p); err != nil {
		return false, fmt.Errorf("read a page of changes: %w", err)
	}
	return len(p.Changes) == 0 && !p.More, nil
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
