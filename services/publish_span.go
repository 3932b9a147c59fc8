package services

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"belfry/models"
	"belfry/services/tracing"
)

// startPublish begins the span of a publish. It names who does it by id and nobody else.
func startPublish(ctx context.Context, p *Principal, notices int) (context.Context, trace.Span) {
	if !tracing.On() {
		return ctx, tracing.None
	}
	ctx, span := tracing.Start(ctx, "publish", trace.SpanKindProducer)
	span.SetAttributes(attribute.String("belfry.actor", p.Actor()), attribute.Int("belfry.notices", notices))
	return ctx, span
}

func endPublish(span trace.Span, err error) {
	if err != nil {
		tracing.Fail(span, string(models.CodeOf(err)))
	}
	span.End()
}
