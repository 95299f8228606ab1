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

	"github.com/taskwire/taskwire/pkg/setting"
)

// KafkaSettings say where the brokers are and how to reach them. They matter
// only to a service that publishes without a sidecar.
type KafkaSettings struct {
	Brokers      []string `env:"KAFKA_BOOTSTRAP_SERVERS"` // host:port
	TLS          bool     `env:"KAFKA_TLS" envDefault:"false"`
	CAFile       string   `env:"KAFKA_CA_FILE"`                                                  // default: the system's authorities
	SASL         string   `env:"KAFKA_SASL_MECHANISM" oneof:"plain scram-sha-256 scram-sha-512"` // "": no sign-in
	SASLUsername string   `env:"KAFKA_SASL_USERNAME"`
	SASLPassword string   `env:"KAFKA_SASL_PASSWORD,unset" secret:"value"`
}

// Validate names the settings that are missing or wrong where events go straight to Kafka.
func (s KafkaSettings) Validate() error {
	var errs []error
	if len(s.Brokers) == 0 {
		errs = append(errs, errors.New("KAFKA_BOOTSTRAP_SERVERS must name the brokers where EVENT_TRANSPORT is kafka: host:port, with commas between them"))
	}
	for _, b := range s.Brokers {
		host, port, err := net.SplitHostPort(b)
		if n, portErr := strconv.ParseUint(port, 10, 16); err != nil || portErr != nil || host == "" || n == 0 {
			errs = append(errs, fmt.Errorf("KAFKA_BOOTSTRAP_SERVERS must be host:port, with commas between them; %q is not", setting.Redact(b)))
		}
	}
	if s.CAFile != "" && !s.TLS {
		errs = append(errs, errors.New("KAFKA_CA_FILE needs KAFKA_TLS=true"))
	}
	switch {
	case s.SASL == "" && (s.SASLUsername != "" || s.SASLPassword != ""):
		errs = append(errs, errors.New("KAFKA_SASL_MECHANISM is needed with KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD"))
	case s.SASL != "" && s.SASLUsername == "":
		errs = append(errs, errors.New("KAFKA_SASL_USERNAME is needed with KAFKA_SASL_MECHANISM"))
	case s.SASL != "" && s.SASLPassword == "":
		errs = append(errs, errors.New("KAFKA_SASL_PASSWORD is needed with KAFKA_SASL_MECHANISM"))
	}
	if errors.Join(errs...) == nil {
		_, err := s.options()
		return err
	}
	return errors.Join(errs...)
}

// options are what the client needs to reach the brokers.
func (s KafkaSettings) options() ([]kgo.Opt, error) {
	options := []kgo.Opt{kgo.SeedBrokers(s.Brokers...)}
	if s.TLS {
		config := &tls.Config{MinVersion: tls.VersionTLS12}
		if s.CAFile != "" {
			text, err := os.ReadFile(s.CAFile)
			config.RootCAs = x509.NewCertPool()
			if err != nil || !config.RootCAs.AppendCertsFromPEM(text) {
				return nil, fmt.Errorf("KAFKA_CA_FILE must name a file that can be read, with certificates in PEM, not %q", s.CAFile)
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
