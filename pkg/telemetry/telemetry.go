// Package telemetry sets up OpenTelemetry. Traces are always propagated, so
// that a request's trace id reaches its event and the event's consumers; they
// are exported when OTEL_EXPORTER_OTLP_ENDPOINT names a collector.
package telemetry

import (
	"context"
	"fmt"
	"os"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
	oteltrace "go.opentelemetry.io/otel/trace"

	"github.com/taskwire/taskwire/pkg/outage"
)

// Start sets the process's tracer and returns what flushes it. The standard
// OTEL_* variables are read by OpenTelemetry itself.
func Start(ctx context.Context, service, version string) (flush func(context.Context) error, err error) {
	otel.SetTextMapPropagator(propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{}))
	options := []trace.TracerProviderOption{
		trace.WithResource(resource.NewSchemaless(semconv.ServiceName(service), semconv.ServiceNamespace("taskwire"), semconv.ServiceVersion(version))),
	}
	if os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") == "" && os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") == "" {
		// Ids without recording: a trace can be followed through the logs.
		options = append(options, trace.WithSampler(trace.NeverSample()))
	} else {
		exporter, err := otlptracehttp.New(ctx)
		if err != nil {
			return nil, fmt.Errorf("set up the trace exporter: %w", err)
		}
		options = append(options, trace.WithBatcher(redactingExporter{exporter}))
	}
	// A collector that is away is no reason to stop, and the operator is to know.
	lost := &outage.Outage{Gone: "traces are lost", Back: "no traces have been lost for a while", Causes: 3, Calm: time.Minute}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		lost.Failed(ctx, err)
		lost.Worked() // nothing tells of those that arrive
	}))
	provider := trace.NewTracerProvider(options...)
	otel.SetTracerProvider(provider)
	return provider.Shutdown, nil
}

// TraceParent is the W3C traceparent of ctx, or "" where no trace is under way.
func TraceParent(ctx context.Context) string {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier["traceparent"]
}

// WithTraceParent continues the trace that a traceparent names; an unusable
// one changes nothing.
func WithTraceParent(ctx context.Context, traceparent string) context.Context {
	return propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": traceparent})
}

// TraceID is the id of the trace under way in ctx, or "".
func TraceID(ctx context.Context) string {
	sc := oteltrace.SpanContextFromContext(ctx)
	if !sc.HasTraceID() {
		return ""
	}
	return sc.TraceID().String()
}
