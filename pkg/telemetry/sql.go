package telemetry

import (
	"context"
	"regexp"
	"strings"

	"github.com/exaring/otelpgx"
	"github.com/jackc/pgx/v5"
	"go.opentelemetry.io/otel/trace"
)

// SQL returns a tracer of queries. A query is a span where one is being
// recorded around it, never a trace of its own; of a batch of events it is a
// span in the trace of each (Processing). The span is named by what is done to
// which table. The statement is left out: bun writes the values into it.
func SQL() pgx.QueryTracer {
	return sqlTracer{otelpgx.NewTracer(
		otelpgx.WithDisableSQLStatementInAttributes(),
		otelpgx.WithDisableConnectionDetailsInAttributes(),
		otelpgx.WithSpanNameFunc(statementName),
	)}
}

type sqlTracer struct{ *otelpgx.Tracer }

type queriesKey struct{}

// TraceQueryStart implements pgx.QueryTracer.
func (t sqlTracer) TraceQueryStart(ctx context.Context, conn *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	spans, several := ctx.Value(spansKey{}).(Spans)
	if !several {
		return t.Tracer.TraceQueryStart(ctx, conn, data)
	}
	queries := make([]context.Context, len(spans))
	for i, span := range spans {
		queries[i] = t.Tracer.TraceQueryStart(trace.ContextWithSpan(ctx, span), conn, data)
	}
	return context.WithValue(ctx, queriesKey{}, queries)
}

// TraceQueryEnd implements pgx.QueryTracer.
func (t sqlTracer) TraceQueryEnd(ctx context.Context, conn *pgx.Conn, data pgx.TraceQueryEndData) {
	queries, several := ctx.Value(queriesKey{}).([]context.Context)
	if !several {
		t.Tracer.TraceQueryEnd(ctx, conn, data)
	}
	for _, query := range queries {
		t.Tracer.TraceQueryEnd(query, conn, data)
	}
}

// statement finds the first table that a statement is about. What stands in a
// value can not come before it.
var statement = func() *regexp.Regexp {
	const table = `("?[a-z_]+"?\."?[a-z_]+"?)`
	return regexp.MustCompile(`(?is)^\s*(?:(UPDATE)\s+` + table +
		`|(SELECT|INSERT|DELETE|WITH|BEGIN|COMMIT|ROLLBACK|SET|NOTIFY)\b(?:.*?\b(?:FROM|INTO|UPDATE)\s+` + table + `)?)`)
}()

// statementName is such as "INSERT audit.entries".
func statementName(sql string) string {
	if len(sql) > 1000 {
		sql = sql[:1000]
	}
	found := statement.FindStringSubmatch(sql)
	if found == nil {
		return "SQL"
	}
	return strings.TrimSpace(strings.ToUpper(found[1]+found[3]) + " " + strings.ReplaceAll(found[2]+found[4], `"`, ""))
}
