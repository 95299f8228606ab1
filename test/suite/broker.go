package suite

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Record is an event as it lies on the broker.
type Record struct {
	Key   string
	Value []byte
	Event struct {
		ID           string          `json:"id"`
		Source       string          `json:"source"`
		Type         string          `json:"type"`
		Subject      string          `json:"subject"`
		SpecVersion  string          `json:"specversion"`
		DataSchema   string          `json:"dataschema"`
		PartitionKey string          `json:"partitionkey"`
		Sequence     string          `json:"sequence"`
		TraceParent  string          `json:"traceparent"`
		Data         json.RawMessage `json:"data"`
	}
	Partition int32
	Offset    int64
}

// Read calls each for every record of a topic from its beginning, in order per
// partition, until each says that it has seen enough or ctx ends.
func (s *Suite) Read(ctx context.Context, topic string, each func(Record) (enough bool)) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(s.Broker.Address), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return fmt.Errorf("connect to the broker: %w", err)
	}
	defer client.Close()
	for {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			return fmt.Errorf("read %s: %w", topic, ctx.Err())
		}
		enough := false
		fetches.EachRecord(func(r *kgo.Record) {
			rec := Record{Key: string(r.Key), Value: r.Value, Partition: r.Partition, Offset: r.Offset}
			// What is no JSON stays a record without an event.
			_ = json.Unmarshal(r.Value, &rec.Event)
			enough = each(rec) || enough
		})
		if enough {
			return nil
		}
	}
}

// Produce writes a record to a topic, past the suite.
func (s *Suite) Produce(ctx context.Context, topic, key string, value []byte) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(s.Broker.Address), kgo.ProducerBatchMaxBytes(4<<20))
	if err != nil {
		return fmt.Errorf("connect to the broker: %w", err)
	}
	defer client.Close()
	return client.ProduceSync(ctx, &kgo.Record{Topic: topic, Key: []byte(key), Value: value}).FirstErr()
}
