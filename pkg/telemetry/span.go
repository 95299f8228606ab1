package telemetry

import (
	"context"
	"strings"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
	"go.opentelemetry.io/otel/trace"
)

// tracer is of the provider that Start has set.
func tracer() trace.Tracer { return otel.Tracer("github.com/taskwire/taskwire/pkg/telemetry") }

// Message is an event on its way, as a span names it.
type Message struct {
	ID          string
	Type        string // "" where only the envelope knows it
	TraceParent string // of the request that caused it
}

// Spans are under way at once, each in a trace of its own: what a batch of
// events does is done by each of them.
type Spans []trace.Span

// Publishing starts a span in the trace of each message that is recorded.
func Publishing(ctx context.Context, topic string, messages []Message) Spans {
	_, spans := begin(ctx, trace.SpanKindProducer, "publish "+topic, semconv.MessagingOperationTypeSend, topic, messages)
	return spans
}

// Processing starts a span in the trace of each message that is recorded. SQL
// under the context that it returns is seen in all of these traces; that of a
// single message is also the trace of the context.
func Processing(ctx context.Context, topic string, messages []Message) (context.Context, Spans) {
	return begin(ctx, trace.SpanKindConsumer, "process "+topic, semconv.MessagingOperationTypeProcess, topic, messages)
}

// Delivering starts a span for what becomes of events at the end of their way,
// such as a mail, like Processing.
func Delivering(ctx context.Context, channel string, messages []Message) (context.Context, Spans) {
	return begin(ctx, trace.SpanKindClient, "deliver "+channel, semconv.MessagingOperationTypeSend, channel, messages)
}

func begin(ctx context.Context, kind trace.SpanKind, name string, operation attribute.KeyValue, destination string, messages []Message) (context.Context, Spans) {
	var spans Spans
	under := ctx
	for _, m := range messages {
		if len(messages) == 1 {
			under = WithTraceParent(ctx, m.TraceParent)
		}
		if !sampled(m.TraceParent) {
			continue
		}
		attributes := []attribute.KeyValue{operation, semconv.MessagingDestinationName(destination), semconv.MessagingMessageID(m.ID)}
		if m.Type != "" {
			attributes = append(attributes, semconv.CloudEventsEventType(m.Type))
		}
		if len(messages) > 1 {
			attributes = append(attributes, semconv.MessagingBatchMessageCount(len(messages)))
		}
		options := []trace.SpanStartOption{trace.WithSpanKind(kind), trace.WithAttributes(attributes...)}
		if around := trace.SpanContextFromContext(ctx); around.IsValid() {
			// The request that brought the batch has a trace of the sidecar's.
			options = append(options, trace.WithLinks(trace.Link{SpanContext: around}))
		}
		own, span := tracer().Start(WithTraceParent(ctx, m.TraceParent), name, options...)
		spans = append(spans, span)
		if len(messages) == 1 {
			under = own
		}
	}
	if len(messages) > 1 && len(spans) > 0 {
		under = context.WithValue(ctx, spansKey{}, spans)
	}
	return under, spans
}

type spansKey struct{}

// End ends the spans. The text of an error is left to the log, which has the
// trace's id: what a mail server or Postgres says may name people.
func (s Spans) End(err error) {
	for _, span := range s {
		if err != nil {
			span.SetStatus(codes.Error, "see the log")
		}
		span.End()
	}
}

// Event notes in all spans that something has happened.
func (s Spans) Event(name string) {
	for _, span := range s {
		span.AddEvent(name)
	}
}

// sampled says whether a traceparent asks for its trace to be recorded: the
// last bit of its flags (W3C Trace Context, section 3.2.2.5). It spares the
// parsing of those that do not.
func sampled(traceparent string) bool {
	return len(traceparent) == 55 && strings.IndexByte("13579bdf", traceparent[54]) >= 0
}
