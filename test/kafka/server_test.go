package kafka

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// What a broker has taken is still there after it was killed.
func TestABrokerThatIsKilledComesBackWithItsData(t *testing.T) {
	home := os.Getenv("KAFKA_HOME")
	if home == "" {
		t.Skip("KAFKA_HOME names no Kafka (make test-brokers fetches one)")
	}
	dir := t.TempDir()
	pidFile := filepath.Join(dir, "run", "broker.pid")
	server, err := Start(t.Context(), home, filepath.Join(dir, "kafka"), pidFile, filepath.Join(dir, "broker.log"))
	require.NoError(t, err)
	defer server.Stop()
	client, err := kgo.NewClient(kgo.SeedBrokers(server.Address), kgo.ConsumeTopics("a"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	require.NoError(t, err)
	defer client.Close()
	_, err = kadm.NewClient(client).CreateTopic(t.Context(), 1, 1, nil, "a")
	require.NoError(t, err)
	write := func(value string) {
		require.NoError(t, client.ProduceSync(t.Context(), &kgo.Record{Topic: "a", Value: []byte(value)}).FirstErr())
	}
	write("before")
	text, err := os.ReadFile(pidFile)
	require.NoError(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
	write("after")
	var values []string
	deadline := time.Now().Add(time.Minute)
	for len(values) < 2 && time.Now().Before(deadline) {
		client.PollFetches(t.Context()).EachRecord(func(r *kgo.Record) { values = append(values, string(r.Value)) })
	}
	require.Equal(t, []string{"before", "after"}, values)
}

func TestAFolderWithoutKafkaIsNamed(t *testing.T) {
	dir := t.TempDir()
	_, err := Start(t.Context(), dir, dir, filepath.Join(dir, "pid"), filepath.Join(dir, "log"))
	require.ErrorContains(t, err, fmt.Sprintf("%s holds no Kafka", dir))
}
