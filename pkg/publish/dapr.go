// Package publish brings events to a broker.
package publish

import (
	"context"
	"errors"
	"fmt"
	"time"

	dapr "github.com/dapr/go-sdk/client"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"

	"github.com/taskwire/taskwire/pkg/eventlog"
)

// contentType is what the body is.
const contentType = "application/cloudevents+json"

// The SDK logs to standard output, past the service's own log and into the
// answers of commands.
func init() { dapr.SetLogger(nil) }

// Dapr publishes through the service's sidecar.
type Dapr struct {
	conn   *grpc.ClientConn
	client dapr.Client
	pubsub string
}

// NewDapr returns a publisher to the named pub/sub component of the sidecar
// whose gRPC API is at address, host:port. It does not wait for the sidecar, as
// the SDK's own constructors do: the connection is made when it is needed, and
// again after it was lost. token is DAPR_API_TOKEN, "" where the sidecar asks
// for none.
func NewDapr(address, token, pubsub string) (*Dapr, error) {
	backingOff := backoff.DefaultConfig
	backingOff.BaseDelay, backingOff.MaxDelay = 100*time.Millisecond, time.Second
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()), // nobody else is on the way to the sidecar
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backingOff, MinConnectTimeout: time.Second}),
		// A sidecar that is stopped, not gone, is noticed too.
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: 5 * time.Second}),
	}
	if token != "" {
		options = append(options, grpc.WithPerRPCCredentials(apiToken(token)))
	}
	// passthrough asks for the address with each try to connect. By itself gRPC
	// would ask again after 30 s, and after a first answer that there is no such
	// name with growing pauses: a sidecar that starts after its service, or comes
	// back with another address, would be found minutes later.
	conn, err := grpc.NewClient("passthrough:///"+address, options...)
	if err != nil {
		return nil, fmt.Errorf("set up the connection to the sidecar: %w", err)
	}
	return &Dapr{conn: conn, client: dapr.NewClientWithConnection(conn), pubsub: pubsub}, nil
}

// Close ends the connection to the sidecar.
func (d *Dapr) Close() error { return d.conn.Close() }

// apiToken sends the sidecar's token with each call.
type apiToken string

func (t apiToken) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"dapr-api-token": string(t)}, nil
}

// RequireTransportSecurity is false: nobody else is on the way to the sidecar.
func (t apiToken) RequireTransportSecurity() bool { return false }

// Publish implements eventlog.Publisher in one bulk call.
func (d *Dapr) Publish(ctx context.Context, topic string, messages []eventlog.Message) ([]int, error) {
	events := make([]any, len(messages))
	for i, m := range messages {
		events[i] = dapr.PublishEventsEvent{
			EntryID: m.ID, Data: envelope(m.Body, d.pubsub, topic), ContentType: contentType,
			// The Kafka component's partition key. The CloudEvents attribute of
			// the same name does nothing.
			Metadata: map[string]string{"partitionKey": m.Key},
		}
	}
	res := d.client.PublishEvents(ctx, d.pubsub, topic, events, dapr.PublishEventsWithContentType(contentType), dapr.PublishEventsWithRawPayload())
	if res.Error == nil && len(res.FailedEvents) == 0 {
		return nil, nil
	}
	return failedOf(messages, res)
}

// failedOf maps what the SDK gives back, the values that were passed in, to
// their indexes. An error without names means that any may have failed.
func failedOf(messages []eventlog.Message, res dapr.PublishEventsResponse) ([]int, error) {
	names := make(map[string]bool, len(res.FailedEvents))
	for _, f := range res.FailedEvents {
		if e, ok := f.(dapr.PublishEventsEvent); ok {
			names[e.EntryID] = true
		}
	}
	var failed []int
	for i, m := range messages {
		if len(names) == 0 || names[m.ID] {
			failed = append(failed, i)
		}
	}
	err := res.Error
	if err == nil {
		err = errors.New("the broker refused some events")
	}
	return failed, fmt.Errorf("publish through the sidecar: %w", err)
}
