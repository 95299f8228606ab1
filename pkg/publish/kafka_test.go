package publish

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/taskwire/taskwire/pkg/eventlog"
)

const topic = "task-events"

func newBroker(t *testing.T, options ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	cluster, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1), kfake.SeedTopics(8, topic)}, options...)...)
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	return cluster
}

func newPublisher(t *testing.T, brokers []string, options ...kgo.Opt) *Kafka {
	t.Helper()
	k, err := newKafka(KafkaSettings{Brokers: brokers}, "test", "pubsub", options...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, k.Close()) })
	return k
}

func message(key, id string) eventlog.Message {
	return eventlog.Message{ID: id, Key: key, Body: []byte(`{"traceid":"","id":"` + id + `"}`)}
}

// ids lists what is on the topic by key, in order. It sees all that was
// written before it is called.
func ids(t *testing.T, brokers []string) map[string][]string {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	require.NoError(t, err)
	defer client.Close()
	const last = "the last one"
	for partition := range int32(8) {
		end := &kgo.Record{Topic: topic, Key: []byte(last), Partition: partition}
		ender, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
		require.NoError(t, err)
		require.NoError(t, ender.ProduceSync(t.Context(), end).FirstErr())
		ender.Close()
	}
	found := map[string][]string{}
	for ends := 0; ends < 8; {
		fetches := client.PollFetches(t.Context())
		require.NoError(t, t.Context().Err())
		fetches.EachRecord(func(r *kgo.Record) {
			if string(r.Key) == last {
				ends++
				return
			}
			_, id, _ := strings.Cut(string(r.Value), `"id":"`)
			id, _, _ = strings.Cut(id, `"`)
			found[string(r.Key)] = append(found[string(r.Key)], id)
		})
	}
	return found
}

func TestKafkaHasWhatIsAcknowledged(t *testing.T) {
	cluster := newBroker(t)
	k := newPublisher(t, cluster.ListenAddrs())
	var batch []eventlog.Message
	want := map[string][]string{}
	for i := range 250 {
		key := "key " + strconv.Itoa(i)
		batch = append(batch, message(key, strconv.Itoa(i)))
		want[key] = []string{strconv.Itoa(i)}
	}
	failed, err := k.Publish(t.Context(), topic, batch)
	require.NoError(t, err)
	require.Empty(t, failed)
	require.Equal(t, want, ids(t, cluster.ListenAddrs()))
}

func TestOnlyWhatIsRefusedFails(t *testing.T) {
	cluster := newBroker(t)
	k := newPublisher(t, cluster.ListenAddrs())
	failed, err := k.Publish(t.Context(), topic, []eventlog.Message{
		message("a", "1"),
		{ID: "2", Key: "b", Body: []byte(`{"data":"` + strings.Repeat("x", 2<<20) + `"}`)},
		message("c", "3"),
	})
	require.ErrorContains(t, err, "MESSAGE_TOO_LARGE")
	require.Equal(t, []int{1}, failed)
	require.Equal(t, map[string][]string{"a": {"1"}, "c": {"3"}}, ids(t, cluster.ListenAddrs()))
}

func TestACallEndsWithItsContextWhenTheBrokerIsGone(t *testing.T) {
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	port := listener.Addr().(*net.TCPAddr).Port
	require.NoError(t, listener.Close())
	data := t.TempDir()
	cluster := newBroker(t, kfake.Ports(port), kfake.DataDir(data))
	k := newPublisher(t, cluster.ListenAddrs())
	_, err = k.Publish(t.Context(), topic, []eventlog.Message{message("a", "1")})
	require.NoError(t, err)
	require.NoError(t, k.Ping(t.Context()))
	cluster.Close()

	require.Error(t, k.Ping(t.Context()))
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	failed, err := k.Publish(ctx, topic, []eventlog.Message{message("a", "2"), message("b", "3")})
	require.Equal(t, []int{0, 1}, failed)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, "connection refused", "the reason is said")

	// What was given up is not kept, and not sent when the broker is back.
	require.Eventually(t, func() bool { return k.client.BufferedProduceRecords() == 0 }, 10*time.Second, 10*time.Millisecond)
	cluster = newBroker(t, kfake.Ports(port), kfake.DataDir(data))
	failed, err = k.Publish(t.Context(), topic, []eventlog.Message{message("a", "4")})
	require.NoError(t, err)
	require.Empty(t, failed)
	require.Equal(t, map[string][]string{"a": {"1", "4"}}, ids(t, cluster.ListenAddrs()))
}

