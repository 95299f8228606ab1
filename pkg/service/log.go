package service

import (
	"context"
	"io"
	"log/slog"

	"github.com/taskwire/taskwire/pkg/httpapi"
	"github.com/taskwire/taskwire/pkg/telemetry"
)

// logger writes to w as the settings say, and is set as the process's default
// for libraries that log by themselves.
func (s Settings) logger(w io.Writer, service string) *slog.Logger {
	var handler slog.Handler = slog.NewTextHandler(w, &slog.HandlerOptions{Level: s.LogLevel})
	if s.LogFormat == "json" {
		handler = slog.NewJSONHandler(w, &slog.HandlerOptions{Level: s.LogLevel})
	}
	log := slog.New(identified{handler}).With("service", service)
	slog.SetDefault(log)
	return log
}

// identified adds to each record the ids of the request and of the trace that
// its context belongs to.
type identified struct{ slog.Handler }

// Handle implements slog.Handler.
func (h identified) Handle(ctx context.Context, record slog.Record) error {
	if id := httpapi.RequestID(ctx); id != "" {
		record.AddAttrs(slog.String("request_id", id))
	}
	if id := telemetry.TraceID(ctx); id != "" && !has(record, "trace_id") {
		record.AddAttrs(slog.String("trace_id", id))
	}
	return h.Handler.Handle(ctx, record)
}

// WithAttrs implements slog.Handler.
func (h identified) WithAttrs(attrs []slog.Attr) slog.Handler {
	return identified{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (h identified) WithGroup(name string) slog.Handler { return identified{h.Handler.WithGroup(name)} }

func has(record slog.Record, key string) bool {
	found := false
	record.Attrs(func(a slog.Attr) bool { found = a.Key == key; return !found })
	return found
}
