package publish

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestABadKafkaSettingIsNamed(t *testing.T) {
	brokers := []string{"kafka-0:9092", "[::1]:9092"}
	for name, c := range map[string]struct {
		settings KafkaSettings
		says     string
	}{
		"brokers alone":                {KafkaSettings{Brokers: brokers}, ""},
		"TLS and a password":           {KafkaSettings{Brokers: brokers, TLS: true, SASL: "scram-sha-512", SASLUsername: "u", SASLPassword: "p"}, ""},
		"no brokers":                   {KafkaSettings{}, "KAFKA_BOOTSTRAP_SERVERS"},
		"an empty broker":              {KafkaSettings{Brokers: []string{"kafka-0:9092", ""}}, "KAFKA_BOOTSTRAP_SERVERS"},
		"a broker without port":        {KafkaSettings{Brokers: []string{"kafka-0"}}, "KAFKA_BOOTSTRAP_SERVERS"},
		"a port that is no number":     {KafkaSettings{Brokers: []string{"kafka-0:kafka"}}, "KAFKA_BOOTSTRAP_SERVERS"},
		"a URL":                        {KafkaSettings{Brokers: []string{"kafka://kafka-0:9092"}}, "KAFKA_BOOTSTRAP_SERVERS"},
		"an authority without TLS":     {KafkaSettings{Brokers: brokers, CAFile: "ca.pem"}, "KAFKA_TLS"},
		"a user without a mechanism":   {KafkaSettings{Brokers: brokers, SASLUsername: "u"}, "KAFKA_SASL_MECHANISM"},
		"a mechanism without a user":   {KafkaSettings{Brokers: brokers, SASL: "plain", SASLPassword: "p"}, "KAFKA_SASL_USERNAME"},
		"a mechanism without password": {KafkaSettings{Brokers: brokers, SASL: "plain", SASLUsername: "u"}, "KAFKA_SASL_PASSWORD"},
	} {
		t.Run(name, func(t *testing.T) {
			err := c.settings.Validate()
			if c.says == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.says)
		})
	}
}

func TestAnAuthorityThatCanNotBeReadIsNamed(t *testing.T) {
	for name, file := range map[string]string{"not there": "no-such.pem", "no certificate": "kafka_settings_test.go"} {
		t.Run(name, func(t *testing.T) {
			s := KafkaSettings{Brokers: []string{"127.0.0.1:9092"}, TLS: true, CAFile: file}
			require.ErrorContains(t, s.Validate(), "KAFKA_CA_FILE must name a file that can be read, with certificates in PEM")
			_, err := NewKafka(s, "test", "pubsub")
			require.ErrorContains(t, err, "KAFKA_CA_FILE")
		})
	}
}
