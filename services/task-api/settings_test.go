package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/publish"
	"github.com/taskwire/taskwire/pkg/service"
)

func TestATransportIsChosenByNameAlone(t *testing.T) {
	good := settings{
		Settings: service.Settings{LogFormat: "text", EventRetention: 720 * time.Hour, ShutdownTimeout: 8 * time.Second}, TokenLife: time.Hour,
	}
	broker := publish.KafkaSettings{Brokers: []string{"kafka:9092"}}
	for name, c := range map[string]struct {
		transport string
		kafka     publish.KafkaSettings
		says      string
	}{
		"through the sidecar":          {"dapr", publish.KafkaSettings{}, ""},
		"Kafka":                        {"kafka", broker, ""},
		"one that is none":             {"rabbit", broker, `EVENT_TRANSPORT must be dapr or kafka, not "rabbit"`},
		"in other letters":             {"Kafka", broker, "EVENT_TRANSPORT"},
		"none":                         {"", broker, "EVENT_TRANSPORT"},
		"Kafka without servers":        {"kafka", publish.KafkaSettings{}, "KAFKA_BOOTSTRAP_SERVERS"},
		"Kafka with half of a sign-in": {"kafka", publish.KafkaSettings{Brokers: broker.Brokers, SASL: "plain"}, "KAFKA_SASL_USERNAME"},
	} {
		t.Run(name, func(t *testing.T) {
			s := good
			s.Transport, s.Kafka = c.transport, c.kafka
			err := s.Validate()
			if c.says == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.says)
		})
	}
}
