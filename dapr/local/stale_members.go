package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	// staleAfter is how long a member of a group may be silent. Clients send a
	// heartbeat every two or three seconds.
	staleAfter         = 8 * time.Second
	staleCheckInterval = time.Second
)

// staleMembers puts dead members out of consumer groups. kfake starts a member's
// session when it answers its JoinGroup; of a client that died while it waited
// for that answer (a sidecar that was killed twice within its session) the
// session never starts and never ends, and its share of the partitions is read
// by nobody. A real Kafka has no such members.
type staleMembers struct {
	mu    sync.Mutex
	heard map[member]word
}

type member struct{ group, id string }

// word is what a member said last.
type word struct {
	at     time.Time
	joined bool // it asked to join, and waits for the others
	synced bool // it asked for its share, and waits for the leader
}

// newStaleMembers listens to what the members of groups say to cluster.
func newStaleMembers(cluster *kfake.Cluster) *staleMembers {
	g := &staleMembers{heard: map[member]word{}}
	for _, key := range []kmsg.Key{kmsg.JoinGroup, kmsg.SyncGroup, kmsg.Heartbeat} {
		cluster.ControlKey(key.Int16(), func(req kmsg.Request) (kmsg.Response, error, bool) {
			switch r := req.(type) {
			case *kmsg.JoinGroupRequest:
				g.hear(member{r.Group, r.MemberID}, word{joined: true})
			case *kmsg.SyncGroupRequest:
				g.allJoined(r.Group, time.Now())
				g.hear(member{r.Group, r.MemberID}, word{synced: true})
			case *kmsg.HeartbeatRequest:
				g.hear(member{r.Group, r.MemberID}, word{})
			}
			return nil, nil, false // the cluster answers
		})
	}
	return g
}

func (g *staleMembers) hear(id member, said word) {
	g.mu.Lock()
	defer g.mu.Unlock()
	said.at = time.Now()
	g.heard[id] = said
}

// allJoined notes that of those in a group that had asked to join by then, nobody
// waits any more. A stale member that was not told so does not join the next time, and
// must not be taken for one that waits.
func (g *staleMembers) allJoined(group string, then time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for id, last := range g.heard {
		if id.group == group && last.at.Before(then) {
			last.joined = false
			g.heard[id] = last
		}
	}
}

// run looks for stale members until ctx ends.
func (g *staleMembers) run(ctx context.Context, address string, options ...kgo.Opt) error {
	// The address that clients are sent to may lead through a proxy, or not be
	// reached from here at all.
	here := func(ctx context.Context, network, _ string) (net.Conn, error) {
		if len(options) == 0 {
			return (&net.Dialer{}).DialContext(ctx, network, address)
		}
		// It speaks to itself: there is no name that its certificate has to have.
		to := &tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec // see above
		return to.DialContext(ctx, network, address)
	}
	client, err := kgo.NewClient(append(options, kgo.SeedBrokers(address), kgo.Dialer(here))...)
	if err != nil {
		return fmt.Errorf("connect to the broker: %w", err)
	}
	defer client.Close()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(staleCheckInterval):
		}
		if err := g.expel(ctx, client); err != nil && ctx.Err() == nil {
			fmt.Fprintf(os.Stderr, "look for dead members of consumer groups: %v\n", err)
		}
	}
}

// expel lets the members leave that have been silent for too long.
func (g *staleMembers) expel(ctx context.Context, client *kgo.Client) error {
	asked := time.Now()
	groups, err := kadm.NewClient(client).DescribeGroups(ctx)
	if err != nil {
		return err
	}
	now := time.Now()
	there := map[member]bool{}
	for _, group := range groups.Sorted() {
		if group.State != "PreparingRebalance" {
			g.allJoined(group.Group, asked)
		}
		for _, m := range group.Members {
			id := member{group.Group, m.MemberID}
			there[id] = true
			if !g.silent(id, now, group.State) {
				continue
			}
			leave := kmsg.NewPtrLeaveGroupRequest()
			leave.Group = group.Group
			leaving := kmsg.NewLeaveGroupRequestMember()
			leaving.MemberID = m.MemberID
			leave.Members = append(leave.Members, leaving)
			if _, err := leave.RequestWith(ctx, client); err != nil {
				return fmt.Errorf("let %s leave %s: %w", m.MemberID, group.Group, err)
			}
			fmt.Fprintf(os.Stderr, "a dead member has left the consumer group %s\n", group.Group)
		}
	}
	g.forget(there)
	return nil
}

// silent says whether a member has been silent for too long. One that is seen
// for the first time has just been heard, and so has one that waits: for the
// others to join, or for the leader to share out the partitions.
func (g *staleMembers) silent(id member, now time.Time, state string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	last, known := g.heard[id]
	waits := state == "PreparingRebalance" && last.joined || state == "CompletingRebalance" && last.synced
	if !known || waits {
		last.at = now
		g.heard[id] = last
	}
	return now.Sub(last.at) > staleAfter
}

// forget drops what was heard of members that are gone.
func (g *staleMembers) forget(there map[member]bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for id := range g.heard {
		if !there[id] {
			delete(g.heard, id)
		}
	}
}