// A request whose fate is unknown may reach the broker at any time later. It
// must not be written behind what was published since.
func TestALateRequestIsNotWrittenBehindLaterEvents(t *testing.T) {
	cluster := newBroker(t)
	var network slowNetwork
	k := newPublisher(t, cluster.ListenAddrs(), kgo.Dialer(network.dial),
		kgo.ProduceRequestTimeout(100*time.Millisecond), kgo.RequestTimeoutOverhead(200*time.Millisecond))
	publish := func(id string) error {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		_, err := k.Publish(ctx, topic, []eventlog.Message{message("a", id)})
		return err
	}
	require.NoError(t, publish("1"))

	network.hold()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	failed, err := k.Publish(ctx, topic, []eventlog.Message{message("a", "2")})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Equal(t, []int{0}, failed)

	// As the relay does: again until it is acknowledged, and then the next.
	require.Eventually(t, func() bool { return publish("2") == nil }, 10*time.Second, 10*time.Millisecond)
	require.NoError(t, publish("3"))
	require.Positive(t, network.release(), "a request was held")
	require.Equal(t, map[string][]string{"a": {"1", "2", "3"}}, ids(t, cluster.ListenAddrs()))
}

// slowNetwork can hold what is written on the connections that there are, and
// deliver it later, also when they have been closed since.
type slowNetwork struct {
	mu    sync.Mutex
	conns []*slowConn
}

type slowConn struct {
	net.Conn
	network *slowNetwork
	held    bool
	closed  bool
	waiting []byte
}

func (n *slowNetwork) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	c := &slowConn{Conn: conn, network: n}
	n.conns = append(n.conns, c)
	return c, nil
}

func (n *slowNetwork) hold() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range n.conns {
		c.held = true
	}
}

// release delivers what was held, waits for the broker to have read it, and
// says how many bytes it was.
func (n *slowNetwork) release() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	total := 0
	for _, c := range n.conns {
		if !c.held {
			continue
		}
		c.held = false
		written, _ := c.Conn.Write(c.waiting)
		total += written
		if c.closed {
			// The broker answers what it reads, and the end of the connection last.
			_ = c.Conn.(*net.TCPConn).CloseWrite()
			_ = c.Conn.SetDeadline(time.Now().Add(10 * time.Second))
			answer := make([]byte, 4096)
			for {
				if _, err := c.Conn.Read(answer); err != nil {
					break
				}
			}
			_ = c.Conn.Close()
		}
	}
	return total
}

func (c *slowConn) Write(p []byte) (int, error) {
	c.network.mu.Lock()
	defer c.network.mu.Unlock()
	if c.held {
		c.waiting = append(c.waiting, p...)
		return len(p), nil
	}
	return c.Conn.Write(p)
}

func (c *slowConn) Close() error {
	c.network.mu.Lock()
	defer c.network.mu.Unlock()
	if c.closed = true; c.held {
		return c.Conn.SetReadDeadline(time.Unix(1, 0))
	}
	return c.Conn.Close()
}

func TestSigningInOverTLS(t *testing.T) {
	// The certificate of httptest is good for 127.0.0.1.
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	block := &pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}
	require.NoError(t, os.WriteFile(ca, pem.EncodeToMemory(block), 0o600))

	for mechanism, method := range map[string]string{"plain": "PLAIN", "scram-sha-256": "SCRAM-SHA-256", "scram-sha-512": "SCRAM-SHA-512"} {
		t.Run(mechanism, func(t *testing.T) {
			cluster := newBroker(t, kfake.EnableSASL(), kfake.Superuser(method, "task-api", "secret"),
				kfake.TLS(&tls.Config{Certificates: server.TLS.Certificates}))
			settings := KafkaSettings{
				Brokers: cluster.ListenAddrs(), TLS: true, CAFile: ca,
				SASL: mechanism, SASLUsername: "task-api", SASLPassword: "secret",
			}
			publish := func(s KafkaSettings, wait time.Duration) error {
				require.NoError(t, s.Validate())
				k, err := NewKafka(s, "test", "pubsub")
				require.NoError(t, err)
				defer k.Close()
				ctx, cancel := context.WithTimeout(t.Context(), wait)
				defer cancel()
				_, err = k.Publish(ctx, topic, []eventlog.Message{message("a", "1")})
				return err
			}
			require.NoError(t, publish(settings, 10*time.Second))

			wrong := settings
			wrong.SASLPassword = "guess"
			require.Error(t, publish(wrong, time.Second))
			unknown := settings
			unknown.CAFile = ""
			require.ErrorContains(t, publish(unknown, time.Second), "certificate")
		})
	}
}
