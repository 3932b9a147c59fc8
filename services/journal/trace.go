package journal

import (
	"context"
	"errors"
	"log/slog"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"belfry/services/tracing"
)

// traced says in the span of an append how it went, and tells the log where the entries went.
func (j *Journal) traced(ctx context.Context, span trace.Span, receipts []Receipt, err error) {
	switch {
	case errors.Is(err, ErrFull):
		tracing.Fail(span, "full")
	case err != nil:
		tracing.Fail(span, "unavailable")
	case len(receipts) > 0:
		first := receipts[0].Offset
		span.SetAttributes(attribute.Int("belfry.entries", len(receipts)), attribute.Int64("belfry.offset", first))
		if j.log.Enabled(ctx, slog.LevelDebug) {
			j.log.DebugContext(ctx, "committed", "offset", first, "entries", len(receipts))
		}
	}
}

// commitSpan is that of a transaction for several callers: under the first of them whose span is wanted, with links from and to
// those of the others.
func commitSpan(batch []*pending, entries int) trace.Span {
	if !tracing.On() {
		return tracing.None
	}
	var wanted []trace.Span
	var links []trace.Link
	for _, p := range batch {
		if p.span.IsRecording() {
			wanted = append(wanted, p.span)
			links = append(links, trace.Link{SpanContext: p.span.SpanContext()})
		}
	}
	if len(wanted) == 0 {
		return tracing.None
	}
	_, span := tracing.Start(trace.ContextWithSpan(context.Background(), wanted[0]), "commit", trace.SpanKindInternal, links[1:]...)
	span.SetAttributes(attribute.Int("belfry.entries", entries))
	for _, other := range wanted[1:] {
		other.AddLink(trace.Link{SpanContext: span.SpanContext()})
	}
	return span
}

// explain adds what other nodes have said of the causes of entries that were read from the database.
func (j *Journal) explain(entries []Entry) {
	for i := range entries {
		entries[i].Cause = j.announcer.Cause(entries[i].Offset)
	}
}
