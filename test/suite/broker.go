package suite

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// The kinds of broker that a suite runs on; the runner reads the same names
// from BROKER.
const (
	Kafka = "kafka"
	Redis = "redis"
)

// Record is an event as it lies on the broker.
type Record struct {
	// Key is Kafka's key of the record, or what Dapr keeps of it on Redis.
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
	Partition int32  // 0 on Redis: a stream has one
	Offset    string // on Redis the entry's id
}

// newRecord reads the event of a record; what is no JSON stays without one.
func newRecord(key string, value []byte) Record {
	r := Record{Key: key, Value: value}
	_ = json.Unmarshal(value, &r.Event)
	return r
}

// Read calls each for every record of a topic from its beginning, in order per
// partition, until each says that it has seen enough or ctx ends.
func (s *Suite) Read(ctx context.Context, topic string, each func(Record) (enough bool)) error {
	if s.Broker.Kind == Redis {
		return s.readStream(ctx, topic, each)
	}
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
			record := newRecord(string(r.Key), r.Value)
			record.Partition, record.Offset = r.Partition, fmt.Sprint(r.Offset)
			enough = each(record) || enough
		})
		if enough {
			return nil
		}
	}
}

// All are the records that a topic has at the moment.
func (s *Suite) All(ctx context.Context, topic string) (records []Record, err error) {
	there, err := s.count(ctx, topic)
	if err != nil || there == 0 {
		return nil, err
	}
	err = s.Read(ctx, topic, func(r Record) bool {
		records = append(records, r)
		return int64(len(records)) >= there
	})
	return records, err
}

// count is how many records a topic has.
func (s *Suite) count(ctx context.Context, topic string) (n int64, err error) {
	if s.Broker.Kind == Redis {
		client := redis.NewClient(&redis.Options{Addr: s.Broker.Address})
		defer client.Close()
		if n, err = client.XLen(ctx, topic).Result(); err != nil {
			return 0, fmt.Errorf("ask for the length of %s: %w", topic, err)
		}
		return n, nil
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(s.Broker.Address))
	if err != nil {
		return 0, fmt.Errorf("connect to the broker: %w", err)
	}
	defer client.Close()
	first, err := kadm.NewClient(client).ListStartOffsets(ctx, topic)
	if err != nil {
		return 0, fmt.Errorf("ask where %s begins: %w", topic, err)
	}
	last, err := kadm.NewClient(client).ListEndOffsets(ctx, topic)
	if err != nil {
		return 0, fmt.Errorf("ask where %s ends: %w", topic, err)
	}
	last.Each(func(end kadm.ListedOffset) {
		begin, _ := first.Lookup(topic, end.Partition)
		n += end.Offset - begin.Offset
	})
	return n, nil
}

// Expire takes out of a topic what is in it now, as the broker's retention does in time,
// or who trims a stream.
func (s *Suite) Expire(ctx context.Context, topic string) error {
	if s.Broker.Kind == Redis {
		client := redis.NewClient(&redis.Options{Addr: s.Broker.Address})
		defer client.Close()
		if err := client.XTrimMaxLen(ctx, topic, 0).Err(); err != nil {
			return fmt.Errorf("trim %s: %w", topic, err)
		}
		return nil
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(s.Broker.Address))
	if err != nil {
		return fmt.Errorf("connect to the broker: %w", err)
	}
	defer client.Close()
	last, err := kadm.NewClient(client).ListEndOffsets(ctx, topic)
	if err != nil {
		return fmt.Errorf("ask where %s ends: %w", topic, err)
	}
	deleted, err := kadm.NewClient(client).DeleteRecords(ctx, last.Offsets())
	if err == nil {
		err = deleted.Error()
	}
	if err != nil {
		return fmt.Errorf("delete the records of %s: %w", topic, err)
	}
	return nil
}

// Produce writes a record to a topic, past the suite.
func (s *Suite) Produce(ctx context.Context, topic, key string, value []byte) error {
	if s.Broker.Kind == Redis {
		return s.addToStream(ctx, topic, key, value)
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(s.Broker.Address), kgo.ProducerBatchMaxBytes(4<<20))
	if err != nil {
		return fmt.Errorf("connect to the broker: %w", err)
	}
	defer client.Close()
	return client.ProduceSync(ctx, &kgo.Record{Topic: topic, Key: []byte(key), Value: value}).FirstErr()
}

// An entry of a stream is as Dapr's component writes it: the record in the
// field data, and what it was published with, as JSON, in the field metadata.
const (
	dataField     = "data"
	metadataField = "metadata"
)

func (s *Suite) readStream(ctx context.Context, stream string, each func(Record) (enough bool)) error {
	client := redis.NewClient(&redis.Options{Addr: s.Broker.Address})
	defer client.Close()
	last := "0"
	for {
		// Without a group: reading takes nothing away from the consumers.
		answer, err := client.XRead(ctx, &redis.XReadArgs{Streams: []string{stream}, ID: last, Count: 1000, Block: time.Second}).Result()
		if ctx.Err() != nil {
			return fmt.Errorf("read %s: %w", stream, ctx.Err())
		}
		if err != nil {
			continue // nothing new, or a server that is away: ctx bounds both
		}
		enough := false
		for _, entry := range answer[0].Messages {
			var metadata struct {
				PartitionKey string `json:"partitionKey"`
			}
			if text, ok := entry.Values[metadataField].(string); ok {
				_ = json.Unmarshal([]byte(text), &metadata) // without it there is no key
			}
			value, _ := entry.Values[dataField].(string)
			record := newRecord(metadata.PartitionKey, []byte(value))
			record.Offset = entry.ID
			enough = each(record) || enough
			last = entry.ID
		}
		if enough {
			return nil
		}
	}
}

func (s *Suite) addToStream(ctx context.Context, stream, key string, value []byte) error {
	metadata, err := json.Marshal(map[string]string{"partitionKey": key})
	if err != nil {
		return err
	}
	client := redis.NewClient(&redis.Options{Addr: s.Broker.Address})
	defer client.Close()
	err = client.XAdd(ctx, &redis.XAddArgs{Stream: stream, Values: []any{dataField, value, metadataField, metadata}}).Err()
	if err != nil {
		return fmt.Errorf("add to stream %s: %w", stream, err)
	}
	return nil
}
