package transport

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/eventlog"
	"github.com/taskwire/taskwire/pkg/publish"
)

const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

// Whoever reads the broker can not tell which way an event took: the same
// value, key, headers and partition, byte for byte.
func TestBothWaysWriteTheSameRecords(t *testing.T) {
	const pubsub = "pubsub"
	own := s.Services["task-api"]
	sidecar, err := publish.NewDapr(fmt.Sprint("127.0.0.1:", own.Sidecar.GRPCPort), own.DaprToken, pubsub)
	require.NoError(t, err)
	defer sidecar.Close()
	brokers := strings.Split(s.Broker.Address, ",")
	direct, err := publish.NewKafka(publish.KafkaSettings{Brokers: brokers}, "task-api", pubsub)
	require.NoError(t, err)
	defer direct.Close()

	for _, topic := range event.Topics {
		t.Run(topic, func(t *testing.T) {
			messages := trickyMessages(t, topic)
			eventually(t, func() error { // a sidecar that has just started may refuse the first
				_, err := sidecar.Publish(t.Context(), topic, messages[:1])
				return err
			})
			_, err := sidecar.Publish(t.Context(), topic, messages)
			require.NoError(t, err)
			bySidecar, ends := read(t, brokers, topic, messages, nil)
			failed, err := direct.Publish(t.Context(), topic, messages)
			require.NoError(t, err)
			require.Empty(t, failed)
			directly, _ := read(t, brokers, topic, messages, ends)

			partitions := map[int32]bool{}
			for _, m := range messages {
				a, b := bySidecar[m.ID], directly[m.ID]
				require.Equal(t, string(a.Value), string(b.Value))
				require.Equal(t, m.Key, string(a.Key))
				require.Equal(t, m.Key, string(b.Key))
				require.ElementsMatch(t, a.Headers, b.Headers) // the component has them in any order
				require.Equal(t, "{"+topic+" pubsub}", added(t, b.Value))
				require.Equal(t, a.Partition, b.Partition, "the partition of key %q", m.Key)
				partitions[b.Partition] = true
			}
			require.Len(t, partitions, 4, "the keys are on all partitions")
		})
	}
}

// read reads a topic behind the given offsets until it has a record of each
// message, and says how far it has come.
func read(t *testing.T, brokers []string, topic string, messages []eventlog.Message, after map[int32]int64) (records map[string]*kgo.Record, ends map[int32]int64) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	require.NoError(t, err)
	defer client.Close()
	wanted := map[string]bool{}
	for _, m := range messages {
		require.False(t, wanted[m.ID], "an id twice")
		wanted[m.ID] = true
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	records, ends = map[string]*kgo.Record{}, map[int32]int64{}
	for len(records) < len(wanted) {
		fetches := client.PollFetches(ctx)
		require.NoError(t, ctx.Err(), "%d of %d events", len(records), len(wanted))
		fetches.EachRecord(func(r *kgo.Record) {
			ends[r.Partition] = r.Offset
			if last, ok := after[r.Partition]; ok && r.Offset <= last {
				return
			}
			var e struct{ ID string }
			require.NoError(t, json.Unmarshal(r.Value, &e))
			if wanted[e.ID] {
				records[e.ID] = r
			}
		})
	}
	return records, ends
}

// trickyMessages are events whose encoding could differ, and many keys.
func trickyMessages(t *testing.T, topic string) []eventlog.Message {
	t.Helper()
	var messages []eventlog.Message
	add := func(key, traceParent, data string) {
		require.True(t, json.Valid([]byte(data)), "%s", data)
		id := uuid.Must(uuid.NewV7())
		body, err := event.Encode(event.Header{
			ID: id, Topic: topic, Type: "test.event", Subject: key, Time: time.Now(), PartitionKey: key,
			Sequence: int64(len(messages) + 1), TraceParent: traceParent,
		}, json.RawMessage(data))
		require.NoError(t, err)
		messages = append(messages, eventlog.Message{ID: id.String(), Key: key, Body: body})
	}
	for _, data := range []string{
		`{}`,
		`null`,
		`"text"`,
		`[[], {}, [[null]], {"a":{"b":{"c":null}}}]`,
		`{"html":"<script>a && b</script> \u003cb\u003e","separators":"\u2028\u2029"}`,
		`{"unicode":"žluťoučký kůň 漢字 👩‍👩‍👧 é é","escaped":"\u00e9 \ud83d\ude00 \ud800 \/"}`,
		`{"control":"\u0000\u0001\b\f\n\r\t\u001f\u007f","quotes":"\"\\"}`,
		`{"z":1,"a":2,"Z":3,"A":4,"":5,"é":6,"a":7}`,
		`[9007199254740993, 123456789012345678901234567890, -0, 1.0, 1.10, 1e2, 1E+2, 0.1e-400, 1e400]`,
		` { "spaces" : [ 1 , 2 ] } `,
	} {
		add(uuid.NewString(), trace, data)
		add(uuid.NewString(), "", data)
	}
	for _, key := range []string{"k", "ключ", "<&>", " ", strings.Repeat("long", 200)} {
		add(key, trace, `{}`)
	}
	for i := range 200 {
		add(uuid.NewString(), trace, fmt.Sprintf(`{"n":%d}`, i))
	}
	return messages
}

// added is what daprd adds to an event that it does not take as raw.
func added(t *testing.T, value []byte) string {
	t.Helper()
	var e struct{ Topic, PubsubName string }
	require.NoError(t, json.Unmarshal(value, &e))
	return fmt.Sprint(e)
}
