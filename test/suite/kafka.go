package suite

import (
	"context"
	"os"
	"path/filepath"
	"slices"

	"github.com/taskwire/taskwire/test/kafka"
)

// startKafka starts a real Kafka for a suite in dir, where KAFKA_HOME names
// one; nil where it does not, or the suite has another broker. To the runner
// it is somebody else's; here its process is known as broker, like any other.
func startKafka(ctx context.Context, dir string, env []string) (*kafka.Server, error) {
	home := os.Getenv("KAFKA_HOME")
	other := os.Getenv("BROKER") == Redis || os.Getenv("KAFKA_BROKERS") != "" || slices.Contains(env, "BROKER="+Redis)
	if home == "" || other {
		return nil, nil
	}
	return kafka.Start(ctx, home, filepath.Join(dir, "apache-kafka"),
		filepath.Join(dir, "run", "broker.pid"), filepath.Join(dir, "logs", "broker.log"))
}
