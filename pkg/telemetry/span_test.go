package telemetry

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

const (
	first  = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	second = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	quiet  = "00-7bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"
)

// record keeps the spans that end in a test.
func record(t *testing.T) *tracetest.SpanRecorder {
	t.Helper()
	recorder := tracetest.NewSpanRecorder()
	usual := otel.GetTracerProvider()
	otel.SetTracerProvider(trace.NewTracerProvider(trace.WithSpanProcessor(recorder)))
	t.Cleanup(func() { otel.SetTracerProvider(usual) })
	return recorder
}

// query is one of pgx.
func query(ctx context.Context, sql string) {
	tracer := SQL()
	ctx = tracer.TraceQueryStart(ctx, nil, pgx.TraceQueryStartData{SQL: sql})
	tracer.TraceQueryEnd(ctx, nil, pgx.TraceQueryEndData{})
}

func TestSQLIsSeenInTheTraceOfEachEvent(t *testing.T) {
	for name, c := range map[string]struct {
		parents []string
		traces  []string // that have the event and its query
		under   string   // the trace that the handler works in
	}{
		"one that is recorded":      {[]string{first}, []string{first}, first},
		"one that is not":           {[]string{quiet}, nil, quiet},
		"one without a trace":       {[]string{""}, nil, ""},
		"one with a broken trace":   {[]string{"00-x-y-01"}, nil, ""},
		"several":                   {[]string{first, quiet, second}, []string{first, second}, ""},
		"several, none is recorded": {[]string{quiet, quiet}, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			recorder := record(t)
			var messages []Message
			for _, p := range c.parents {
				messages = append(messages, Message{ID: "1", Type: "task.created", TraceParent: p})
			}
			ctx, spans := Processing(t.Context(), "task-events", messages)
			query(ctx, `INSERT INTO "audit"."entries" VALUES ('secret')`)
			spans.End(nil)
			seen := map[string][]string{}
			for _, s := range recorder.Ended() {
				trace := s.SpanContext().TraceID().String()
				seen[trace] = append(seen[trace], s.Name())
				for _, a := range s.Attributes() {
					require.NotContains(t, a.Value.String(), "secret")
				}
			}
			require.Len(t, seen, len(c.traces))
			for _, p := range c.traces {
				require.Equal(t, []string{"INSERT audit.entries", "process task-events"}, seen[p[3:35]])
			}
			want := ""
			if c.under != "" {
				want = c.under[3:35]
			}
			require.Equal(t, want, TraceID(ctx))
		})
	}
}

// What went wrong is in the log; an error's text may name people.
func TestAFailureIsSeenWithoutItsText(t *testing.T) {
	recorder := record(t)
	_, spans := Delivering(t.Context(), "email", []Message{{ID: "1", TraceParent: first}})
	spans.Event("tried")
	spans.End(errors.New("550 <ada@example.org> unknown"))
	require.Len(t, recorder.Ended(), 1)
	status := recorder.Ended()[0].Status()
	require.Equal(t, codes.Error, status.Code)
	require.NotContains(t, status.Description, "ada")
}

func TestAQueryIsNoTraceOfItsOwn(t *testing.T) {
	recorder := record(t)
	query(t.Context(), "SELECT 1")
	require.Empty(t, recorder.Ended())
}

func TestStatementsAreNamedByTheirTable(t *testing.T) {
	for sql, want := range map[string]string{
		`SELECT "t"."id" FROM "task"."tasks" AS "t" WHERE (user_id = 'x')`: "SELECT task.tasks",
		"INSERT INTO audit.entries (id) VALUES ('FROM task.users')":        "INSERT audit.entries",
		"UPDATE task.event_cursors SET published_seq = 7":                  "UPDATE task.event_cursors",
		"\n\t\tDELETE FROM recurring.inbox WHERE true":                     "DELETE recurring.inbox",
		"with due AS (SELECT id FROM notification.deliveries) SELECT 1":    "WITH notification.deliveries",
		"BEGIN":    "BEGIN",
		"COMMIT":   "COMMIT",
		"SELECT 1": "SELECT",
		"":         "SQL",
		"VACUUM":   "SQL",
	} {
		require.Equal(t, want, statementName(sql), sql)
	}
}
