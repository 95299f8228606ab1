package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/local"
)

const (
	// partitions of each topic: how many replicas of a consumer can share it. A delivery
	// holds events of one partition: the fewer there are, the less an event costs.
	partitions = 4
	// maxRecord is above what the suite publishes, so that the consumers can be
	// shown what others may put on a topic.
	maxRecord = 8 << 20
)

// broker is what carries the events.
type broker struct {
	Kind    string `json:"kind"` // kafka or redis: which component is used
	Address string `json:"address"`
	outside bool   // somebody else runs it
}

// chooseBroker reads BROKER and the address of an outside broker, if any.
func chooseBroker() (broker, error) {
	switch kind := os.Getenv("BROKER"); kind {
	case "", "kafka":
		if address := os.Getenv("KAFKA_BROKERS"); address != "" {
			return broker{Kind: "kafka", Address: address, outside: true}, nil
		}
		return broker{Kind: "kafka"}, nil
	case "redis":
		if host := os.Getenv("REDIS_HOST"); host != "" {
			port := os.Getenv("REDIS_PORT")
			if port == "" {
				port = "6379"
			}
			return broker{Kind: "redis", Address: net.JoinHostPort(host, port), outside: true}, nil
		}
		return broker{Kind: "redis"}, nil
	default:
		return broker{}, fmt.Errorf("BROKER must be kafka or redis, not %q", kind)
	}
}

// env tells a sidecar's component, and a service that publishes without a
// sidecar, where the broker is.
func (b broker) env() (map[string]string, error) {
	if b.Kind == "kafka" {
		return map[string]string{"KAFKA_BOOTSTRAP_SERVERS": b.Address}, nil
	}
	host, port, err := net.SplitHostPort(b.Address)
	if err != nil {
		return nil, fmt.Errorf("address of Redis: %w", err)
	}
	return map[string]string{"REDIS_HOST": host, "REDIS_PORT": port}, nil
}

// process is the broker that the suite runs itself. With advertise, a port that
// is not 0, one that speaks Kafka's protocol names that as its own.
func (b broker) process(state string, port, advertise int) (process, error) {
	dir := filepath.Join(state, b.Kind)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return process{}, fmt.Errorf("make the folder of the broker: %w", err)
	}
	p := process{name: "broker", env: environment(nil), stopWithin: 2500 * time.Millisecond}
	if b.Kind == "redis" {
		server, err := exec.LookPath("redis-server")
		if err != nil {
			return p, errors.New("BROKER=redis needs redis-server (Debian: apt-get install redis-server), or REDIS_HOST")
		}
		p.path, p.dir = server, dir
		p.args = []string{"--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", dir, "--appendonly", "yes", "--save", ""}
		return p, nil
	}
	self, err := os.Executable()
	if err != nil {
		return p, fmt.Errorf("find this program: %w", err)
	}
	p.path = self
	p.args = []string{"broker", "-port", strconv.Itoa(port), "-data", dir}
	if advertise != 0 {
		p.args = append(p.args, "-advertise", local.Address(advertise))
	}
	return p, nil
}

// createTopics makes the topics that an outside Kafka lacks: a subscription to
// a topic that is not there fails. Redis makes its streams by itself.
func (b broker) createTopics(ctx context.Context) error {
	if b.Kind != "kafka" || !b.outside {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(b.Address, ",")...))
	if err != nil {
		return fmt.Errorf("connect to KAFKA_BROKERS: %w", err)
	}
	defer client.Close()
	answers, err := kadm.NewClient(client).CreateTopics(ctx, partitions, -1, nil, event.Topics...)
	if err != nil {
		return fmt.Errorf("make the topics at KAFKA_BROKERS: %w", err)
	}
	for _, a := range answers.Sorted() {
		if a.Err != nil && !errors.Is(a.Err, kerr.TopicAlreadyExists) {
			return fmt.Errorf("make the topic %s at KAFKA_BROKERS: %w", a.Topic, a.Err)
		}
	}
	return nil
}

