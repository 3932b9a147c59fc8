package services

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"belfry/services/hub"
	"belfry/services/journal"
	"belfry/services/tracing"
)

// deliveryLimit is for how long a span waits until an entry was written to all who take it. A stream that is cut, or locked, before
// that gets it by a replay, which is none of this request's doing.
const deliveryLimit = 10 * time.Second

// unknownStreams stands for how many streams take an entry while that is being found out: some may have been written to by then.
const unknownStreams = 1 << 40

// delivery is the way of an entry to the streams of this node, where somebody wants to know of it: from when it is handed to them
// until it was written to the last.
type delivery struct {
	ctx  context.Context //nolint:containedctx // of the request that caused the entry
	span atomic.Pointer[trace.Span]
	left atomic.Int64 // streams to be written to
}

// follow begins one; nil where nobody wants to know.
func follow(e *journal.Entry, f *hub.Frame) *delivery {
	if e.Cause == nil {
		return nil
	}
	d := &delivery{ctx: e.Cause.Context(context.Background())}
	d.left.Store(unknownStreams)
	if e.Cause.Parent == "" || !tracing.On() {
		return d
	}
	_, span := tracing.Start(d.ctx, "deliver", trace.SpanKindConsumer)
	span.SetAttributes(attribute.Int64("belfry.offset", e.Offset), attribute.String("belfry.kind", e.Kind), attribute.String("belfry.request_id", e.Cause.Request))
	d.span.Store(&span)
	if f != nil {
		f.WhenWritten(d.written)
	}
	return d
}

// written is told of each stream.
func (d *delivery) written() {
	if d.left.Add(-1) == 0 {
		d.end()
	}
}

// handed is told how many streams have taken the entry.
func (d *delivery) handed(e *journal.Entry, streams int, log *slog.Logger) {
	if d == nil {
		return
	}
	log.DebugContext(d.ctx, "delivered", "offset", e.Offset, "kind", e.Kind, "streams", streams)
	span := d.span.Load()
	if span == nil {
		return
	}
	(*span).SetAttributes(attribute.Int("belfry.streams", streams))
	if d.left.Add(int64(streams)-unknownStreams) == 0 {
		d.end()
		return
	}
	time.AfterFunc(deliveryLimit, d.end)
}

// end lets go of the span, because memory keeps the frame, and what is told of it, for replays.
func (d *delivery) end() {
	if span := d.span.Swap(nil); span != nil {
		(*span).End()
	}
}
