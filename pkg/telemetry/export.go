package telemetry

import (
	"context"
	"slices"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
	oteltrace "go.opentelemetry.io/otel/trace"
)

// ofRequests are the attributes of a request's span that are exported. What
// otelhttp records beside them tells of people: addresses, user agents, paths
// with ids in them, and whatever it may add.
var ofRequests = []attribute.Key{
	semconv.HTTPRequestMethodKey, semconv.HTTPRouteKey, semconv.HTTPResponseStatusCodeKey, semconv.ErrorTypeKey,
}

// redactingExporter exports spans without what they know of who asked.
type redactingExporter struct{ trace.SpanExporter }

// ExportSpans implements trace.SpanExporter.
func (d redactingExporter) ExportSpans(ctx context.Context, spans []trace.ReadOnlySpan) error {
	redacted := make([]trace.ReadOnlySpan, len(spans))
	for i, span := range spans {
		redacted[i] = span
		if span.SpanKind() == oteltrace.SpanKindServer {
			redacted[i] = request{span}
		}
	}
	return d.SpanExporter.ExportSpans(ctx, redacted)
}

// request is the span of one.
type request struct{ trace.ReadOnlySpan }

// Attributes implements trace.ReadOnlySpan.
func (r request) Attributes() []attribute.KeyValue {
	// A copy: the span may be another exporter's, too.
	return slices.DeleteFunc(slices.Clone(r.ReadOnlySpan.Attributes()), func(a attribute.KeyValue) bool {
		return !slices.Contains(ofRequests, a.Key)
	})
}
