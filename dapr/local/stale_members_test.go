package main

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/taskwire/taskwire/pkg/event"
)

// joining is a JoinGroup request of a member with a short session.
func joining(id string) *kmsg.JoinGroupRequest {
	join := kmsg.NewPtrJoinGroupRequest()
	join.Group, join.MemberID, join.ProtocolType = "readers", id, "consumer"
	join.SessionTimeoutMillis, join.RebalanceTimeoutMillis = 6000, 60000
	topics := kmsg.NewConsumerMemberMetadata()
	topics.Topics = event.Topics
	protocol := kmsg.NewJoinGroupRequestProtocol()
	protocol.Name, protocol.Metadata = "cooperative-sticky", topics.AppendTo(nil)
	join.Protocols = append(join.Protocols, protocol)
	return join
}

// A sidecar that is killed, started, killed again before it is in its group,
// and started once more, reads all partitions.
func TestAMemberThatDiedWhileItJoinedHoldsNoPartition(t *testing.T) {
	cluster, err := newBroker("127.0.0.1", 0, "", t.TempDir())
	require.NoError(t, err)
	defer cluster.Close()
	address := cluster.ListenAddrs()[0]
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	running.Go(func() { _ = newStaleMembers(cluster).run(ctx, address) }) // ends with its context

	member := func(client *kgo.Client) string {
		answer, err := joining("").RequestWith(t.Context(), client)
		require.NoError(t, err)
		return answer.MemberID
	}
	// The first is in the group, and dies.
	first, err := kgo.NewClient(kgo.SeedBrokers(address))
	require.NoError(t, err)
	id := member(first)
	joined, err := joining(id).RequestWith(t.Context(), first)
	require.NoError(t, err)
	syncing := kmsg.NewPtrSyncGroupRequest()
	syncing.Group, syncing.MemberID, syncing.Generation = "readers", id, joined.Generation
	_, err = syncing.RequestWith(t.Context(), first)
	require.NoError(t, err)
	first.Close()
	// Two more wait for its session to end, and die as well.
	for range 2 {
		next, err := kgo.NewClient(kgo.SeedBrokers(address))
		require.NoError(t, err)
		id := member(next)
		waiting, giveUp := context.WithTimeout(t.Context(), 500*time.Millisecond)
		_, err = joining(id).RequestWith(waiting, next)
		giveUp()
		require.Error(t, err, "it waits")
		next.Close()
	}
	// The last one lives.
	var has holding
	last, err := kgo.NewClient(kgo.SeedBrokers(address), kgo.ConsumerGroup("readers"), kgo.ConsumeTopics(event.Topics...),
		kgo.SessionTimeout(10*time.Second), kgo.HeartbeatInterval(time.Second), // a sidecar's
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, more map[string][]int32) { has.add(more, 1) }),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, less map[string][]int32) { has.add(less, -1) }),
	)
	require.NoError(t, err)
	defer last.Close()
	require.Eventually(t, func() bool { return has.number() == partitions*len(event.Topics) }, 90*time.Second, 100*time.Millisecond)
}

// holding counts the partitions that a client has.
type holding struct {
	mu sync.Mutex
	n  int
}

func (s *holding) add(partitions map[string][]int32, sign int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range partitions {
		s.n += sign * len(p)
	}
}

func (s *holding) number() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.n
}
