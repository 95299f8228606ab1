package publish

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"net"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/taskwire/taskwire/pkg/eventlog"
)

// Kafka publishes straight to the brokers. A record is the one that the
// sidecar's Kafka component would write: value, key, header and partition.
//
// What holds when a call fails, because its context ended or the broker went:
//
//   - Its records are given up. What was not sent yet is not sent any more,
//     unless it shares a batch with records of a call that goes on. Then it is
//     still ahead of whatever is published afterwards, since a partition has one
//     queue: a key's order holds.
//   - A request that was sent may have been written, or be written later, when a
//     broker that hangs wakes up. So the client gives its next batch a new
//     producer epoch, and from the first batch of it on a partition refuses what
//     is late of the old one: an event can be there twice, but not behind a
//     later one of its key.
//   - The epoch belongs to this process. Should the log change hands while
//     a request of the former owner hangs, an event of its last call can come
//     once more behind later ones, as it can through a sidecar. Consumers know it
//     by its id.
type Kafka struct {
	client    *kgo.Client
	pubsub    string
	connected connected
}

const (
	// A broker that hangs is given up after the sum of both, which is less than
	// the relay waits for a call.
	produceTime  = 5 * time.Second
	produceGrace = 5 * time.Second
	// Retries and looking for partitions' new leaders: soon, since the relay's
	// events wait, but not in a spin.
	minRetry = 100 * time.Millisecond
	maxRetry = time.Second
	// What may wait in memory, of calls that go on and calls given up.
	maxBuffered      = 10_000
	maxBufferedBytes = 64 << 20
)

// NewKafka returns a publisher to the brokers that settings name. It does not
// wait for them. clientID is what the brokers know the process by; pubsub is
// the name of the component that consumers behind a sidecar read through.
func NewKafka(settings KafkaSettings, clientID, pubsub string) (*Kafka, error) {
	return newKafka(settings, clientID, pubsub)
}

// newKafka is NewKafka with options that only tests set.
func newKafka(settings KafkaSettings, clientID, pubsub string, more ...kgo.Opt) (*Kafka, error) {
	options, err := settings.options()
	if err != nil {
		return nil, err
	}
	k := &Kafka{pubsub: pubsub}
	options = append(options,
		kgo.WithHooks(&k.connected),
		kgo.ClientID(clientID),
		// The component's partitioner is sarama's NewHashPartitioner
		// (dapr/components-contrib, common/component/kafka/partitioner.go).
		kgo.RecordPartitioner(kgo.StickyKeyPartitioner(kgo.SaramaCompatHasher(fnv32a))),
		// As the component: whether a missing topic is made is up to the brokers.
		kgo.AllowAutoTopicCreation(),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		// A call must end with its context, also while an answer is awaited.
		kgo.AllowIdempotentProduceCancellation(),
		kgo.ProduceRequestTimeout(produceTime),
		kgo.RequestTimeoutOverhead(produceGrace),
		kgo.DialTimeout(produceTime),
		kgo.RetryBackoffFn(retryIn),
		kgo.MetadataMinAge(minRetry),
		kgo.MaxBufferedRecords(maxBuffered),
		kgo.MaxBufferedBytes(maxBufferedBytes),
		// The relay hands over what there is, in batches.
		kgo.ProducerLinger(0),
	)
	if k.client, err = kgo.NewClient(append(options, more...)...); err != nil {
		return nil, fmt.Errorf("set up the Kafka client: %w", err)
	}
	return k, nil
}

// Close gives up what is under way and ends the connections.
func (k *Kafka) Close() error {
	k.client.Close()
	return nil
}

// Ping fails when no broker answers.
func (k *Kafka) Ping(ctx context.Context) error { return k.client.Ping(ctx) }

// outcome is what became of the message at index.
type outcome struct {
	index int
	err   error
}

// Publish implements eventlog.Publisher. It returns when each message is
// acknowledged by all replicas in sync or has failed, or when ctx ends.
func (k *Kafka) Publish(ctx context.Context, topic string, messages []eventlog.Message) ([]int, error) {
	// Room for all: the client is never held up, also when nobody reads on.
	outcomes := make(chan outcome, len(messages))
	for i, m := range messages {
		record := &kgo.Record{
			Topic: topic, Key: []byte(m.Key), Value: envelope(m.Body, k.pubsub, topic),
			// The component passes its metadata on as headers.
			Headers: []kgo.RecordHeader{{Key: "partitionKey", Value: []byte(m.Key)}, {Key: "rawPayload", Value: []byte("true")}},
		}
		k.client.Produce(ctx, record, func(_ *kgo.Record, err error) { outcomes <- outcome{i, err} })
	}
	acknowledged, reason := k.await(ctx, outcomes)
	var failed []int
	for i, ok := range acknowledged {
		if !ok {
			failed = append(failed, i)
		}
	}
	if len(failed) == 0 {
		return nil, nil
	}
	return failed, fmt.Errorf("publish to Kafka: %w", reason)
}

// await says of each message whether it is acknowledged, and why one is not.
func (k *Kafka) await(ctx context.Context, outcomes <-chan outcome) (acknowledged []bool, reason error) {
	acknowledged = make([]bool, cap(outcomes))
	for range acknowledged {
		select {
		case o := <-outcomes:
			acknowledged[o.index] = o.err == nil
			if reason == nil {
				reason = o.err
			}
		case <-ctx.Done():
			if reason == nil {
				reason = k.connected.failure()
			}
			return acknowledged, fmt.Errorf("not acknowledged in time: %w: %w", ctx.Err(), reason)
		}
	}
	return acknowledged, reason
}

// connected remembers why the last connection could not be made. The client
// tries again and again, and by itself would say no more than that time is up.
type connected struct {
	last atomic.Pointer[error]
}

// OnBrokerConnect implements kgo.HookBrokerConnect. The error includes that of
// TLS and of signing in.
func (c *connected) OnBrokerConnect(_ kgo.BrokerMetadata, _ time.Duration, _ net.Conn, err error) {
	if err == nil {
		c.last.Store(nil)
	} else if !errors.Is(err, context.Canceled) {
		c.last.Store(&err)
	}
}

// failure is never nil.
func (c *connected) failure() error {
	if err := c.last.Load(); err != nil {
		return *err
	}
	return errors.New("the brokers did not answer")
}

func retryIn(failures int) time.Duration {
	return min(minRetry<<min(failures-1, 10), maxRetry)
}

func fnv32a(key []byte) uint32 {
	h := fnv.New32a()
	// Hash.Write never fails.
	_, _ = h.Write(key)
	return h.Sum32()
}