// serveBroker is a Kafka-protocol broker of one node that keeps its data on
// disk. What it has acknowledged survives its own death, not the machine's.
func serveBroker(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("broker", flag.ContinueOnError)
	host := flags.String("host", "127.0.0.1", "address that it listens on")
	port := flags.Int("port", 9092, "port that it listens on")
	advertise := flags.String("advertise", "", "host:port that clients are sent to, where it is another one")
	data := flags.String("data", "", "folder of its data")
	certificate := flags.String("certificate", "", "folder of tls.crt and tls.key: clients must use TLS, and sign in")
	user := flags.String("user", "", "who signs in (SCRAM-SHA-512), with the password in KAFKA_PASSWORD")
	if err := flags.Parse(args); err != nil {
		return err
	}
	var server []kfake.Opt
	var client []kgo.Opt
	if *certificate != "" {
		var err error
		if server, client, err = secured(*certificate, *user, os.Getenv("KAFKA_PASSWORD")); err != nil {
			return err
		}
	}
	cluster, err := newBroker(*host, *port, *advertise, *data, server...)
	if err != nil {
		return fmt.Errorf("start the broker: %w", err)
	}
	fmt.Printf("the broker listens on port %d; clients are sent to %v\n", *port, cluster.ListenAddrs())
	own := local.Address(*port)
	if ip := net.ParseIP(*host); ip != nil && ip.IsLoopback() { // another address of loopback is another broker's
		own = net.JoinHostPort(*host, strconv.Itoa(*port))
	}
	err = newStaleMembers(cluster).run(ctx, own, client...)
	cluster.Close()
	return err
}

// secured has a broker speak TLS and ask for a password, as a Kafka of
// production does; client is how this program reaches it.
func secured(folder, user, password string) (server []kfake.Opt, client []kgo.Opt, err error) {
	certificate, err := tls.LoadX509KeyPair(filepath.Join(folder, "tls.crt"), filepath.Join(folder, "tls.key"))
	if err != nil {
		return nil, nil, fmt.Errorf("load the broker's certificate: %w", err)
	}
	if user == "" || password == "" {
		return nil, nil, errors.New("-certificate needs -user and KAFKA_PASSWORD")
	}
	server = []kfake.Opt{
		kfake.TLS(&tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}),
		kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-512", user, password),
	}
	return server, []kgo.Opt{kgo.SASL(scram.Auth{User: user, Pass: password}.AsSha512Mechanism())}, nil
}

func newBroker(host string, port int, advertise, data string, more ...kfake.Opt) (*kfake.Cluster, error) {
	return kfake.NewCluster(append([]kfake.Opt{
		kfake.NumBrokers(1), kfake.Ports(port), kfake.ListenFn(listenAs(host, advertise)), kfake.ClusterID("taskwire"), kfake.DataDir(data),
		kfake.SeedTopics(partitions, event.Topics...), kfake.DefaultNumPartitions(partitions),
		kfake.BrokerConfigs(map[string]string{"group.initial.rebalance.delay.ms": "0", "message.max.bytes": strconv.Itoa(maxRecord)}),
		kfake.WithLogger(kfake.BasicLogger(os.Stderr, kfake.LogLevelWarn)),
	}, more...)...)
}

// listenAs listens on a host, and says that it listens on the advertised
// address: that is what the broker tells its clients.
func listenAs(host, advertise string) func(network, address string) (net.Listener, error) {
	return func(network, address string) (net.Listener, error) {
		_, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		l, err := net.Listen(network, net.JoinHostPort(host, port))
		if err != nil || advertise == "" {
			return l, err
		}
		return advertised{l, advertisedAddr(advertise)}, nil
	}
}

type advertised struct {
	net.Listener

	at net.Addr
}

func (a advertised) Addr() net.Addr { return a.at }

// advertisedAddr is host:port, where the host may be a name.
type advertisedAddr string

func (advertisedAddr) Network() string  { return "tcp" }
func (a advertisedAddr) String() string { return string(a) }
