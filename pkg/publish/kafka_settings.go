package publish

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// KafkaSettings say where the brokers are and how to reach them. They matter
// only to a service that publishes without a sidecar.
type KafkaSettings struct {
	Brokers      []string `env:"KAFKA_BOOTSTRAP_SERVERS"` // host:port
	TLS          bool     `env:"KAFKA_TLS" envDefault:"false"`
	CAFile       string   `env:"KAFKA_CA_FILE"`        // default: the system's authorities
	SASL         string   `env:"KAFKA_SASL_MECHANISM"` // "", plain, scram-sha-256 or scram-sha-512
	SASLUsername string   `env:"KAFKA_SASL_USERNAME"`
	SASLPassword string   `env:"KAFKA_SASL_PASSWORD,unset"`
}

// Validate names the setting that is missing or wrong.
func (s KafkaSettings) Validate() error {
	if len(s.Brokers) == 0 {
		return errors.New("KAFKA_BOOTSTRAP_SERVERS must name the brokers: host:port, with commas between them")
	}
	for _, b := range s.Brokers {
		host, port, err := net.SplitHostPort(b)
		if n, portErr := strconv.ParseUint(port, 10, 16); err != nil || portErr != nil || host == "" || n == 0 {
			return fmt.Errorf("KAFKA_BOOTSTRAP_SERVERS must be host:port, with commas between them; %q is not", b)
		}
	}
	if s.CAFile != "" && !s.TLS {
		return errors.New("KAFKA_CA_FILE needs KAFKA_TLS=true")
	}
	switch s.SASL {
	case "":
		if s.SASLUsername != "" || s.SASLPassword != "" {
			return errors.New("KAFKA_SASL_MECHANISM is needed with KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD")
		}
	case "plain", "scram-sha-256", "scram-sha-512":
		if s.SASLUsername == "" {
			return errors.New("KAFKA_SASL_USERNAME is needed with KAFKA_SASL_MECHANISM")
		}
		if s.SASLPassword == "" {
			return errors.New("KAFKA_SASL_PASSWORD is needed with KAFKA_SASL_MECHANISM")
		}
	default:
		return fmt.Errorf("KAFKA_SASL_MECHANISM must be plain, scram-sha-256 or scram-sha-512, not %q", s.SASL)
	}
	return nil
}

// options are what the client needs to reach the brokers.
func (s KafkaSettings) options() ([]kgo.Opt, error) {
	options := []kgo.Opt{kgo.SeedBrokers(s.Brokers...)}
	if s.TLS {
		config := &tls.Config{MinVersion: tls.VersionTLS12}
		if s.CAFile != "" {
			text, err := os.ReadFile(s.CAFile)
			if err != nil {
				return nil, fmt.Errorf("read KAFKA_CA_FILE: %w", err)
			}
			config.RootCAs = x509.NewCertPool()
			if !config.RootCAs.AppendCertsFromPEM(text) {
				return nil, fmt.Errorf("KAFKA_CA_FILE holds no certificate: %s", s.CAFile)
			}
		}
		options = append(options, kgo.DialTLSConfig(config))
	}
	switch s.SASL {
	case "plain":
		options = append(options, kgo.SASL(plain.Auth{User: s.SASLUsername, Pass: s.SASLPassword}.AsMechanism()))
	case "scram-sha-256":
		options = append(options, kgo.SASL(scram.Auth{User: s.SASLUsername, Pass: s.SASLPassword}.AsSha256Mechanism()))
	case "scram-sha-512":
		options = append(options, kgo.SASL(scram.Auth{User: s.SASLUsername, Pass: s.SASLPassword}.AsSha512Mechanism()))
	}
	return options, nil
}
