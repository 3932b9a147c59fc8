package tracing

import (
	"context"
	"log/slog"
	"net/http"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// tracer makes the spans of this process; nil = none are wanted. It is not OpenTelemetry's own global one, which costs
// several allocations for each span that nobody wants.
var tracer atomic.Pointer[trace.Tracer]

// None is what [Start] gives where no spans are wanted.
var None trace.Span = noop.Span{}

// Use has spans be made by a provider from now on; nil = none any more.
func Use(p trace.TracerProvider) {
	if p == nil {
		tracer.Store(nil)
		return
	}
	t := p.Tracer("belfry")
	tracer.Store(&t)
}

// On reports whether spans are wanted.
func On() bool { return tracer.Load() != nil }

// Start begins a span under that of the context. Whoever calls it ends the span.
func Start(ctx context.Context, name string, kind trace.SpanKind, links ...trace.Link) (context.Context, trace.Span) {
	t := tracer.Load()
	if t == nil {
		return ctx, None
	}
	return (*t).Start(ctx, name, trace.WithSpanKind(kind), trace.WithLinks(links...))
}

// Fail says that what the span is of went wrong, by a code: the text of an error may hold names.
func Fail(span trace.Span, code string) {
	span.SetStatus(codes.Error, "")
	span.SetAttributes(attribute.String("error.type", code))
}

// The headers of W3C Trace Context. Names as net/http keeps them.
const (
	parentHeader = "Traceparent"
	parentLength = 55 // of version 00
)

// FromHeader continues the trace that a request belongs to, if it says one. It is carried on even where no spans are wanted
// here, as the standard asks of whoever passes something on.
func FromHeader(ctx context.Context, h http.Header) context.Context {
	if _, sent := h[parentHeader]; !sent {
		return ctx
	}
	return propagation.TraceContext{}.Extract(ctx, propagation.HeaderCarrier(h))
}

// ToHeader has whoever gets a request continue the trace of the context, if there is one.
func ToHeader(ctx context.Context, h http.Header) {
	propagation.TraceContext{}.Inject(ctx, propagation.HeaderCarrier(h))
}

// Parent is the place in a trace where something is done, as the standard's header says it; empty where it is in none.
func Parent(ctx context.Context) string {
	h := http.Header{}
	ToHeader(ctx, h)
	return h.Get(parentHeader)
}

// WithParent goes on from such a place. What is none changes nothing.
func WithParent(ctx context.Context, parent string) context.Context {
	if parent == "" {
		return ctx
	}
	return FromHeader(ctx, http.Header{parentHeader: {parent}})
}

// Cause is what brought an entry into the log, for those who deliver it. It is not kept with the entry: it goes with it in memory,
// and to the other nodes with the hint, and is nothing where that was lost.
type Cause struct {
	Request string `json:"request,omitempty"` // its id
	Parent  string `json:"parent,omitempty"`  // see [Parent]; empty where no span of it is wanted
}

// CauseOf is that of what is done under a context; nil where nobody wants to know, for there is no span and log does not log
// what is only for debugging.
func CauseOf(ctx context.Context, log *slog.Logger) *Cause {
	recording := trace.SpanFromContext(ctx).IsRecording()
	if !recording && !log.Enabled(ctx, slog.LevelDebug) {
		return nil
	}
	c := &Cause{Request: RequestOf(ctx)}
	if recording {
		c.Parent = Parent(ctx)
	}
	if *c == (Cause{}) {
		return nil
	}
	return c
}

// Context is one under which what was caused goes on.
func (c *Cause) Context(ctx context.Context) context.Context {
	return WithRequest(WithParent(ctx, c.Parent), c.Request)
}

// Valid reports whether a cause that another node told is one.
func (c *Cause) Valid() bool {
	return (c.Request == "" || ValidRequestID(c.Request)) && (c.Parent == "" || len(c.Parent) == parentLength)
}
