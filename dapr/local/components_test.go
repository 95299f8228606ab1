package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// component is the part of Dapr's resources that these tests look at.
type component struct {
	Kind     string
	Metadata struct{ Name string }
	Scopes   []string
	Spec     struct {
		Topic         string
		BulkSubscribe map[string]any    `yaml:"bulkSubscribe"`
		Metadata      yaml.Node         // a list in a Component, a map in a Subscription
		Routes        map[string]string // of a Subscription
		Policies      struct {
			Retries map[string]struct {
				Policy, Duration string
				MaxRetries       int `yaml:"maxRetries"`
			}
		}
		Targets struct {
			Components map[string]struct{ Inbound struct{ Retry string } }
		}
	}
}

// setting is a value of a Component's metadata.
func (c component) setting(t *testing.T, name string) string {
	t.Helper()
	var list []struct{ Name, Value string }
	require.NoError(t, c.Spec.Metadata.Decode(&list))
	for _, s := range list {
		if s.Name == name {
			return s.Value
		}
	}
	return ""
}

func components(t *testing.T, name string) []component {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "components", name))
	require.NoError(t, err)
	var all []component
	for decoder := yaml.NewDecoder(bytes.NewReader(text)); ; {
		var c component
		err := decoder.Decode(&c)
		if errors.Is(err, io.EOF) {
			return all
		}
		require.NoError(t, err)
		all = append(all, c)
	}
}

// Dapr's exponential policy stops after 15 minutes, whatever maxRetries says;
// the event is then acknowledged (Redis) or committed past (Kafka).
func TestADeliveryIsRetriedWithoutEnd(t *testing.T) {
	resiliency := components(t, "resiliency.yaml")[0].Spec
	retry := resiliency.Policies.Retries[resiliency.Targets.Components["pubsub"].Inbound.Retry]
	require.Equal(t, "constant", retry.Policy)
	require.Equal(t, -1, retry.MaxRetries)

	kafka := components(t, "kafka/pubsub.yaml")[0]
	require.Equal(t, "true", kafka.setting(t, "consumeRetryEnabled"))
	require.Equal(t, "constant", kafka.setting(t, "backOffPolicy"))
	require.Equal(t, "-1", kafka.setting(t, "backOffMaxRetries"))
}

// In bulk, daprd on Redis stops for good when an app is unhealthy for a moment.
func TestBrokersHaveTheSameSubscriptionsButBulkIsForKafka(t *testing.T) {
	kafka, redis := components(t, "kafka/pubsub.yaml")[1:], components(t, "redis/pubsub.yaml")[1:]
	require.Len(t, redis, len(kafka))
	for i := range kafka {
		require.NotEmpty(t, kafka[i].Spec.BulkSubscribe)
		require.Empty(t, redis[i].Spec.BulkSubscribe)
		require.Equal(t, kafka[i].Metadata, redis[i].Metadata)
		require.Equal(t, kafka[i].Scopes, redis[i].Scopes)
		require.Equal(t, kafka[i].Spec.Topic, redis[i].Spec.Topic)
		require.Equal(t, kafka[i].Spec.Routes, redis[i].Spec.Routes)
		for _, c := range []component{kafka[i], redis[i]} {
			var metadata map[string]string
			require.NoError(t, c.Spec.Metadata.Decode(&metadata))
			require.Equal(t, "true", metadata["rawPayload"])
		}
	}
}
